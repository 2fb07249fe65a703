//! Imports over HTTP: a file in, 202 and a job to look at, to run, to stop and to take back; refused rows as a file.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use futures_util::stream;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::stimulus::Pass;
use formwork_core::{Rejection, RejectionKind};
use formwork_model::{Key, Pack};
use formwork_runtime::Engine;
use formwork_runtime::imports::{
    Counts, FILE_BYTES_MAX, ImportError, Mapping, NewImport, Settings, Tally, encoding_named, errors_csv,
};
use formwork_store::{Failure, ImportJob};

use super::problem::{Answer, Problem};
use super::request::names;
use crate::server::Server;
use crate::session::Caller;

/// Most bytes of a request with a file.
pub(super) const BODY_BYTES_MAX: usize = FILE_BYTES_MAX;
/// Rows whose errors are read at once.
const ROWS_AT_ONCE: u32 = 1_000;

/// Routes with bodies of another size.
pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/imports/{import}", post(begin).get(job))
        .route("/api/imports/{import}/errors.csv", get(errors))
        .route("/api/imports/{import}/{verb}", post(act))
}

/// How the file is to be taken.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// An import definition of the pack; by hand where absent.
    definition: Option<String>,
    /// Name of the file.
    name: Option<String>,
    encoding: Option<String>,
    /// One character, or `tab`.
    delimiter: Option<String>,
    /// By hand: `{"field": "column"}`; guessed where absent.
    map: Option<String>,
    /// By hand: the fields that find a record, `a,b`.
    key: Option<String>,
    /// By hand: whether workflows start.
    #[serde(default)]
    starts: bool,
    /// Only look what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// Takes a file in and runs it, or looks what it would do; the body is the file. `{form}` is a form, or an import
