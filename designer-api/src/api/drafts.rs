//! Drafts: a form as somebody left it, kept for them alone until they send it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_runtime::Engine;

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;
use crate::view::query::Pairs;
use crate::view::seen::Seen;

/// Most bytes of a draft.
const DRAFT_MAX: usize = 256 << 10;
/// Under which kind drafts are kept.
pub(crate) const DRAFT: &str = "draft";
/// The name of the draft of a record that does not exist yet.
pub(crate) const NEW: &str = "new";

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/records/{form}/{id}/draft", get(read).put(keep).delete(forget))
}

/// What was typed, as the form would send it: nothing is checked before that.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// Names and values in the order of the page.
    pub(crate) pairs: Pairs,
}

/// Where a draft is kept; only of what its owner may file or read.
async fn place(server: &Server, caller: &Caller, form: &str, id: &str) -> Answer<(Uuid, String)> {
    let user = caller.require_user()?.id;
    let (pack, key) = server.engine.deployed().form(form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    if id == NEW {
        if !Seen::new(&pack, &key, &viewer).can_create() {
            return Err(Problem::not_found("form", form));
        }
    } else {
        let id = id.parse::<Uuid>().map_err(|_| Problem::not_found("record", "of that id"))?;
        server.engine.record_with(&pack, &viewer, &key, id, Some(vec!["id".to_owned()])).await?;
    }
    Ok((user, Engine::scope(&pack, &key)))
}

async fn read(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    let (user, scope) = place(&server, &caller, &form, &id).await?;
    match server.engine.store().kept(user, DRAFT, &scope, &id).await? {
        Some(kept) => Ok(Json(json!({"at": kept.at, "pairs": kept.body["pairs"]}))),
        None => Err(Problem::not_found("draft", &id)),
    }
}

async fn keep(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, String)>,
    Json(draft): Json<Draft>,
) -> Answer<Json<Value>> {
    let (user, scope) = place(&server, &caller, &form, &id).await?;
    let body = json!(draft);
    if body.to_string().len() > DRAFT_MAX {
        return Err(Problem::malformed(format!("a draft has at most {DRAFT_MAX} bytes")));
    }
    server.engine.keep(user, DRAFT, &scope, &id, body).await?;
    Ok(Json(json!({"at": server.engine.clock().now()})))
}

async fn forget(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((form, id)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let (user, scope) = place(&server, &caller, &form, &id).await?;
    server.engine.store().forget(user, DRAFT, &scope, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The draft of a form, for its page.
pub(crate) async fn kept(
    server: &Server,
    user: Uuid,
    scope: &str,
    name: &str,
) -> Answer<Option<(DateTime<Utc>, Pairs)>> {
    let kept = server.engine.store().kept(user, DRAFT, scope, name).await?;
    Ok(kept.and_then(|kept| Some((kept.at, serde_json::from_value::<Draft>(kept.body).ok()?.pairs))))
}
