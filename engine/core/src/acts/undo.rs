//! Take the last change of a record back. A change is undone by a change: the history grows, and the rules of the form
//! and the rights of whoever undoes hold as always. What a deletion ended (open work, links that were emptied) stays
//! ended.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::form::{Field, Form};

use super::{forbidden, known, projection, update};
use crate::Stop;
use crate::access::Projection;
use crate::change::{Event, Reply};
use crate::facts::Need;
use crate::form::{Session, invalid};
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::viewer::ViewerKind;

/// Events looked through for the last change: what came after it may be comments and steps of workflows.
const EVENTS: u32 = 100;

/// See the module.
pub(crate) fn undo(turn: &mut Turn<'_>, form: &Key, id: Uuid, expected_version: Option<i64>) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    let stored = turn.context.stored(form, id)?;
    if stored.is_some() {
        known(turn, &projection, id)?;
    }
    let Some(events) = turn.context.facts.events.get(&(form.clone(), id, None)) else {
        return Err(Stop::Need(vec![Need::Events { form: form.clone(), id, before: None, limit: EVENTS }]));
    };
    let last = events.iter().map(|(_, event)| event).find(|event| event.kind.starts_with("record."));
    let Some(last) = last else {
        let (kind, code) = match stored {
            Some(_) => (RejectionKind::Conflict, "not_undoable"),
            None => (RejectionKind::NotFound, "record_not_found"),
        };
        return Err(turn.refuse(kind, code));
    };
    let version = last.data["version"].as_i64().unwrap_or_default();
    match (last.kind.as_str(), stored) {
        ("record.deleted", None) => restore(turn, &projection, id, last, version, expected_version),
        ("record.updated", Some(stored)) => {
            if stored.version != version || expected_version.is_some_and(|expected| expected != version) {
                return Err(turn.refuse(RejectionKind::Stale, "moved_on"));
            }
            let patch = inverse(turn, &projection, &last.data["diff"])?;
            turn.change.reply = update::apply(turn, &projection, id, Some(version), &patch)?;
            Ok(())
        }
        (_, Some(stored)) if expected_version.is_some_and(|expected| expected != stored.version) => {
            Err(turn.refuse(RejectionKind::Stale, "moved_on"))
        }
        (_, Some(_)) => Err(turn.refuse(RejectionKind::Conflict, "not_undoable")),
        (_, None) => Err(turn.refuse(RejectionKind::NotFound, "record_not_found")),
    }
}

/// The patch that gives every field of a diff its old value back. What follows from others follows again; a field that
/// this actor could not write by hand was written by a workflow, whose steps cannot be taken back.
fn inverse(turn: &Turn<'_>, projection: &Projection, diff: &Json) -> Result<Map<String, Json>, Stop> {
    let form = projection.form();
    let mut patch = Map::new();
    for operation in diff.as_array().into_iter().flatten() {
        let Some((field, row, cell)) = place(form, operation) else {
            return Err(turn.refuse(RejectionKind::Conflict, "not_undoable"));
        };
        let old = operation["old"].clone();
        match (row, cell) {
            (None, _) if field.is_derived() => {}
            (None, _) => {
                patch.insert(field.key.to_string(), old);
            }
            (Some(row), cell) => {
                let rows = patch.entry(field.key.to_string()).or_insert_with(|| json!({}));
                match cell {
                    Some(cell) if cell_is_derived(field, cell) => {}
                    Some(cell) => rows[row][cell] = old,
                    // A row that was added goes; one that was removed comes back as a new one.
                    None if old.is_null() => rows[row] = Json::Null,
                    None => rows[format!("back-{row}")] = by_hand(field, &old),
                }
            }
        }
    }
    let hand = |key: &str| {
        let writes = |(position, field): (usize, &Field)| {
            projection.levels().field(position) == formwork_model::pack::form::Level::Write && !field.read_only
        };
        turn.actor().kind == ViewerKind::System || form.field(key).is_some_and(writes)
    };
    if patch.keys().any(|key| !hand(key)) {
        return Err(turn.refuse(RejectionKind::Conflict, "not_undoable"));
    }
    Ok(patch)
}

/// The field of an operation, and the row and its field where it is one of a child table.
fn place<'f, 'o>(form: &'f Form, operation: &'o Json) -> Option<(&'f Field, Option<&'o str>, Option<&'o str>)> {
    let mut parts = operation["path"].as_str()?.split('/').skip(1);
    let (_, field) = form.field(parts.next()?)?;
    Some((field, parts.next(), parts.next()))
}

fn cell_is_derived(table: &Field, cell: &str) -> bool {
    table.kind.rows().iter().any(|field| *field.key == *cell && field.is_derived())
}

/// A row without what follows from its other values.
fn by_hand(table: &Field, row: &Json) -> Json {
    let cells = row.as_object().into_iter().flatten().filter(|(key, _)| !cell_is_derived(table, key));
    Json::Object(cells.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// The record comes back as it was when it was deleted, for whoever may delete it. For everybody else it is gone.
fn restore(
    turn: &mut Turn<'_>,
    projection: &Projection,
    id: Uuid,
    deleted: &Event,
    version: i64,
    expected_version: Option<i64>,
) -> Result<(), Stop> {
    if !projection.can_delete() {
        return Err(turn.refuse(RejectionKind::NotFound, "record_not_found"));
    }
    let form = turn.context.pack.form(&projection.form().key);
    let mut session = Session::create(turn.context, form, id);
    session.take(&values(form, &deleted.data["diff"]), None, &mut turn.ids)?;
    let created: Option<(DateTime<Utc>, Option<Uuid>)> = serde_json::from_value(deleted.data["created"].clone()).ok();
    session.restores(version, created, projection.levels());
    let errors = session.check()?;
    let needs = session.take_needs();
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    if !projection.deletes(turn.context, session.record())? {
        return Err(turn.refuse(RejectionKind::NotFound, "record_not_found"));
    }
    if expected_version.is_some_and(|expected| expected != version) {
        return Err(turn.refuse(RejectionKind::Stale, "moved_on"));
    }
    if !errors.is_empty() {
        return Err(Box::new(invalid(&turn.actor().language, errors)).into());
    }
    if !projection.reads(turn.context, session.record())? {
        return Err(forbidden(turn));
    }
    let outcome = turn.write_or_refuse(&mut session)?;
    let version = session.record().version;
    turn.change.reply = Reply::Record { form: form.key.clone(), id, version, outcome };
    Ok(())
}

/// What a deleted record held, as it would be filed.
fn values(form: &Form, diff: &Json) -> Map<String, Json> {
    let mut values = Map::new();
    for operation in diff.as_array().into_iter().flatten() {
        let Some((field, row, _)) = place(form, operation) else { continue };
        let is_numbered = matches!(field.kind, formwork_model::pack::form::FieldKind::Series { .. });
        match row {
            None if field.is_derived() && !is_numbered => {}
            None => {
                values.insert(field.key.to_string(), operation["old"].clone());
            }
            Some(_) => {
                let rows = values.entry(field.key.to_string()).or_insert_with(|| json!([]));
                rows.as_array_mut().into_iter().for_each(|rows| rows.push(by_hand(field, &operation["old"])));
            }
        }
    }
    values
}