/// definition. Rows are written in the name of whoever sends them, within their rights.
async fn begin(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(target): Path<String>,
    Query(wanted): Query<Wanted>,
    file: Bytes,
) -> Answer {
    let user = caller.require_user()?;
    let (pack, form, definition) = target_of(&server.engine, &target, wanted.definition.as_deref())?;
    let encoding = match wanted.encoding.as_deref().map(|name| (name, encoding_named(name))) {
        Some((name, None)) => return Err(Problem::malformed(format!("`{name}` is no encoding: utf-8, gb18030"))),
        known => known.and_then(|(_, encoding)| encoding),
    };
    let delimiter = match wanted.delimiter.as_deref().map(|text| (text, delimiter_of(text))) {
        Some((text, None)) => return Err(Problem::malformed(format!("`{text}` cannot stand between columns"))),
        known => known.and_then(|(_, delimiter)| delimiter),
    };
    let columns = wanted.map.as_deref().map(serde_json::from_str::<IndexMap<String, String>>).transpose();
    let columns = columns.map_err(|error| Problem::malformed(format!("`map` does not fit: {error}")))?;
    let key = names(wanted.key.as_deref());
    let mapping =
        columns.map(|columns| Mapping { columns, key: key.clone().unwrap_or_default(), starts: wanted.starts });
    let new = NewImport {
        form,
        definition,
        owner: Some(user),
        language: caller.language.clone(),
        name: wanted.name.unwrap_or_else(|| format!("{target}.csv")),
        file: &file,
        encoding,
        delimiter,
        mapping,
    };
    let job = server.engine.begin_import(&pack, new).await?;
    let state = match wanted.dry_run {
        true => server.engine.check_import(&job).await.map(|()| "checking")?,
        false => server.engine.run_import(&job).await.map(|()| "running")?,
    };
    let mut response = (StatusCode::ACCEPTED, Json(json!({"id": job.id, "state": state}))).into_response();
    let location = HeaderValue::from_str(&format!("/api/imports/{}", job.id)).expect("an id is ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The pack, the form and the definition that an address names.
pub(crate) fn target_of(
    engine: &Engine,
    target: &str,
    definition: Option<&str>,
) -> Result<(Arc<Pack>, Key, Option<Key>), Rejection> {
    let deployed = engine.deployed();
    let import = |name: &str| {
        let get = |pack: &Pack, key: &str| pack.imports().get(key).map(|import| import.key.clone());
        let (pack, key) = deployed.find(name, "import", get)?;
        let form = pack.imports()[&key].into[0].form.clone();
        Ok((pack, (key, form)))
    };
    if let Some(name) = definition {
        let (pack, (key, form)) = import(name)?;
        return Ok((pack, form, Some(key)));
    }
    let form = deployed.find(target, "form", |pack, key| pack.forms().get_key_value(key).map(|(key, _)| key.clone()));
    match (form, import(target)) {
        (Ok((pack, form)), _) => Ok((pack, form, None)),
        (Err(_), Ok((pack, (key, form)))) => Ok((pack, form, Some(key))),
        (Err(unknown), Err::<_, Rejection>(_)) => Err(unknown),
    }
}

/// The character that is written so: itself, or `tab`.
pub(crate) fn delimiter_of(text: &str) -> Option<u8> {
    match text.as_bytes() {
        b"tab" => Some(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
        _ => None,
    }
}

/// An import of the caller; others' do not exist.
pub(crate) async fn own(engine: &Engine, caller: &Caller, id: Uuid) -> Result<ImportJob, Problem> {
    let user = caller.require_user()?.id;
    let job = engine.store().import_job(id).await?.filter(|job| job.owner == Some(user));
    job.ok_or_else(|| Problem::not_found("import", &id.to_string()))
}

async fn job(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<Value>> {
    let job = own(&server.engine, &caller, id).await?;
    Ok(Json(told(&job, server.engine.clock().now())))
}

/// An import as callers read it: the numbers of the check until it ran.
fn told(job: &ImportJob, now: DateTime<Utc>) -> Value {
    let counts: Counts = serde_json::from_value(job.counts.clone()).unwrap_or_default();
    let settings: Option<Settings> = serde_json::from_value(job.settings.clone()).ok();
    let total = settings.as_ref().map_or(0, |settings| settings.rows);
    let (pass, tally) = match job.state.as_str() {
        "draft" | "checking" | "checked" => ("check", &counts.check),
        "undoing" | "undone" => ("undo", &counts.undo),
        _ => ("run", &counts.run),
    };
    let of_rows = if pass == "undo" { counts.run.created + counts.run.updated } else { total };
    let pace = tally.pace(of_rows, now);
    let numbers = |tally: &Tally| {
        json!({
            "read": tally.read, "created": tally.created, "updated": tally.updated, "unchanged": tally.unchanged,
            "skipped": tally.skipped, "rejected": tally.rejected,
        })
    };
    let mut body = numbers(if pass == "check" { &counts.check } else { &counts.run });
    body["id"] = json!(job.id);
    body["state"] = json!(job.state);
    body["form"] = json!(job.form);
    body["name"] = json!(job.name);
    body["rows"] = json!(total);
    if pass != "check" && counts.check.ended_at.is_some() {
        body["check"] = numbers(&counts.check);
    }
    if let Some((rate, seconds)) = pace {
        body["rows_per_second"] = json!(rate.round() as u64);
        body["seconds_left"] = json!(seconds);
    }
    if pass == "undo" {
        body["undo"] = json!({"undone": counts.undo.undone, "left": counts.undo.left});
    }
    if let Some(settings) = settings {
        body["encoding"] = json!(settings.encoding);
        body["delimiter"] = json!(settings.delimiter);
        body["definition"] = json!(settings.definition);
        body["mapping"] = json!(settings.mapping);
    }
    if let Some(problem) = &job.problem {
        body["problem"] = json!(problem);
    }
    body["errors"] = json!(format!("/api/imports/{}/errors.csv", job.id));
    body
}

/// `run` (also on from where it broke off), `check`, `cancel`, `undo`.
async fn act(State(server): State<Arc<Server>>, caller: Caller, Path((id, verb)): Path<(Uuid, String)>) -> Answer {
    let job = own(&server.engine, &caller, id).await?;
    match verb.as_str() {
        "run" => server.engine.run_import(&job).await?,
        "check" => server.engine.check_import(&job).await?,
        "cancel" => server.engine.cancel_import(&job).await?,
        "undo" => server.engine.undo_import(&job).await?,
        _ => return Err(Problem::not_found("verb", &verb)),
    }
    let job = own(&server.engine, &caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(told(&job, server.engine.clock().now()))).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AsFile {
    /// Starts with a byte order mark, without which a common spreadsheet misreads Chinese.
    #[serde(default)]
    bom: bool,
}

/// The errors as a file, streamed: of the undo, else of the run, else of the check.
async fn errors(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(AsFile { bom }): Query<AsFile>,
) -> Answer<Response> {
    let job = own(&server.engine, &caller, id).await?;
    let pass = pass_of(&job);
    // The header line stands in the first piece alone.
    let first = (Some(None::<i64>), true);
    let pieces = stream::unfold(first, move |(after, is_first)| {
        let (server, job) = (server.clone(), job.clone());
        async move {
            let after = after?;
            let read = server.engine.import_errors(&job, pass, after, ROWS_AT_ONCE).await;
            let (errors, next) = match read {
                Ok(read) => read,
                Err(fault) => return Some((Err(fault), (None, false))),
            };
            let text = errors_csv(&errors);
            let text = if is_first {
                text
            } else {
                text.split_once("\r\n").map_or(String::new(), |(_, rest)| rest.to_owned())
            };
            let text = if is_first && bom { format!("\u{feff}{text}") } else { text };
            Some((Ok(text), (next.map(Some), false)))
        }
    });
    let disposition = format!("attachment; filename=\"errors-{id}.csv\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// The pass whose errors are told of an import in that state.
pub(crate) fn pass_of(job: &ImportJob) -> Pass {
    match job.state.as_str() {
        "draft" | "checking" | "checked" => Pass::Check,
        "undoing" | "undone" => Pass::Undo,
        _ => Pass::Run,
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        let kind = match &error {
            ImportError::Unknown(_) => RejectionKind::NotFound,
            ImportError::Forbidden(_) => RejectionKind::Forbidden,
            ImportError::NotNow(_) => RejectionKind::Conflict,
            _ => RejectionKind::Invalid,
        };
        let (code, title) = (format!("import_{}", error.code()), error.to_string());
        match error {
            ImportError::Fault(fault) => Problem(Failure::from(fault)),
            _ => Problem(Failure::Rejected(Box::new(Rejection::new(kind, code, title)))),
        }
    }
}
