//! A form as a browser posts it: names are JSON pointers into the body, names of our own start with `_`.

use formwork_model::pack::form::{Field, FieldKind, Form};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::control::control_text;
use super::format::Local;
use super::query::{Pairs, first, is_local, parse};

/// What the pressed button asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Press {
    /// Save, send, complete.
    Submit,
    /// Draw the form again, its rules applied.
    Update,
    /// One more row of the child table at this pointer.
    Add(String),
    /// Without the row at this pointer.
    Remove(String),
}

/// A posted form.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pairs: Pairs,
    /// Pointers of the child rows, in order.
    pub(crate) rows: Vec<String>,
    /// What was pressed.
    pub(crate) press: Press,
    hash: String,
}

impl Posted {
    /// Reads the body of a form posted to `path`.
    pub(crate) fn new(path: &str, body: &[u8]) -> Self {
        let pairs = parse(body);
        let mut hash = Sha256::new();
        hash.update(format!("POST {path}\n"));
        hash.update(body);
        let mut posted = Self {
            rows: pairs.iter().filter(|(name, _)| name == "_row").map(|(_, row)| row.clone()).collect(),
            press: Press::Submit,
            hash: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            pairs,
        };
        let own = |name: &str| first(&posted.pairs, name).map(str::to_owned);
        posted.press = match (own("_add"), own("_remove"), own("_evaluate")) {
            (Some(table), ..) => Press::Add(table),
            (_, Some(row), _) => Press::Remove(row),
            (_, _, Some(_)) => Press::Update,
            _ => Press::Submit,
        };
        posted.apply_rows();
        posted
    }

    /// What was posted to be kept, not to be done.
    pub(crate) fn kept(pairs: Pairs) -> Self {
        let rows = pairs.iter().filter(|(name, _)| name == "_row").map(|(_, row)| row.clone()).collect();
        Self { pairs, rows, press: Press::Update, hash: String::new() }
    }

    /// A control of our own: `_outcome`.
    pub(crate) fn own(&self, name: &str) -> Option<&str> {
        first(&self.pairs, name)
    }

