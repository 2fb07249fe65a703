//! The inbox: boxes of tasks and the verbs on them; workflows started by hand.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::facts::BoxPage;
use formwork_core::stimulus::Verb;
use formwork_core::{Act, RejectionKind};
use formwork_model::Key;
use formwork_model::pack::analytics::TaskBox;
use formwork_model::pack::workflow::Resume;
use formwork_store::Failure;

use super::once::Once;
use super::problem::{Answer, Problem};
use super::records::{conflict, newest};
use super::request::{if_match, parse};
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/tasks", get(list))
        .route("/api/tasks/{id}", get(one))
        .route("/api/tasks/{id}/{verb}", post(act))
        .route("/api/workflows/{workflow}/start", post(start))
}

/// Which tasks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    r#box: Option<String>,
    queue: Option<String>,
    workflow: Option<String>,
    limit: Option<u32>,
    after: Option<Uuid>,
}

/// The box of that name.
pub(crate) fn task_box(name: &str) -> Result<TaskBox, Problem> {
    Ok(match name {
        "mine" => TaskBox::Mine,
        "claimable" => TaskBox::Claimable,
        "team" => TaskBox::Team,
        "cc" => TaskBox::Cc,
        "done" => TaskBox::Done,
        "started" => TaskBox::Started,
        _ => {
            let known = "mine, claimable, team, cc, done, started";
            return Err(Problem::malformed(format!("`box` is one of {known}, not `{name}`")));
        }
    })
}

async fn list(State(server): State<Arc<Server>>, caller: Caller, Query(wanted): Query<Wanted>) -> Answer<Json<Value>> {
    caller.require_user()?;
    let tasks = task_box(wanted.r#box.as_deref().unwrap_or("mine"))?;
    let page = BoxPage {
        queue: wanted.queue.as_deref().map(Key::from),
        workflow: wanted.workflow.as_deref().map(Key::from),
        after: wanted.after,
        ..BoxPage::first(tasks, wanted.limit.unwrap_or(50).clamp(1, 200))
    };
    Ok(Json(server.engine.tasks_with_clocks(caller.user.as_ref(), &caller.language, page).await?))
}

async fn one(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<Value>> {
    caller.require_user()?;
    let (_, task) = server.engine.task(caller.user.as_ref(), &caller.language, id).await?;
    Ok(Json(task))
}

/// What is sent with `complete`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Complete {
    outcome: String,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    inputs: Map<String, Value>,
}

/// What is sent with `transfer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    #[serde(default)]
    user: Option<Uuid>,
    #[serde(default)]
    queue: Option<String>,
}

/// What is sent with `comment`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    text: String,
}

async fn act(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((id, verb)): Path<(Uuid, String)>,
    Once(key): Once,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    caller.require_user()?;
    let verb = verb_of(&verb, &headers, &body)?;
    let expected_version = if_match(&headers)?;
    let (pack, task) = server.engine.task(caller.user.as_ref(), &caller.language, id).await?;
    let viewer = caller.viewer(&server.engine, &pack);
    let committed = match server.engine.submit(&pack, viewer.clone(), Act::Task { id, verb }, key).await {
        Ok(committed) => committed,
        Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Stale => {
            let record = task["record"]["id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
            let (Some(form), Some(record)) = (task["record"]["form"].as_str(), record) else {
                return Err((*rejection).into());
            };
            let record = (&Key::from(form), record, expected_version);
            return conflict(&server, &pack, &viewer, record, Problem::from(*rejection)).await;
        }
        Err(failure) => return Err(failure.into()),
    };
    let state = match committed.reply {
        Reply::Task { state, .. } => state,
        _ => "open",
    };
    let seq = newest(&server, &committed).await?;
    Ok(Json(json!({"task": {"id": id, "state": state}, "seq": seq})).into_response())
}

fn verb_of(verb: &str, headers: &HeaderMap, body: &[u8]) -> Result<Verb, Problem> {
    Ok(match verb {
        "claim" => Verb::Claim,
        "release" => Verb::Release,
        "complete" => {
            let sent: Complete = parse(body)?;
            if let Some(input) = sent.inputs.keys().next() {
                return Err(Problem::malformed(format!("this task has no input `{input}`")));
            }
            Verb::Complete { outcome: sent.outcome, fields: sent.fields, expected_version: if_match(headers)? }
        }
        "transfer" => {
            let sent: Transfer = parse(body)?;
            Verb::Transfer { user: sent.user, queue: sent.queue.as_deref().map(Key::from) }
        }
        "delegate" => Verb::Delegate { user: parse::<Delegate>(body)?.user },
        "resolve" => {
            let sent: Resolve = parse(body)?;
            Verb::Resolve { fields: sent.fields, expected_version: if_match(headers)? }
        }
        "return" => {
            let sent: Return = parse(body)?;
            let resume = sent.resume.as_deref().map(resume).transpose()?;
            Verb::Return { to: sent.to.as_deref().map(Key::from), resume, reason: sent.reason }
        }
        "cc" => Verb::Cc { users: parse::<Cc>(body)?.users },
        "remind" => Verb::Remind,
        "withdraw" => Verb::Withdraw,
        "comment" => Verb::Comment { text: parse::<Comment>(body)?.text },
        _ => return Err(Problem::not_found("verb", verb)),
    })
}

/// Whom to ask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delegate {
    user: Uuid,
}

/// What a delegate fills in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve {
    #[serde(default)]
    fields: Map<String, Value>,
}

/// Where to, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Return {
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    resume: Option<String>,
    #[serde(default)]
    reason: String,
}

/// How a returned task goes on, by its word.
pub(crate) fn resume(word: &str) -> Result<Resume, Problem> {
    let known = [Resume::Rerun, Resume::BackToMe].into_iter().find(|resume| resume.name() == word);
    known.ok_or_else(|| Problem::malformed(format!("`resume` is rerun or back_to_me, not `{word}`")))
}

/// Who gets a copy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cc {
    users: Vec<Uuid>,
}

/// Starting a workflow by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    #[serde(default)]
    record: Option<Uuid>,
}

async fn start(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(workflow): Path<String>,
    Once(request): Once,
    body: Bytes,
) -> Answer<Json<Value>> {
    let user = caller.require_user()?.id;
    let deployed = server.engine.deployed();
    let (pack, workflow) = deployed
        .find(&workflow, "workflow", |pack, key| pack.workflows().get_key_value(key).map(|(key, _)| key.clone()))?;
    let sent: Start = parse(&body)?;
    // One request starts one instance; without a key of the caller's, each request is one of its own.
    let key = request.as_ref().map_or_else(|| server.engine.new_id().to_string(), |(key, _)| start_key(user, key));
    let viewer = caller.viewer(&server.engine, &pack);
    let committed =
        server.engine.submit(&pack, viewer, Act::Start { workflow, record: sent.record, key }, request).await?;
    let instance = match committed.reply {
        Reply::Instance(id) => json!(id),
        _ => Value::Null,
    };
    let seq = newest(&server, &committed).await?;
    Ok(Json(json!({"instance": {"id": instance}, "seq": seq})))
}

/// The start key of a request: a user's own, so that nobody takes the place of another's instance or of one the engine
/// starts.
pub(crate) fn start_key(user: Uuid, key: &str) -> String {
    format!("request:{user}:{key}")
}
