//! `/p/track`: how far something is that somebody sent who is not logged in. They prove that they know it; whatever is
//! wrong with what they say is answered alike, and not before some time has passed.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value as Json;

use formwork_core::{Act, Viewer};
use formwork_model::pack::form::{Form, Level};
use formwork_model::pack::public::{Proof, Track};
use formwork_model::{Key, Pack};
use formwork_store::Failure;

use super::errors::Refusal;
use super::shell::Page;
use super::strangers::nobody;
use super::visit::Visit;
use crate::api::track::{Asked, followed, told};
use crate::server::Server;
use crate::session::Address;
use crate::view::cell::Cell;
use crate::view::field::Link;
use crate::view::format::{Time, parse_instant};
use crate::view::posted::Posted;
use crate::view::query::{address, first};
use crate::view::seen::Seen;
use crate::view::task::paragraphs;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/p/track", get(ask).post(answer))
}

/// What the page shows (templates/pages/public/track.html).
#[derive(Debug, Default, Serialize)]
struct TrackView {
    title: String,
    action: String,
    others: Vec<Link>,
    proofs: Vec<ProofView>,
    notice: String,
    done: String,
    key: String,
    found: Option<Status>,
}

/// Something to prove.
#[derive(Debug, Serialize)]
struct ProofView {
    name: String,
    label: String,
    value: String,
}

/// How far it is.
#[derive(Debug, Serialize)]
struct Status {
    stages: Vec<Stage>,
    facts: Vec<Fact>,
    updated: Option<Time>,
    messages: Vec<Message>,
}

#[derive(Debug, Serialize)]
struct Stage {
    label: String,
    state: String,
    at: Option<Time>,
}

#[derive(Debug, Serialize)]
struct Fact {
    label: String,
    cell: Cell,
}

#[derive(Debug, Serialize)]
struct Message {
    mine: bool,
    at: Option<Time>,
    text: Vec<String>,
}

/// What is known when the page is drawn.
#[derive(Default)]
struct Attempt<'a> {
    posted: Option<&'a Posted>,
    told: Option<Json>,
    notice: String,
    done: String,
    status: StatusCode,
}

async fn ask(visit: Visit) -> Result<Response, Refusal> {
    draw(&nobody(&visit), Attempt::default()).await
}

async fn answer(visit: Visit, Address(from): Address, body: Bytes) -> Result<Response, Refusal> {
    let visit = nobody(&visit);
    let posted = Posted::new(visit.uri.path(), &body);
    let wrong = |notice: String, status| Attempt { posted: Some(&posted), notice, status, ..Attempt::default() };
    let Some((pack, form)) = chosen(&visit) else {
        return draw(&visit, wrong(visit.say("track.wrong", &[]), StatusCode::UNPROCESSABLE_ENTITY)).await;
    };
    let track = followed(&form);
    let proofs: Vec<String> = track
        .iter()
        .flat_map(|track| &track.by)
        .map(|proof| posted.typed(&format!("/{}", proof.key(&form))).unwrap_or_default().to_owned())
        .collect();
    let asked = Asked { pack: &pack, form: &form, proofs: &proofs, from };
    let (server, language) = (&visit.server, visit.caller.language.as_str());
    let found = match told(server, &asked, language).await {
        Ok(found) => found,
        Err(Failure::Busy(seconds)) => {
            let notice = visit.say("public.too_many", &[("minutes", &seconds.div_ceil(60).to_string())]);
            return draw(&visit, wrong(notice, StatusCode::TOO_MANY_REQUESTS)).await;
        }
        Err(failure) => return Err(failure.into()),
    };
    let Some(found) = found else {
        return draw(&visit, wrong(visit.say("track.wrong", &[]), StatusCode::UNPROCESSABLE_ENTITY)).await;
    };
    let text = posted.typed("/text").map(str::trim).unwrap_or_default().replace("\r\n", "\n");
    if text.is_empty() {
        return draw(&visit, Attempt { posted: Some(&posted), told: Some(found), ..Attempt::default() }).await;
    }
    let act = Act::Answer { form: form.key.clone(), proofs: proofs.clone(), text };
    visit.engine().submit(&pack, Viewer::public(language), act, posted.idempotency()).await?;
    let found = visit.engine().track(&pack, &form.key, proofs, language).await?;
    let done = visit.say("track.added", &[]);
    draw(&visit, Attempt { posted: Some(&posted), told: Some(found), done, ..Attempt::default() }).await
}

