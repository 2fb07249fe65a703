//! Logging in and out, and the language of those who are not logged in.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Serialize;

use super::errors::Refusal;
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::sessions::{expired_cookie, session_cookie};
use crate::i18n::LANGUAGES;
use crate::server::Server;
use crate::session::{Address, COOKIE, LANGUAGE_COOKIE, cookie, origin};
use crate::view::people::role_title;
use crate::view::posted::Posted;
use crate::view::query::{first, is_local, parse};

/// The password of every demonstration user.
const DEMO_PASSWORD: &str = "demo";

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .route("/logout", post(log_out))
        .route("/language", post(language))
}

/// What the log-in page shows (templates/pages/public/login.html).
#[derive(Debug, Default, Serialize)]
struct LoginView {
    next: String,
    user: String,
    error: String,
    demo: Vec<Demo>,
    /// Where to send again what a session was lost over, and what.
    resend: String,
    kept: Vec<(String, String)>,
}

/// An account of a demonstration.
#[derive(Debug, Serialize)]
struct Demo {
    user: String,
    label: String,
}

async fn show(visit: Visit) -> Result<Response, Refusal> {
    let pairs = visit.pairs();
    let next = first(&pairs, "next").filter(|next| is_local(next)).unwrap_or_default().to_owned();
    if visit.caller.user.is_some() {
        return Ok(see_other(if next.is_empty() { "/" } else { &next }, None));
    }
    login_page(&visit, LoginView { next, ..LoginView::default() }).await
}

async fn log_in(
    State(server): State<Arc<Server>>,
    visit: Visit,
    Address(address): Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let posted = Posted::new("/login", &body);
    let next = posted.own("_next").filter(|next| is_local(next)).unwrap_or_default().to_owned();
    let demo = posted.own("_demo").filter(|demo| server.demo_users.iter().any(|(login, _)| login == demo));
    let (login, password) = match demo {
        Some(login) => (login, DEMO_PASSWORD),
        None => (posted.own("_login").unwrap_or_default(), posted.own("_password").unwrap_or_default()),
    };
    let resend = posted.own("_resend").filter(|path| is_local(path)).unwrap_or_default().to_owned();
    match server.engine.log_in(login, password, &origin(address, &headers)).await? {
        Some((_, secret)) => {
            let mut response = match resend.is_empty() {
                true => see_other(if next.is_empty() { "/" } else { &next }, None),
                // The browser posts the same once more, there.
                false => Redirect::temporary(&resend).into_response(),
            };
            response.headers_mut().append(header::SET_COOKIE, session_cookie(&headers, &secret));
            Ok(response)
        }
        None => {
            let error = visit.say("login.wrong", &[]);
            let kept = if resend.is_empty() { Vec::new() } else { kept(&body) };
            let user = login.to_owned();
            login_page(&visit, LoginView { next, user, error, resend, kept, ..LoginView::default() }).await
        }
    }
}

/// A form came in and its session is over: logging in sends it again, as it was typed.
pub(super) async fn log_in_and_resend(visit: &Visit, body: &[u8]) -> Result<Response, Refusal> {
    let error = visit.say("login.lost", &[]);
    let resend = visit.path().to_owned();
    login_page(visit, LoginView { error, resend, kept: kept(body), ..LoginView::default() }).await
}

/// What was posted, without what the log-in page asks.
fn kept(body: &[u8]) -> Vec<(String, String)> {
    const ASKED: [&str; 5] = ["_login", "_password", "_resend", "_next", "_demo"];
    parse(body).into_iter().filter(|(name, _)| !ASKED.contains(&name.as_str())).collect()
}

async fn login_page(visit: &Visit, view: LoginView) -> Result<Response, Refusal> {
    let users = visit.server.demo_users.iter();
    let demo = users.map(|(login, name)| Demo { user: login.clone(), label: demo_title(visit, login, name) }).collect();
    let rejected = !view.error.is_empty();
    let page = Page {
        title: visit.say("login.title", &[]),
        rejected,
        status: if rejected { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK },
        ..Page::default()
    };
    Ok(visit.draw("pages/public/login.html", page, "login", LoginView { demo, ..view }).await?)
}

/// A demonstration user is named like the role: its title in the reader's language, where a pack declares it.
fn demo_title(visit: &Visit, login: &str, name: &str) -> String {
    match role_title(visit.engine(), &visit.caller.language, login) {
        title if title == login => name.to_owned(),
        title => title,
    }
}

async fn log_out(
    State(server): State<Arc<Server>>,
    Address(address): Address,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if let Some(secret) = cookie(&headers, COOKIE) {
        server.engine.log_out(secret, address).await?;
    }
    let mut response = see_other("/login", None);
    response.headers_mut().append(header::SET_COOKIE, expired_cookie());
    Ok(response)
}

/// The language of somebody who is not logged in, kept in a cookie.
async fn language(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let posted = Posted::new("/language", &body);
    let mut response = see_other(posted.back().unwrap_or("/login"), None);
    if let Some(chosen) = posted.typed("/language").and_then(known_language) {
        if let Some(user) = &visit.caller.user {
            visit.engine().store().put_settings(user.id, Some(chosen), None).await?;
        }
        let cookie = format!("{LANGUAGE_COOKIE}={chosen}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
        let cookie = HeaderValue::from_str(&cookie).expect("languages are ASCII");
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn known_language(language: &str) -> Option<&'static str> {
    LANGUAGES.into_iter().find(|known| *known == language)
}
