//! What people do for themselves: language and appearance, their password, where they are logged in, their API tokens.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use formwork_runtime::people::own::{NewToken, session_id};

use super::people::{session_body, token_body};
use super::problem::{Answer, Problem};
use super::sessions::user_body;
use crate::i18n::LANGUAGES;
use crate::server::Server;
use crate::session::{COOKIE, Caller, SCOPES, cookie};
use crate::view::people::worded;

/// The choices of appearance.
pub(crate) const THEMES: [&str; 3] = ["system", "light", "dark"];

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/me", get(me).patch(settings))
        .route("/api/me/password", put(password))
        .route("/api/me/sessions", get(sessions).delete(end_others))
        .route("/api/me/sessions/{session}", delete(end))
        .route("/api/me/tokens", get(tokens).post(add))
        .route("/api/me/tokens/{token}", delete(revoke))
}

async fn me(caller: Caller) -> Answer<Json<Value>> {
    Ok(Json(json!({"user": user_body(caller.require_user()?)})))
}

/// What is liked otherwise; what is none stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    language: Option<String>,
    theme: Option<String>,
}

async fn settings(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(wanted): Json<Settings>,
) -> Answer<Json<Value>> {
    let user = caller.require_user()?;
    if wanted.language.as_deref().is_some_and(|language| !LANGUAGES.contains(&language)) {
        return Err(Problem::malformed(format!("`language` is one of {}", LANGUAGES.join(" "))));
    }
    if wanted.theme.as_deref().is_some_and(|theme| !THEMES.contains(&theme)) {
        return Err(Problem::malformed(format!("`theme` is one of {}", THEMES.join(" "))));
    }
    server.engine.store().put_settings(user.id, wanted.language.as_deref(), wanted.theme.as_deref()).await?;
    let user = server.engine.person(user.id).await?;
    Ok(Json(json!({"user": user_body(&user)})))
}

/// Another password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    old: String,
    new: String,
}

async fn password(
    State(server): State<Arc<Server>>,
    caller: Caller,
    headers: HeaderMap,
    Json(sent): Json<Password>,
) -> Answer<StatusCode> {
    let user = caller.require_user()?;
    let secret = cookie(&headers, COOKIE);
    let changed = server.engine.change_password(&caller.by()?, user, &sent.old, &sent.new, secret).await;
    changed.map_err(|failure| worded(&caller.language, failure))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sessions(State(server): State<Arc<Server>>, caller: Caller, headers: HeaderMap) -> Answer<Json<Value>> {
    let user = caller.require_user()?;
    let own = cookie(&headers, COOKIE).map(session_id);
    let sessions = server.engine.sessions_of(user.id).await?;
    let items: Vec<Value> = sessions.iter().map(|session| session_body(session, own.as_deref())).collect();
    Ok(Json(json!({"items": items})))
}

async fn end_others(State(server): State<Arc<Server>>, caller: Caller, headers: HeaderMap) -> Answer<Json<Value>> {
    let user = caller.require_user()?;
    let ended = server.engine.end_sessions(&caller.by()?, user.id, None, cookie(&headers, COOKIE)).await?;
    Ok(Json(json!({"ended": ended})))
}

async fn end(State(server): State<Arc<Server>>, caller: Caller, Path(session): Path<String>) -> Answer<StatusCode> {
    let user = caller.require_user()?;
    match server.engine.end_sessions(&caller.by()?, user.id, Some(&session), None).await? {
        0 => Err(Problem::not_found("session", &session)),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn tokens(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    let user = caller.require_user()?;
    let items: Vec<Value> = server.engine.tokens_of(user.id).await?.iter().map(token_body).collect();
    Ok(Json(json!({"items": items})))
}

/// A token to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    name: String,
    scopes: Vec<String>,
    #[serde(default)]
    until: Option<DateTime<Utc>>,
}

async fn add(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(sent): Json<Sent>,
) -> Answer<(StatusCode, Json<Value>)> {
    let user = caller.require_user()?;
    let new = NewToken { name: sent.name, scopes: sent.scopes, until: sent.until };
    let made = server.engine.add_token(&caller.by()?, user, new, &SCOPES.map(|(scope, _)| scope)).await;
    let secret = made.map_err(|failure| worded(&caller.language, failure))?;
    Ok((StatusCode::CREATED, Json(json!({"id": session_id(&secret), "secret": secret}))))
}

async fn revoke(State(server): State<Arc<Server>>, caller: Caller, Path(token): Path<String>) -> Answer<StatusCode> {
    let user = caller.require_user()?;
    server.engine.revoke_token(&caller.by()?, user.id, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
