//! Packs: what is deployed, check, plan and deploy. Bodies carry the files, `{"files": {"forms/ticket.json": "…"}}`; a
//! deploy needs only the hash of a plan made lately.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::FieldError;
use formwork_runtime::deploy::{Bundle, DeployError};

use super::problem::{Answer, Problem, problem};
use crate::server::Server;
use crate::session::Caller;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/packs", get(all))
        .route("/api/packs/{pack}/check", post(check))
        .route("/api/packs/{pack}/plan", post(plan))
        .route("/api/packs/{pack}/deploy", post(deploy))
}

async fn all(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    caller.require_role(&["designer", "publisher"])?;
    let deployed = server.engine.deployed();
    let items = deployed.packs.iter().map(|pack| {
        let deployment = deployed.deployments.get(pack.key());
        json!({
            "pack": &**pack.key(),
            "version": pack.version(),
            "title": pack.title().get(&caller.language),
            "hash": pack.hash(),
            "deployment": deployment.map(|deployment| deployment.number),
            "deployed_at": deployment.map(|deployment| deployment.at.to_rfc3339()),
        })
    });
    Ok(Json(json!({"items": items.collect::<Vec<_>>()})))
}

/// The files of a pack, and for a deploy the hash of the plan that was looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(default)]
    files: Option<IndexMap<String, String>>,
    #[serde(default)]
    plan: Option<String>,
}

impl Sent {
    fn bundle(self, pack: String) -> Result<Bundle, Problem> {
        let files = self.files.ok_or_else(|| Problem::malformed("`files` must hold the files of the pack"))?;
        Ok(Bundle { pack, files: files.into_iter().collect() })
    }
}

async fn check(caller: Caller, Path(pack): Path<String>, Json(sent): Json<Sent>) -> Answer<Json<Value>> {
    caller.require_role(&["designer", "publisher"])?;
    let bundle = sent.bundle(pack)?;
    let (checked, diagnostics) = bundle.check();
    Ok(Json(json!({"ok": checked.is_some(), "diagnostics": diagnostics})))
}

async fn plan(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(pack): Path<String>,
    Json(sent): Json<Sent>,
) -> Answer {
    caller.require_role(&["designer", "publisher"])?;
    let bundle = sent.bundle(pack)?;
    match server.engine.plan(&bundle).await {
        Ok(plan) => Ok(Json(plan.body()).into_response()),
        Err(error) => refused(error),
    }
}

async fn deploy(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(pack): Path<String>,
    Json(sent): Json<Sent>,
) -> Answer {
    caller.require_role(&["publisher"])?;
    let unsaid = || Problem::malformed("`plan` must hold the hash of the plan you looked at");
    let plan = sent.plan.ok_or_else(unsaid)?;
    let files = sent.files.map(|files| files.into_iter().collect());
    match server.engine.deploy(&pack, files, &plan).await {
        Ok(deployment) => Ok(Json(json!({
            "pack": &*deployment.pack,
            "version": deployment.version,
            "deployment": deployment.number,
        }))
        .into_response()),
        Err(error) => refused(error),
    }
}

fn refused(error: DeployError) -> Answer<Response> {
    let (status, code, title, extra) = match error {
        DeployError::Invalid(diagnostics) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "FW1020", "the pack has errors", json!({"diagnostics": diagnostics}))
        }
        DeployError::PlanStale(plan) => (
            StatusCode::CONFLICT,
            "plan_stale",
            "what is deployed has changed since the plan",
            json!({"plan": plan.body()}),
        ),
        DeployError::UnknownPlan => (
            StatusCode::CONFLICT,
            "plan_unknown",
            "there is no plan of that hash any more: plan again, or send the files, too",
            json!({}),
        ),
        DeployError::Seed { form, row, rejection } => {
            let mut errors = rejection.errors;
            if errors.is_empty() {
                errors.push(FieldError {
                    code: rejection.code,
                    pointer: String::new(),
                    message: rejection.title,
                    hint: None,
                });
            }
            for error in &mut errors {
                error.pointer = format!("/files/data~1{form}.json/{row}{}", error.pointer);
            }
            (StatusCode::UNPROCESSABLE_ENTITY, "seed_refused", "a seed row was refused", json!({"errors": errors}))
        }
        DeployError::Blocked(blocked) => {
            (StatusCode::CONFLICT, "plan_blocked", "the plan cannot be deployed", json!({"blocked": blocked}))
        }
        DeployError::Fault(fault) => return Err(fault.into()),
    };
    let mut body = json!({
        "type": format!("/problems/{code}"),
        "title": title,
        "status": status.as_u16(),
        "code": code,
        "trace_id": Uuid::now_v7().simple().to_string(),
        "errors": [],
    });
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    Ok(problem(status, body, None))
}
