//! `/me`: who one is, where one is logged in, one's API tokens; `/me/password`: a password of one's own.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use chrono::Duration;
use serde::Serialize;

use formwork_runtime::people::own::{NewToken, PASSWORD_MIN, session_id};

use super::errors::Refusal;
use super::people::{Error, SessionRow, TokenRow, errors_of, session_row, ticked, token_row};
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::me::THEMES;
use crate::i18n::LANGUAGES;
use crate::server::Server;
use crate::session::{COOKIE, SCOPES, cookie};
use crate::view::field::Link;
use crate::view::people::{queue_title, role_title};
use crate::view::posted::Posted;
use crate::view::query::{Pairs, first, parse};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/me", get(show).post(act)).route("/me/password", get(password).post(change))
}

/// Who one is (templates/pages/me/me.html).
#[derive(Debug, Serialize)]
struct MeView {
    login: String,
    name: String,
    roles: Vec<String>,
    queues: Vec<String>,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
    scopes: Vec<Scope>,
    token_name: String,
    days: String,
    /// A token just made: told once.
    secret: String,
    errors: Vec<Error>,
}

/// What a token may be given.
#[derive(Debug, Serialize)]
struct Scope {
    value: &'static str,
    label: String,
    selected: bool,
}

/// The form for a password (templates/pages/me/password.html).
#[derive(Debug, Serialize)]
struct PasswordView {
    given: bool,
    login: String,
    min: usize,
    errors: Vec<Error>,
}

async fn show(visit: Visit, headers: HeaderMap) -> Result<Response, Refusal> {
    draw(&visit, &headers, &Vec::new(), String::new(), Vec::new()).await
}

async fn draw(
    visit: &Visit,
    headers: &HeaderMap,
    typed: &Pairs,
    secret: String,
    errors: Vec<Error>,
) -> Result<Response, Refusal> {
    let user = visit.user()?;
    let (engine, language) = (visit.engine(), visit.caller.language.as_str());
    let own = cookie(headers, COOKIE).map(session_id);
    let sessions = engine.sessions_of(user.id).await?;
    let chosen = ticked(typed, "scope");
    let view = MeView {
        login: user.login.clone(),
        name: user.facts.name.clone(),
        roles: user.facts.roles.iter().map(|key| role_title(engine, language, key)).collect(),
        queues: user.facts.queues.iter().map(|key| queue_title(engine, language, key)).collect(),
        sessions: sessions.into_iter().map(|session| session_row(visit, session, own.as_deref())).collect(),
        tokens: engine.tokens_of(user.id).await?.into_iter().map(|token| token_row(visit, token)).collect(),
        scopes: SCOPES
            .map(|(scope, _)| Scope {
                value: scope,
                label: visit.say(&format!("scope.{scope}"), &[]),
                selected: chosen.iter().any(|chosen| chosen == scope),
            })
            .into(),
        token_name: first(typed, "name").unwrap_or_default().to_owned(),
        days: first(typed, "days").unwrap_or_default().to_owned(),
        secret,
        errors,
    };
    let rejected = !view.errors.is_empty();
    let page = Page {
        title: visit.say("me.title", &[]),
        place: Some("/me".to_owned()),
        rejected,
        status: if rejected { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK },
        ..Page::default()
    };
    let is_told = !view.secret.is_empty();
    let mut response = visit.draw("pages/me/me.html", page, "me", view).await?;
    if is_told {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

async fn act(visit: Visit, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let (user, by) = (visit.user()?, visit.caller.by()?);
    let typed = parse(&body);
    let engine = visit.engine();
    match first(&typed, "_act").unwrap_or_default() {
        "end" => {
            let session = first(&typed, "session").unwrap_or_default();
            engine.end_sessions(&by, user.id, Some(session), None).await?;
            Ok(see_other("/me", Some("signed_out")))
        }
        "end_others" => {
            engine.end_sessions(&by, user.id, None, cookie(&headers, COOKIE)).await?;
            Ok(see_other("/me", Some("signed_out")))
        }
        "revoke" => {
            engine.revoke_token(&by, user.id, first(&typed, "token").unwrap_or_default()).await?;
            Ok(see_other("/me", Some("token_revoked")))
        }
        "token" => {
            let days = first(&typed, "days").and_then(|days| days.parse::<i32>().ok());
            let new = NewToken {
                name: first(&typed, "name").unwrap_or_default().to_owned(),
                scopes: ticked(&typed, "scope"),
                until: days.map(|days| engine.clock().now() + Duration::days(days.into())),
            };
            match engine.add_token(&by, user, new, &SCOPES.map(|(scope, _)| scope)).await {
                Ok(secret) => draw(&visit, &headers, &Vec::new(), secret, Vec::new()).await,
                Err(failure) => draw(&visit, &headers, &typed, String::new(), errors_of(&visit, failure)?).await,
            }
        }
        _ => settings(&visit, &body).await,
    }
}

/// Language and appearance.
async fn settings(visit: &Visit, body: &[u8]) -> Result<Response, Refusal> {
    let posted = Posted::new("/me", body);
    let language = posted.typed("/language").filter(|language| LANGUAGES.contains(language));
    let theme = posted.typed("/theme").filter(|theme| THEMES.contains(theme));
    visit.engine().store().put_settings(visit.user()?.id, language, theme).await?;
    Ok(see_other(posted.back().unwrap_or("/"), None))
}

async fn password(visit: Visit) -> Result<Response, Refusal> {
    draw_password(&visit, Vec::new()).await
}

async fn draw_password(visit: &Visit, errors: Vec<Error>) -> Result<Response, Refusal> {
    let user = visit.user()?;
    let view =
        PasswordView { given: user.password_until.is_some(), login: user.login.clone(), min: PASSWORD_MIN, errors };
    let rejected = !view.errors.is_empty();
    let page = Page {
        title: visit.say("me.password", &[]),
        breadcrumb: vec![Link { label: visit.say("me.title", &[]), href: "/me".to_owned() }],
        rejected,
        status: if rejected { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK },
        ..Page::default()
    };
    Ok(visit.draw("pages/me/password.html", page, "password", view).await?)
}

async fn change(visit: Visit, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let user = visit.user()?;
    let typed = parse(&body);
    let text = |name: &str| first(&typed, name).unwrap_or_default();
    if text("new") != text("again") {
        let text = visit.say("people.problem.password_differs", &[]);
        return draw_password(&visit, vec![Error { at: "again".to_owned(), text }]).await;
    }
    let secret = cookie(&headers, COOKIE);
    match visit.engine().change_password(&visit.caller.by()?, user, text("old"), text("new"), secret).await {
        Ok(()) => Ok(see_other("/", Some("password_changed"))),
        Err(failure) => draw_password(&visit, errors_of(&visit, failure)?).await,
    }
}
