//! `/inbox/many`: one verb for the tasks ticked in a box.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_model::Key;

use super::edit::active_people;
use super::errors::Refusal;
use super::selection::{BulkView, Refused, reasons};
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::batch::{act_on_all, verb_for_many};
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::cell::title;
use crate::view::field::{Choice, Link};
use crate::view::posted::Posted;
use crate::view::query::parse;

/// The verbs in the order of their buttons; to transfer, one says whereto as well.
const VERBS: [&str; 3] = ["claim", "release", "remind"];

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/inbox/many", post(act))
}

/// What can be done with the tasks of a box that are ticked (templates/pages/inbox/inbox.html).
#[derive(Debug, Serialize)]
pub(super) struct Many {
    key: String,
    back: String,
    verbs: Vec<Choice>,
    /// Where to; empty where none of them may be transferred.
    queues: Vec<Choice>,
    people: Vec<Choice>,
}

/// The verbs that some task of the page offers; none where there is nothing to do with several at once.
pub(super) async fn many(visit: &Visit, items: &[Json], back: &str) -> Result<Option<Many>, Refusal> {
    let offered: BTreeSet<&str> =
        items.iter().flat_map(|item| item["verbs"].as_array().into_iter().flatten()).filter_map(Json::as_str).collect();
    let label = |key: &str| visit.say(&format!("task.{key}"), &[]);
    let choice = |value: String, label: String| Choice { value, label, selected: false };
    let verbs: Vec<Choice> = VERBS
        .into_iter()
        .filter(|verb| offered.contains(verb))
        .map(|verb| choice(verb.to_owned(), label(verb)))
        .collect();
    let (mut queues, mut people) = (Vec::new(), Vec::new());
    if offered.contains("transfer") {
        let mut named = BTreeSet::new();
        for (key, queue) in visit.engine().deployed().packs.iter().flat_map(|pack| pack.queues()) {
            if named.insert(key.clone()) {
                queues.push(choice(key.to_string(), queue.title.get(&visit.caller.language).to_owned()));
            }
        }
        people = active_people(visit).await?.into_iter().map(|(id, name)| choice(id, name)).collect();
    }
    let is_some = !verbs.is_empty() || !people.is_empty();
    let key = visit.engine().new_id().to_string();
    Ok(is_some.then(|| Many { key, back: back.to_owned(), verbs, queues, people }))
}

async fn act(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let user = visit.user()?;
    let posted = Posted::new(visit.uri.path(), &body);
    let back = posted.back().unwrap_or("/inbox").to_owned();
    let ids = parse(&body).into_iter().filter(|(name, _)| name == "_id").map(|(_, id)| id.parse::<Uuid>());
    let ids: Vec<Uuid> =
        ids.collect::<Result<_, _>>().map_err(|_| Problem::malformed("this selection holds what is no task"))?;
    if ids.is_empty() {
        return Ok(see_other(&back, Some("nothing_selected_failed")));
    }
    let name = posted.own("_act").unwrap_or_default();
    let to_user = posted.typed("/user").and_then(|user| user.parse().ok());
    // A person is the narrower answer, where both were chosen.
    let to_queue = posted.typed("/queue").filter(|queue| !queue.is_empty() && to_user.is_none()).map(Key::from);
    let verb = verb_for_many(name, to_user, to_queue).ok_or_else(|| Problem::not_found("verb", name))?;
    let key = posted.idempotency();
    let part = |index: usize| key.as_ref().map(|(key, hash)| (format!("{key}/{index}"), hash.clone()));
    let outcomes = act_on_all(&visit.server, &visit.caller, &ids, &verb, part).await?;
    let done = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    if done == outcomes.len() {
        return Ok(see_other(&back, Some(&format!("tasks.{name}:{done}"))));
    }
    let mut refused = Vec::new();
    for (id, outcome) in outcomes {
        let Err(failure) = outcome else { continue };
        let known = visit.engine().task(Some(user), &visit.caller.language, id).await;
        let (label, href) = match &known {
            Ok((_, task)) => (title(&task["record"]), format!("/inbox?task={id}")),
            Err(_) => (id.to_string(), String::new()),
        };
        refused.push(Refused { label, href, reasons: reasons(failure) });
    }
    let number = |count: usize| visit.anywhere().number(&count.to_string());
    let heading = visit.say("many.refused", &[("n", &number(refused.len()))]);
    let done = visit.say(&format!("notice.tasks.{name}"), &[("n", &number(done))]);
    let view = BulkView { back: back.clone(), done, refused, ..BulkView::default() };
    let page = Page {
        title: heading,
        breadcrumb: vec![Link { label: visit.say("nav.inbox", &[]), href: back }],
        rejected: true,
        status: StatusCode::UNPROCESSABLE_ENTITY,
        place: Some("/inbox".to_owned()),
        ..Page::default()
    };
    Ok(visit.draw("pages/records/bulk.html", page, "bulk", view).await?)
}
