//! `/inbox`: boxes of tasks on the left, one task with its form on the right.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::FieldError;
use formwork_core::facts::BoxPage;
use formwork_model::Pack;
use formwork_model::pack::form::FieldKind;

use super::boxes::{BOXES, Chosen, LINES, bar, lines, tabs};
use super::edit::{active_people, people, states};
use super::errors::Refusal;
use super::many::{Many, many};
use super::record::fact;
use super::shell::Page;
use super::visit::{Visit, mark};
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::cell::Scribe;
use crate::view::field::{Field, Pager, Tab};
use crate::view::filters::Bar;
use crate::view::form::Filling;
use crate::view::history::events;
use crate::view::posted::Posted;
use crate::view::query::{changed, first};
use crate::view::seen::Seen;
use crate::view::task::{Group, Task, groups, task};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/inbox", get(inbox)).route("/inbox/count", get(count))
}

/// What the inbox shows (templates/pages/inbox/inbox.html).
#[derive(Debug, Serialize)]
struct InboxView {
    tabs: Vec<Tab>,
    bar: Bar,
    groups: Vec<Group>,
    pager: Pager,
    many: Option<Many>,
    task: Option<Task>,
    back: String,
    filtered: bool,
}

/// A task that came back: what was typed, and why it was not done.
#[derive(Default)]
pub(super) struct Attempt<'a> {
    pub(super) posted: Option<&'a Posted>,
    pub(super) errors: &'a [FieldError],
    pub(super) notice: String,
    pub(super) status: StatusCode,
}

async fn inbox(visit: Visit) -> Result<Response, Refusal> {
    let pairs = visit.pairs();
    let name = first(&pairs, "box").unwrap_or("mine").to_owned();
    let open = match first(&pairs, "task") {
        Some(id) => Some(id.parse::<Uuid>().map_err(|_| Problem::not_found("task", id))?),
        None => None,
    };
    draw(&visit, &name, open, Attempt::default()).await
}

/// What stands beside the inbox in the side bar.
async fn count(visit: Visit) -> Result<Response, Refusal> {
    let text = visit.inbox_count(visit.user()?).await?;
    let mut response = text.into_response();
    mark(response.headers_mut());
    Ok(response)
}

/// Draws the inbox, with one task open.
pub(super) async fn draw(
    visit: &Visit,
    name: &str,
    open: Option<Uuid>,
    attempt: Attempt<'_>,
) -> Result<Response, Refusal> {
    let (name, tasks) =
        BOXES.into_iter().find(|(key, _)| *key == name).ok_or_else(|| Problem::not_found("box", name))?;
    let pairs = visit.pairs();
    let after = first(&pairs, "after").and_then(|after| after.parse().ok());
    let chosen = Chosen::of(visit, attempt.posted);
    let page = BoxPage { after, ..chosen.page(tasks, LINES) };
    let found = visit.engine().tasks_with_clocks(Some(visit.user()?), &visit.caller.language, page).await?;
    let items = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = lines(visit, name, open, &chosen, items);
    let back = chosen.address(name, None);
    let rejected = attempt.status.is_client_error();
    let status = attempt.status;
    let bar = bar(visit, name, &chosen, items);
    let next = found["next"].as_str();
    let next = next.map(|next| changed("/inbox", &pairs, |name| matches!(name, "after" | "task"), &[("after", next)]));
    let view = InboxView {
        tabs: tabs(visit, name).await?,
        many: many(visit, items, &chosen.address(name, open)).await?,
        groups: groups(&lines, &visit.anywhere(), name == "done"),
        pager: Pager {
            first: if after.is_some() {
                changed("/inbox", &pairs, |name| matches!(name, "after" | "task"), &[])
            } else {
                String::new()
            },
            next: next.unwrap_or_default(),
            ..Pager::default()
        },
        task: match open {
            Some(id) => {
                let mut task = opened(visit, id, attempt).await?;
                // A task that came back returns to where it came from.
                if task.back.is_empty() {
                    task.back = chosen.address(name, Some(id));
                }
                Some(task)
            }
            None => None,
        },
        filtered: !bar.clear.is_empty(),
        bar,
        back,
    };
    // A task that came back was posted to an address nobody can open.
    let place = open.map(|id| chosen.address(name, Some(id)));
    let page = Page { title: visit.say("nav.inbox", &[]), wide: true, rejected, status, place, ..Page::default() };
    Ok(visit.draw("pages/inbox/inbox.html", page, "inbox", view).await?)
}

/// The open tasks of a record, for its page; the form of the first one its holder may complete.
pub(super) async fn tasks_of_record(visit: &Visit, seen: &Seen, id: Uuid, path: &str) -> Result<Vec<Task>, Refusal> {
    let answer = visit.engine().record_tasks(&seen.pack, &seen.viewer, &seen.form.key, id).await?;
    let mut tasks: Vec<Task> = Vec::new();
    for item in answer["items"].as_array().into_iter().flatten().filter(|item| item["state"] == "open") {
        let Some(id) = item["id"].as_str().and_then(|id| id.parse().ok()) else { continue };
        let has_form = tasks.iter().any(|task| !task.outcomes.is_empty());
        let mut task = opened(visit, id, Attempt::default()).await?;
        if has_form {
            task.outcomes.clear();
        }
        task.facts.clear();
        task.activity.clear();
        path.clone_into(&mut task.back);
        tasks.push(task);
    }
    Ok(tasks)
}

