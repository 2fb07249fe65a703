//! Records: list, file, read, change, delete; history and comments.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::stimulus::Effects;
use formwork_core::viewer::ViewerKind;
use formwork_core::{Act, RejectionKind, Viewer};
use formwork_model::{Key, Pack};
use formwork_runtime::questions::ListRequest;
use formwork_store::{Committed, Failure};

use super::once::Once;
use super::patch::merge_patch;
use super::problem::{Answer, Problem, problem};
use super::request::{Older, if_match, names, object};
use super::track::reference;
use crate::server::Server;
use crate::session::{Address, Caller};

/// How often a patch without `If-Match` is applied to a record that moved on meanwhile.
const TRIES_MAX: u32 = 3;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/records/{form}", get(list).post(create))
        .route("/api/records/{form}/{id}", get(read).patch(update).delete(delete))
        .route("/api/records/{form}/{id}/history", get(history))
        .route("/api/records/{form}/{id}/clocks", get(clocks))
        .route("/api/records/{form}/{id}/comments", get(comments).post(comment))
}

/// The query of a list: everything else is an error, so that a misspelt filter never shows all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    view: Option<String>,
    filter: Option<String>,
    sort: Option<String>,
    fields: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
    q: Option<String>,
    min_seq: Option<i64>,
}

impl From<ListQuery> for ListRequest {
    fn from(query: ListQuery) -> Self {
        Self {
            view: query.view,
            filter: query.filter,
            sort: names(query.sort.as_deref()),
            fields: names(query.fields.as_deref()),
            limit: query.limit.unwrap_or(50),
            after: query.after,
            q: query.q,
            narrowed: None,
        }
    }
}

async fn list(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(form): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    server.engine.caught_up(query.min_seq).await?;
    Ok(Json(server.engine.list(&pack, &viewer, &form, query.into()).await?))
}

async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(address): Path<String>,
    Address(from): Address,
    Once(key): Once,
    body: Bytes,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&address)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let (is_stranger, now) = (caller.user.is_none(), server.engine.clock().now());
    if is_stranger {
        server.strangers.may_send((pack.key(), pack.form(&form)), from, false, now)?;
    }
    let act = Act::Create { form: form.clone(), values: object(&body)?, effects: Effects::ALL };
    let committed = server.engine.submit(&pack, viewer.clone(), act, key).await?;
    if is_stranger {
        server.strangers.sent(pack.key(), &form, from, false, now);
    }
    let Reply::Record { id, .. } = committed.reply else { return Err(unexpected(&committed)) };
    let mut response = (StatusCode::CREATED, record(&server, &pack, &viewer, &form, &committed).await?).into_response();
    let location = HeaderValue::from_str(&format!("/api/records/{address}/{id}")).map_err(|_| bad_address())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The query of one record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadQuery {
    fields: Option<String>,
    min_seq: Option<i64>,
}

async fn read(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Query(query): Query<ReadQuery>,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    server.engine.caught_up(query.min_seq).await?;
    let fields = names(query.fields.as_deref());
    Ok(with_etag(server.engine.record_with(&pack, &viewer, &form, id, fields).await?))
}

