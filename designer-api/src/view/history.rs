//! What happened to a record, in words.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use formwork_model::Key;
use formwork_model::pack::analytics::TileKind;
use formwork_model::pack::form::Field;
use formwork_model::pack::workflow::Workflow;

use super::cell::{Scribe, plain};
use super::format::{Time, parse_instant};
use super::seen::Seen;

/// Longest value shown of a change.
const VALUE_MAX: usize = 120;

/// Something that happened (templates/parts/work.html).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    id: String,
    kind: &'static str,
    who: Who,
    at: Time,
    text: String,
    /// What the record that was filed is called, and where it is; "" for other events.
    title: String,
    href: String,
    body: String,
    pub(crate) public: bool,
    internal: bool,
    changes: Vec<Change>,
}

/// Who did it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) initials: String,
}

/// A field that changed.
#[derive(Debug, Clone, Serialize)]
struct Change {
    label: String,
    from: String,
    to: String,
}

impl Who {
    /// Somebody of that name.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), initials: initials(name) }
    }
}

/// The events of a history that people care about, newest first.
pub(crate) fn events(history: &Json, seen: &Seen, scribe: Scribe<'_>) -> Vec<Event> {
    let items = history["items"].as_array().into_iter().flatten();
    items.filter_map(|item| event(item, seen, scribe)).collect()
}

/// The items of a timeline.
pub(crate) fn timeline(body: &Json, seen: &Seen, scribe: Scribe<'_>) -> Vec<Event> {
    let items = body["items"].as_array().into_iter().flatten();
    let shown = items.filter_map(|item| match item["kind"].as_str() {
        Some("record") => filed(item, seen, scribe),
        _ => {
            let mut told = item.clone();
            told["kind"] = item["event"].clone();
            event(&told, seen, scribe)
        }
    });
    shown.collect()
}

/// A record that came to link to this one.
fn filed(item: &Json, seen: &Seen, scribe: Scribe<'_>) -> Option<Event> {
    let local = scribe.local;
    let (key, form) = seen.pack.forms().get_key_value(item["form"].as_str()?)?;
    let id = plain(&item["record"]["id"]);
    let actor = item["actor"]["name"].as_str().map_or_else(|| local.say("activity.system", &[]), str::to_owned);
    let label = form.label.get(&local.language);
    Some(Event {
        kind: "record",
        who: Who::named(&actor),
        at: local.time(parse_instant(item["at"].as_str()?)?),
        text: local.say("event.record.filed", &[("form", &local.inside(label))]),
        title: item["record"]["title"].as_str().map_or_else(|| local.say("field.unreadable", &[]), str::to_owned),
        href: scribe.records(key).map(|path| format!("{path}/{id}")).unwrap_or_default(),
        id,
        body: String::new(),
        internal: false,
        public: false,
        changes: Vec::new(),
    })
}

fn event(item: &Json, seen: &Seen, scribe: Scribe<'_>) -> Option<Event> {
    let local = scribe.local;
    let name = item["kind"].as_str()?;
    let kind = match name {
        "comment" => "comment",
        "record.created" | "record.updated" | "suggestion.accepted" | "suggestion.dismissed" => "change",
        "task.claimed" | "task.released" | "task.transferred" | "task.completed" | "task.delegated"
        | "task.resolved" | "task.returned" | "task.copied" | "task.reminded" => "task",
        "instance.started" | "instance.completed" | "instance.cancelled" | "instance.withdrawn"
        | "instance.retried" | "instance.jumped" | "message.stored" | "message.received" | "incident.opened" => {
            "system"
        }
        name if name.starts_with("clock.") => "system",
        _ => return None,
    };
    let actor = match (item["actor"]["name"].as_str(), item["actor_kind"].as_str()) {
        // These happen by themselves, whoever's deed it was that they followed.
        _ if is_nobodys(name) => String::new(),
        (Some(name), _) => name.to_owned(),
        (None, Some("public")) if name != "message.stored" => local.say("activity.public", &[]),
        (None, _) => local.say("activity.system", &[]),
    };
    let changes = if name == "record.updated" { changes(&item["data"]["diff"], seen, scribe) } else { Vec::new() };
    if name == "record.updated" && changes.is_empty() {
        return None;
    }
    Some(Event {
        id: plain(&item["seq"]),
        kind: if item["actor"].is_null() && kind == "change" { "system" } else { kind },
        who: Who::named(&actor),
        at: local.time(parse_instant(item["at"].as_str()?)?),
        text: words(name, item, seen, scribe),
        title: String::new(),
        href: String::new(),
        body: if kind == "comment" { plain(&item["data"]["text"]) } else { String::new() },
        public: kind == "comment" && item["data"]["public"] == true,
        internal: kind == "comment" && seen.is_followed() && item["data"]["public"] != true,
        changes,
    })
}

/// Whether the words of an event name nobody who did it.
fn is_nobodys(name: &str) -> bool {
    name.starts_with("clock.")
        || matches!(name, "instance.started" | "instance.completed" | "message.received" | "incident.opened")
}

