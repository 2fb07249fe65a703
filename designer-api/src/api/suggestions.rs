//! `POST /api/records/{form}/{id}/suggestions`: accept or dismiss what a board suggests about a record.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

use formwork_runtime::boards::Judging;

use super::once::Once;
use super::problem::Answer;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/records/{form}/{id}/suggestions", post(judge))
}

/// Which, and what becomes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    board: String,
    tile: String,
    rule: String,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Accepted,
    Dismissed,
}

async fn judge(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, Uuid)>,
    Once(key): Once,
    Json(sent): Json<Sent>,
) -> Answer<StatusCode> {
    caller.require_user()?;
    let (pack, form) = server.engine.deployed().form(&form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    let judging = Judging {
        board: &sent.board,
        tile: &sent.tile,
        rule: &sent.rule,
        is_accepted: sent.verdict == Verdict::Accepted,
    };
    server.engine.judge(&pack, &viewer, (&form, id), judging, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
