//! Taking changes back: the last one of a record, or what one request did to many.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_store::Failure;

use super::once::Once;
use super::problem::{Answer, Problem};
use super::request::if_match;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/records/{form}/{id}/undo", post(one)).route("/api/undo/{token}", post(many))
}

async fn one(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Once(key): Once,
    headers: HeaderMap,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let version = server.engine.undo(&pack, &viewer, &form, (id, if_match(&headers)?), key).await?;
    Ok(Json(json!({"id": id, "version": version})))
}

async fn many(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(token): Path<String>,
    once: Once,
) -> Answer<Json<Value>> {
    let undone = undo_all(&server, &caller, &token, |index| once.part(index)).await?;
    let results = undone.into_iter().map(|(id, outcome)| match outcome {
        Ok(version) => json!({"status": 200, "id": id, "version": version}),
        Err(failure) => {
            let mut body = Problem::from(failure).body().0;
            body["id"] = json!(id);
            body
        }
    });
    Ok(Json(json!({"items": results.collect::<Vec<_>>()})))
}

/// Takes back what stands behind a token, each record by itself: what moved on since stays as it is.
pub(crate) async fn undo_all(
    server: &Server,
    caller: &Caller,
    token: &str,
    key: impl Fn(usize) -> Option<(String, String)>,
) -> Answer<Vec<(Uuid, Result<i64, Failure>)>> {
    let user = caller.require_user()?.id;
    let (form, done) = server.engine.noted(user, token).await?;
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let mut undone = Vec::with_capacity(done.len());
    for (index, done) in done.into_iter().enumerate() {
        undone.push((done.0, server.engine.undo(&pack, &viewer, &form, done, key(index)).await));
    }
    server.engine.forget_done(user, token).await?;
    Ok(undone)
}
