//! Whether the process lives and whether it can serve.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::problem::Answer;
use crate::server::Server;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn ready(State(server): State<Arc<Server>>) -> Answer<Json<Value>> {
    server.engine.store().ready().await?;
    let packs = server.engine.deployed().packs.iter().map(|pack| pack.key().to_string()).collect::<Vec<_>>();
    Ok(Json(json!({"status": "ok", "store": server.engine.store().engine(), "packs": packs})))
}
