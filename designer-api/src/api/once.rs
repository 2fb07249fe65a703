//! Requests that may be repeated: the same `Idempotency-Key` with the same request gets the answer it got before, byte
//! for byte, before anything is routed. A request that was refused is not kept: its key may be tried again.
//!
//! ```text
//! key ─► an answer is kept: told again
//!    └─► none: handler ─► store: the key's row is written in the request's own transaction ─► the answer is kept beside it
//! ```
//! A process that ends between the two leaves the row without an answer: the store then replays what it decided, and the
//! answer is made again.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use formwork_core::{Rejection, RejectionKind};

use super::problem::{Answer, Problem, too_large};
use crate::server::Server;
use crate::session::Caller;

/// Headers of an answer that are kept with it.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
/// Most bytes of an answer that are kept.
const ANSWER_MAX: usize = 4 << 20;

/// The caller's key and a hash of the request; none where no key was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Once(pub(crate) Option<(String, String)>);

impl Once {
    /// The key of a part of the request: each is a transaction of its own.
    pub(crate) fn part(&self, number: usize) -> Option<(String, String)> {
        self.0.as_ref().map(|(key, hash)| (format!("{key}/{number}"), hash.clone()))
    }
}

impl FromRequestParts<Arc<Server>> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Once>().cloned().unwrap_or_default())
    }
}

/// The layer around the routes of the API; `most` is the limit of a body.
pub(super) async fn once(State((server, most)): State<(Arc<Server>, usize)>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !request.headers().contains_key("idempotency-key") {
        return next.run(request).await;
    }
    match told_once(&server, most, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn told_once(server: &Arc<Server>, most: usize, request: Request, next: Next) -> Answer {
    let (mut parts, body) = request.into_parts();
    let key = key_of(&parts.headers)?;
    let caller = <Caller as FromRequestParts<Arc<Server>>>::from_request_parts(&mut parts, server).await?;
    let Some(user) = &caller.user else {
        // The public is nobody in particular: one stranger's key would be another's.
        return Err(Problem::malformed("`Idempotency-Key` is for those who are logged in"));
    };
    let Ok(body) = to_bytes(body, most).await else { return Ok(too_large()) };
    let hash = hash_of(&parts, &body);
    match server.engine.store().answer_of(user.id, &key).await? {
        Some((known, _)) if known != hash => {
            let title = "the idempotency key was used for another request";
            return Err(Rejection::new(RejectionKind::Invalid, "idempotency_key_reused", title).into());
        }
        Some((_, Some(answer))) => return Ok(told_again(&answer)),
        _ => {}
    }
    parts.extensions.insert(Once(Some((key.clone(), hash.clone()))));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_MAX).await.map_err(|error| fault("an answer is too large to be kept", error))?;
    if let Some(answer) = kept(parts.status, &parts.headers, &body) {
        let at = server.engine.clock().now();
        server.engine.store().keep_answer(user.id, &key, &hash, &answer, at).await?;
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.filter(|key| (1..=128).contains(&key.len()));
    key.map(str::to_owned)
        .ok_or_else(|| Problem::malformed("`Idempotency-Key` holds 1 to 128 visible ASCII characters"))
}

/// What makes a request another one: its method, its address, what it says of the record's version and of its body.
fn hash_of(parts: &Parts, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    hash.update(format!("{} {path}\n", parts.method));
    for name in [header::IF_MATCH, header::CONTENT_TYPE] {
        hash.update(parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes));
        hash.update(b"\n");
    }
    hash.update(body);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer as it is kept; none where it is no JSON.
fn kept(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Option<Value> {
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).ok()? };
    let text = |name: &HeaderName| Some((name.to_string(), json!(headers.get(name)?.to_str().ok()?)));
    let headers: Map<String, Value> = KEPT.iter().filter_map(text).collect();
    Some(json!({"status": status.as_u16(), "headers": headers, "body": body}))
}

fn told_again(answer: &Value) -> Response {
    let status = answer["status"].as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let body = if answer["body"].is_null() { String::new() } else { answer["body"].to_string() };
    let mut response = (status.unwrap_or(StatusCode::OK), body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let header = name.parse::<HeaderName>().ok().zip(value.as_str().and_then(|text| text.parse().ok()));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn fault(context: &str, source: axum::Error) -> Problem {
    formwork_store::Fault { context: context.to_owned(), source: Some(Box::new(source)) }.into()
}
