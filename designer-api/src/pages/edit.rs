//! `/records/{form}/new` and `…/{id}/edit`: a form to fill in, and what posting it does.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, FieldError, RejectionKind};
use formwork_model::pack::form::{FieldKind, Level};
use formwork_runtime::Engine;
use formwork_runtime::questions::Filled;
use formwork_store::Failure;

use super::cleared;
use super::errors::Refusal;
use super::list::{new_label, seen};
use super::record::title_of;
use super::saving::{Clash, Saved, clashes, save};
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::drafts::{DRAFT, NEW, kept};
use crate::server::Server;
use crate::view::field::{Correction, Link};
use crate::view::form::{Filling, Section};
use crate::view::posted::{Posted, Press};
use crate::view::seen::Seen;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/records/{form}/new", get(new).post(create))
        .route("/records/{form}/{id}/edit", get(edit).post(update))
}

/// What a form shows (templates/pages/records/form.html).
#[derive(Debug, Serialize)]
struct FormView {
    action: String,
    evaluate: String,
    id: String,
    version: String,
    key: String,
    submit: String,
    cancel: String,
    errors: Vec<Correction>,
    conflict: Vec<Clash>,
    sections: Vec<Section>,
    /// `pack.form`, as changes are told, and where to see whether it was this record; "" for a new one.
    topic: String,
    watch: String,
    /// Where what is typed is kept; "" where nobody is logged in.
    draft: String,
    /// When the draft was kept that the form shows; "" for none.
    restored: String,
}

/// What is known when the form is drawn.
#[derive(Default)]
struct Attempt<'a> {
    record: Option<&'a Json>,
    posted: Option<&'a Posted>,
    errors: &'a [FieldError],
    conflict: Vec<Clash>,
    status: StatusCode,
    /// When it was kept, where it is a draft.
    kept: Option<DateTime<Utc>>,
}

async fn new(visit: Visit, Path(form): Path<String>) -> Result<Response, Refusal> {
    let seen = creatable(&visit, &form)?;
    // What a record starts with may stand in the address, as pointers: `?/customer=…`. It is checked like typed values.
    let query = visit.uri.query().unwrap_or_default().split('&');
    let preset: Vec<&str> = query.filter(|pair| pair.starts_with('/') || pair.starts_with("%2F")).collect();
    if !preset.is_empty() {
        let posted = Posted::new(visit.uri.path(), preset.join("&").as_bytes());
        return draw(&visit, &seen, Attempt { posted: Some(&posted), ..Attempt::default() }).await;
    }
    let draft = draft(&visit, &seen, NEW).await?;
    let (posted, kept) = (draft.as_ref().map(|(_, posted)| posted), draft.as_ref().map(|(at, _)| *at));
    draw(&visit, &seen, Attempt { posted, kept, ..Attempt::default() }).await
}

/// What this visitor typed earlier and did not send.
async fn draft(visit: &Visit, seen: &Seen, name: &str) -> Result<Option<(DateTime<Utc>, Posted)>, Refusal> {
    let Some(user) = &visit.caller.user else { return Ok(None) };
    let scope = Engine::scope(&seen.pack, &seen.form.key);
    let draft = kept(&visit.server, user.id, &scope, name).await?;
    Ok(draft.map(|(at, pairs)| (at, Posted::kept(pairs))))
}

/// It was sent, or is not wanted any more.
async fn forget(visit: &Visit, seen: &Seen, name: &str) -> Result<(), Refusal> {
    let Some(user) = &visit.caller.user else { return Ok(()) };
    let scope = Engine::scope(&seen.pack, &seen.form.key);
    visit.engine().store().forget(user.id, DRAFT, &scope, name).await?;
    Ok(())
}

