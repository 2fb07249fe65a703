//! `/p/{form}`: a form for people who are not logged in, and what they read once it is sent. Whoever opens it is nobody
//! here, logged in or not.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use formwork_core::change::Reply;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, FieldError, RejectionKind, Viewer};
use formwork_store::Failure;

use super::edit::states;
use super::errors::Refusal;
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::problem::Problem;
use crate::api::track::reference;
use crate::server::Server;
use crate::session::{Address, Caller};
use crate::strangers::{challenge, has_worked};
use crate::view::field::Correction;
use crate::view::form::{Filling, Section};
use crate::view::posted::{Posted, Press};
use crate::view::query::{address, first};
use crate::view::seen::Seen;

/// Longest reference a page repeats, in characters.
const REFERENCE_MAX: usize = 64;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/p/{form}", get(new).post(create)).route("/p/{form}/sent", get(sent))
}

/// What the form shows (templates/pages/public/form.html).
#[derive(Debug, Serialize)]
struct PublicForm {
    title: String,
    action: String,
    evaluate: String,
    key: String,
    work: String,
    submit: String,
    notice: String,
    errors: Vec<Correction>,
    sections: Vec<Section>,
    track: String,
}

/// What is read once it is sent (templates/pages/public/sent.html).
#[derive(Debug, Serialize)]
struct Sent {
    title: String,
    reference: String,
    thanks: Vec<String>,
    track: String,
    again: String,
}

/// What is known when the form is drawn.
#[derive(Default)]
struct Attempt<'a> {
    posted: Option<&'a Posted>,
    errors: &'a [FieldError],
    notice: String,
    status: StatusCode,
}

async fn new(visit: Visit, Path(form): Path<String>) -> Result<Response, Refusal> {
    let visit = nobody(&visit);
    let seen = open(&visit, &form)?;
    draw(&visit, &seen, Attempt::default()).await
}

