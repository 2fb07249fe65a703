//! `/records/{form}/{id}`: one record, its tasks and what happened to it; comments, deletion, workflows by hand.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::{Act, RejectionKind};
use formwork_model::pack::form::{FieldKind, Level};
use formwork_model::pack::workflow::StartOn;
use formwork_runtime::boards::{Judging, page_of};
use formwork_runtime::questions::ListRequest;
use formwork_store::Failure;

use super::errors::Refusal;
use super::inbox::tasks_of_record;
use super::linked::related_cards;
use super::list::{request, seen};
use super::shell::Page;
use super::tabs::{Happened, Part, happened, tabs};
use super::visit::{Visit, see_other};
use crate::api::problem::Problem;
use crate::api::tasks::start_key;
use crate::server::Server;
use crate::view::cell::{Scribe, plain, title};
use crate::view::clock::{Countdown, countdowns};
use crate::view::field::{Field, Link, Tab};
use crate::view::format::parse_instant;
use crate::view::posted::Posted;
use crate::view::query::{address, first, is_local, parse};
use crate::view::seen::Seen;
use crate::view::task::Task;

/// The choice whose value stands beside the title.
const STATE: &str = "state";
/// Rows of a list looked through for the records beside this one.
const NEIGHBOURS: u32 = 200;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/records/{form}/{id}", get(show))
        .route("/records/{form}/{id}/delete", post(delete))
        .route("/records/{form}/{id}/comments", post(comment))
        .route("/records/{form}/{id}/suggestions", post(judge))
        .route("/records/{form}/{id}/start/{workflow}", post(start))
}

/// What the page of a record shows (templates/pages/records/record.html).
#[derive(Debug, Serialize)]
struct RecordView {
    id: Uuid,
    form: String,
    /// `pack.form`, as changes are told, and where to see whether it was this record.
    topic: String,
    watch: String,
    state: Option<Pill>,
    edit: Option<Link>,
    acts: Vec<ActView>,
    version: String,
    key: String,
    sections: Vec<SectionView>,
    related: Vec<Field>,
    tasks: Vec<Task>,
    clocks: Vec<Countdown>,
    facts: Vec<Fact>,
    tabs: Vec<Tab>,
    tab: Part,
    happened: Happened,
    comment: String,
    /// Where one is after a comment.
    back: String,
    is_followed: bool,
    neighbours: Option<Neighbours>,
}

/// The records before and after this one in the list one came from.
#[derive(Debug, Serialize)]
struct Neighbours {
    previous: String,
    next: String,
    /// "4 of 37"; "" where the list is not known from its start.
    place: String,
}

#[derive(Debug, Serialize)]
struct Pill {
    text: String,
    tone: &'static str,
}

#[derive(Debug, Serialize)]
struct ActView {
    key: String,
    label: String,
    ask: String,
    action: String,
    danger: bool,
}

#[derive(Debug, Serialize)]
struct SectionView {
    key: String,
    label: String,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Fact {
    label: String,
    text: String,
}

async fn show(visit: Visit, Path((form, id)): Path<(String, Uuid)>) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let wants_fields = first(&visit.pairs(), "page") == Some("fields");
    if let Some(board) = page_of(&seen.pack, &seen.viewer, &seen.form.key).filter(|_| !wants_fields) {
        return super::boards::open(&visit, &seen.pack, &board, Some(id)).await;
    }
    let record = visit.engine().record(&seen.pack, &seen.viewer, &seen.form.key, id).await?;
    let local = visit.local(&seen.pack);
    let scribe = visit.scribe(&seen.pack, &seen.viewer, &local);
    let path = visit.uri.path().to_owned();
    let tab = Part::of(&visit)?;
    let may = |act: &str| record["_may"][act].as_bool().unwrap_or(false);
    let tasks = tasks_of_record(&visit, &seen, id, &path).await?;
    let clocks = visit.engine().clocks(&seen.pack, &seen.viewer, &seen.form.key, id).await?;
    let label = seen.form.label.get(&local.language).to_owned();
    let edit = may("update").then(|| Link { label: visit.say("record.edit", &[]), href: format!("{path}/edit") });
    let view = RecordView {
        id,
        state: state(&seen, scribe, &record),
        edit,
        acts: acts(&visit, &seen, &path, &title_of(&record), may("delete")),
        version: plain(&record["version"]),
        key: visit.engine().new_id().to_string(),
        sections: if tab == Part::Details { sections(&seen, scribe, &record) } else { Vec::new() },
        related: related_cards(&visit, &seen, scribe, &record, tab).await?,
        tasks,
        clocks: countdowns(&clocks, &local),
        facts: facts(&visit, &record),
        tabs: tabs(&visit, &seen, &record, tab),
        tab,
        happened: happened(&visit, &seen, scribe, id, tab).await?,
        comment: format!("{path}/comments"),
        back: format!("{}#activity", visit.path()),
        is_followed: seen.is_followed(),
        form: label.clone(),
        topic: seen.topic(),
        watch: format!("/api{path}?fields=version"),
        neighbours: neighbours(&visit, &seen, id).await?,
    };
    let list = Link { label, href: list_of(&visit, &seen) };
    let page = Page { title: title_of(&record), breadcrumb: vec![list], wide: true, ..Page::default() };
    Ok(visit.draw("pages/records/record.html", page, "record", view).await?)
}

