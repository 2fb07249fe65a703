//! Whether the process lives, whether it can serve, and what monitoring reads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use formwork_store::Fault;

use super::problem::Answer;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The store answers, its system tables are there, and how late the first timer is: whether anybody does what is due.
async fn ready(State(server): State<Arc<Server>>) -> Answer<Json<Value>> {
    let (store, now) = (server.engine.store(), server.engine.clock().now());
    let schema = store.ready().await?;
    let late = store.due_timers(now, None, 1).await?.first().map_or(0, |timer| (now - timer.due_at).num_milliseconds());
    let packs = server.engine.deployed().packs.iter().map(|pack| pack.key().to_string()).collect::<Vec<_>>();
    Ok(Json(json!({"status": "ok", "store": store.engine(), "schema": schema, "timer_lag_ms": late, "packs": packs})))
}

async fn metrics(State(server): State<Arc<Server>>, caller: Caller) -> Answer<impl IntoResponse> {
    caller.require_role(&["admin"])?;
    let (store, now) = (server.engine.store(), server.engine.clock().now());
    let told = server.meters.told(&store.backlog(now).await?, store.seq().await?, now);
    let told = told.map_err(|error| Fault::of("writing what monitoring reads", error))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], told))
}