async fn create(
    visit: Visit,
    Path(form): Path<String>,
    Address(from): Address,
    body: Bytes,
) -> Result<Response, Refusal> {
    let visit = nobody(&visit);
    let seen = open(&visit, &form)?;
    let posted = Posted::new(visit.uri.path(), &body);
    if posted.press != Press::Submit {
        return draw(&visit, &seen, Attempt { posted: Some(&posted), ..Attempt::default() }).await;
    }
    // A field that people do not see: only programs fill it in.
    if posted.own("_website").is_some_and(|typed| !typed.is_empty()) {
        let notice = visit.say("public.refused", &[]);
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return draw(&visit, &seen, Attempt { posted: Some(&posted), notice, status, ..Attempt::default() }).await;
    }
    let (pack, now) = (seen.pack.key(), visit.engine().clock().now());
    let own = |name: &str| posted.own(name).unwrap_or_default();
    let worked = has_worked(visit.uri.path(), own("_key"), own("_work"), own("_proof"), now);
    if let Err(failure) = visit.server.strangers.may_send((pack, &seen.form), from, worked, now) {
        return too_many(&visit, &seen, &posted, failure).await;
    }
    let values = posted.body(&seen.form, "", None, &visit.local(&seen.pack));
    let act = Act::Create { form: seen.form.key.clone(), values, effects: Effects::ALL };
    match visit.engine().submit(&seen.pack, seen.viewer.clone(), act, posted.idempotency()).await {
        Ok(committed) => {
            visit.server.strangers.sent(pack, &seen.form.key, from, worked, now);
            let Reply::Record { id, .. } = committed.reply else {
                return Ok(see_other(visit.uri.path(), None));
            };
            let reference = reference(&visit.server, &seen.pack, &seen.form, id).await?;
            Ok(see_other(&address(&format!("{}/sent", visit.uri.path()), [("no", reference.as_str())]), None))
        }
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Invalid => {
            let (errors, status) = (&rejection.errors, StatusCode::UNPROCESSABLE_ENTITY);
            draw(&visit, &seen, Attempt { posted: Some(&posted), errors, status, ..Attempt::default() }).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn sent(visit: Visit, Path(form): Path<String>) -> Result<Response, Refusal> {
    let visit = nobody(&visit);
    let seen = open(&visit, &form)?;
    let language = &visit.caller.language;
    let thanks = seen.form.public.as_ref().and_then(|public| public.thanks.as_ref());
    let pairs = visit.pairs();
    let view = Sent {
        title: visit.say("public.sent", &[]),
        reference: first(&pairs, "no").unwrap_or_default().chars().take(REFERENCE_MAX).collect(),
        thanks: crate::view::task::paragraphs(thanks.map_or("", |thanks| thanks.get(language))),
        track: track_path(&seen, &form),
        again: format!("/p/{form}"),
    };
    let page = Page { title: view.title.clone(), wide: true, ..Page::default() };
    Ok(visit.draw("pages/public/sent.html", page, "sent", view).await?)
}

/// The same visit by somebody who is not logged in.
pub(super) fn nobody(visit: &Visit) -> Visit {
    Visit { caller: Caller { user: None, ..visit.caller.clone() }, ..visit.clone() }
}

/// The form, if strangers fill it in.
fn open(visit: &Visit, form: &str) -> Result<Seen, Problem> {
    let (pack, key) = visit.engine().deployed().form(form)?;
    let seen = Seen::new(&pack, &key, &Viewer::public(&visit.caller.language));
    let is_open = seen.form.public.as_ref().is_some_and(|public| public.form) && seen.can_create();
    is_open.then_some(seen).ok_or_else(|| Problem::not_found("form", form))
}

/// Where what was sent is followed; "" where it is not.
fn track_path(seen: &Seen, form: &str) -> String {
    let is_followed = seen.form.track().is_some();
    if is_followed { address("/p/track", [("form", form)]) } else { String::new() }
}

async fn too_many(visit: &Visit, seen: &Seen, posted: &Posted, failure: Failure) -> Result<Response, Refusal> {
    let Failure::Busy(seconds) = failure else { return Err(failure.into()) };
    let notice = visit.say("public.too_many", &[("minutes", &seconds.div_ceil(60).to_string())]);
    let status = StatusCode::TOO_MANY_REQUESTS;
    let drawn = draw(visit, seen, Attempt { posted: Some(posted), notice, status, ..Attempt::default() }).await?;
    Ok(([("retry-after", seconds.to_string())], drawn).into_response())
}

async fn draw(visit: &Visit, seen: &Seen, attempt: Attempt<'_>) -> Result<Response, Refusal> {
    let local = visit.local(&seen.pack);
    let typed = attempt.posted.map(|posted| posted.body(&seen.form, "", None, &local)).unwrap_or_default();
    let states = states(visit, seen, None, None, typed).await?;
    let filling = Filling {
        scribe: visit.scribe(&seen.pack, &seen.viewer, &local),
        seen,
        states: &states,
        posted: attempt.posted,
        errors: attempt.errors,
        prefix: "",
        is_new: true,
        people: &[],
    };
    let action = visit.uri.path().to_owned();
    let form = action.trim_start_matches("/p/").to_owned();
    let label = seen.form.label.get(&local.language);
    let key = attempt.posted.and_then(|posted| posted.own("_key")).map(str::to_owned);
    let key = key.unwrap_or_else(|| visit.engine().new_id().to_string());
    let view = PublicForm {
        title: label.to_owned(),
        evaluate: format!("/api/forms/{form}/evaluate"),
        work: challenge(&action, &key, local.now),
        key,
        submit: visit.say("record.submit", &[("form", &local.inside(label))]),
        notice: attempt.notice,
        errors: filling.corrections(),
        sections: filling.sections(),
        track: track_path(seen, &form),
        action,
    };
    let page = Page {
        title: view.title.clone(),
        rejected: attempt.status.is_client_error(),
        status: attempt.status,
        wide: true,
        ..Page::default()
    };
    Ok(visit.draw("pages/public/form.html", page, "form", view).await?)
}
