//! Values to read: what a cell of a table, a fact and a read-only field show.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use formwork_core::Viewer;
use formwork_model::expr::Type;
use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::{Key, Pack};
use formwork_runtime::Engine;

use super::format::{Local, iso, parse_instant};
use super::seen::{Seen, may_read, path_of};

/// A value to read (templates/parts/fields.html).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Cell {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) href: String,
    pub(crate) iso: String,
    pub(crate) masked: bool,
    pub(crate) tone: &'static str,
}

impl Cell {
    /// Plain text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { kind: "text", text: text.into(), ..Self::default() }
    }
}

/// Writes values of a pack for one reader.
#[derive(Clone, Copy)]
pub(crate) struct Scribe<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) pack: &'a Arc<Pack>,
    pub(crate) viewer: &'a Viewer,
    pub(crate) local: &'a Local,
}

impl Scribe<'_> {
    /// The value of a field of a form as this viewer sees it.
    pub(crate) fn cell(&self, seen: &Seen, field: &Field, value: &Json, level: Level) -> Cell {
        if level == Level::Mask && !value.is_null() {
            return masked(field, value);
        }
        Cell { kind: field.kind.name(), ..self.value(seen.source(field), value) }
    }

    /// A system field: `created_at`, `updated_by` …
    pub(crate) fn system(&self, value: &Json) -> Cell {
        match value {
            Json::Object(_) => Cell { kind: "user", ..Cell::text(title(value)) },
            _ => self.datetime(&plain(value)),
        }
    }

    /// The value of a field of a child row.
    pub(crate) fn row_cell(&self, field: &Field, value: &Json, level: Level) -> Cell {
        if level == Level::Mask && !value.is_null() {
            return masked(field, value);
        }
        self.value(field, value)
    }

    /// The title of a queue.
    pub(crate) fn queue(&self, key: &str) -> String {
        self.pack
            .queues()
            .get(key)
            .map_or_else(|| key.to_owned(), |queue| queue.title.get(&self.local.language).to_owned())
    }

    /// The address of a form's records, if the viewer may read some of them.
    pub(crate) fn records(&self, form: &Key) -> Option<String> {
        may_read(self.pack, self.viewer, form)
            .then(|| path_of(self.engine, self.pack, "records", form, |pack, key| pack.forms().contains_key(key)))
    }

    fn value(&self, field: &Field, value: &Json) -> Cell {
        let kind = field.kind.name();
        if value.is_null() {
            return Cell { kind, ..Cell::default() };
        }
        let text = plain(value);
        let cell = match &field.kind {
            FieldKind::Integer { .. } | FieldKind::Decimal { .. } => Cell::text(self.local.number(&text)),
            FieldKind::Money { .. } => Cell::text(self.local.money(&text, self.pack.currency())),
            FieldKind::Boolean => Cell { iso: text.clone(), ..Cell::text(self.yes_no(&text)) },
            FieldKind::Date => match text.parse() {
                Ok(date) => Cell { iso: text, ..Cell::text(self.local.date(date)) },
                Err(_) => Cell::text(text),
            },
            FieldKind::DateTime => self.datetime(&text),
            FieldKind::Choice { options, .. } => {
                let label = options.get(&*text).map(|option| option.label.get(&self.local.language).to_owned());
                Cell::text(label.unwrap_or(text))
            }
            FieldKind::Link { ty: Type::Link(form), .. } => self.link(form, value),
            FieldKind::User => Cell::text(title(value)),
            FieldKind::Queue => Cell::text(self.queue(&text)),
            FieldKind::Phone { .. } => Cell { iso: text.clone(), ..Cell::text(phone(&text)) },
            FieldKind::Table { .. } | FieldKind::Backlink { .. } => {
                Cell::text(value.as_array().map_or(0, Vec::len).to_string())
            }
            _ => Cell::text(text),
        };
        Cell { kind, ..cell }
    }

    fn yes_no(&self, text: &str) -> String {
        self.local.say(if text == "true" { "field.yes" } else { "field.no" }, &[])
    }

    fn datetime(&self, text: &str) -> Cell {
        match parse_instant(text) {
            Some(at) => Cell { kind: "datetime", iso: iso(at), ..Cell::text(self.local.instant(at)) },
            None => Cell::text(text),
        }
    }

    /// A link leads somewhere only where its title may be read.
    fn link(&self, form: &Key, value: &Json) -> Cell {
        let Some(title) = value["title"].as_str() else { return Cell::text(self.local.say("field.unreadable", &[])) };
        let id = value["id"].as_str().unwrap_or_default();
        let href = self.records(form).map(|path| format!("{path}/{id}")).unwrap_or_default();
        Cell { href, ..Cell::text(title) }
    }
}

fn masked(field: &Field, value: &Json) -> Cell {
    Cell { kind: field.kind.name(), masked: true, ..Cell::text(plain(value)) }
}

/// JSON as text: strings without quotes.
pub(crate) fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        Json::Object(map) if map.contains_key("id") => title(value),
        other => other.to_string(),
    }
}

/// The title of `{"id", "title"}`.
pub(crate) fn title(value: &Json) -> String {
    value["title"].as_str().or(value["name"].as_str()).unwrap_or_default().to_owned()
}

/// A mobile number of the mainland as people write it; others with their country code.
fn phone(text: &str) -> String {
    match text.strip_prefix("+86").filter(|rest| rest.len() == 11 && rest.is_ascii()) {
        Some(rest) => format!("{} {} {}", &rest[..3], &rest[3..7], &rest[7..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_written_in_groups() {
        assert_eq!(phone("+8613800001234"), "138 0000 1234");
        assert_eq!(phone("+4915112345678"), "+4915112345678");
    }
}
