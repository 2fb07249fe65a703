//! `/records/{form}/bulk`: what is done to the rows ticked in a list, or to all that match it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::{FieldKind, Level};
use formwork_store::Failure;

use super::edit::people;
use super::errors::Refusal;
use super::list::{request, seen};
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::bulk::{Change, Outcome, change_all, matching, note};
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::cell::plain;
use crate::view::field::{Field, Link};
use crate::view::form::Filling;
use crate::view::posted::Posted;
use crate::view::query::{Pairs, parse};
use crate::view::seen::Seen;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/records/{form}/bulk", post(act))
}

/// What the page of a bulk edit shows, and that of its refusals (templates/pages/records/bulk.html).
#[derive(Debug, Default, Serialize)]
pub(super) struct BulkView {
    pub(super) action: String,
    pub(super) back: String,
    pub(super) key: String,
    pub(super) query: String,
    pub(super) all: bool,
    pub(super) ids: Vec<Uuid>,
    pub(super) submit: String,
    pub(super) fields: Vec<Field>,
    pub(super) done: String,
    pub(super) undo: String,
    pub(super) refused: Vec<Refused>,
}

/// What was refused, and why.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) label: String,
    pub(super) href: String,
    pub(super) reasons: Vec<String>,
}

async fn act(visit: Visit, Path(form): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    visit.user()?;
    let posted = Posted::new(visit.uri.path(), &body);
    let query = parse(posted.own("_query").unwrap_or_default().as_bytes());
    let back = back(&seen, &visit, posted.own("_query"));
    let ids = match posted.own("_all") {
        Some(_) => {
            let wanted = request(&seen, &query, visit.local(&seen.pack).zone)?;
            matching(&visit.server, &seen.pack, &seen.viewer, &seen.form.key, wanted).await?
        }
        None => ids(&parse(&body))?,
    };
    if ids.is_empty() {
        return Ok(see_other(&back, Some("nothing_selected_failed")));
    }
    let change = match posted.own("_act") {
        Some("delete") => Change::Delete,
        Some("update") => match patch(&visit, &seen, &posted, &parse(&body)) {
            patch if patch.is_empty() => return edit(&visit, &seen, &posted, ids, back).await,
            patch => Change::Update(patch),
        },
        _ => return edit(&visit, &seen, &posted, ids, back).await,
    };
    let key = posted.idempotency();
    let part = |index: usize| key.as_ref().map(|(key, hash)| (format!("{key}/{index}"), hash.clone()));
    let outcomes = change_all(&visit.server, &seen.pack, &seen.viewer, &seen.form.key, &ids, &change, part).await;
    let token = note(&visit.server, &visit.caller, &seen.pack, &seen.form.key, &outcomes).await?.unwrap_or_default();
    let word = if matches!(change, Change::Delete) { "bulk_deleted" } else { "bulk_changed" };
    let done = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    if done == outcomes.len() {
        return Ok(see_other(&back, Some(&format!("{word}:{done}:{token}"))));
    }
    refusals(&visit, &seen, outcomes, (word, done, token), back).await
}

/// The list one came from.
fn back(seen: &Seen, visit: &Visit, query: Option<&str>) -> String {
    let path = seen.path(visit.engine());
    match query {
        Some(query) => format!("{path}?{}", query.replace(|c: char| c.is_control(), "")),
        None => path,
    }
}

fn ids(pairs: &Pairs) -> Result<Vec<Uuid>, Refusal> {
    let ids = pairs.iter().filter(|(name, _)| name == "_id").map(|(_, id)| id.parse::<Uuid>());
    ids.collect::<Result<_, _>>().map_err(|_| Problem::malformed("this selection holds what is no record").into())
}

/// The fields that can be given one value for many records: those the viewer writes, no tables.
fn writable(seen: &Seen) -> impl Iterator<Item = usize> + '_ {
    seen.form.layout.values().flat_map(|section| section.rows.iter().flatten()).copied().filter(|position| {
        let field = &seen.form.fields[*position];
        let is_one = !matches!(field.kind, FieldKind::Table { .. } | FieldKind::Backlink { .. });
        is_one && !field.read_only && !field.is_derived() && seen.level(*position) == Level::Write
    })
}

