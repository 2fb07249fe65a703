//! The history of a record, filtered by the projection: what a viewer may not read was never changed, for them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::{Field, FieldKind, Level, Mask};
use formwork_model::{Key, Pack};

use super::records::{existing, readable};
use crate::Stop;
use crate::access::{Presenter, Projection, mask_text};
use crate::change::Event;
use crate::facts::{Facts, Need};
use crate::scene::{Completed, Context};
use crate::viewer::{Viewer, ViewerKind};
use crate::wire::instant_text;

/// Events of a page.
const PAGE: u32 = 100;

/// Events, newest first, below the event number `before`: `{"items": [{"seq", "at", "kind", "actor": {"id", "name"} |
/// null, "actor_kind", "step", "instance", "data"}], "next": seq | null}`.
pub fn history(
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    id: Uuid,
    before: Option<i64>,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let projection = existing(pack, viewer, form)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    readable(context, &projection, id)?;
    let Some(events) = facts.events.get(&(form.clone(), id, before)) else {
        return Err(Stop::Need(vec![Need::Events { form: form.clone(), id, before, limit: PAGE }]));
    };
    let mut presenter = Presenter::new(context);
    let mut items = Vec::with_capacity(events.len());
    for (seq, event) in events {
        items.extend(shown(&mut presenter, &projection, *seq, event)?);
    }
    presenter.finish()?;
    let next = events.last().filter(|_| events.len() >= PAGE as usize).map(|(seq, _)| *seq);
    Ok(json!({"items": items, "next": next}))
}

/// The event as the viewer sees it; none where nothing of it is for them.
fn shown(
    presenter: &mut Presenter<'_>,
    projection: &Projection,
    seq: i64,
    event: &Event,
) -> Result<Option<Json>, Stop> {
    let mut data = event.data.clone();
    if let Some(diff) = data.get_mut("diff").and_then(Json::as_array_mut) {
        let operations = std::mem::take(diff);
        *diff = operations.into_iter().filter_map(|operation| visible(projection, operation)).collect();
        if diff.is_empty() && event.kind == "record.updated" {
            return Ok(None);
        }
    }
    // What a decision saw and gave may hold values of fields this viewer does not read.
    if let Some(decided) = data.get("decision").cloned() {
        data["decision"] = json!({"key": decided["key"], "rule": decided["rule"]});
    }
    // What went wrong is for administrators; it may quote values.
    if event.kind == "incident.opened" && projection.viewer().kind != ViewerKind::System {
        data = json!({"code": data["code"]});
    }
    let actor = match event.actor {
        Some(user) => {
            let user = presenter.user(user)?;
            json!({"id": user["id"], "name": user["title"]})
        }
        None => Json::Null,
    };
    Ok(Some(json!({
        "seq": seq,
        "at": instant_text(event.at),
        "kind": event.kind,
        "actor": actor,
        "actor_kind": event.actor_kind,
        "step": event.step.as_ref().map(|(step, _)| step),
        "instance": event.instance,
        "data": data,
    })))
}

/// An operation of a diff with its values masked; none where the path is not for this viewer.
fn visible(projection: &Projection, mut operation: Json) -> Option<Json> {
    let path = operation["path"].as_str()?.to_owned();
    let mut parts = path.split('/').skip(1);
    let (position, field) = projection.form().field(parts.next()?)?;
    let level = projection.levels().field(position);
    if level == Level::None {
        return None;
    }
    match (&field.kind, parts.next(), parts.next()) {
        (FieldKind::Table { fields, .. }, Some(_), Some(key)) => {
            let place = fields.iter().position(|field| *field.key == *key)?;
            let level = projection.levels().row_field(position, place);
            (level > Level::None).then(|| mask_values(&mut operation, &fields[place], level))?;
        }
        (FieldKind::Table { fields, .. }, Some(_), None) => {
            for name in ["value", "old"] {
                mask_row(projection, position, fields, &mut operation[name]);
            }
        }
        _ => mask_values(&mut operation, field, level),
    }
    Some(operation)
}

fn mask_row(projection: &Projection, position: usize, fields: &[Field], row: &mut Json) {
    let Some(row) = row.as_object_mut() else { return };
    for (place, field) in fields.iter().enumerate() {
        match projection.levels().row_field(position, place) {
            Level::None => {
                row.shift_remove(&*field.key);
            }
            Level::Mask => {
                if let Some(value) = row.get_mut(&*field.key) {
                    mask_value(value, field.mask);
                }
            }
            _ => {}
        }
    }
}

fn mask_values(operation: &mut Json, field: &Field, level: Level) {
    if level == Level::Mask {
        for name in ["value", "old"] {
            if let Some(value) = operation.get_mut(name) {
                mask_value(value, field.mask);
            }
        }
    }
}

fn mask_value(value: &mut Json, mask: Mask) {
    let masked = match &*value {
        Json::Null => return,
        Json::String(text) => mask_text(text, mask),
        other => mask_text(&other.to_string(), mask),
    };
    *value = Json::String(masked);
}
