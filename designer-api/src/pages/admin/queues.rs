//! `/admin/queues`: who serves which queue. Queues are declared by packs; their members are taken in and out here.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use uuid::Uuid;

use formwork_model::Key;
use formwork_store::{User, UserFilter};

use super::admin;
use crate::api::people::members;
use crate::api::problem::Problem;
use crate::pages::errors::Refusal;
use crate::pages::shell::Page;
use crate::pages::visit::{Visit, see_other};
use crate::server::Server;
use crate::view::field::Link;
use crate::view::people::{queue_title, role_title};
use crate::view::query::{address, first, parse};

/// People offered to be taken in.
const OFFERED: u32 = 20;
/// Names of members in the list of queues.
const NAMES: usize = 5;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/admin/queues", get(list)).route("/admin/queues/{queue}", get(show).post(act))
}

/// A queue in the list (templates/pages/admin/queues.html).
#[derive(Debug, Serialize)]
struct Row {
    href: String,
    title: String,
    lead: String,
    members: String,
    count: usize,
}

/// One queue (templates/pages/admin/queue.html).
#[derive(Debug, Serialize)]
struct QueueView {
    action: String,
    q: String,
    lead: String,
    members: Vec<Person>,
    others: Vec<Person>,
    more: bool,
}

/// Somebody who serves it, or may.
#[derive(Debug, Serialize)]
struct Person {
    id: String,
    name: String,
    login: String,
    roles: String,
    active: bool,
}

async fn list(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    let (engine, language) = (visit.engine(), visit.caller.language.as_str());
    let mut rows = Vec::new();
    for key in engine.queues() {
        let members = members(engine, &key).await?;
        let names: Vec<&str> = members.iter().take(NAMES).map(|user| user.facts.name.as_str()).collect();
        rows.push(Row {
            href: format!("/admin/queues/{key}"),
            title: queue_title(engine, language, &key),
            lead: lead(&visit, &key),
            members: names.join(&visit.say("ui.comma", &[])),
            count: members.len(),
        });
    }
    let page = Page { title: visit.say("admin.queues", &[]), ..Page::default() };
    Ok(visit.draw("pages/admin/queues.html", page, "queues", rows).await?)
}

/// The title of the role that leads a queue; "" where none does.
fn lead(visit: &Visit, queue: &Key) -> String {
    let deployed = visit.engine().deployed();
    let declared = deployed.packs.iter().find_map(|pack| pack.queues().get(queue));
    let lead = declared.and_then(|queue| queue.lead.as_ref());
    lead.map(|role| role_title(visit.engine(), &visit.caller.language, role)).unwrap_or_default()
}

/// The queue at this address, or that there is none.
fn known(visit: &Visit, queue: &str) -> Result<Key, Problem> {
    let key = visit.engine().queues().into_iter().find(|key| **key == *queue);
    key.ok_or_else(|| Problem::not_found("queue", queue))
}

async fn show(visit: Visit, Path(queue): Path<String>) -> Result<Response, Refusal> {
    admin(&visit)?;
    let queue = known(&visit, &queue)?;
    let pairs = visit.pairs();
    let q = first(&pairs, "q").unwrap_or_default().trim().to_owned();
    let members = members(visit.engine(), &queue).await?;
    let filter = UserFilter { text: q.clone(), active: Some(true), ..UserFilter::default() };
    let mut others: Vec<User> = Vec::new();
    let mut after: Option<String> = None;
    // A page of users may all be members: the next one is looked at until enough are found.
    while others.len() <= OFFERED as usize {
        let page = visit.engine().people(&filter, after.as_deref(), 200).await?;
        let is_last = page.len() < 200;
        after = page.last().map(|user| user.login.clone());
        others.extend(page.into_iter().filter(|user| !user.facts.queues.contains(&queue)));
        if is_last {
            break;
        }
    }
    let more = others.len() > OFFERED as usize;
    others.truncate(OFFERED as usize);
    let view = QueueView {
        action: format!("/admin/queues/{queue}"),
        q,
        lead: lead(&visit, &queue),
        members: members.iter().map(|user| person(&visit, user)).collect(),
        others: others.iter().map(|user| person(&visit, user)).collect(),
        more,
    };
    let page = Page {
        title: queue_title(visit.engine(), &visit.caller.language, &queue),
        breadcrumb: vec![Link { label: visit.say("admin.queues", &[]), href: "/admin/queues".to_owned() }],
        place: Some("/admin/queues".to_owned()),
        ..Page::default()
    };
    Ok(visit.draw("pages/admin/queue.html", page, "queue", view).await?)
}

fn person(visit: &Visit, user: &User) -> Person {
    let titles = user.facts.roles.iter().map(|role| role_title(visit.engine(), &visit.caller.language, role));
    Person {
        id: user.id.to_string(),
        name: user.facts.name.clone(),
        login: user.login.clone(),
        roles: titles.collect::<Vec<_>>().join(&visit.say("ui.comma", &[])),
        active: user.facts.active,
    }
}

async fn act(visit: Visit, Path(queue): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let queue = known(&visit, &queue)?;
    let typed = parse(&body);
    let path = format!("/admin/queues/{queue}");
    let q = first(&typed, "q").unwrap_or_default();
    let back = if q.is_empty() { path } else { address(&path, [("q", q)]) };
    let id = |name: &str| first(&typed, name).and_then(|id| id.parse::<Uuid>().ok());
    let (person, serves) = match (id("_add"), id("_remove")) {
        (Some(id), _) => (id, true),
        (None, Some(id)) => (id, false),
        (None, None) => return Ok(see_other(&back, None)),
    };
    visit.engine().set_member(&by, &queue, person, serves).await?;
    Ok(see_other(&back, Some(if serves { "member_added" } else { "member_removed" })))
}
