//! Events from outside: whoever waits for the message goes on.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use formwork_core::Act;
use formwork_core::change::Reply;
use formwork_model::Key;

use super::once::Once;
use super::problem::{Answer, Problem};
use super::request::parse;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/messages/{name}", post(send))
}

/// A message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    /// What tells the one waited for from others.
    key: String,
    /// The sender's id of it: the same id is taken in once.
    #[serde(default)]
    id: Option<String>,
    /// What it carries.
    #[serde(default)]
    data: Map<String, Value>,
}

async fn send(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(name): Path<String>,
    Once(request): Once,
    body: Bytes,
) -> Answer<Json<Value>> {
    let sent: Message = parse(&body)?;
    // Names are shared: a message reaches every pack that knows it.
    let deployed = server.engine.deployed();
    let packs: Vec<_> = deployed.packs.iter().filter(|pack| pack.messages().contains_key(name.as_str())).collect();
    if packs.is_empty() {
        return Err(Problem::not_found("message", &name));
    }
    let (mut taken, mut repeated, mut seq) = (0, false, 0);
    for pack in packs {
        let viewer = caller.viewer(&server.engine, pack);
        let (name, key) = (Key::from(name.as_str()), sent.key.clone());
        let act = Act::Message { name, key, id: sent.id.clone(), data: sent.data.clone() };
        let request = request.as_ref().map(|(key, hash)| (format!("{}:{key}", pack.key()), hash.clone()));
        let committed = server.engine.submit(pack, viewer, act, request).await?;
        seq = seq.max(committed.seq);
        match committed.reply {
            Reply::Message(Some(by)) => taken += by,
            _ => repeated = true,
        }
    }
    Ok(Json(json!({"message": name, "taken": taken, "repeated": repeated, "seq": seq})))
}