/// The act in words, with the step or the way out where the event names one.
fn words(name: &str, item: &Json, seen: &Seen, scribe: Scribe<'_>) -> String {
    let local = scribe.local;
    let form = &seen.form.key;
    let step = item["step"].as_str().map(|step| label_of_step(form, step, scribe)).unwrap_or_default();
    let outcome = item["data"]["outcome_label"].as_str().map(str::to_owned);
    let outcome = outcome
        .or_else(|| Some(label_of_outcome(form, item["step"].as_str()?, item["data"]["outcome"].as_str()?, scribe)));
    let clock = item["data"]["sla"].as_str().map(|_| label_of_clock(&item["data"], scribe)).unwrap_or_default();
    let label = item["data"]["rule"].as_str().map(|rule| label_of_proposal(&item["data"], rule, scribe));
    let (outcome, label) = (outcome.unwrap_or_default(), label.unwrap_or_default());
    let values = [("step", &*step), ("outcome", &*outcome), ("clock", &*clock), ("label", &*label)];
    local.say(&format!("event.{name}"), &values)
}

fn label_of_clock(data: &Json, scribe: Scribe<'_>) -> String {
    let (workflow, sla) = (data["workflow"].as_str().unwrap_or_default(), data["sla"].as_str().unwrap_or_default());
    let found = scribe.pack.workflows().get(workflow).and_then(|workflow| workflow.sla.get(sla));
    found.map_or_else(|| sla.to_owned(), |sla| sla.label.get(&scribe.local.language).to_owned())
}

/// What a tile proposes where that rule hits; the rule's key where no tile does any more.
fn label_of_proposal(data: &Json, rule: &str, scribe: Scribe<'_>) -> String {
    let tiles = scribe.pack.boards().values().flat_map(|board| board.tiles.values());
    let label = tiles.filter_map(|tile| match &tile.kind {
        TileKind::Rules { decision, actions } if data["decision"] == **decision => actions.get(rule),
        _ => None,
    });
    let label = label.map(|action| action.label.get(&scribe.local.language).to_owned()).next();
    label.unwrap_or_else(|| rule.to_owned())
}

/// The workflows of a form; a step of the same key in another one is another step.
fn workflows<'s>(form: &'s Key, scribe: Scribe<'s>) -> impl Iterator<Item = &'s Arc<Workflow>> {
    scribe.pack.workflows().values().filter(move |workflow| workflow.form.as_ref() == Some(form))
}

fn label_of_step(form: &Key, step: &str, scribe: Scribe<'_>) -> String {
    let mut nodes = workflows(form, scribe).filter_map(|workflow| workflow.graph.nodes.get(step));
    nodes.next().map_or_else(|| step.to_owned(), |node| node.label.get(&scribe.local.language).to_owned())
}

fn label_of_outcome(form: &Key, step: &str, outcome: &str, scribe: Scribe<'_>) -> String {
    let found = workflows(form, scribe).find_map(|workflow| {
        let form = workflow.graph.nodes.get(step)?.task_form()?;
        Some(form.outcomes.get(outcome)?.label.get(&scribe.local.language).to_owned())
    });
    found.unwrap_or_else(|| outcome.to_owned())
}

fn changes(diff: &Json, seen: &Seen, scribe: Scribe<'_>) -> Vec<Change> {
    diff.as_array().into_iter().flatten().filter_map(|operation| change(operation, seen, scribe)).collect()
}

fn change(operation: &Json, seen: &Seen, scribe: Scribe<'_>) -> Option<Change> {
    let language = &scribe.local.language;
    let mut parts = operation["path"].as_str()?.split('/').skip(1);
    let (position, field) = seen.form.field(parts.next()?)?;
    let level = seen.level(position);
    let label = field.label.get(language);
    let child = parts.nth(1).and_then(|key| row_field(field, key));
    match (child, field.kind.rows()) {
        (Some((place, child)), _) => {
            let shown = |value: &Json| short(&scribe.row_cell(child, value, seen.row_level(position, place)).text);
            let label = format!("{label} · {}", child.label.get(language));
            Some(Change { label, from: shown(&operation["old"]), to: shown(&operation["value"]) })
        }
        (None, []) => {
            let shown = |value: &Json| short(&scribe.cell(seen, field, value, level).text);
            Some(Change { label: label.to_owned(), from: shown(&operation["old"]), to: shown(&operation["value"]) })
        }
        // A whole row came or went: its values in the order of the columns.
        (None, rows) => {
            let shown = |row: &Json| {
                let cells = rows.iter().enumerate().filter_map(|(place, child)| {
                    let value = row.get(&*child.key)?;
                    let text = scribe.row_cell(child, value, seen.row_level(position, place)).text;
                    (!text.is_empty()).then_some(text)
                });
                short(&cells.collect::<Vec<_>>().join(" "))
            };
            Some(Change { label: label.to_owned(), from: shown(&operation["old"]), to: shown(&operation["value"]) })
        }
    }
}

fn row_field<'f>(field: &'f Field, key: &str) -> Option<(usize, &'f Field)> {
    field.kind.rows().iter().enumerate().find(|(_, child)| *child.key == *key)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One letter of a Chinese name, two of others.
pub(crate) fn initials(name: &str) -> String {
    let first = |word: &str| word.chars().next();
    match first(name) {
        Some(letter) if !letter.is_ascii() => letter.to_string(),
        _ => name.split_whitespace().filter_map(first).take(2).collect::<String>().to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_fit_an_avatar() {
        assert_eq!(initials("王芳"), "王");
        assert_eq!(initials("Ada King Lovelace"), "AK");
        assert_eq!(initials("admin"), "A");
        assert_eq!(initials(""), "");
    }
}