async fn update(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Once(key): Once,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let asked = if_match(&headers)?;
    let is_patch = headers.get(header::CONTENT_TYPE).is_some_and(|ty| ty.as_bytes() == b"application/json-patch+json");
    let mut tries = 0;
    loop {
        tries += 1;
        // What a patch tests holds of the record it was read from: it may be written over that version only.
        let (patch, expected_version) = if is_patch {
            let current = server.engine.record(&pack, &viewer, &form, id).await?;
            (merge_patch(&current, &body)?, asked.or(current["version"].as_i64()))
        } else {
            (object(&body)?, asked)
        };
        let act = Act::Update { form: form.clone(), id, expected_version, patch };
        match server.engine.submit(&pack, viewer.clone(), act, key.clone()).await {
            Ok(committed) => return record(&server, &pack, &viewer, &form, &committed).await,
            Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Stale => {
                if is_patch && asked.is_none() && tries < TRIES_MAX {
                    continue;
                }
                let record = (&form, id, expected_version);
                return conflict(&server, &pack, &viewer, record, Problem::from(*rejection)).await;
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

async fn delete(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Once(key): Once,
    headers: HeaderMap,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let expected_version = if_match(&headers)?;
    let act = Act::Delete { form: form.clone(), id, expected_version };
    match server.engine.submit(&pack, viewer.clone(), act, key).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Stale => {
            conflict(&server, &pack, &viewer, (&form, id, expected_version), Problem::from(*rejection)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn history(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Query(older): Query<Older>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    Ok(Json(server.engine.history(&pack, &viewer, &form, id, older.before).await?))
}

async fn clocks(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    Ok(Json(server.engine.clocks(&pack, &viewer, &form, id).await?))
}

async fn comments(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Query(older): Query<Older>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    Ok(Json(server.engine.comments(&pack, &viewer, &form, id, older.before).await?))
}

/// A comment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    text: String,
    /// For whoever follows the record without logging in, too.
    #[serde(default)]
    public: bool,
}

async fn comment(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Once(key): Once,
    Json(comment): Json<Comment>,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let act = Act::Comment { form, id, text: comment.text, is_public: comment.public };
    let committed = server.engine.submit(&pack, viewer, act, key).await?;
    let seq = newest(&server, &committed).await?;
    Ok((StatusCode::CREATED, Json(json!({"seq": seq}))).into_response())
}

// --- what the handlers share ---------------------------------------------------------------------------------------

/// The number that reads may ask for to see what was committed: that of the newest change, where it changed no record.
pub(super) async fn newest(server: &Server, committed: &Committed) -> Result<i64, Problem> {
    Ok(if committed.seq == 0 { server.engine.store().written_seq().await? } else { committed.seq })
}

/// The record after a change. Whoever may create but not read is told the id and the version only.
async fn record(server: &Server, pack: &Arc<Pack>, viewer: &Viewer, form: &Key, committed: &Committed) -> Answer {
    let Reply::Record { id, version, .. } = committed.reply else { return Err(unexpected(committed)) };
    let mut body = match server.engine.record(pack, viewer, form, id).await {
        Ok(body) => body,
        Err(Failure::Rejected(rejection)) if hides(rejection.kind) => {
            let mut body = json!({"id": id, "version": version});
            // Whoever is not logged in follows it by this, as on the page that says thanks.
            if viewer.kind == ViewerKind::Public {
                body["reference"] = json!(reference(server, pack, pack.form(form), id).await?);
            }
            body
        }
        Err(failure) => return Err(failure.into()),
    };
    body["seq"] = json!(newest(server, committed).await?);
    Ok(with_etag(body))
}

/// Refusals of somebody who may not read.
fn hides(kind: RejectionKind) -> bool {
    matches!(kind, RejectionKind::NotFound | RejectionKind::Forbidden | RejectionKind::Unauthenticated)
}

/// 412: both sides, so that the caller can merge; only that it is stale to somebody who may not read the record.
pub(super) async fn conflict(
    server: &Server,
    pack: &Arc<Pack>,
    viewer: &Viewer,
    (form, id, expected_version): (&Key, Uuid, Option<i64>),
    stale: Problem,
) -> Answer {
    let (mut body, _) = stale.body();
    body["code"] = json!("conflict");
    body["current"] = match server.engine.record(pack, viewer, form, id).await {
        Ok(current) => current,
        Err(Failure::Rejected(rejection)) if hides(rejection.kind) => Value::Null,
        Err(failure) => return Err(failure.into()),
    };
    body["changed"] = match body["current"].is_null() {
        true => json!([]),
        false => server.engine.changed_since(pack, viewer, form, id, expected_version.unwrap_or(0)).await?,
    };
    Ok(problem(StatusCode::PRECONDITION_FAILED, body, None))
}

fn with_etag(body: Value) -> Response {
    let etag = body["version"].as_i64().and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
    let mut response = Json(body).into_response();
    if let Some(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

pub(super) fn unexpected(committed: &Committed) -> Problem {
    let context = format!("a submission was answered with {:?}", committed.reply);
    Problem(Failure::Fault(formwork_store::Fault { context, source: None }))
}

fn bad_address() -> Problem {
    Problem::malformed("the form's address holds characters that no header may carry")
}
