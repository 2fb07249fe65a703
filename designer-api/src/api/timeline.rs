//! `GET /api/records/{form}/{id}/timeline`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use formwork_runtime::timeline::TimelineRequest;

use super::problem::Answer;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/records/{form}/{id}/timeline", get(timeline))
}

/// Which part of it: `kinds=comment,task`, `limit`, `after`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    kinds: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

async fn timeline(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Query(part): Query<Part>,
) -> Answer<Json<Value>> {
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let kinds = part.kinds.as_deref().unwrap_or_default().split(',').filter(|kind| !kind.is_empty());
    let request = TimelineRequest {
        sources: None,
        kinds: kinds.map(str::to_owned).collect(),
        limit: part.limit.unwrap_or_default(),
        after: part.after,
    };
    Ok(Json(server.engine.timeline(&pack, &viewer, &form, id, request).await?))
}
