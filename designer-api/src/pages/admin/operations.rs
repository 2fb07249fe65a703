//! `/admin/outbox`, `/admin/incidents`, `/admin/jobs`: what goes on by itself, what stands still, and what helps it on.
//! Nothing of a record is shown: neither whom a message is for nor what it says.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use uuid::Uuid;

use formwork_core::Act;
use formwork_core::stimulus::InstanceVerb;
use formwork_model::Key;
use formwork_store::PostedFilter;

use super::{Choice, admin};
use crate::api::instances::stopped;
use crate::api::operations::{STATES, job_place, job_place_text, place_of, place_text};
use crate::api::problem::Problem;
use crate::pages::errors::Refusal;
use crate::pages::shell::Page;
use crate::pages::visit::{Visit, see_other};
use crate::server::Server;
use crate::view::format::Time;
use crate::view::query::{changed, first, is_local, parse};

/// Rows of a page.
const LIMIT: u32 = 50;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/admin/outbox", get(outbox).post(resend))
        .route("/admin/incidents", get(incidents).post(help))
        .route("/admin/jobs", get(jobs))
}

/// Messages on their way (templates/pages/admin/outbox.html).
#[derive(Debug, Serialize)]
struct OutboxView {
    tabs: Vec<Tab>,
    channels: Vec<Choice>,
    state: String,
    here: String,
    rows: Vec<Message>,
    first: String,
    next: String,
}

/// A state and how many are in it.
#[derive(Debug, Serialize)]
struct Tab {
    label: String,
    href: String,
    active: bool,
    count: String,
}

/// A message, without whom it is for and what it says.
#[derive(Debug, Serialize)]
struct Message {
    key: String,
    channel: String,
    template: String,
    state: String,
    label: String,
    attempts: i64,
    reason: String,
    created: Time,
    next: Option<Time>,
    failed: bool,
}

async fn outbox(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    let pairs = visit.pairs();
    let state = first(&pairs, "state").filter(|state| STATES.contains(state));
    let channel = first(&pairs, "channel");
    let after = first(&pairs, "after").map(place_of).transpose()?;
    let filter = PostedFilter { state: state.map(str::to_owned), channel: channel.map(Key::from) };
    let is_later = after.is_some();
    let mut messages = visit.engine().posted(&filter, after, LIMIT + 1).await?;
    let more = messages.len() > LIMIT as usize;
    messages.truncate(LIMIT as usize);
    let here = |added: &[(&str, &str)]| changed("/admin/outbox", &pairs, |name| name == "after", added);
    let next = messages.last().filter(|_| more).map(|last| here(&[("after", &place_text(last))]));
    let counts = visit.engine().posted_counts().await?;
    let say_state = |state: &str| visit.say(&format!("outbox.state.{state}"), &[]);
    let tab = |key: &str, label: String, count: i64| {
        let dropped = |name: &str| name == "after" || name == "state";
        let added: Vec<(&str, &str)> = if key.is_empty() { Vec::new() } else { vec![("state", key)] };
        Tab {
            label,
            href: changed("/admin/outbox", &pairs, dropped, &added),
            active: state.unwrap_or_default() == key,
            count: if count == 0 { String::new() } else { count.to_string() },
        }
    };
    let count = |state: &str| counts.iter().find(|(known, _)| known == state).map_or(0, |(_, count)| *count);
    let mut tabs = vec![tab("", visit.say("admin.user.filter.all", &[]), counts.iter().map(|(_, count)| count).sum())];
    tabs.extend(["failed", "pending", "leased", "sent"].map(|key| tab(key, say_state(key), count(key))));
    let local = visit.anywhere();
    let rows = messages.into_iter().map(|message| Message {
        failed: message.state == "failed",
        label: say_state(&message.state),
        created: local.time(message.created_at),
        next: (message.state == "pending").then(|| local.time(message.next_at)),
        key: message.key,
        channel: message.channel.to_string(),
        template: message.template.to_string(),
        state: message.state,
        attempts: message.attempts,
        reason: message.reason.unwrap_or_default(),
    });
    let view = OutboxView {
        tabs,
        channels: channels(&visit, channel),
        state: state.unwrap_or_default().to_owned(),
        here: visit.path().to_owned(),
        rows: rows.collect(),
        first: if is_later { here(&[]) } else { String::new() },
        next: next.unwrap_or_default(),
    };
    let page = Page { title: visit.say("admin.outbox", &[]), wide: true, ..Page::default() };
    Ok(visit.draw("pages/admin/outbox.html", page, "outbox", view).await?)
}