async fn create(visit: Visit, Path(form): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let seen = creatable(&visit, &form)?;
    let posted = Posted::new(visit.uri.path(), &body);
    if posted.own("_discard").is_some() {
        forget(&visit, &seen, NEW).await?;
        return Ok(see_other(visit.uri.path(), None));
    }
    if posted.press != Press::Submit {
        return draw(&visit, &seen, Attempt { posted: Some(&posted), ..Attempt::default() }).await;
    }
    let values = posted.body(&seen.form, "", None, &visit.local(&seen.pack));
    let act = Act::Create { form: seen.form.key.clone(), values: values.clone(), effects: Effects::ALL };
    match visit.engine().submit(&seen.pack, seen.viewer.clone(), act, posted.idempotency()).await {
        Ok(committed) => {
            forget(&visit, &seen, NEW).await?;
            let path = seen.path(visit.engine());
            Ok(match committed.reply {
                // Whoever may file but not read gets back to an empty form.
                Reply::Record { id, .. } if seen.can_read() => {
                    let notice = cleared::told(&visit, &seen, id, &values, None, "created".to_owned()).await?;
                    see_other(&format!("{path}/{id}"), Some(&notice))
                }
                _ => see_other(&format!("{path}/new"), Some("created")),
            })
        }
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Invalid => {
            let errors = rejection.errors;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            draw(&visit, &seen, Attempt { posted: Some(&posted), errors: &errors, status, ..Attempt::default() }).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn edit(visit: Visit, Path((form, id)): Path<(String, Uuid)>) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let record = visit.engine().record(&seen.pack, &seen.viewer, &seen.form.key, id).await?;
    may_update(&record)?;
    let draft = draft(&visit, &seen, &id.to_string()).await?;
    let (posted, kept) = (draft.as_ref().map(|(_, posted)| posted), draft.as_ref().map(|(at, _)| *at));
    draw(&visit, &seen, Attempt { record: Some(&record), posted, kept, ..Attempt::default() }).await
}

async fn update(visit: Visit, Path((form, id)): Path<(String, Uuid)>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let posted = Posted::new(visit.uri.path(), &body);
    let record = visit.engine().record(&seen.pack, &seen.viewer, &seen.form.key, id).await?;
    may_update(&record)?;
    if posted.own("_discard").is_some() {
        forget(&visit, &seen, &id.to_string()).await?;
        return Ok(see_other(visit.uri.path(), None));
    }
    let attempt = Attempt { record: Some(&record), posted: Some(&posted), ..Attempt::default() };
    if posted.press != Press::Submit {
        return draw(&visit, &seen, attempt).await;
    }
    match save(&visit, &seen, id, &record, &posted).await? {
        Saved::Done(version) => {
            forget(&visit, &seen, &id.to_string()).await?;
            let notice = match version {
                Some(version) => super::undoing::notice(&visit, &seen, "saved", id, Some(version)).await?,
                None => "saved".to_owned(),
            };
            let sent = posted.body(&seen.form, "", Some(&record), &visit.local(&seen.pack));
            let notice = cleared::told(&visit, &seen, id, &sent, Some(&record), notice).await?;
            Ok(see_other(&format!("{}/{id}", seen.path(visit.engine())), Some(&notice)))
        }
        Saved::Refused(errors) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            draw(&visit, &seen, Attempt { errors: &errors, status, ..attempt }).await
        }
        Saved::Clashed(pointers) => {
            let conflict = clashes(&visit, &seen, &record, &posted, &pointers).await?;
            let status = StatusCode::PRECONDITION_FAILED;
            draw(&visit, &seen, Attempt { conflict, status, ..attempt }).await
        }
    }
}

fn creatable(visit: &Visit, form: &str) -> Result<Seen, Refusal> {
    let seen = seen(visit, form)?;
    if !seen.can_create() {
        return Err(crate::api::problem::Problem::forbidden("a role that files these records").into());
    }
    Ok(seen)
}

fn may_update(record: &Json) -> Result<(), Refusal> {
    if record["_may"]["update"].as_bool().unwrap_or(false) {
        return Ok(());
    }
    Err(crate::api::problem::Problem::forbidden("a role that changes this record").into())
}

async fn draw(visit: &Visit, seen: &Seen, attempt: Attempt<'_>) -> Result<Response, Refusal> {
    let local = visit.local(&seen.pack);
    let path = seen.path(visit.engine());
    let id = attempt.record.and_then(|record| record["id"].as_str()?.parse::<Uuid>().ok());
    let typed = attempt.posted.map(|posted| posted.body(&seen.form, "", attempt.record, &local)).unwrap_or_default();
    let states = states(visit, seen, id, None, typed).await?;
    let people = people(visit, seen).await?;
    let filling = Filling {
        scribe: visit.scribe(&seen.pack, &seen.viewer, &local),
        seen,
        states: &states,
        posted: attempt.posted,
        errors: attempt.errors,
        prefix: "",
        is_new: id.is_none(),
        people: &people,
    };
    let label = seen.form.label.get(&local.language);
    let record_path = id.map(|id| format!("{path}/{id}"));
    let view = FormView {
        action: record_path.as_ref().map_or_else(|| format!("{path}/new"), |path| format!("{path}/edit")),
        evaluate: format!("/api{}/evaluate", path.replacen("/records/", "/forms/", 1)),
        id: id.map(|id| id.to_string()).unwrap_or_default(),
        // A draft goes on from the version it was begun with: what changed since is told when it is sent.
        version: match (attempt.kept, attempt.posted.and_then(Posted::version)) {
            (Some(_), Some(begun)) => begun.to_string(),
            _ => attempt.record.map(|record| record["version"].to_string()).unwrap_or_default(),
        },
        draft: match (&visit.caller.user, id) {
            (None, _) => String::new(),
            (Some(_), Some(id)) => format!("/api{path}/{id}/draft"),
            (Some(_), None) => format!("/api{path}/{NEW}/draft"),
        },
        topic: seen.topic(),
        watch: record_path.as_ref().map(|path| format!("/api{path}?fields=version")).unwrap_or_default(),
        restored: attempt.kept.map(|at| local.instant(at)).unwrap_or_default(),
        key: visit.engine().new_id().to_string(),
        submit: visit
            .say(if id.is_some() { "record.save" } else { "record.submit" }, &[("form", &local.inside(label))]),
        cancel: record_path.clone().unwrap_or_else(|| path.clone()),
        errors: filling.corrections(),
        sections: filling.sections(),
        conflict: attempt.conflict,
    };
    let list = Link { label: label.to_owned(), href: path };
    let page = match (attempt.record, record_path) {
        (Some(record), Some(href)) => Page {
            title: visit.say("record.edit.title", &[("title", &title_of(record))]),
            breadcrumb: vec![list, Link { label: title_of(record), href }],
            ..Page::default()
        },
        _ => Page { title: new_label(visit, seen), breadcrumb: vec![list], ..Page::default() },
    };
    let rejected = attempt.status.is_client_error();
    let page = Page { rejected, status: attempt.status, ..page };
    Ok(visit.draw("pages/records/form.html", page, "form", view).await?)
}

/// `fields` of `/evaluate` for values typed so far.
pub(super) async fn states(
    visit: &Visit,
    seen: &Seen,
    id: Option<Uuid>,
    task: Option<Uuid>,
    typed: Map<String, Json>,
) -> Result<Map<String, Json>, Refusal> {
    let filled = Filled { id, task, values: typed, version: None };
    let mut answer = visit.engine().evaluate(&seen.pack, &seen.viewer, &seen.form.key, filled).await?;
    match answer["fields"].take() {
        Json::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// People to choose from, where a form asks for one and the visitor is somebody.
pub(super) async fn people(visit: &Visit, seen: &Seen) -> Result<Vec<(String, String)>, Refusal> {
    let asks = seen.fields().any(|(_, field, level)| level == Level::Write && matches!(field.kind, FieldKind::User));
    if !asks || visit.caller.user.is_none() {
        return Ok(Vec::new());
    }
    active_people(visit).await
}

/// Those who may be given something: (id, name).
pub(super) async fn active_people(visit: &Visit) -> Result<Vec<(String, String)>, Refusal> {
    let users = visit.engine().store().users().await?;
    let active = users.into_iter().filter(|user| user.facts.active);
    Ok(active.map(|user| (user.id.to_string(), user.facts.name)).collect())
}
