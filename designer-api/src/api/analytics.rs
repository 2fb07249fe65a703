//! Metrics, reports and boards as JSON, and reports as CSV.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use formwork_runtime::analytics::Ask;

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/metrics/{metric}", get(metric))
        .route("/api/reports/{report}", get(report))
        .route("/api/boards/{board}", get(board))
}

/// Parameters of a metric, report or board.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    pub(crate) range: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) explain: Option<u8>,
    pub(crate) min_seq: Option<i64>,
    pub(crate) record: Option<Uuid>,
}

impl Params {
    fn ask(&self) -> Ask {
        Ask { range: self.range.clone(), explain: self.explain == Some(1), record: self.record, ..Ask::default() }
    }

    /// Only boards are about a record.
    fn no_record(&self) -> Result<(), Problem> {
        match self.record {
            None => Ok(()),
            Some(_) => Err(Problem::malformed("`record` is for boards only")),
        }
    }

    fn only_json(&self) -> Result<(), Problem> {
        match self.format.as_deref() {
            None | Some("json") => Ok(()),
            Some(format) => Err(Problem::malformed(format!("`format` here is json, not `{format}`"))),
        }
    }
}

async fn metric(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(metric): Path<String>,
    Query(params): Query<Params>,
) -> Answer<Json<Value>> {
    params.only_json()?;
    params.no_record()?;
    let (pack, metric) = server
        .engine
        .deployed()
        .find(&metric, "metric", |pack, key| pack.metrics().get_key_value(key).map(|(key, _)| key.clone()))?;
    let viewer = caller.viewer(&server.engine, &pack);
    server.engine.caught_up(params.min_seq).await?;
    Ok(Json(server.engine.metric(&pack, &viewer, &metric, &params.ask()).await?))
}

async fn report(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(report): Path<String>,
    Query(params): Query<Params>,
) -> Answer<Response> {
    params.no_record()?;
    let (pack, report) = server
        .engine
        .deployed()
        .find(&report, "report", |pack, key| pack.reports().get_key_value(key).map(|(key, _)| key.clone()))?;
    let viewer = caller.viewer(&server.engine, &pack);
    server.engine.caught_up(params.min_seq).await?;
    match params.format.as_deref() {
        None | Some("json") => {
            Ok(Json(server.engine.report(&pack, &viewer, &report, &params.ask()).await?).into_response())
        }
        Some("csv") => {
            let csv = server.engine.report_csv(&pack, &viewer, &report, &params.ask()).await?;
            let name = format!("attachment; filename=\"{report}.csv\"");
            Ok((
                [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)],
                csv,
            )
                .into_response())
        }
        Some(format) => Err(Problem::malformed(format!("`format` is json or csv, not `{format}`"))),
    }
}

async fn board(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(board): Path<String>,
    Query(params): Query<Params>,
) -> Answer<Json<Value>> {
    params.only_json()?;
    let (pack, board) = server
        .engine
        .deployed()
        .find(&board, "board", |pack, key| pack.boards().get_key_value(key).map(|(key, _)| key.clone()))?;
    let viewer = caller.viewer(&server.engine, &pack);
    server.engine.caught_up(params.min_seq).await?;
    Ok(Json(server.engine.board(&pack, &viewer, &board, &params.ask()).await?))
}
