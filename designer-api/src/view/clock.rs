//! Clocks: how much open time is left, in words. The page goes on counting between two loads (web/src/time.ts).

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::cell::plain;
use super::format::{Local, Time, parse_instant};

/// Most clocks shown of one record; what is still to be stopped comes first.
const SHOWN_MAX: usize = 8;
/// Hours up to which minutes matter, as in web/src/time.ts.
const FEW_HOURS: i64 = 10;
/// What is left of the budget, in percent, from which on a clock looks urgent.
const URGENT: i64 = 20;

/// A clock (templates/parts/ui.html).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Countdown {
    label: String,
    /// How it stands, in words.
    text: String,
    /// `""`, `warn`, `bad`, `ok`.
    tone: &'static str,
    /// `clock`, `warn`, `ok`: tells apart without colour.
    icon: &'static str,
    /// When it is due.
    due: Option<Time>,
    /// What the time is counted by, and whether that is certain.
    note: String,
    /// Milliseconds of open time that are left; none where nothing counts down.
    left: Option<i64>,
    /// Whether it counts down now, and when that changes.
    ticks: bool,
    turns: String,
}

/// The clocks of an answer, as far as they are shown.
pub(crate) fn countdowns(clocks: &Json, local: &Local) -> Vec<Countdown> {
    let items = clocks["items"].as_array().into_iter().flatten();
    items.filter(|clock| is_told(clock)).take(SHOWN_MAX).map(|clock| countdown(clock, local)).collect()
}

/// Words the page needs to go on counting.
pub(crate) fn words(local: &Local) -> String {
    let say = |key: &str| local.say(key, &[]);
    json!({"left": say("clock.left"), "over": say("clock.over"), "hour": say("clock.hour"), "minute": say("clock.minute")})
        .to_string()
}

/// Of what was stopped long ago only the newest cycle says anything, and it comes first.
fn is_told(clock: &Json) -> bool {
    clock["stopped_at"].is_null() || clock["state"] != "none"
}

/// A clock in words.
pub(crate) fn countdown(clock: &Json, local: &Local) -> Countdown {
    let number = |key: &str| clock[key].as_i64().unwrap_or(0);
    let is_stopped = !clock["stopped_at"].is_null();
    let (left, budget) = (number("remaining_ms"), number("budget_ms"));
    let used = span(number("consumed_ms"), local);
    let is_paused = !is_stopped && clock["runs"] == false && clock["state"] != "none";
    let (key, time, tone, icon) = match clock["state"].as_str().unwrap_or_default() {
        "none" => ("clock.none", String::new(), "", "clock"),
        "cancelled" => ("clock.cancelled", String::new(), "", "clock"),
        "met" => ("clock.met", used, "ok", "ok"),
        "breached" if is_stopped => ("clock.missed", used, "bad", "warn"),
        "breached" => ("clock.over", span(-left, local), "bad", "warn"),
        _ if is_paused => ("clock.paused", span(left, local), "", "clock"),
        _ if left * 100 <= budget * URGENT => ("clock.left", span(left, local), "warn", "clock"),
        _ => ("clock.left", span(left, local), "", "clock"),
    };
    let runs = clock["runs"] == true && !is_stopped;
    let mut note = Vec::new();
    if let Some(calendar) = clock["calendar_label"].as_str() {
        note.push(local.say("clock.calendar", &[("calendar", calendar)]));
    }
    if clock["provisional"] == true {
        note.push(local.say("clock.provisional", &[]));
    }
    Countdown {
        label: plain(&clock["label"]),
        text: local.say(key, &[("time", &time)]),
        tone,
        icon,
        due: clock["due_at"].as_str().filter(|_| !is_stopped).and_then(parse_instant).map(|at| local.point(at)),
        note: note.join(" · "),
        left: runs.then_some(left),
        ticks: runs && clock["is_open"] == true,
        turns: plain(&clock["turns_at"]),
    }
}

/// Open time in hours and minutes: a day of a calendar has no fixed length. Minutes are told of few hours only.
pub(super) fn span(milliseconds: i64, local: &Local) -> String {
    let minutes = milliseconds.max(0) / 60_000;
    let part = |key: &str, n: i64| local.say(key, &[("n", &n.to_string())]);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => part("clock.minute", minutes),
        (hours, minutes) if minutes == 0 || hours >= FEW_HOURS => part("clock.hour", hours),
        (hours, minutes) => format!("{} {}", part("clock.hour", hours), part("clock.minute", minutes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn shown(language: &str, clock: Json) -> Countdown {
        let now = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).unwrap();
        countdown(&clock, &Local { language: language.to_owned(), zone: chrono_tz::UTC, now })
    }

    #[test]
    fn a_clock_says_how_it_stands_in_words_and_not_by_colour_alone() {
        let running = json!({"state": "running", "runs": true, "is_open": true, "remaining_ms": 12_000_000, "budget_ms": 14_400_000});
        let running = shown("en", running);
        assert_eq!((&*running.text, running.tone, running.ticks), ("3 h 20 min left", "", true));
        let over =
            json!({"state": "breached", "runs": true, "is_open": false, "remaining_ms": -90_000_000, "budget_ms": 1});
        let over = shown("en", over);
        assert_eq!((&*over.text, over.tone, over.icon, over.ticks), ("25 h overdue", "bad", "warn", false));
        let paused = json!({"state": "paused", "runs": false, "remaining_ms": 60_000, "budget_ms": 600_000});
        let paused = shown("zh-CN", paused);
        assert_eq!((&*paused.text, paused.left), ("已暂停，剩余 1 分钟", None));
        let met =
            json!({"state": "met", "runs": false, "stopped_at": "2026-01-05T09:00:00Z", "consumed_ms": 3_600_000});
        assert_eq!(shown("en", met).text, "met in 1 h");
    }
}
