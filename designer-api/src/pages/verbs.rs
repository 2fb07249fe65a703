//! `POST /tasks/{id}/{verb}`: what people do with tasks.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::stimulus::Verb;
use formwork_core::{Act, Rejection, RejectionKind};
use formwork_model::pack::analytics::TaskBox;
use formwork_model::{Key, Pack};
use formwork_store::Failure;

use super::boxes::Chosen;
use super::errors::Refusal;
use super::inbox::{Attempt, draw};
use super::visit::{Visit, see_other};
use crate::api::problem::Problem;
use crate::api::tasks::resume;
use crate::server::Server;
use crate::view::posted::{Posted, Press};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/tasks/{id}/{verb}", post(act))
}

async fn act(visit: Visit, Path((id, name)): Path<(Uuid, String)>, body: Bytes) -> Result<Response, Refusal> {
    let posted = Posted::new(visit.uri.path(), &body);
    let (pack, told) = visit.engine().task(Some(visit.user()?), &visit.caller.language, id).await?;
    if ["complete", "resolve"].contains(&name.as_str()) && posted.press != Press::Submit {
        return draw(&visit, "mine", Some(id), Attempt { posted: Some(&posted), ..Attempt::default() }).await;
    }
    let Some(verb) = verb(&visit, &pack, &told, &name, &posted)? else {
        return Ok(see_other(&back(&visit, &name, id, &posted).await?, None));
    };
    let act = Act::Task { id, verb };
    match visit.engine().submit(&pack, visit.viewer(&pack), act, posted.idempotency()).await {
        Ok(_) => Ok(see_other(&back(&visit, &name, id, &posted).await?, Some(&notice(&name)))),
        Err(Failure::Rejected(rejection)) if is_told_at_the_task(&rejection) => {
            refused(&visit, id, &posted, &rejection).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The verb with what was posted; none where there is nothing to do (an empty comment).
fn verb(visit: &Visit, pack: &Arc<Pack>, told: &Json, name: &str, posted: &Posted) -> Result<Option<Verb>, Problem> {
    Ok(Some(match name {
        "claim" => Verb::Claim,
        "release" => Verb::Release,
        "complete" | "resolve" => {
            let form = told["record"]["form"].as_str().and_then(|form| pack.forms().get(form));
            let values = Some(&told["record"]["values"]).filter(|values| values.is_object());
            let fields = form.map(|form| posted.body(form, "/fields", values, &visit.local(pack))).unwrap_or_default();
            let expected_version = posted.version();
            match name {
                "resolve" => Verb::Resolve { fields, expected_version },
                _ => {
                    let outcome = posted.own("_outcome").unwrap_or_default().to_owned();
                    Verb::Complete { outcome, fields, expected_version }
                }
            }
        }
        "transfer" => {
            let user = posted.typed("/user").and_then(|user| user.parse().ok());
            let queue = posted.typed("/queue").filter(|queue| !queue.is_empty()).map(Key::from);
            // A person is the narrower answer, where both were chosen.
            Verb::Transfer { queue: queue.filter(|_| user.is_none()), user }
        }
        "delegate" => {
            let user = posted.typed("/user").and_then(|user| user.parse().ok());
            Verb::Delegate { user: user.unwrap_or_else(Uuid::nil) }
        }
        "return" => Verb::Return {
            to: posted.typed("/to").filter(|to| !to.is_empty()).map(Key::from),
            resume: posted.typed("/resume").filter(|word| !word.is_empty()).map(resume).transpose()?,
            reason: posted.typed("/reason").unwrap_or_default().to_owned(),
        },
        "cc" => Verb::Cc { users: posted.typed("/user").and_then(|user| user.parse().ok()).into_iter().collect() },
        "remind" => Verb::Remind,
        "withdraw" => Verb::Withdraw,
        "comment" => match posted.typed("/text").map(str::trim).unwrap_or_default() {
            "" => return Ok(None),
            text => Verb::Comment { text: text.replace("\r\n", "\n") },
        },
        _ => return Err(Problem::not_found("verb", name)),
    }))
}

/// A refusal the person can do something about stands at the task, with everything typed kept.
fn is_told_at_the_task(rejection: &Rejection) -> bool {
    matches!(
        rejection.kind,
        RejectionKind::Invalid | RejectionKind::Conflict | RejectionKind::Stale | RejectionKind::Forbidden
    )
}

async fn refused(visit: &Visit, id: Uuid, posted: &Posted, rejection: &Rejection) -> Result<Response, Refusal> {
    let (status, notice) = match rejection.kind {
        RejectionKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, String::new()),
        RejectionKind::Stale => (StatusCode::PRECONDITION_FAILED, visit.say("task.stale", &[])),
        _ => (StatusCode::CONFLICT, rejection.title.clone()),
    };
    // A refusal without places says itself above the form.
    let notice = if notice.is_empty() && rejection.errors.is_empty() { rejection.title.clone() } else { notice };
    let attempt = Attempt { posted: Some(posted), errors: &rejection.errors, notice, status };
    draw(visit, "mine", Some(id), attempt).await
}

/// Where to go afterwards: the page one came from, the claimed task in one's own box, or one's next task; the inbox stays
/// narrowed to the queue and the workflow it was narrowed to.
async fn back(visit: &Visit, verb: &str, id: Uuid, posted: &Posted) -> Result<String, Refusal> {
    let own = posted.back().filter(|path| !path.starts_with("/inbox"));
    if let Some(path) = own {
        return Ok(path.to_owned());
    }
    let chosen = Chosen::of(visit, Some(posted));
    let task = match verb {
        "claim" | "comment" => Some(id),
        "complete" | "resolve" => {
            let next = chosen.page(TaskBox::Mine, 1);
            let mine = visit.engine().tasks(Some(visit.user()?), &visit.caller.language, next).await?;
            mine["items"][0]["id"].as_str().and_then(|id| id.parse().ok())
        }
        _ => None,
    };
    Ok(chosen.address("mine", task))
}

fn notice(verb: &str) -> String {
    format!("task.{verb}")
}
