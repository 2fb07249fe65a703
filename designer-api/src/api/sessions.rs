//! Logging in and out, and who one is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use formwork_core::{Rejection, RejectionKind};
use formwork_store::User;

use super::problem::Answer;
use crate::server::Server;
use crate::session::{Address, COOKIE, Caller, cookie, is_loopback, origin};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/session", post(log_in).get(who_am_i).delete(log_out))
}

/// What is sent to log in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    login: String,
    password: String,
}

async fn log_in(
    State(server): State<Arc<Server>>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<LogIn>,
) -> Answer {
    let origin = origin(address, &headers);
    let Some((user, secret)) = server.engine.log_in(&body.login, &body.password, &origin).await? else {
        let wrong = "the login or the password is wrong";
        return Err(Rejection::new(RejectionKind::Unauthenticated, "FW1011", wrong).into());
    };
    let mut response = Json(json!({"user": user_body(&user)})).into_response();
    response.headers_mut().insert(header::SET_COOKIE, session_cookie(&headers, &secret));
    Ok(response)
}

async fn who_am_i(caller: Caller) -> Answer<Json<Value>> {
    Ok(Json(json!({"user": user_body(caller.require_user()?)})))
}

async fn log_out(State(server): State<Arc<Server>>, headers: HeaderMap, caller: Caller) -> Answer {
    if let Some(secret) = cookie(&headers, COOKIE) {
        server.engine.log_out(secret, caller.address).await?;
    }
    let mut response: Response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, expired_cookie());
    Ok(response)
}

/// A user as they see themselves.
pub(crate) fn user_body(user: &User) -> Value {
    json!({
        "id": user.id,
        "login": user.login,
        "name": user.facts.name,
        "roles": user.facts.roles.iter().map(|role| &**role).collect::<Vec<_>>(),
        "team": user.facts.team.as_deref(),
        "leads": user.facts.leads.iter().map(|team| &**team).collect::<Vec<_>>(),
        "queues": user.facts.queues.iter().map(|queue| &**queue).collect::<Vec<_>>(),
        "language": user.language,
        "theme": user.theme,
        "must_change_password": user.password_until.is_some(),
    })
}

/// The cookie that carries a session's secret; encrypted on its way, unless it never leaves this machine.
pub(crate) fn session_cookie(headers: &HeaderMap, secret: &str) -> HeaderValue {
    let secure = if is_loopback(headers) { "" } else { "; Secure" };
    let cookie = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600{secure}");
    HeaderValue::from_str(&cookie).expect("secrets are base64url")
}

/// The cookie that makes a browser forget it.
pub(crate) fn expired_cookie() -> HeaderValue {
    HeaderValue::from_static("fw_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
}
