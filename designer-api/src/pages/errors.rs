//! What goes wrong, as a page: the layer around all pages that turns refusals and faults into HTML.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use formwork_store::Failure;

use super::public::log_in_and_resend;
use super::shell::Page;
use super::visit::{Visit, mark, see_other};
use crate::api::BODY_BYTES_MAX;
use crate::api::problem::Problem;
use crate::server::Server;
use crate::session::{CHANGE_FIRST, is_cross_site};
use crate::view::people::role_title;
use crate::view::query::address;

/// Paths that anybody may open.
const PUBLIC: [&str; 3] = ["/login", "/logout", "/language"];

/// What the error page shows (templates/pages/errors/error.html).
#[derive(Debug, Default, Serialize)]
struct ErrorView {
    status: u16,
    title: String,
    text: String,
    trace: String,
    retry: String,
    role: String,
}

/// A problem on its way out of a handler, told to the layer.
#[derive(Debug, Clone)]
struct Told {
    title: String,
    trace: String,
}

/// The layer around all pages: makes the visit, sends strangers to the log-in page, draws what went wrong.
pub(super) async fn drawn(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    // Taken apart, because a body cannot be shared between threads while somebody waits.
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if path.starts_with("/api/") || path.starts_with("/assets/") {
        return Problem::not_found("address", &path).into_response();
    }
    if !parts.method.is_safe() && is_cross_site(&parts.headers) {
        let visit = Visit::anonymous(&server, &parts);
        return error(&visit, StatusCode::FORBIDDEN, None).await;
    }
    let visit = match Visit::new(&server, &mut parts).await {
        Ok(visit) => visit,
        Err(problem) if asks_for_a_password(&problem) => {
            return lead(&Visit::anonymous(&server, &parts), "/me/password");
        }
        Err(problem) => {
            let visit = Visit::anonymous(&server, &parts);
            return error(&visit, problem.status(), Some(told(&problem))).await;
        }
    };
    if visit.caller.user.is_none() && !PUBLIC.contains(&path.as_str()) && !path.starts_with("/p/") {
        return stranger(&visit, body).await;
    }
    parts.extensions.insert(visit.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    let is_html =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_html || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let told = response.extensions().get::<Told>().cloned();
    // An address whose parts are no ids or numbers is one where nothing is.
    let status = match response.status() {
        StatusCode::BAD_REQUEST if told.is_none() => StatusCode::NOT_FOUND,
        status => status,
    };
    error(&visit, status, told).await
}

/// Nothing is at this address.
pub(super) async fn nothing_here() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

/// Carries a problem to the layer, which knows the language and draws it.
pub(super) struct Refusal(pub(super) Problem);

impl<P: Into<Problem>> From<P> for Refusal {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        response.extensions_mut().insert(told(&self.0));
        response
    }
}

fn told(problem: &Problem) -> Told {
    let (body, trace) = problem.body();
    let title = body["errors"][0]["message"].as_str().or(body["title"].as_str()).unwrap_or_default().to_owned();
    Told { title, trace }
}

/// Somebody who is not logged in, or not any more. What they typed goes with them: they log in, and it is sent again.
async fn stranger(visit: &Visit, body: Body) -> Response {
    let login = match visit.uri.path() {
        "/" => "/login".to_owned(),
        _ if visit.method == Method::GET => address("/login", [("next", visit.path())]),
        _ => "/login".to_owned(),
    };
    // Nobody's password is drawn into a page to be sent again.
    if visit.block.is_some() || visit.method == Method::GET || visit.uri.path() == "/me/password" {
        return lead(visit, &login);
    }
    match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => match log_in_and_resend(visit, &body).await {
            Ok(page) => page,
            Err(Refusal(problem)) => error(visit, problem.status(), Some(told(&problem))).await,
        },
        Err(_) => error(visit, StatusCode::PAYLOAD_TOO_LARGE, None).await,
    }
}

/// Somebody else gave them their password: they choose their own before anything else.
fn asks_for_a_password(problem: &Problem) -> bool {
    matches!(&problem.0, Failure::Rejected(rejection) if rejection.code == CHANGE_FIRST)
}

/// To another page; a partial request takes the whole window there.
fn lead(visit: &Visit, path: &str) -> Response {
    if visit.block.is_none() {
        return see_other(path, None);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set(&mut response, "hx-redirect", path);
    response
}

/// The page of an error; to a partial request the notice alone.
async fn error(visit: &Visit, status: StatusCode, told: Option<Told>) -> Response {
    let view = view(visit, status, told);
    let page = Page { title: view.title.clone(), status, ..Page::default() };
    let partial = visit.block.is_some();
    let mut visit = visit.clone();
    let mut notices = Vec::new();
    if partial {
        visit.block = Some("notice".to_owned());
        notices.push(visit.notice("bad", format!("{} {}", view.title, view.text)));
    }
    let drawn = visit.html("pages/errors/error.html", &page, "error", &view, &notices).await;
    let html = match drawn {
        Ok(html) => html,
        // The last resort: the page of an error cannot be drawn.
        Err(problem) => {
            let (_, trace) = problem.body();
            format!("{} ({trace})", visit.say("error.500.text", &[]))
        }
    };
    let mut response = (status, Html(html)).into_response();
    mark(response.headers_mut());
    if partial {
        set(&mut response, "hx-retarget", "#notice");
        set(&mut response, "hx-reswap", "outerHTML");
        set(&mut response, "hx-push-url", "false");
        set(&mut response, "hx-replace-url", "false");
    }
    response
}

fn view(visit: &Visit, status: StatusCode, told: Option<Told>) -> ErrorView {
    let kind = match status.as_u16() {
        400 | 422 => "400",
        401 => "401",
        403 => "403",
        404 | 405 => "404",
        409 | 412 => "409",
        429 => "429",
        _ => "500",
    };
    let say = |part: &str| visit.say(&format!("error.{kind}.{part}"), &[]);
    // A refusal has words of its own, in the reader's language; that of a fault or of what is not there has not.
    let own = told.as_ref().map(|told| told.title.clone()).filter(|_| matches!(kind, "400" | "409"));
    let is_fault = status.is_server_error();
    let role = if kind == "403" { super::admin::role_of(visit.uri.path()) } else { None };
    ErrorView {
        status: status.as_u16(),
        title: say("title"),
        text: own.unwrap_or_else(|| say("text")),
        trace: told.filter(|_| is_fault).map(|told| told.trace).unwrap_or_default(),
        retry: if is_fault && visit.method == Method::GET { visit.path().to_owned() } else { String::new() },
        role: role.map(|role| role_title(visit.engine(), &visit.caller.language, role)).unwrap_or_default(),
    }
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
