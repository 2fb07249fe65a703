//! Saved views: names and query strings, one's own and those shared with one's roles.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use formwork_core::Viewer;
use formwork_model::{Key, Pack};
use formwork_runtime::Engine;
use formwork_runtime::own::{NewView, SavedView};

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;
use crate::view::seen::may_read;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/me/views", get(list).post(create))
        .route("/api/me/views/{view}", put(replace).delete(forget))
}

/// Of which form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    form: String,
}

/// The form whose views are meant, as its reader: where they are kept.
fn of(server: &Server, caller: &Caller, of: &Of) -> Answer<(uuid::Uuid, Viewer, String)> {
    let user = caller.require_user()?.id;
    let (pack, form): (Arc<Pack>, Key) = server.engine.deployed().form(&of.form)?;
    let viewer = caller.viewer(&server.engine, &pack);
    if !may_read(&pack, &viewer, &form) {
        return Err(Problem::not_found("form", &of.form));
    }
    Ok((user, viewer, Engine::scope(&pack, &form)))
}

async fn list(State(server): State<Arc<Server>>, caller: Caller, Query(form): Query<Of>) -> Answer<Json<Value>> {
    let (user, viewer, scope) = of(&server, &caller, &form)?;
    Ok(Json(json!({"items": server.engine.views(user, &viewer, &scope).await?})))
}

async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Query(form): Query<Of>,
    Json(view): Json<NewView>,
) -> Answer<(StatusCode, Json<SavedView>)> {
    let (user, viewer, scope) = of(&server, &caller, &form)?;
    Ok((StatusCode::CREATED, Json(server.engine.save_view(user, &viewer, &scope, None, view).await?)))
}

async fn replace(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(form): Query<Of>,
    Json(view): Json<NewView>,
) -> Answer<Json<SavedView>> {
    let (user, viewer, scope) = of(&server, &caller, &form)?;
    Ok(Json(server.engine.save_view(user, &viewer, &scope, Some(&id), view).await?))
}

async fn forget(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(form): Query<Of>,
) -> Answer<StatusCode> {
    let (user, _, scope) = of(&server, &caller, &form)?;
    server.engine.forget_view(user, &scope, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
