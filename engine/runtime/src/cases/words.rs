//! The words of a transcript: short, readable, the same on every store (no ids).

use serde_json::{Map, Value as Json};

use formwork_store::Failure;

/// Longest text of a value.
const CLIP: usize = 60;
/// Longest line.
const WIDTH: usize = 118;
/// Where a line goes on.
const INDENT: &str = "                      ";
/// What every record has and no transcript needs.
const SYSTEM: [&str; 8] = ["id", "version", "created_at", "created_by", "updated_at", "updated_by", "title", "_may"];
/// Titles told of a list.
const TITLES_MAX: usize = 8;

/// `subject Late again, state open`.
pub(super) fn brief(values: &Map<String, Json>) -> String {
    let parts: Vec<String> = values.iter().map(|(key, value)| format!("{key} {}", brief_value(value))).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// A record as somebody sees it; what is empty or withheld is left out.
pub(super) fn record_shown(body: &Json) -> String {
    let mut body = body.as_object().cloned().unwrap_or_default();
    body.retain(|key, value| !SYSTEM.contains(&key.as_str()) && !value.is_null());
    brief(&body)
}

/// How many records a list has, and what they are called.
pub(super) fn titles(page: &Json) -> String {
    let items = page["items"].as_array().cloned().unwrap_or_default();
    let title = |item: &Json| clipped(item["title"].as_str().unwrap_or("?"));
    let mut titles: Vec<String> = items.iter().take(TITLES_MAX).map(title).collect();
    if items.len() > TITLES_MAX {
        titles.push("…".to_owned());
    }
    let count = page["total"]["value"].as_u64().unwrap_or_default();
    if titles.is_empty() { count.to_string() } else { format!("{count} ({})", titles.join("; ")) }
}

/// The fields of a form that is filled in: `*` must hold a value, `(…)` cannot be written; hidden ones are left out.
pub(super) fn form_shown(session: &Json) -> String {
    let fields = session["fields"].as_object().cloned().unwrap_or_default();
    let mut words = Vec::new();
    for (pointer, state) in fields.iter().filter(|(_, state)| state["visible"] == true) {
        let name = pointer.trim_start_matches('/');
        let name = if state["required"] == true { format!("{name}*") } else { name.to_owned() };
        let mut word = if state["readonly"] == true { format!("({name})") } else { name };
        if !state["value"].is_null() {
            word.push_str(&format!(" {}", brief_value(&state["value"])));
        }
        for error in state["errors"].as_array().into_iter().flatten() {
            word.push_str(&format!(" !{}", error["code"].as_str().unwrap_or("?")));
        }
        words.push(word);
    }
    words.join(", ")
}

/// A value in a few words.
pub(super) fn brief_value(value: &Json) -> String {
    match value {
        Json::String(text) => clipped(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(brief_value).collect();
            format!("[{}]", items.join("; "))
        }
        // A link or a user.
        Json::Object(map) if map.contains_key("title") && map.contains_key("id") => {
            clipped(map["title"].as_str().unwrap_or("untitled"))
        }
        Json::Object(map) => {
            let mut map = map.clone();
            map.shift_remove("id");
            brief(&map)
        }
        other => other.to_string(),
    }
}

/// The beginning of a text, on one line.
pub(super) fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CLIP) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Lines of a bearable length; a line goes on further to the right.
pub(super) fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(", ") {
        if !line.is_empty() && line.chars().count() + word.trim_end().chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, INDENT.to_owned()).trim_end().to_owned());
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A failure in one line: its code, its places.
pub(crate) fn told(failure: &Failure) -> String {
    match failure {
        Failure::Rejected(rejection) if rejection.errors.is_empty() => {
            format!("{} ({})", rejection.code, rejection.title)
        }
        Failure::Rejected(rejection) => {
            let places = rejection.errors.iter().map(|error| format!("{} at {}", error.code, error.pointer));
            places.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
