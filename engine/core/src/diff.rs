//! What a change did, as RFC 6902 operations with the old value beside each.
//!
//! Paths are JSON pointers into the record as on the wire; rows of child tables are addressed by their id. Values are
//! unmasked: the projection filters them when history is read.

use serde_json::{Map, Value as Json, json};

use formwork_model::Value;
use formwork_model::pack::form::{Field, Form};
use formwork_model::value::Row;

use crate::record::Record;
use crate::wire::render;

/// The operations from one state of a record to another; none stands for a record that is not there.
pub(crate) fn diff(form: &Form, before: Option<&Record>, after: Option<&Record>) -> Json {
    let mut operations = Vec::new();
    for (position, field) in form.fields.iter().enumerate().filter(|(_, field)| field.is_stored()) {
        let value = |record: Option<&Record>| record.and_then(|record| record.values.get(position)).cloned();
        let (old, new) = (value(before).unwrap_or_default(), value(after).unwrap_or_default());
        if field.kind.rows().is_empty() {
            operations.extend(operation(format!("/{}", field.key), field, &old, &new));
        } else {
            rows(field, old.rows(), new.rows(), &mut operations);
        }
    }
    Json::Array(operations)
}

fn operation(path: String, field: &Field, old: &Value, new: &Value) -> Option<Json> {
    let json = |value: &Value| render(value, field.ty());
    match (old.is_null(), new.is_null()) {
        _ if old == new => None,
        (true, _) => Some(json!({"op": "add", "path": path, "value": json(new), "old": null})),
        (_, true) => Some(json!({"op": "remove", "path": path, "old": json(old)})),
        _ => Some(json!({"op": "replace", "path": path, "value": json(new), "old": json(old)})),
    }
}

fn rows(table: &Field, old: &[Row], new: &[Row], operations: &mut Vec<Json>) {
    let path = |row: &Row| format!("/{}/{}", table.key, row.id);
    for row in old.iter().filter(|row| !new.iter().any(|other| other.id == row.id)) {
        operations.push(json!({"op": "remove", "path": path(row), "old": body(table, row)}));
    }
    for row in new {
        let Some(known) = old.iter().find(|other| other.id == row.id) else {
            operations.push(json!({"op": "add", "path": path(row), "value": body(table, row), "old": null}));
            continue;
        };
        for (place, field) in table.kind.rows().iter().enumerate().filter(|(_, field)| field.is_stored()) {
            let path = format!("{}/{}", path(row), field.key);
            operations.extend(operation(path, field, &known.values[place], &row.values[place]));
        }
    }
}

fn body(table: &Field, row: &Row) -> Json {
    let fields = table.kind.rows().iter().zip(&row.values).filter(|(field, _)| field.is_stored());
    Json::Object(Map::from_iter(fields.map(|(field, value)| (field.key.to_string(), render(value, field.ty())))))
}
