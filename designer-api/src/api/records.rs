//! Records: list, file, read, change, delete; history and comments.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, RejectionKind, Viewer};
use formwork_model::{Key, Pack};
use formwork_runtime::questions::ListRequest;
use formwork_store::{Committed, Failure};

use super::problem::{Answer, Problem, problem};
use crate::server::Server;
use crate::session::Caller;

/// Most records of one bulk request.
const BULK_MAX: usize = 1_000;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/records/{form}", get(list).post(create))
        .route("/api/records/{form}/bulk", axum::routing::post(bulk))
        .route("/api/records/{form}/{id}", get(read).patch(update).delete(delete))
        .route("/api/records/{form}/{id}/history", get(history))
        .route("/api/records/{form}/{id}/comments", axum::routing::post(comment))
}

/// The query of a list: everything else is an error, so that a misspelt filter never shows all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    pub(crate) view: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) sort: Option<String>,
    pub(crate) fields: Option<String>,
    pub(crate) limit: Option<u32>,
    pub(crate) after: Option<String>,
    pub(crate) q: Option<String>,
}

impl From<ListQuery> for ListRequest {
    fn from(query: ListQuery) -> Self {
        let split = |text: Option<String>| {
            text.map(|text| {
                text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
            })
        };
        Self {
            view: query.view,
            filter: query.filter,
            sort: split(query.sort),
            fields: split(query.fields),
            limit: query.limit.unwrap_or(50),
            after: query.after,
            q: query.q,
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
    Ok(Json(server.engine.list(&pack, &viewer, &form, query.into()).await?))
}

async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(address): Path<String>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&address)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let act = Act::Create { form: form.clone(), values: object(&body)?, effects: Effects::ALL };
    let key = idempotency(&method, &uri, &headers, &body)?;
    let committed = server.engine.submit(&pack, viewer.clone(), act, key).await?;
    let Reply::Record { id, .. } = committed.reply else { return Err(unexpected(&committed)) };
    let mut response =
        (StatusCode::CREATED, record(&server, &pack, &viewer, &form, id, committed.seq).await?).into_response();
    let location = HeaderValue::from_str(&format!("/api/records/{address}/{id}")).map_err(|_| bad_address())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn read(State(server): State<Arc<Server>>, caller: Caller, Path((form, id)): Path<(String, Uuid)>) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    Ok(with_etag(server.engine.record(&pack, &viewer, &form, id).await?))
}

async fn update(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let expected_version = if_match(&headers)?;
    let act = Act::Update { form: form.clone(), id, expected_version, patch: object(&body)? };
    let key = idempotency(&method, &uri, &headers, &body)?;
    match server.engine.submit(&pack, viewer.clone(), act, key).await {
        Ok(committed) => record(&server, &pack, &viewer, &form, id, committed.seq).await,
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Stale => {
            conflict(&server, &pack, &viewer, &form, id, expected_version, Problem::from(*rejection)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn delete(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    (method, uri, headers): (Method, Uri, HeaderMap),
) -> Answer<StatusCode> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let act = Act::Delete { form, id, expected_version: if_match(&headers)? };
    let key = idempotency(&method, &uri, &headers, b"")?;
    server.engine.submit(&pack, viewer, act, key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Many records at once: `{"items": [{…}, …]}`; each is its own stimulus with its own result, in order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bulk {
    items: Vec<Map<String, Value>>,
}

async fn bulk(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(form): Path<String>,
    Json(bulk): Json<Bulk>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    if bulk.items.len() > BULK_MAX {
        return Err(Problem::malformed(format!("at most {BULK_MAX} records at once")));
    }
    let mut results = Vec::with_capacity(bulk.items.len());
    for values in bulk.items {
        let act = Act::Create { form: form.clone(), values, effects: Effects::ALL };
        results.push(match server.engine.submit(&pack, viewer.clone(), act, None).await {
            Ok(Committed { reply: Reply::Record { id, version, .. }, .. }) => {
                json!({"status": 201, "id": id, "version": version})
            }
            Ok(committed) => return Err(unexpected(&committed)),
            Err(failure) => Problem::from(failure).body().0,
        });
    }
    Ok(Json(json!({"items": results})))
}

/// Which part of the history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Older {
    before: Option<i64>,
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

/// A comment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    text: String,
}

async fn comment(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Json(comment): Json<Comment>,
) -> Answer {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let act = Act::Comment { form, id, text: comment.text };
    let committed = server.engine.submit(&pack, viewer, act, None).await?;
    Ok((StatusCode::CREATED, Json(json!({"seq": committed.seq}))).into_response())
}

// --- what the handlers share ---------------------------------------------------------------------------------------

/// The record after a change, with the change number that reads may ask for. Whoever may create but not read is told
/// the id only.
async fn record(server: &Server, pack: &Arc<Pack>, viewer: &Viewer, form: &Key, id: Uuid, seq: i64) -> Answer {
    let mut body = match server.engine.record(pack, viewer, form, id).await {
        Ok(body) => body,
        Err(Failure::Rejected(rejection)) if hides(rejection.kind) => {
            json!({"id": id, "version": 1})
        }
        Err(failure) => return Err(failure.into()),
    };
    if let Some(body) = body.as_object_mut() {
        body.insert("seq".to_owned(), json!(seq));
    }
    Ok(with_etag(body))
}

/// Refusals of somebody who may not read.
fn hides(kind: RejectionKind) -> bool {
    matches!(kind, RejectionKind::NotFound | RejectionKind::Forbidden | RejectionKind::Unauthenticated)
}

/// 412: both sides, so that the caller can merge.
async fn conflict(
    server: &Server,
    pack: &Arc<Pack>,
    viewer: &Viewer,
    form: &Key,
    id: Uuid,
    expected_version: Option<i64>,
    stale: Problem,
) -> Answer {
    let (mut body, _) = stale.body();
    body["code"] = json!("conflict");
    body["current"] = server.engine.record(pack, viewer, form, id).await?;
    body["changed"] = server.engine.changed_since(pack, viewer, form, id, expected_version.unwrap_or(0)).await?;
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

/// The version in `If-Match: "3"`.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.trim().trim_matches('"').parse().ok());
    version.map(Some).ok_or_else(|| Problem::malformed("`If-Match` holds a version, for example \"3\""))
}

/// The caller's idempotency key and a hash of the request.
pub(crate) fn idempotency(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<(String, String)>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=128).contains(&key.len()));
    let key = key.ok_or_else(|| Problem::malformed("`Idempotency-Key` holds 1 to 128 visible ASCII characters"))?;
    let mut hash = Sha256::new();
    hash.update(format!("{method} {}\n", uri.path()));
    hash.update(body);
    let hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some((key.to_owned(), hash)))
}

/// The body as a JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Problem::malformed("the body must be a JSON object")),
        Err(error) => Err(Problem::malformed(format!("the body is not JSON: {error}"))),
    }
}

fn unexpected(committed: &Committed) -> Problem {
    let context = format!("a submission was answered with {:?}", committed.reply);
    Problem(Failure::Fault(formwork_store::Fault { context, source: None }))
}

fn bad_address() -> Problem {
    Problem::malformed("the form's address holds characters that no header may carry")
}
