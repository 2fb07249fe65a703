//! Packs: what is deployed, check, plan and deploy. Bodies carry the files, `{"files": {"forms/ticket.json": "…"}}` or a
//! zip archive (the hash of the plan is then `?plan=`); a deploy needs only the hash of a plan made lately. What is
//! deployed is given back as such an archive, with the author's bytes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, RequestExt, Router};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::{FieldError, Rejection, RejectionKind};
use formwork_model::Pack;
use formwork_runtime::archive::{self, ArchiveError};
use formwork_runtime::deploy::{Bundle, DeployError};
use formwork_runtime::registry::Deployed;

use super::problem::{Answer, Problem, problem};
use crate::server::Server;
use crate::session::Caller;

/// The media type of an archive.
const ZIP: &str = "application/zip";

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/packs", get(all))
        .route("/api/packs/{pack}", get(one))
        .route("/api/packs/{pack}/check", post(check))
        .route("/api/packs/{pack}/plan", post(plan))
        .route("/api/packs/{pack}/deploy", post(deploy))
}

async fn all(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    caller.require_role(&["designer", "publisher"])?;
    let deployed = server.engine.deployed();
    let items: Vec<_> = deployed.packs.iter().map(|pack| row(&deployed, pack, &caller.language)).collect();
    Ok(Json(json!({"items": items})))
}

/// One pack: about it, or with `Accept: application/zip` all its files as they were deployed.
async fn one(State(server): State<Arc<Server>>, caller: Caller, Path(key): Path<String>, headers: HeaderMap) -> Answer {
    caller.require_role(&["designer", "publisher"])?;
    let deployed = server.engine.deployed();
    let pack = deployed.pack(&key).ok_or_else(|| Problem::not_found("pack", &key))?;
    let wanted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut answer = match (wanted.contains(ZIP), deployed.deployments.get(pack.key())) {
        (true, Some(deployment)) => {
            let name = format!("attachment; filename=\"{key}-{}.zip\"", deployment.version);
            let named = [(header::CONTENT_TYPE, ZIP.to_owned()), (header::CONTENT_DISPOSITION, name)];
            (named, archive::write(&deployment.files)?).into_response()
        }
        _ => Json(row(&deployed, pack, &caller.language)).into_response(),
    };
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(answer)
}

fn row(deployed: &Deployed, pack: &Pack, language: &str) -> Value {
    let deployment = deployed.deployments.get(pack.key());
    json!({
        "pack": &**pack.key(),
        "version": pack.version(),
        "title": pack.title().get(language),
        "hash": pack.hash(),
        "deployment": deployment.map(|deployment| deployment.number),
        "deployed_at": deployment.map(|deployment| deployment.at.to_rfc3339()),
    })
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

/// The hash of a plan beside an archive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    plan: Option<String>,
}

impl FromRequest<Arc<Server>> for Sent {
    type Rejection = Response;

    /// By its media type: an archive, or JSON. Nothing is read for those who may not.
    async fn from_request(mut request: Request, server: &Arc<Server>) -> Result<Self, Response> {
        let caller =
            request.extract_parts_with_state::<Caller, _>(server).await.map_err(IntoResponse::into_response)?;
        caller.require_role(&["designer", "publisher"]).map_err(IntoResponse::into_response)?;
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
        if media.is_none_or(|media| media.split(';').next().unwrap_or_default().trim() != ZIP) {
            let Json(sent) = Json::from_request(request, server).await.map_err(IntoResponse::into_response)?;
            return Ok(sent);
        }
        let beside = Query::<Beside>::try_from_uri(request.uri()).map_err(IntoResponse::into_response)?;
        let bytes = Bytes::from_request(request, server).await.map_err(IntoResponse::into_response)?;
        let files = archive::read(&bytes).map_err(|error| no_pack(&error).into_response())?;
        Ok(Self { files: Some(files.into_iter().collect()), plan: beside.0.plan })
    }
}

/// An archive that is refused; what is wrong with one entry points at its file.
fn no_pack(error: &ArchiveError) -> Problem {
    let mut rejection = Rejection::new(RejectionKind::Malformed, "archive_refused", error.to_string());
    if let ArchiveError::Entry { entry, why } = error {
        rejection.errors.push(FieldError {
            code: "entry_refused".to_owned(),
            pointer: format!("/files/{}", entry.replace('~', "~0").replace('/', "~1")),
            message: why.clone(),
            hint: None,
        });
    }
    rejection.into()
}

impl Sent {
    fn bundle(self, pack: String) -> Result<Bundle, Problem> {
        let files = self.files.ok_or_else(|| Problem::malformed("`files` must hold the files of the pack"))?;
        Ok(Bundle { pack, files: files.into_iter().collect() })
    }
}

async fn check(Path(pack): Path<String>, sent: Sent) -> Answer<Json<Value>> {
    let bundle = sent.bundle(pack)?;
    let (checked, diagnostics) = bundle.check();
    Ok(Json(json!({"ok": checked.is_some(), "diagnostics": diagnostics})))
}

async fn plan(State(server): State<Arc<Server>>, Path(pack): Path<String>, sent: Sent) -> Answer {
    let bundle = sent.bundle(pack)?;
    match server.engine.plan(&bundle).await {
        Ok(plan) => Ok(Json(plan.body()).into_response()),
        Err(error) => refused(error),
    }
}

async fn deploy(State(server): State<Arc<Server>>, caller: Caller, Path(pack): Path<String>, sent: Sent) -> Answer {
    caller.require_role(&["publisher"])?;
    let unsaid = || Problem::malformed("`plan` must hold the hash of the plan you looked at");
    let plan = sent.plan.ok_or_else(unsaid)?;
    let files = sent.files.map(|files| files.into_iter().collect());
    match server.engine.deploy(&pack, files, &plan, &caller.by()?).await {
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