    /// What was typed at a pointer, empty text included.
    pub(crate) fn typed(&self, pointer: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == pointer).map(|(_, value)| value.as_str())
    }

    /// Whether a control of this field was drawn.
    pub(crate) fn shows(&self, pointer: &str) -> bool {
        self.pairs.iter().any(|(name, value)| name == "_shown" && value == pointer)
    }

    /// The version that was read.
    pub(crate) fn version(&self) -> Option<i64> {
        self.own("_version")?.parse().ok()
    }

    /// The idempotency key drawn with the form, and a hash of what was sent.
    pub(crate) fn idempotency(&self) -> Option<(String, String)> {
        let key = self.own("_key").filter(|key| key.len() <= 128 && key.is_ascii())?;
        Some((key.to_owned(), self.hash.clone()))
    }

    /// Where to go afterwards: a path of ours.
    pub(crate) fn back(&self) -> Option<&str> {
        self.own("_return").filter(|path| is_local(path))
    }

    /// The body as the API takes it: only what differs from the record that was read, child rows by id, rows left out
    /// as null. `prefix` is `/fields` inside a task.
    pub(crate) fn body(&self, form: &Form, prefix: &str, record: Option<&Json>, local: &Local) -> Map<String, Json> {
        let mut body = Map::new();
        for field in &form.fields {
            let pointer = format!("{prefix}/{}", field.key);
            let stored = record.map(|record| &record[&*field.key]);
            match &field.kind {
                FieldKind::Table { fields, .. } => {
                    let rows = self.table(&pointer, fields, stored, local);
                    if !rows.is_empty() {
                        body.insert(field.key.to_string(), Json::Object(rows));
                    }
                }
                _ => {
                    if let Some(value) = self.value(field, &pointer, stored, local) {
                        body.insert(field.key.to_string(), value);
                    }
                }
            }
        }
        body
    }

    /// The rows of a table below a pointer: their names.
    pub(crate) fn rows_of(&self, pointer: &str) -> Vec<&str> {
        let prefix = format!("{pointer}/");
        self.rows.iter().filter_map(|row| row.strip_prefix(&prefix)).filter(|name| !name.contains('/')).collect()
    }

    /// A field's value, if a control of it was drawn and holds something else than the record.
    fn value(&self, field: &Field, pointer: &str, stored: Option<&Json>, local: &Local) -> Option<Json> {
        if matches!(field.kind, FieldKind::Boolean) {
            let ticked = self.typed(pointer) == Some("true");
            let known = stored.and_then(Json::as_bool);
            let same = stored.is_some() && known.unwrap_or(false) == ticked;
            return (self.shows(pointer) && !same).then(|| json!(ticked));
        }
        let typed = self.typed(pointer)?;
        // A text area sends its lines ended as on paper tape.
        let typed = typed.replace("\r\n", "\n");
        if stored.is_some_and(|stored| control_text(field, stored, local) == typed) {
            return None;
        }
        Some(if typed.trim().is_empty() { Json::Null } else { Json::String(typed) })
    }

    fn table(&self, pointer: &str, fields: &[Field], stored: Option<&Json>, local: &Local) -> Map<String, Json> {
        let mut rows = Map::new();
        if !self.shows(pointer) {
            return rows;
        }
        let names = self.rows_of(pointer);
        let known: Vec<&Json> = stored.and_then(Json::as_array).into_iter().flatten().collect();
        let stored_row = |name: &str| known.iter().find(|row| row["id"] == *name).copied();
        for name in &names {
            let row = stored_row(name);
            let values: Map<String, Json> = fields
                .iter()
                .filter_map(|field| {
                    let pointer = format!("{pointer}/{name}/{}", field.key);
                    let value = self.value(field, &pointer, row.map(|row| &row[&*field.key]), local)?;
                    Some((field.key.to_string(), value))
                })
                .collect();
            if row.is_none() || !values.is_empty() {
                rows.insert((*name).to_owned(), Json::Object(values));
            }
        }
        for row in known {
            let id = row["id"].as_str().unwrap_or_default();
            if !names.contains(&id) {
                rows.insert(id.to_owned(), Json::Null);
            }
        }
        rows
    }

    fn apply_rows(&mut self) {
        match self.press.clone() {
            Press::Add(table) => {
                let number = |row: &String| row.rsplit_once("/new-")?.1.parse::<u32>().ok();
                let last = self.rows.iter().filter_map(number).max().unwrap_or(0);
                self.rows.push(format!("{table}/new-{}", last + 1));
            }
            Press::Remove(row) => self.rows.retain(|other| *other != row),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pressed_button_decides_and_rows_follow() {
        let posted = Posted::new("/x", b"_row=%2Fitems%2Fa&_row=%2Fitems%2Fnew-4&_add=%2Fitems");
        assert_eq!(posted.press, Press::Add("/items".to_owned()));
        assert_eq!(posted.rows_of("/items"), ["a", "new-4", "new-5"]);
        let posted = Posted::new("/x", b"_row=/items/a&_row=/items/b&_remove=/items/a");
        assert_eq!(posted.rows_of("/items"), ["b"]);
        assert_eq!(Posted::new("/x", b"_evaluate=1").press, Press::Update);
        assert_eq!(Posted::new("/x", b"/subject=x").press, Press::Submit);
    }

    #[test]
    fn a_return_elsewhere_is_no_return() {
        assert_eq!(Posted::new("/x", b"_return=//evil.example").back(), None);
        assert_eq!(Posted::new("/x", b"_return=/inbox").back(), Some("/inbox"));
    }

    #[test]
    fn the_same_request_has_the_same_hash() {
        let one = Posted::new("/x", b"_key=k&/a=1").idempotency().unwrap();
        assert_eq!(one, Posted::new("/x", b"_key=k&/a=1").idempotency().unwrap());
        assert_ne!(one.1, Posted::new("/x", b"_key=k&/a=2").idempotency().unwrap().1);
        assert_ne!(one.1, Posted::new("/y", b"_key=k&/a=1").idempotency().unwrap().1);
    }
}
