//! `GET /api/notices`: what concerns me; `POST /api/notices/read`: I have read it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/notices", get(list)).route("/api/notices/read", post(read))
}

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<i64>,
}

async fn list(State(server): State<Arc<Server>>, caller: Caller, Query(page): Query<Page>) -> Answer<Json<Value>> {
    let user = caller.require_user()?;
    Ok(Json(server.engine.notices(user, &caller.language, page.after).await?))
}

/// Which: one by its id, or all up to one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    id: Option<i64>,
    until: Option<i64>,
}

async fn read(State(server): State<Arc<Server>>, caller: Caller, Json(sent): Json<Read>) -> Answer<Json<Value>> {
    let user = caller.require_user()?;
    let read = match (sent.id, sent.until) {
        (Some(id), None) => server.engine.read_notices(user, id, true).await?,
        (None, Some(until)) => server.engine.read_notices(user, until, false).await?,
        _ => return Err(Problem::malformed("name one notice as `id`, or as `until` the last of those to mark")),
    };
    Ok(Json(json!({"read": read, "unread": server.engine.unread(user).await?})))
}
