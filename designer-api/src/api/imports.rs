//! Imports over HTTP: a file in, 202 and a job to look at; refused rows as a file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_runtime::imports::{Imported, errors_csv};

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;

/// Most bytes of an uploaded file.
pub(super) const FILE_BYTES_MAX: usize = 256 << 20;
/// Jobs remembered; the oldest are forgotten.
const JOBS_MAX: usize = 100;

/// Routes with bodies of another size.
pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/imports/{import}", post(begin).get(job))
        .route("/api/imports/{import}/errors.csv", get(errors))
}

/// Imports of this process, newest last.
#[derive(Debug, Default)]
pub struct ImportJobs {
    jobs: Mutex<HashMap<Uuid, Job>>,
}

#[derive(Debug, Clone)]
struct Job {
    owner: Uuid,
    state: &'static str,
    done: Imported,
    problem: Option<String>,
}

impl ImportJobs {
    fn begin(&self, id: Uuid, owner: Uuid) {
        let mut jobs = self.jobs.lock().expect("no holder panics");
        while jobs.len() >= JOBS_MAX {
            let Some(oldest) = jobs.keys().min().copied() else { break };
            jobs.remove(&oldest);
        }
        jobs.insert(id, Job { owner, state: "running", done: Imported::default(), problem: None });
    }

    fn update(&self, id: Uuid, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs.lock().expect("no holder panics").get_mut(&id) {
            change(job);
        }
    }

    fn get(&self, id: Uuid, owner: Uuid) -> Result<Job, Problem> {
        let job = self.jobs.lock().expect("no holder panics").get(&id).filter(|job| job.owner == owner).cloned();
        job.ok_or_else(|| Problem::not_found("import", &id.to_string()))
    }
}

/// Starts an import with a definition of a pack; the body is the file. Importing writes past the row rules of roles, so
/// it needs the role `admin`.
async fn begin(State(server): State<Arc<Server>>, caller: Caller, Path(import): Path<String>, file: Bytes) -> Answer {
    let user = caller.require_role(&["admin"])?.id;
    let (pack, import) = server
        .engine
        .deployed()
        .find(&import, "import", |pack, key| pack.imports().get_key_value(key).map(|(key, _)| key.clone()))?;
    let id = server.engine.new_id();
    server.imports.begin(id, user);
    let running = server.clone();
    tokio::spawn(async move {
        let progress = |done: &Imported| running.imports.update(id, |job| job.done = counts(done));
        let result = running.engine.import(&pack, &import, &file, &caller.language, &progress).await;
        running.imports.update(id, |job| match result {
            Ok(done) => (job.done, job.state) = (done, "done"),
            Err(error) => {
                tracing::error!(error = ?error, "an import failed");
                (job.problem, job.state) = (Some(error.to_string()), "failed");
            }
        });
    });
    let mut response = (StatusCode::ACCEPTED, Json(json!({"id": id, "state": "running"}))).into_response();
    let location = HeaderValue::from_str(&format!("/api/imports/{id}")).expect("an id is ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The numbers without the error rows, which may be many.
fn counts(done: &Imported) -> Imported {
    Imported { errors: Vec::new(), ..*done }
}

async fn job(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<Value>> {
    let job = server.imports.get(id, caller.require_user()?.id)?;
    let mut body = json!(job.done);
    body["id"] = json!(id);
    body["state"] = json!(job.state);
    body["errors"] = json!(format!("/api/imports/{id}/errors.csv"));
    if let Some(problem) = job.problem {
        body["problem"] = json!(problem);
    }
    Ok(Json(body))
}

async fn errors(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Response> {
    let job = server.imports.get(id, caller.require_user()?.id)?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], errors_csv(&job.done.errors)).into_response())
}