/// One task with everything to act on it.
async fn opened(visit: &Visit, id: Uuid, attempt: Attempt<'_>) -> Result<Task, Refusal> {
    let user = visit.user()?;
    let (pack, told) = visit.engine().task(Some(user), &visit.caller.language, id).await?;
    let viewer = visit.viewer(&pack);
    let local = visit.local(&pack);
    let scribe = visit.scribe(&pack, &viewer, &local);
    let colleagues: Vec<_> =
        active_people(visit).await?.into_iter().filter(|(id, _)| *id != user.id.to_string()).collect();
    let Some((form, record)) = record_of(&pack, &told) else {
        return Ok(task(&told, String::new(), Some(user.id), &colleagues, scribe));
    };
    let seen = match told["fields"].as_array() {
        Some(fields) if told["assignee"]["id"] == user.id.to_string() => Seen::in_task(&pack, &form, &viewer, fields),
        _ => Seen::new(&pack, &form, &viewer),
    };
    let path = seen.path(visit.engine());
    let mut drawn = task(&told, format!("{path}/{record}"), Some(user.id), &colleagues, scribe);
    drawn.key = visit.engine().new_id().to_string();
    drawn.notice = attempt.notice.clone();
    drawn.back = attempt.posted.and_then(Posted::back).unwrap_or_default().to_owned();
    let values = &told["record"]["values"];
    if values.is_object() {
        drawn.facts = facts(&seen, scribe, &told);
        drawn.activity = activity(visit, &seen, record, scribe).await?;
    }
    if !drawn.outcomes.is_empty() && values.is_object() {
        fill(visit, &seen, scribe, &told, record, attempt, &mut drawn).await?;
        drawn.evaluate = format!("/api{}/evaluate", path.replacen("/records/", "/forms/", 1));
    }
    Ok(drawn)
}

/// The fields to fill in, with what was typed and why it was refused.
async fn fill(
    visit: &Visit,
    seen: &Seen,
    scribe: Scribe<'_>,
    told: &Json,
    record: Uuid,
    attempt: Attempt<'_>,
    drawn: &mut Task,
) -> Result<(), Refusal> {
    let id = told["id"].as_str().and_then(|id| id.parse().ok());
    let values = &told["record"]["values"];
    let typed = attempt.posted.map(|posted| posted.body(&seen.form, "/fields", Some(values), scribe.local));
    let states: Map<String, Json> = states(visit, seen, Some(record), id, typed.unwrap_or_default()).await?;
    let people = people(visit, seen).await?;
    let filling = Filling {
        scribe,
        seen,
        states: &states,
        posted: attempt.posted,
        errors: attempt.errors,
        prefix: "/fields",
        is_new: false,
        people: &people,
    };
    drawn.errors = filling.corrections();
    drawn.rows = asked(seen, told).filter_map(|position| filling.field(position)).map(|field| vec![field]).collect();
    Ok(())
}

/// Positions of the fields a step asks for: those it names with the level `write`, in the order of the layout.
fn asked<'s>(seen: &'s Seen, told: &'s Json) -> impl Iterator<Item = usize> + 's {
    let is_asked = |key: &str| {
        let mut fields = told["fields"].as_array().into_iter().flatten();
        fields.any(|field| field["key"] == key && field["level"] == "write" && field["named"] == true)
    };
    laid_out(seen).filter(move |position| is_asked(&seen.form.fields[*position].key))
}

/// What is known of the record and not asked for; child rows stand on its page.
fn facts(seen: &Seen, scribe: Scribe<'_>, told: &Json) -> Vec<Field> {
    let asked: Vec<usize> = match told["verbs"]
        .as_array()
        .is_some_and(|verbs| verbs.iter().any(|verb| verb == "complete" || verb == "resolve"))
    {
        true => asked(seen, told).collect(),
        false => Vec::new(),
    };
    let facts = laid_out(seen).filter(|position| !asked.contains(position)).filter_map(|position| {
        let drawn = fact(seen, scribe, &told["record"]["values"], position)?;
        let is_told =
            !drawn.shown.text.is_empty() && !matches!(seen.form.fields[position].kind, FieldKind::Table { .. });
        is_told.then_some(drawn)
    });
    facts.collect()
}

fn laid_out(seen: &Seen) -> impl Iterator<Item = usize> + '_ {
    seen.form.layout.values().flat_map(|section| section.rows.iter().flatten()).copied()
}

/// The record's history, as far as the visitor reads the record by themselves.
async fn activity(
    visit: &Visit,
    seen: &Seen,
    record: Uuid,
    scribe: Scribe<'_>,
) -> Result<Vec<crate::view::history::Event>, Refusal> {
    match visit.engine().history(&seen.pack, &seen.viewer, &seen.form.key, record, None).await {
        Ok(history) => Ok(events(&history, seen, scribe)),
        Err(formwork_store::Failure::Rejected(_)) => Ok(Vec::new()),
        Err(failure) => Err(failure.into()),
    }
}

fn record_of(pack: &Pack, told: &Json) -> Option<(formwork_model::Key, Uuid)> {
    let (form, _) = pack.forms().get_key_value(told["record"]["form"].as_str()?)?;
    Some((form.clone(), told["record"]["id"].as_str()?.parse().ok()?))
}
