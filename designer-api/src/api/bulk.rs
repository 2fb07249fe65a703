//! Many records at once, each a transaction of its own with its own result, and one undo for all.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use formwork_core::change::{Reply, Written};
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_model::{Key, Pack};
use formwork_runtime::own::Done;
use formwork_runtime::questions::ListRequest;
use formwork_store::{Committed, Failure};

use super::once::Once;
use super::problem::{Answer, Problem};
use super::records::unexpected;
use crate::server::Server;
use crate::session::Caller;

/// Most records of one bulk request.
pub(crate) const BULK_MAX: usize = 1_000;
/// So many of them wait for their commits together.
const BULK_AT_ONCE: usize = 64;
/// Rows asked for at once while those that match are gathered.
const PAGE: u32 = 200;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/records/{form}/bulk", post(bulk))
}

/// `{"items": [{…}]}` files records. `{"ids": […]}`, or `{"matching": {"view", "filter", "q"}}` for all that match, with
/// `"patch": {…}` changes them and with `"delete": true` deletes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bulk {
    items: Option<Vec<Map<String, Value>>>,
    ids: Option<Vec<Uuid>>,
    matching: Option<Matching>,
    patch: Option<Map<String, Value>>,
    #[serde(default)]
    delete: bool,
}

/// A list without its page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Matching {
    view: Option<String>,
    filter: Option<String>,
    q: Option<String>,
}

/// What is done to each record.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A merge patch.
    Update(Map<String, Value>),
    /// It goes.
    Delete,
}

/// What came of one record: its version where it was changed, none where it is as it was, or why not.
pub(crate) type Outcome = Result<Option<Done>, Failure>;

async fn bulk(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(form): Path<String>,
    once: Once,
    Json(bulk): Json<Bulk>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let change = match (bulk.items, bulk.patch, bulk.delete) {
        (Some(items), None, false) if bulk.ids.is_none() && bulk.matching.is_none() => {
            return file(&server, &pack, &viewer, &form, &items, &once).await;
        }
        (None, Some(patch), false) => Change::Update(patch),
        (None, None, true) => Change::Delete,
        _ => return Err(Problem::malformed("either `items`, or `ids` or `matching` with `patch` or `delete`")),
    };
    let ids = match (bulk.ids, bulk.matching) {
        (Some(ids), None) => within(ids)?,
        (None, Some(Matching { view, filter, q })) => {
            let request = ListRequest { view, filter, q, ..ListRequest::default() };
            matching(&server, &pack, &viewer, &form, request).await?
        }
        _ => return Err(Problem::malformed("either `ids` or `matching`")),
    };
    let outcomes = change_all(&server, &pack, &viewer, &form, &ids, &change, |index| once.part(index)).await;
    let undo = note(&server, &caller, &pack, &form, &outcomes).await?;
    let results = outcomes.into_iter().map(|(id, outcome)| match outcome {
        Ok(Some((_, Some(version)))) => json!({"status": 200, "id": id, "version": version}),
        Ok(Some((_, None))) => json!({"status": 204, "id": id}),
        Ok(None) => json!({"status": 200, "id": id}),
        Err(failure) => {
            let mut body = Problem::from(failure).body().0;
            body["id"] = json!(id);
            body
        }
    });
    Ok(Json(json!({"items": results.collect::<Vec<_>>(), "undo": undo})))
}

/// Does the same to many records; `key` makes the idempotency key of each.
pub(crate) async fn change_all(
    server: &Server,
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    ids: &[Uuid],
    change: &Change,
    key: impl Fn(usize) -> Option<(String, String)>,
) -> Vec<(Uuid, Outcome)> {
    let mut outcomes = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(BULK_AT_ONCE) {
        let changing = chunk.iter().enumerate().map(|(index, &id)| {
            let act = match change {
                Change::Update(patch) => {
                    Act::Update { form: form.clone(), id, expected_version: None, patch: patch.clone() }
                }
                Change::Delete => Act::Delete { form: form.clone(), id, expected_version: None },
            };
            server.engine.submit(pack, viewer.clone(), act, key(outcomes.len() + index))
        });
        let changed = join_all(changing.collect::<Vec<_>>()).await;
        outcomes.extend(chunk.iter().zip(changed).map(|(&id, committed)| {
            let outcome = committed.map(|committed| match committed.reply {
                Reply::Record { version, outcome: Written::Updated, .. } => Some((id, Some(version))),
                Reply::Deleted => Some((id, None)),
                _ => None,
            });
            (id, outcome)
        }));
    }
    outcomes
}

/// Keeps what was done, so that it can be undone at once: the token of that.
pub(crate) async fn note(
    server: &Server,
    caller: &Caller,
    pack: &Pack,
    form: &Key,
    outcomes: &[(Uuid, Outcome)],
) -> Answer<Option<String>> {
    let Some(user) = &caller.user else { return Ok(None) };
    let done: Vec<Done> = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok().copied().flatten()).collect();
    Ok(server.engine.note_done(user.id, &formwork_runtime::Engine::scope(pack, form), &done).await?)
}

/// All that match: refused where they are too many, so that nothing is left out unseen.
pub(crate) async fn matching(
    server: &Server,
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    request: ListRequest,
) -> Answer<Vec<Uuid>> {
    let mut request = ListRequest { limit: PAGE, fields: Some(vec!["id".to_owned()]), after: None, ..request };
    let mut ids: Vec<Uuid> = Vec::new();
    loop {
        let page = server.engine.list(pack, viewer, form, request.clone()).await?;
        let items = page["items"].as_array().into_iter().flatten();
        ids.extend(items.filter_map(|item| item["id"].as_str()?.parse::<Uuid>().ok()));
        request.after = page["next"].as_str().map(str::to_owned);
        if ids.len() > BULK_MAX || request.after.is_none() {
            return within(ids);
        }
    }
}

fn within(ids: Vec<Uuid>) -> Answer<Vec<Uuid>> {
    if ids.len() > BULK_MAX {
        return Err(Problem::malformed(format!("at most {BULK_MAX} records at once: narrow the list first")));
    }
    Ok(ids)
}

async fn file(
    server: &Server,
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    items: &[Map<String, Value>],
    once: &Once,
) -> Answer<Json<Value>> {
    if items.len() > BULK_MAX {
        return Err(Problem::malformed(format!("at most {BULK_MAX} records at once")));
    }
    let mut results = Vec::with_capacity(items.len());
    for chunk in items.chunks(BULK_AT_ONCE) {
        let filed = chunk.iter().enumerate().map(|(index, values)| {
            let act = Act::Create { form: form.clone(), values: values.clone(), effects: Effects::ALL };
            server.engine.submit(pack, viewer.clone(), act, once.part(results.len() + index))
        });
        for filed in join_all(filed.collect::<Vec<_>>()).await {
            results.push(match filed {
                Ok(Committed { reply: Reply::Record { id, version, .. }, .. }) => {
                    json!({"status": 201, "id": id, "version": version})
                }
                Ok(committed) => return Err(unexpected(&committed)),
                Err(failure) => Problem::from(failure).body().0,
            });
        }
    }
    Ok(Json(json!({"items": results})))
}