/// The values of the fields that were ticked; a ticked field without a value is emptied.
fn patch(visit: &Visit, seen: &Seen, posted: &Posted, pairs: &Pairs) -> Map<String, Json> {
    let typed = posted.body(&seen.form, "", None, &visit.local(&seen.pack));
    let set = |pointer: &str| pairs.iter().any(|(name, value)| name == "_set" && value == pointer);
    let fields = writable(seen).map(|position| &seen.form.fields[position].key);
    let fields = fields.filter(|key| set(&format!("/{key}")));
    fields.map(|key| (key.to_string(), typed.get(&**key).cloned().unwrap_or(Json::Null))).collect()
}

async fn edit(visit: &Visit, seen: &Seen, posted: &Posted, ids: Vec<Uuid>, back: String) -> Result<Response, Refusal> {
    let local = visit.local(&seen.pack);
    let blank = json!({"visible": true, "required": false, "readonly": false, "value": null});
    let states = writable(seen).map(|at| (format!("/{}", seen.form.fields[at].key), blank.clone()));
    let states: Map<String, Json> = states.collect();
    let people = people(visit, seen).await?;
    let filling = Filling {
        scribe: visit.scribe(&seen.pack, &seen.viewer, &local),
        seen,
        states: &states,
        posted: Some(posted),
        errors: &[],
        prefix: "",
        is_new: false,
        people: &people,
    };
    let count = visit.anywhere().number(&ids.len().to_string());
    let view = BulkView {
        action: visit.uri.path().to_owned(),
        key: visit.engine().new_id().to_string(),
        query: posted.own("_query").unwrap_or_default().to_owned(),
        all: posted.own("_all").is_some(),
        submit: visit.say("bulk.submit", &[("n", &count)]),
        fields: writable(seen).filter_map(|position| filling.field(position)).collect(),
        ids: if posted.own("_all").is_some() { Vec::new() } else { ids },
        back: back.clone(),
        ..BulkView::default()
    };
    let label = seen.form.label.get(&local.language).to_owned();
    let page = Page {
        title: visit.say("bulk.title", &[("n", &count)]),
        breadcrumb: vec![Link { label, href: back }],
        ..Page::default()
    };
    Ok(visit.draw("pages/records/bulk.html", page, "bulk", view).await?)
}

/// What was done, and why the rest was not, record by record.
async fn refusals(
    visit: &Visit,
    seen: &Seen,
    outcomes: Vec<(Uuid, Outcome)>,
    (word, done, token): (&str, usize, String),
    back: String,
) -> Result<Response, Refusal> {
    let path = seen.path(visit.engine());
    let mut refused = Vec::new();
    for (id, outcome) in outcomes {
        let Err(failure) = outcome else { continue };
        let known = visit.engine().record(&seen.pack, &seen.viewer, &seen.form.key, id).await;
        let label = known.as_ref().map(|record| plain(&record["title"])).unwrap_or_else(|_| id.to_string());
        let href = if known.is_ok() { format!("{path}/{id}") } else { String::new() };
        refused.push(Refused { label, href, reasons: reasons(failure) });
    }
    let number = |count: usize| visit.anywhere().number(&count.to_string());
    let view = BulkView {
        back: back.clone(),
        done: visit.say(&format!("notice.{word}"), &[("n", &number(done))]),
        undo: if token.is_empty() { String::new() } else { format!("/undo/{token}") },
        refused,
        ..BulkView::default()
    };
    let title = visit.say("bulk.refused", &[("n", &number(view.refused.len()))]);
    let label = seen.form.label.get(&visit.caller.language).to_owned();
    let page = Page {
        title,
        breadcrumb: vec![Link { label, href: back }],
        rejected: true,
        status: StatusCode::UNPROCESSABLE_ENTITY,
        ..Page::default()
    };
    Ok(visit.draw("pages/records/bulk.html", page, "bulk", view).await?)
}

/// Why something was refused, in words.
pub(super) fn reasons(failure: Failure) -> Vec<String> {
    if let Failure::Rejected(rejection) = &failure
        && !rejection.errors.is_empty()
    {
        return rejection.errors.iter().map(|error| error.message.clone()).collect();
    }
    vec![Problem::from(failure).body().0["title"].as_str().unwrap_or_default().to_owned()]
}