/// The channels of the deployed packs.
fn channels(visit: &Visit, selected: Option<&str>) -> Vec<Choice> {
    let deployed = visit.engine().deployed();
    let mut keys: Vec<Key> = deployed.packs.iter().flat_map(|pack| pack.channels().keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    let choice =
        |key: Key| Choice { selected: selected == Some(&*key), value: key.to_string(), label: key.to_string() };
    keys.into_iter().map(choice).collect()
}

async fn resend(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let typed = parse(&body);
    let back = first(&typed, "_return").filter(|path| is_local(path)).unwrap_or("/admin/outbox");
    visit.engine().post_again(&by, first(&typed, "key").unwrap_or_default()).await?;
    Ok(see_other(back, Some("message_resent")))
}

/// An instance that stands still (templates/pages/admin/incidents.html).
#[derive(Debug, Serialize)]
struct Incident {
    id: String,
    workflow: String,
    step: String,
    record: String,
    code: String,
    message: String,
    at: Time,
}

async fn incidents(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    let local = visit.anywhere();
    let deployed = visit.engine().deployed();
    let language = visit.caller.language.as_str();
    let rows: Vec<Incident> = stopped(visit.engine())
        .await?
        .into_iter()
        .map(|stopped| {
            let pack = deployed.packs.iter().find(|pack| *pack.key() == stopped.pack);
            let workflow = pack.and_then(|pack| pack.workflows().get(&stopped.workflow));
            let form = stopped.record.as_ref().and_then(|(form, _)| pack?.forms().get(form));
            Incident {
                id: stopped.instance.to_string(),
                workflow: workflow
                    .map_or_else(|| stopped.workflow.to_string(), |workflow| workflow.label.get(language).to_owned()),
                step: stopped.step.to_string(),
                record: match (&stopped.record, form) {
                    (Some((_, id)), Some(form)) => format!("{} {id}", form.label.get(language)),
                    (Some((form, id)), None) => format!("{form} {id}"),
                    (None, _) => String::new(),
                },
                code: stopped.code,
                message: stopped.message,
                at: local.time(stopped.at),
            }
        })
        .collect();
    let page = Page { title: visit.say("admin.incidents", &[]), wide: true, ..Page::default() };
    Ok(visit.draw("pages/admin/incidents.html", page, "incidents", rows).await?)
}

/// Retries an instance, or ends it; the reason is told in its history.
async fn help(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let typed = parse(&body);
    let (verb, word, notice) = match first(&typed, "_act") {
        Some("retry") => (InstanceVerb::Retry, "retry", "instance_retried"),
        Some("cancel") => (InstanceVerb::Cancel, "cancel", "instance_cancelled"),
        _ => return Ok(see_other("/admin/incidents", None)),
    };
    let id: Uuid = first(&typed, "id")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Problem::not_found("instance", first(&typed, "id").unwrap_or_default()))?;
    let reason = first(&typed, "reason").unwrap_or_default().trim().to_owned();
    let engine = visit.engine();
    let key = engine.store().pack_of_instance(id).await?;
    let deployed = engine.deployed();
    let pack = deployed.packs.iter().find(|pack| Some(pack.key()) == key.as_ref());
    let pack = pack.ok_or_else(|| Problem::not_found("instance", &id.to_string()))?;
    let act = Act::Instance { id, verb, reason: reason.clone() };
    engine.submit(pack, visit.viewer(pack), act, None).await?;
    engine.tell_helped(&by, word, id, &reason).await?;
    Ok(see_other("/admin/incidents", Some(notice)))
}

/// Why an import failed, in words; the code where it has none.
fn problem(visit: &Visit, code: &str) -> String {
    let words = crate::i18n::catalogue(&visit.caller.language);
    words.get(&format!("import.problem.{code}")).cloned().unwrap_or_else(|| code.to_owned())
}

/// Imports of everybody (templates/pages/admin/jobs.html).
#[derive(Debug, Serialize)]
struct JobsView {
    rows: Vec<Job>,
    first: String,
    next: String,
}

/// An import.
#[derive(Debug, Serialize)]
struct Job {
    file: String,
    form: String,
    owner: String,
    state: String,
    tone: &'static str,
    problem: String,
    begun: Time,
    changed: Time,
}

async fn jobs(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    let pairs = visit.pairs();
    let after = first(&pairs, "after").map(job_place).transpose()?;
    let is_later = after.is_some();
    let engine = visit.engine();
    let mut jobs = engine.import_jobs(after, LIMIT + 1).await?;
    let more = jobs.len() > LIMIT as usize;
    jobs.truncate(LIMIT as usize);
    let here = |added: &[(&str, &str)]| changed("/admin/jobs", &pairs, |name| name == "after", added);
    let next = jobs.last().filter(|_| more).map(|last| here(&[("after", &job_place_text(last))]));
    let (local, deployed) = (visit.anywhere(), engine.deployed());
    let mut rows = Vec::new();
    for job in jobs {
        let form =
            deployed.packs.iter().find(|pack| *pack.key() == job.pack).and_then(|pack| pack.forms().get(&job.form));
        let owner = match job.owner {
            Some(id) => engine.store().user(id).await?.map(|user| user.facts.name).unwrap_or_default(),
            None => visit.say("admin.job.machine", &[]),
        };
        rows.push(Job {
            form: form.map_or_else(|| job.form.to_string(), |form| form.label.get(&visit.caller.language).to_owned()),
            owner,
            state: visit.say(&format!("import.state.{}", job.state), &[]),
            tone: match job.state.as_str() {
                "done" | "undone" => "ok",
                "failed" => "bad",
                "checking" | "running" | "cancelling" | "undoing" => "info",
                _ => "",
            },
            problem: job.problem.as_deref().map(|code| problem(&visit, code)).unwrap_or_default(),
            begun: local.time(job.created_at),
            changed: local.time(job.updated_at),
            file: job.name,
        });
    }
    let view =
        JobsView { rows, first: if is_later { here(&[]) } else { String::new() }, next: next.unwrap_or_default() };
    let page = Page { title: visit.say("admin.jobs", &[]), wide: true, ..Page::default() };
    Ok(visit.draw("pages/admin/jobs.html", page, "jobs", view).await?)
}
