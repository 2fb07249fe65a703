//! A record followed by somebody who is not logged in: they prove that they know it, and see what its form shows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::{Form, Level};
use formwork_model::pack::public::{Proof, Track};
use formwork_model::{Key, Pack, Value};

use crate::Stop;
use crate::access::{Presenter, Projection, TaskGrants};
use crate::change::Event;
use crate::facts::{Facts, Need};
use crate::record::Record;
use crate::scene::{Completed, Context};
use crate::viewer::Viewer;
use crate::wire::{folded, instant_text};

/// Events asked for at a time, and most pages of them looked through.
const PAGE: u32 = 100;
const PAGES_MAX: usize = 20;
/// Most comments shown, newest first.
const COMMENTS_MAX: usize = 50;

/// What they are told; `null` where the proofs fit no record, whatever the reason:
/// `{"values": {field: value}, "stages": [{"key", "label", "at": instant | null, "state": "done" | "now" | "ahead"}],
/// "updated_at", "messages": [{"at", "from": "staff" | "public", "text"}]}`. Messages are the public comments.
pub fn track(
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    proofs: &[String],
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    let Some((found, track, record)) = proven(context, form, proofs)? else { return Ok(Json::Null) };
    let events = events(facts, form, record.id)?;
    let mut presenter = Presenter::new(context);
    let shown: Vec<Key> = track.show.iter().map(|position| found.fields[*position].key.clone()).collect();
    let grants = TaskGrants::told(shown.iter().map(|key| (key.clone(), Level::Read)));
    let projection = Projection::new(pack, form, viewer, Some(&grants));
    let names: Vec<String> = shown.iter().map(ToString::to_string).collect();
    let body = presenter.body(&projection, record, Some(&names), false)?;
    presenter.finish()?;
    // In the order of the form's author; what every record has is not for strangers.
    let values: Map<String, Json> =
        names.into_iter().filter_map(|name| body.get(&name).cloned().map(|value| (name, value))).collect();
    Ok(json!({
        "values": values,
        "stages": stages(pack, viewer, &events),
        "updated_at": instant_text(record.updated_at),
        "messages": messages(&events),
    }))
}

/// The record that the proofs fit, with its form and how that is followed.
pub(crate) fn proven<'a>(
    context: Context<'a>,
    form: &Key,
    proofs: &[String],
) -> Result<Option<(&'a Form, &'a Track, &'a Record)>, Stop> {
    let found = context.pack.forms().get(form);
    let Some((form, track)) = found.and_then(|form| Some((&**form, form.track()?))) else {
        return Ok(None);
    };
    let typed: Vec<String> = proofs.iter().map(|proof| folded(proof)).collect();
    if typed.len() != track.by.len() || typed.iter().any(String::is_empty) {
        return Ok(None);
    }
    let need = Need::Unique {
        form: form.key.clone(),
        fields: vec![track.by[0].field],
        values: vec![Value::Text(typed[0].clone())],
        unique: None,
    };
    let Some(id) = context.facts.unique(&need) else { return Err(Stop::Need(vec![need])) };
    let Some(record) = id.map(|id| context.record(&form.key, id)).transpose()?.flatten() else { return Ok(None) };
    let fits = track.by.iter().zip(&typed).map(|(proof, typed)| fits(*proof, record, typed));
    // All are looked at, whichever fails.
    Ok(fits.fold(true, |all, one| all & one).then_some((form, track, record)))
}

fn fits(proof: Proof, record: &Record, typed: &str) -> bool {
    let Value::Text(value) = &record.values[proof.field] else { return false };
    let last = match proof.last {
        None => value.as_str(),
        Some(count) => {
            let skipped = value.chars().count().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
            value.char_indices().nth(skipped).map_or("", |(start, _)| &value[start..])
        }
    };
    !last.is_empty() && last == typed
}

/// The whole history, newest first, as far as anybody looks through it.
fn events<'f>(facts: &'f Facts, form: &Key, id: Uuid) -> Result<Vec<&'f Event>, Stop> {
    let (mut all, mut before) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let Some(page) = facts.events.get(&(form.clone(), id, before)) else {
            return Err(Stop::Need(vec![Need::Events { form: form.clone(), id, before, limit: PAGE }]));
        };
        all.extend(page.iter().map(|(_, event)| event));
        before = page.last().filter(|_| page.len() >= PAGE as usize).map(|(seq, _)| *seq);
        if before.is_none() {
            break;
        }
    }
    Ok(all)
}

/// The stages of the workflow that moved last, with when each was reached.
fn stages(pack: &Pack, viewer: &Viewer, events: &[&Event]) -> Json {
    let moves = events.iter().filter(|event| event.kind == "instance.staged");
    let Some(newest) = moves.clone().next() else { return json!([]) };
    let workflow = newest.data["workflow"].as_str().and_then(|workflow| pack.workflows().get(workflow));
    let Some(workflow) = workflow else { return json!([]) };
    let now = workflow.stages.keys().position(|stage| newest.data["stage"] == **stage);
    let stage = |(index, (key, label)): (usize, (&Key, &formwork_model::Text))| {
        let mine = moves.clone().find(|event| event.instance == newest.instance && event.data["stage"] == **key);
        let state = match now {
            Some(now) if index < now => "done",
            Some(now) if index == now => "now",
            _ => "ahead",
        };
        let at = mine.filter(|_| state != "ahead").map(|event| instant_text(event.at));
        json!({"key": key, "label": label.get(&viewer.language), "state": state, "at": at})
    };
    Json::Array(workflow.stages.iter().enumerate().map(stage).collect())
}

fn messages(events: &[&Event]) -> Json {
    let public = events.iter().filter(|event| event.kind == "comment" && event.data["public"] == true);
    let message = |event: &&Event| {
        let from = if event.actor_kind == "public" { "public" } else { "staff" };
        json!({"at": instant_text(event.at), "from": from, "text": event.data["text"]})
    };
    Json::Array(public.take(COMMENTS_MAX).map(message).collect())
}
