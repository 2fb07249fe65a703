//! The history of a record, filtered by the projection: what a viewer may not read was never changed, for them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::expr::Type;
use formwork_model::pack::form::{Field, FieldKind, Level, Mask};
use formwork_model::{Key, Pack};

use super::board::reads_inputs;
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
    // What was suggested tells of what the suggestion rests on.
    if event.kind.starts_with("suggestion.") {
        let context = presenter.context();
        let decision = event.data["decision"].as_str().and_then(|key| context.pack.decisions().get(key));
        if !decision.is_some_and(|decision| reads_inputs(context, decision)) {
            return Ok(None);
        }
    }
    let mut data = event.data.clone();
    if let Some(diff) = data.get_mut("diff").and_then(Json::as_array_mut) {
        let operations = std::mem::take(diff);
        for operation in operations {
            diff.extend(visible(presenter, projection, operation)?);
        }
        if diff.is_empty() && event.kind == "record.updated" {
            return Ok(None);
        }
    }
    // What a decision saw and gave may hold values of fields this viewer does not read.
    if let Some(decided) = data.get("decision").filter(|decided| decided.is_object()).cloned() {
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

/// An operation of a diff as the viewer sees its values; none where the path is not for them.
fn visible(presenter: &mut Presenter<'_>, projection: &Projection, mut operation: Json) -> Result<Option<Json>, Stop> {
    let path = operation["path"].as_str().unwrap_or_default().to_owned();
    let mut parts = path.split('/').skip(1);
    let Some((position, field)) = parts.next().and_then(|key| projection.form().field(key)) else { return Ok(None) };
    let level = projection.levels().field(position);
    if level == Level::None {
        return Ok(None);
    }
    let (field, level) = match (&field.kind, parts.next(), parts.next()) {
        (FieldKind::Table { fields, .. }, Some(_), Some(key)) => {
            let Some(place) = fields.iter().position(|field| *field.key == *key) else { return Ok(None) };
            (&fields[place], projection.levels().row_field(position, place))
        }
        (FieldKind::Table { fields, .. }, Some(_), None) => {
            for name in ["value", "old"] {
                show_row(presenter, projection, position, fields, &mut operation[name])?;
            }
            return Ok(Some(operation));
        }
        _ => (field, level),
    };
    for name in ["value", "old"] {
        if let Some(value) = operation.get_mut(name) {
            show(presenter, value, field, level)?;
        }
    }
    Ok((level > Level::None).then_some(operation))
}

fn show_row(
    presenter: &mut Presenter<'_>,
    projection: &Projection,
    position: usize,
    fields: &[Field],
    row: &mut Json,
) -> Result<(), Stop> {
    let Some(row) = row.as_object_mut() else { return Ok(()) };
    for (place, field) in fields.iter().enumerate() {
        let level = projection.levels().row_field(position, place);
        if level == Level::None {
            row.shift_remove(&*field.key);
        } else if let Some(value) = row.get_mut(&*field.key) {
            show(presenter, value, field, level)?;
        }
    }
    Ok(())
}

/// A stored value as the viewer sees it: masked, or with the title of what it links to, as in a body.
fn show(presenter: &mut Presenter<'_>, value: &mut Json, field: &Field, level: Level) -> Result<(), Stop> {
    if level == Level::Mask {
        mask_value(value, field.mask);
        return Ok(());
    }
    let Some(id) = value.as_str().and_then(|text| text.parse().ok()) else { return Ok(()) };
    match field.ty() {
        Type::Link(form) => *value = presenter.link(form, id)?,
        Type::User => *value = presenter.user(id)?,
        _ => {}
    }
    Ok(())
}

fn mask_value(value: &mut Json, mask: Mask) {
    let masked = match &*value {
        Json::Null => return,
        Json::String(text) => mask_text(text, mask),
        other => mask_text(&other.to_string(), mask),
    };
    *value = Json::String(masked);
}
