//! Teams, for administrators.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_runtime::people::Membership;

use super::people::{MEMBERS_MAX, admin, in_words};
use super::problem::Answer;
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/admin/teams", get(list).post(add))
        .route("/api/admin/teams/{team}", patch(rename).delete(remove))
        .route("/api/admin/teams/{team}/members/{user}", put(join).delete(leave))
}

/// A team to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    key: String,
    name: String,
}

/// What a team is to be called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

async fn list(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    admin(&caller)?;
    Ok(Json(json!({"items": server.engine.told_teams(MEMBERS_MAX).await?})))
}

async fn add(State(server): State<Arc<Server>>, caller: Caller, Json(new): Json<New>) -> Answer<Response> {
    let by = admin(&caller)?;
    let team = server.engine.add_team(&by, &new.key, &new.name).await.map_err(|f| in_words(&caller, f))?;
    let location = HeaderValue::from_str(&format!("/api/admin/teams/{}", team.key)).ok();
    let mut response = (StatusCode::CREATED, Json(json!({"key": team.key, "name": team.name}))).into_response();
    response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
    Ok(response)
}

async fn rename(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(key): Path<String>,
    Json(named): Json<Named>,
) -> Answer<Json<Value>> {
    let by = admin(&caller)?;
    let team = server.engine.rename_team(&by, &key, &named.name).await.map_err(|f| in_words(&caller, f))?;
    Ok(Json(json!({"key": team.key, "name": team.name})))
}

async fn remove(State(server): State<Arc<Server>>, caller: Caller, Path(key): Path<String>) -> Answer<StatusCode> {
    let by = admin(&caller)?;
    server.engine.remove_team(&by, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn join(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((key, user)): Path<(String, Uuid)>,
    Json(is): Json<Membership>,
) -> Answer<StatusCode> {
    let by = admin(&caller)?;
    server.engine.set_membership(&by, &key, user, is).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn leave(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((key, user)): Path<(String, Uuid)>,
) -> Answer<StatusCode> {
    let by = admin(&caller)?;
    server.engine.set_membership(&by, &key, user, Membership { member: false, lead: false }).await?;
    Ok(StatusCode::NO_CONTENT)
}