/// The list one came from, as it was.
fn list_of(visit: &Visit, seen: &Seen) -> String {
    let path = seen.path(visit.engine());
    match first(&visit.pairs(), "list") {
        Some(list) if list != "_" => format!("{path}?{}", list.replace(char::is_control, "")),
        _ => path,
    }
}

/// The way to the records beside this one, as far as one page of the list reaches.
async fn neighbours(visit: &Visit, seen: &Seen, id: Uuid) -> Result<Option<Neighbours>, Refusal> {
    let pairs = visit.pairs();
    let Some(list) = first(&pairs, "list").filter(|_| seen.can_read()) else { return Ok(None) };
    let asked = parse(list.as_bytes());
    let Ok(request) = request(seen, &asked, visit.local(&seen.pack).zone) else { return Ok(None) };
    let request = ListRequest { fields: Some(vec!["id".to_owned()]), limit: NEIGHBOURS, ..request };
    let page = match visit.engine().list(&seen.pack, &seen.viewer, &seen.form.key, request).await {
        Ok(page) => page,
        // A list that is none any more: the record is still there.
        Err(Failure::Rejected(_)) => return Ok(None),
        Err(failure) => return Err(failure.into()),
    };
    let ids: Vec<&str> =
        page["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect();
    let Some(at) = ids.iter().position(|other| *other == id.to_string()) else { return Ok(None) };
    let path = seen.path(visit.engine());
    let href = |id: Option<&&str>| id.map(|id| address(&format!("{path}/{id}"), [("list", list)])).unwrap_or_default();
    let place = match (first(&asked, "after"), page["total"]["value"].as_u64()) {
        (None, Some(total)) => {
            let number = |number: &str| visit.anywhere().number(number);
            let (at, total) = (number(&(at + 1).to_string()), number(&total.to_string()));
            visit.say("record.place", &[("at", &at), ("total", &total)])
        }
        _ => String::new(),
    };
    let before = at.checked_sub(1).and_then(|before| ids.get(before));
    Ok(Some(Neighbours { previous: href(before), next: href(ids.get(at + 1)), place }))
}

/// The title of a record, or its number where the viewer may not read what the title is made of.
pub(super) fn title_of(record: &Json) -> String {
    record["title"].as_str().filter(|title| !title.is_empty()).map_or_else(|| plain(&record["id"]), str::to_owned)
}

fn state(seen: &Seen, scribe: Scribe<'_>, record: &Json) -> Option<Pill> {
    let (position, field) = seen.form.field(STATE)?;
    let readable = matches!(field.kind, FieldKind::Choice { .. }) && seen.level(position) >= Level::Read;
    let text = readable.then(|| scribe.cell(seen, field, &record[STATE], Level::Read).text)?;
    (!text.is_empty()).then_some(Pill { text, tone: "info" })
}

fn acts(visit: &Visit, seen: &Seen, path: &str, title: &str, may_delete: bool) -> Vec<ActView> {
    let language = &visit.caller.language;
    let by_hand = seen.pack.workflows().values().filter(|workflow| workflow.form.as_ref() == Some(&seen.form.key));
    let by_hand = by_hand.filter(|workflow| {
        workflow.starts.values().any(|start| {
            matches!(&start.on, StartOn::Manual { roles } if roles.iter().any(|role| seen.viewer.has_role(role)))
        })
    });
    let mut acts: Vec<ActView> = by_hand
        .map(|workflow| ActView {
            key: format!("start-{}", workflow.key),
            label: visit.say("record.start", &[("workflow", workflow.label.get(language))]),
            ask: String::new(),
            action: format!("{path}/start/{}", workflow.key),
            danger: false,
        })
        .collect();
    if may_delete {
        let label = visit.say("record.delete", &[]);
        let ask = visit.say("record.delete.ask", &[("title", title)]);
        acts.push(ActView { key: "delete".into(), label, ask, action: format!("{path}/delete"), danger: true });
    }
    acts
}

/// The layout's sections with what there is to read; a hidden field that holds nothing is not mentioned.
fn sections(seen: &Seen, scribe: Scribe<'_>, record: &Json) -> Vec<SectionView> {
    let sections = seen.form.layout.iter().map(|(key, section)| {
        let fields = section.rows.iter().flatten().filter_map(|position| fact(seen, scribe, record, *position));
        SectionView {
            key: key.to_string(),
            label: section.label.get(&scribe.local.language).to_owned(),
            fields: fields.collect(),
        }
    });
    sections.filter(|section| !section.fields.is_empty()).collect()
}

/// A field to read; none for tables and backlinks, which have cards of their own.
pub(super) fn fact(seen: &Seen, scribe: Scribe<'_>, record: &Json, position: usize) -> Option<Field> {
    let field = &seen.form.fields[position];
    let value = record.get(&*field.key)?;
    let is_empty = value.is_null() || value.as_str() == Some("");
    let is_table = matches!(field.kind, FieldKind::Table { .. } | FieldKind::Backlink { .. });
    if is_table || (is_empty && field.visible_if.is_some()) {
        return None;
    }
    Some(Field {
        kind: field.kind.name(),
        id: format!("f/{}", field.key),
        pointer: format!("/{}", field.key),
        label: field.label.get(&scribe.local.language).to_owned(),
        shown: scribe.cell(seen, field, value, seen.level(position)),
        readonly: true,
        visible: true,
        ..Field::default()
    })
}

fn facts(visit: &Visit, record: &Json) -> Vec<Fact> {
    let local = visit.anywhere();
    let when = |at: &str, by: &str| {
        let at = record[at].as_str().and_then(parse_instant).map(|at| local.instant(at)).unwrap_or_default();
        let by = title(&record[by]);
        if by.is_empty() { at } else { format!("{at} · {by}") }
    };
    let fact = |key: &str, text: String| Fact { label: local.say(key, &[]), text };
    vec![
        fact("system.created_at", when("created_at", "created_by")),
        fact("system.updated_at", when("updated_at", "updated_by")),
        fact("system.version", plain(&record["version"])),
    ]
}

async fn delete(visit: Visit, Path((form, id)): Path<(String, Uuid)>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let posted = Posted::new(visit.uri.path(), &body);
    let act = Act::Delete { form: seen.form.key.clone(), id, expected_version: posted.version() };
    visit.engine().submit(&seen.pack, seen.viewer.clone(), act, posted.idempotency()).await?;
    let notice = super::undoing::notice(&visit, &seen, "deleted", id, None).await?;
    Ok(see_other(&seen.path(visit.engine()), Some(&notice)))
}

async fn comment(visit: Visit, Path((form, id)): Path<(String, Uuid)>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let posted = Posted::new(visit.uri.path(), &body);
    let text = posted.typed("/text").unwrap_or_default().trim().replace("\r\n", "\n");
    let path = format!("{}/{id}", seen.path(visit.engine()));
    let back = posted.back().map_or_else(|| format!("{path}#activity"), str::to_owned);
    if text.is_empty() {
        return Ok(see_other(&back, None));
    }
    let is_public = posted.own("_public").is_some();
    let act = Act::Comment { form: seen.form.key.clone(), id, text, is_public };
    visit.engine().submit(&seen.pack, seen.viewer.clone(), act, posted.idempotency()).await?;
    Ok(see_other(&back, Some("commented")))
}

/// Accepted: on to the form that was proposed, if one was. What somebody else has judged meanwhile is said.
async fn judge(visit: Visit, Path((form, id)): Path<(String, Uuid)>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    visit.user()?;
    let posted = Posted::new(visit.uri.path(), &body);
    let own = |name| posted.own(name).unwrap_or_default();
    let is_accepted = own("_verdict") == "accepted";
    let judging = Judging { board: own("_board"), tile: own("_tile"), rule: own("_rule"), is_accepted };
    let back = posted.back().map_or_else(|| format!("{}/{id}", seen.path(visit.engine())), str::to_owned);
    let key = (&seen.form.key, id);
    match visit.engine().judge(&seen.pack, &seen.viewer, key, judging, posted.idempotency()).await {
        Ok(()) if is_accepted => Ok(match posted.own("_next").filter(|next| is_local(next)) {
            Some(next) => see_other(next, None),
            None => see_other(&back, Some("suggestion_accepted")),
        }),
        Ok(()) => Ok(see_other(&back, Some("suggestion_dismissed"))),
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Conflict => {
            Ok(see_other(&back, Some("suggestion_failed")))
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn start(
    visit: Visit,
    Path((form, id, workflow)): Path<(String, Uuid, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (user, seen) = (visit.user()?.id, seen(&visit, &form)?);
    let workflow = seen.pack.workflows().get_key_value(workflow.as_str()).map(|(key, _)| key.clone());
    let workflow = workflow.ok_or_else(|| Problem::not_found("workflow", "of that name"))?;
    let posted = Posted::new(visit.uri.path(), &body);
    let key = posted.own("_key").map_or_else(|| visit.engine().new_id().to_string(), |key| start_key(user, key));
    let act = Act::Start { workflow, record: Some(id), key };
    visit.engine().submit(&seen.pack, seen.viewer.clone(), act, posted.idempotency()).await?;
    Ok(see_other(&format!("{}/{id}", seen.path(visit.engine())), Some("started")))
}