/// The form asked for, if its records are followed; else the first that is.
fn chosen(visit: &Visit) -> Option<(Arc<Pack>, Arc<Form>)> {
    let pairs = visit.pairs();
    let deployed = visit.engine().deployed();
    let named = first(&pairs, "form").and_then(|form| deployed.form(form).ok());
    let named = named.map(|(pack, key): (Arc<Pack>, Key)| (pack.clone(), pack.form(&key).clone()));
    named.filter(|(_, form)| followed(form).is_some()).or_else(|| every(visit).into_iter().next())
}

/// All forms whose records are followed.
fn every(visit: &Visit) -> Vec<(Arc<Pack>, Arc<Form>)> {
    let deployed = visit.engine().deployed();
    let forms =
        deployed.packs.iter().flat_map(|pack| pack.forms().values().map(move |form| (pack.clone(), form.clone())));
    forms.filter(|(_, form)| followed(form).is_some()).collect()
}

async fn draw(visit: &Visit, attempt: Attempt<'_>) -> Result<Response, Refusal> {
    let Some((pack, form)) = chosen(visit) else {
        return Err(crate::api::problem::Problem::not_found("address", "/p/track").into());
    };
    let seen = Seen::new(&pack, &form.key, &Viewer::public(&visit.caller.language));
    let path = |pack: &Arc<Pack>, form: &Form| {
        let seen = Seen::new(pack, &form.key, &Viewer::public(&visit.caller.language));
        address("/p/track", [("form", seen.path(visit.engine()).trim_start_matches("/records/"))])
    };
    let label = |form: &Form| form.label.get(&visit.caller.language).to_owned();
    let others = every(visit).into_iter().filter(|(_, other)| !Arc::ptr_eq(other, &form));
    let proofs = followed(&form).map(|track| proofs(visit, &form, track, attempt.posted)).unwrap_or_default();
    let view = TrackView {
        title: visit.say("track.title", &[("form", &label(&form))]),
        action: path(&pack, &form),
        others: others.map(|(pack, other)| Link { label: label(&other), href: path(&pack, &other) }).collect(),
        proofs,
        notice: attempt.notice,
        done: attempt.done,
        key: visit.engine().new_id().to_string(),
        found: attempt.told.map(|told| status(visit, &seen, &told)),
    };
    let status = attempt.status;
    let (title, place) = (view.title.clone(), Some(view.action.clone()));
    let page = Page { title, place, rejected: status.is_client_error(), status, wide: true, ..Page::default() };
    Ok(visit.draw("pages/public/track.html", page, "track", view).await?)
}

fn proofs(visit: &Visit, form: &Form, track: &Track, posted: Option<&Posted>) -> Vec<ProofView> {
    let proof = |proof: &Proof| {
        let field = &form.fields[proof.field];
        let label = field.label.get(&visit.caller.language);
        let name = format!("/{}", field.key);
        ProofView {
            label: match proof.last {
                Some(count) => visit.say("track.last", &[("label", label), ("n", &count.to_string())]),
                None => label.to_owned(),
            },
            value: posted.and_then(|posted| posted.typed(&name)).unwrap_or_default().to_owned(),
            name,
        }
    };
    track.by.iter().map(proof).collect()
}

fn status(visit: &Visit, seen: &Seen, told: &Json) -> Status {
    let local = visit.local(&seen.pack);
    let scribe = visit.scribe(&seen.pack, &seen.viewer, &local);
    let time = |value: &Json| value.as_str().and_then(parse_instant).map(|at| local.time(at));
    let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
    let fact = |(key, value): (&String, &Json)| {
        let (_, field) = seen.form.field(key)?;
        let label = field.label.get(&local.language).to_owned();
        Some(Fact { label, cell: scribe.cell(seen, field, value, Level::Read) })
    };
    let stage = |stage: &Json| Stage {
        label: stage["label"].as_str().unwrap_or_default().to_owned(),
        state: stage["state"].as_str().unwrap_or_default().to_owned(),
        at: time(&stage["at"]),
    };
    let message = |message: &Json| Message {
        mine: message["from"] == "public",
        at: time(&message["at"]),
        text: paragraphs(message["text"].as_str().unwrap_or_default()),
    };
    Status {
        stages: list(&told["stages"]).iter().map(stage).collect(),
        facts: told["values"].as_object().into_iter().flatten().filter_map(fact).collect(),
        updated: time(&told["updated_at"]),
        messages: list(&told["messages"]).iter().map(message).collect(),
    }
}
