//! What a step of a case expects of a clock.

use chrono::DateTime;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::Viewer;
use formwork_model::Key;
use formwork_model::expr::duration::format_iso;
use formwork_model::pack::case::ExpectedClock;
use formwork_model::value::Duration;

use super::words::told;
use super::world::World;

impl World<'_> {
    /// The clock of the newest instance, in its newest cycle.
    pub(super) async fn clock_differs(&mut self, (form, id): &(Key, Uuid), expected: &ExpectedClock) -> Vec<String> {
        let clocks = match self.engine.clocks(&self.pack, &Viewer::system("en"), form, *id).await {
            Ok(clocks) => clocks,
            Err(failure) => return vec![format!("the clocks cannot be read: {}", told(&failure))],
        };
        let items = clocks["items"].as_array().into_iter().flatten();
        let newest = items
            .filter(|clock| clock["sla"] == json!(expected.sla))
            .max_by_key(|clock| (clock["started_at"].as_str().unwrap_or_default(), clock["cycle"].as_u64()));
        let name = &expected.sla;
        let Some(clock) = newest else {
            if expected.state == Some("missing") {
                self.note(&format!("no clock {name}"));
                return Vec::new();
            }
            return vec![format!("there is no clock `{name}`")];
        };
        let wrong = differing(clock, expected);
        if wrong.is_empty() {
            let due = clock["due_at"].as_str().map_or_else(String::new, |due| format!(", due {due}"));
            self.note(&format!("clock {name} {}{due}", clock["state"].as_str().unwrap_or_default()));
        }
        wrong.into_iter().map(|wrong| format!("clock `{name}`: {wrong}")).collect()
    }
}

fn differing(clock: &Json, expected: &ExpectedClock) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |word: &str, found: String, wanted: String| {
        if found != wanted {
            wrong.push(format!("{word} is {found} instead of {wanted}"));
        }
    };
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(state) = expected.state {
        compare("state", plain(&clock["state"]), state.to_owned());
    }
    if let Some(due) = &expected.due {
        let utc = |value: &Json| {
            let instant = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            instant.map_or_else(|| "null".to_owned(), |at| at.to_utc().to_rfc3339())
        };
        compare("due", utc(&clock["due_at"]), utc(due));
    }
    for (word, wanted) in [("consumed_ms", expected.consumed_ms), ("paused_ms", expected.paused_ms)] {
        if let Some(wanted) = wanted {
            let iso = |milliseconds: i64| format_iso(&Duration::of_milliseconds(milliseconds));
            let found = clock[word].as_i64().map_or_else(|| "null".to_owned(), iso);
            compare(word.trim_end_matches("_ms"), found, iso(wanted));
        }
    }
    if let Some(cycle) = expected.cycle {
        compare("cycle", plain(&clock["cycle"]), cycle.to_string());
    }
    if let Some(rungs) = &expected.rungs {
        let reached = clock["rungs"].as_array().into_iter().flatten().filter(|rung| rung["is_reached"] == true);
        let reached: Vec<String> = reached.map(|rung| plain(&rung["key"])).collect();
        compare("the list of rungs reached", reached.join(", "), rungs.join(", "));
    }
    wrong
}
