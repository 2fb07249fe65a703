//! Saving a record that somebody else may have changed meanwhile: changes that do not touch each other are merged
//! without asking, the others are shown side by side.

use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::change::{Reply, Written};
use formwork_core::{Act, FieldError, RejectionKind};
use formwork_store::Failure;

use super::errors::Refusal;
use super::visit::Visit;
use crate::view::control::control_text;
use crate::view::posted::Posted;
use crate::view::seen::Seen;

/// What came of it.
pub(super) enum Saved {
    /// It is saved, as this version; none where nothing changed.
    Done(Option<i64>),
    /// The values are not valid.
    Refused(Vec<FieldError>),
    /// Somebody else changed these fields, too: their keys.
    Clashed(Vec<String>),
}

/// A field that two people changed (templates/pages/records/form.html).
#[derive(Debug, Serialize)]
pub(super) struct Clash {
    label: String,
    mine: String,
    theirs: String,
    by: String,
}

/// Saves what was typed over the record as it is now.
pub(super) async fn save(
    visit: &Visit,
    seen: &Seen,
    id: Uuid,
    record: &Json,
    posted: &Posted,
) -> Result<Saved, Refusal> {
    let local = visit.local(&seen.pack);
    let mut patch = posted.body(&seen.form, "", Some(record), &local);
    let current = record["version"].as_i64();
    if posted.version().is_some() && posted.version() != current {
        let theirs = changed_since(visit, seen, id, posted.version().unwrap_or(0)).await?;
        let clashed = clashed(seen, &patch, &theirs, posted, &local);
        if !clashed.is_empty() {
            return Ok(Saved::Clashed(clashed));
        }
        patch.retain(|key, _| !theirs.contains_key(key));
    }
    if patch.is_empty() {
        return Ok(Saved::Done(None));
    }
    let act = Act::Update { form: seen.form.key.clone(), id, expected_version: current, patch };
    match visit.engine().submit(&seen.pack, seen.viewer.clone(), act, posted.idempotency()).await {
        Ok(committed) => Ok(Saved::Done(match committed.reply {
            Reply::Record { version, outcome: Written::Updated, .. } => Some(version),
            _ => None,
        })),
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Invalid => {
            Ok(Saved::Refused(rejection.errors))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Mine, theirs, and by whom, for each field that clashed.
pub(super) async fn clashes(
    visit: &Visit,
    seen: &Seen,
    record: &Json,
    posted: &Posted,
    keys: &[String],
) -> Result<Vec<Clash>, Refusal> {
    let local = visit.local(&seen.pack);
    let scribe = visit.scribe(&seen.pack, &seen.viewer, &local);
    let by = record["updated_by"]["title"].as_str().unwrap_or_default();
    let typed = posted.body(&seen.form, "", Some(record), &local);
    let clashes = keys.iter().filter_map(|key| {
        let (position, field) = seen.form.field(key)?;
        let shown = |value: &Json| scribe.cell(seen, field, value, seen.level(position)).text;
        let mine = typed.get(key).unwrap_or(&Json::Null);
        let mine = match mine {
            Json::String(text) if field.kind.name() == "datetime" => text.replace('T', " "),
            other => shown(other),
        };
        let label = field.label.get(&local.language).to_owned();
        Some(Clash { label, mine, theirs: shown(&record[key.as_str()]), by: by.to_owned() })
    });
    Ok(clashes.collect())
}

/// The fields others changed since a version, with the value each had then; a child table has none.
async fn changed_since(visit: &Visit, seen: &Seen, id: Uuid, version: i64) -> Result<Map<String, Json>, Refusal> {
    let history = visit.engine().history(&seen.pack, &seen.viewer, &seen.form.key, id, None).await?;
    let mut before = Map::new();
    let newer = history["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["data"]["version"].as_i64().is_some_and(|changed| changed > version));
    // Newest first: the value that stands in the end is that of the oldest change.
    for operation in newer.flat_map(|event| event["data"]["diff"].as_array().into_iter().flatten()) {
        let mut parts = operation["path"].as_str().unwrap_or_default().split('/').skip(1);
        let Some(key) = parts.next() else { continue };
        let old = if parts.next().is_none() { operation["old"].clone() } else { Json::Null };
        before.insert(key.to_owned(), old);
    }
    Ok(before)
}

/// The fields both sides changed, and not to the same value: what was typed differs from what the page was drawn with.
fn clashed(
    seen: &Seen,
    patch: &Map<String, Json>,
    theirs: &Map<String, Json>,
    posted: &Posted,
    local: &crate::view::format::Local,
) -> Vec<String> {
    let touched = |key: &str, old: &Json| {
        let Some((_, field)) = seen.form.field(key) else { return false };
        if !field.kind.rows().is_empty() {
            return true;
        }
        let typed = posted.typed(&format!("/{key}")).map(|typed| typed.replace("\r\n", "\n"));
        match (field.kind.name(), typed) {
            ("boolean", typed) => old.as_bool().unwrap_or(false) != (typed.as_deref() == Some("true")),
            (_, Some(typed)) => control_text(field, old, local) != typed,
            (_, None) => false,
        }
    };
    let both = theirs.iter().filter(|(key, old)| patch.contains_key(*key) && touched(key, old));
    both.map(|(key, _)| key.clone()).collect()
}
