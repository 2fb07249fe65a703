//! `POST /api/tasks/batch`: one verb for many tasks, each in a transaction of its own with a result of its own.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::Act;
use formwork_core::stimulus::Verb;
use formwork_model::Key;
use formwork_store::Failure;

use super::once::Once;
use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;

/// Most tasks at once.
pub(crate) const TASKS_MAX: usize = 200;
/// So many of them wait for their commits together.
const AT_ONCE: usize = 32;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/tasks/batch", post(batch))
}

/// Which tasks, and what is done with each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    tasks: Vec<Uuid>,
    verb: String,
    #[serde(default)]
    user: Option<Uuid>,
    #[serde(default)]
    queue: Option<String>,
}

/// A verb that makes sense for many tasks at once; none for those that are about one.
pub(crate) fn verb_for_many(name: &str, user: Option<Uuid>, queue: Option<Key>) -> Option<Verb> {
    Some(match name {
        "claim" => Verb::Claim,
        "release" => Verb::Release,
        "remind" => Verb::Remind,
        "transfer" => Verb::Transfer { user, queue },
        _ => return None,
    })
}

async fn batch(
    State(server): State<Arc<Server>>,
    caller: Caller,
    once: Once,
    Json(sent): Json<Batch>,
) -> Answer<Json<Value>> {
    caller.require_user()?;
    let verb = verb_for_many(&sent.verb, sent.user, sent.queue.as_deref().map(Key::from));
    let verb = verb.ok_or_else(|| Problem::malformed("`verb` is one of claim, release, remind, transfer"))?;
    let outcomes = act_on_all(&server, &caller, &sent.tasks, &verb, |index| once.part(index)).await?;
    let results = outcomes.into_iter().map(|(id, outcome)| match outcome {
        Ok(()) => json!({"status": 200, "id": id}),
        Err(failure) => {
            let mut body = Problem::from(failure).body().0;
            body["id"] = json!(id);
            body
        }
    });
    Ok(Json(json!({"items": results.collect::<Vec<_>>()})))
}

/// Does the same with many tasks, each once however often it is named; `key` makes the idempotency key of each.
pub(crate) async fn act_on_all(
    server: &Server,
    caller: &Caller,
    ids: &[Uuid],
    verb: &Verb,
    key: impl Fn(usize) -> Option<(String, String)>,
) -> Answer<Vec<(Uuid, Result<(), Failure>)>> {
    let mut tasks: Vec<Uuid> = Vec::new();
    for id in ids {
        if !tasks.contains(id) {
            tasks.push(*id);
        }
    }
    if tasks.is_empty() || tasks.len() > TASKS_MAX {
        return Err(Problem::malformed(format!("1 to {TASKS_MAX} tasks at once")));
    }
    let mut outcomes = Vec::with_capacity(tasks.len());
    for chunk in tasks.chunks(AT_ONCE) {
        let acting = chunk.iter().enumerate().map(|(index, &id)| {
            let key = key(outcomes.len() + index);
            async move {
                let (pack, _) = server.engine.task(caller.user.as_ref(), &caller.language, id).await?;
                let viewer = caller.viewer(&server.engine, &pack);
                let act = Act::Task { id, verb: verb.clone() };
                server.engine.submit(&pack, viewer, act, key).await.map(drop)
            }
        });
        let acted = join_all(acting.collect::<Vec<_>>()).await;
        outcomes.extend(chunk.iter().copied().zip(acted));
    }
    Ok(outcomes)
}
