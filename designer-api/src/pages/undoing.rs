//! `/undo/{token}`: the button of a notice takes back what was just done.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::post;
use uuid::Uuid;

use formwork_runtime::Engine;
use formwork_store::Failure;

use super::errors::Refusal;
use super::visit::{Visit, see_other};
use crate::api::undo::undo_all;
use crate::server::Server;
use crate::view::posted::Posted;
use crate::view::seen::Seen;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/undo/{token}", post(undo))
}

/// Notes one change of the visitor's own: the notice of that key, with its undo.
pub(super) async fn notice(
    visit: &Visit,
    seen: &Seen,
    key: &str,
    id: Uuid,
    version: Option<i64>,
) -> Result<String, Refusal> {
    let Some(user) = &visit.caller.user else { return Ok(key.to_owned()) };
    let scope = Engine::scope(&seen.pack, &seen.form.key);
    let token = visit.engine().note_done(user.id, &scope, &[(id, version)]).await?;
    Ok(format!("{key}:1:{}", token.unwrap_or_default()))
}

async fn undo(visit: Visit, Path(token): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let posted = Posted::new(visit.uri.path(), &body);
    let back = posted.back().unwrap_or("/").to_owned();
    let undone = match undo_all(&visit.server, &visit.caller, &token, |_| None).await {
        Ok(undone) => undone,
        // Pressed twice, or an old page: that is said, and nothing is lost.
        Err(problem) if matches!(&problem.0, Failure::Rejected(_)) && visit.caller.user.is_some() => {
            return Ok(see_other(&back, Some("undo_failed")));
        }
        Err(problem) => return Err(problem.into()),
    };
    let failed = undone.iter().filter(|(_, outcome)| outcome.is_err()).count();
    let notice = match (failed, undone.len()) {
        (0, _) => format!("undone:{}", undone.len()),
        (failed, 1) => format!("undo_failed:{failed}"),
        (failed, _) => format!("undo_some_failed:{failed}"),
    };
    Ok(see_other(&back, Some(&notice)))
}
