//! What operators see and do: the audit log, messages on their way, imports of everybody. Nothing of a record is told:
//! neither whom a message is for nor what it says.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::wire::instant_text;
use formwork_model::Key;
use formwork_report::csv::{guarded, quoted};
use formwork_store::{AuditFilter, Audited, Failure, ImportJob, Posted, PostedFilter};

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;

/// Rows of an answer, unless fewer are asked for.
const LIMIT: u32 = 100;
/// Rows read at once for a file.
const PAGE: u32 = 1_000;
/// States of messages.
pub(crate) const STATES: [&str; 4] = ["pending", "leased", "sent", "failed"];

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/admin/audit", get(audit))
        .route("/api/admin/outbox", get(outbox))
        .route("/api/admin/outbox/resend", post(resend))
        .route("/api/admin/jobs", get(jobs))
}

/// Which rows of the audit log, and how.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    q: Option<String>,
    kind: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    before: Option<i64>,
    limit: Option<u32>,
    format: Option<String>,
}

impl Asked {
    fn filter(&self) -> AuditFilter {
        AuditFilter {
            text: self.q.clone().unwrap_or_default().trim().to_owned(),
            kind: self.kind.clone().unwrap_or_default(),
            from: self.from,
            to: self.to,
        }
    }
}

async fn audit(State(server): State<Arc<Server>>, caller: Caller, Query(asked): Query<Asked>) -> Answer {
    caller.require_role(&["auditor"])?;
    match asked.format.as_deref() {
        None | Some("json") => {}
        Some("csv") => {
            server.engine.tell_exported(&caller.by()?).await?;
            return file(server, asked.filter()).await;
        }
        Some(format) => return Err(Problem::malformed(format!("`format` is json or csv, not `{format}`"))),
    }
    let limit = limit_of(asked.limit)?;
    let mut rows = server.engine.audited(&asked.filter(), asked.before, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.number);
    Ok(Json(json!({"items": rows.iter().map(row_body).collect::<Vec<_>>(), "next": next})).into_response())
}

fn row_body(row: &Audited) -> Value {
    let audit = &row.audit;
    json!({
        "number": row.number, "at": instant_text(audit.at), "actor": audit.actor, "who": audit.who, "kind": audit.kind,
        "subject": audit.subject, "address": audit.address, "data": audit.data,
    })
}

/// All rows as CSV, the newest first.
pub(crate) async fn file(server: Arc<Server>, filter: AuditFilter) -> Answer<Response> {
    // The first page is read before anything is sent: what fails then fails as a whole.
    let first = server.engine.audited(&filter, None, PAGE).await?;
    let head = format!("\u{feff}number,at,who,kind,subject,address,data\r\n{}", lines(&first));
    let start = if first.len() == PAGE as usize { first.last().map(|row| row.number) } else { None };
    let rest = stream::try_unfold((server, filter, start), |(server, filter, before)| async move {
        let Some(before) = before else { return Ok(None) };
        let rows = server.engine.audited(&filter, Some(before), PAGE).await.map_err(|_: Failure| Broken)?;
        let next = if rows.len() == PAGE as usize { rows.last().map(|row| row.number) } else { None };
        Ok::<_, Broken>(Some((Bytes::from(lines(&rows)), (server, filter, next))))
    });
    let body = Body::from_stream(stream::once(async { Ok(Bytes::from(head)) }).chain(rest));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, body).into_response())
}

fn lines(rows: &[Audited]) -> String {
    let line = |row: &Audited| {
        let audit = &row.audit;
        let data = if audit.data.is_null() { String::new() } else { audit.data.to_string() };
        let cells = [
            row.number.to_string(),
            instant_text(audit.at),
            audit.who.clone(),
            audit.kind.clone(),
            audit.subject.clone(),
            audit.address.clone().unwrap_or_default(),
            data,
        ];
        cells.map(|cell| quoted(&guarded(&cell, true))).join(",") + "\r\n"
    };
    rows.iter().map(line).collect()
}

/// The rest of a file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the audit log could not be read")]
struct Broken;

/// Which messages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    state: Option<String>,
    channel: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn outbox(State(server): State<Arc<Server>>, caller: Caller, Query(which): Query<Which>) -> Answer<Json<Value>> {
    caller.require_role(&["admin"])?;
    if which.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::malformed(format!("`state` is one of {}", STATES.join(" "))));
    }
    let limit = limit_of(which.limit)?;
    let filter = PostedFilter { state: which.state, channel: which.channel.map(Key::from) };
    let after = which.after.as_deref().map(place_of).transpose()?;
    let mut messages = server.engine.posted(&filter, after, limit + 1).await?;
    let more = messages.len() > limit as usize;
    messages.truncate(limit as usize);
    let next = messages.last().filter(|_| more).map(place_text);
    let counts: serde_json::Map<String, Value> =
        server.engine.posted_counts().await?.into_iter().map(|(state, count)| (state, json!(count))).collect();
    let items: Vec<Value> = messages.iter().map(message_body).collect();
    Ok(Json(json!({"items": items, "next": next, "counts": counts})))
}

fn message_body(message: &Posted) -> Value {
    json!({
        "key": message.key, "pack": message.pack, "channel": message.channel, "template": message.template,
        "state": message.state, "attempts": message.attempts, "reason": message.reason,
        "created_at": instant_text(message.created_at), "next_at": instant_text(message.next_at),
        "settled_at": message.settled_at.map(instant_text),
    })
}

/// Where a page of messages begins.
pub(crate) fn place_text(message: &Posted) -> String {
    format!("{}~{}", message.created_at.timestamp_micros(), message.key)
}

/// The same, read again.
pub(crate) fn place_of(text: &str) -> Result<(DateTime<Utc>, String), Problem> {
    let place = text
        .split_once('~')
        .and_then(|(at, rest)| Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, rest.to_owned())));
    place.ok_or_else(|| Problem::malformed("`after` is the `next` of the page before"))
}

/// Which message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    key: String,
}

async fn resend(State(server): State<Arc<Server>>, caller: Caller, Json(again): Json<Again>) -> Answer<Json<Value>> {
    caller.require_role(&["admin"])?;
    server.engine.post_again(&caller.by()?, &again.key).await?;
    Ok(Json(json!({"key": again.key, "state": "pending"})))
}

/// Which imports.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paged {
    after: Option<String>,
    limit: Option<u32>,
}

async fn jobs(State(server): State<Arc<Server>>, caller: Caller, Query(paged): Query<Paged>) -> Answer<Json<Value>> {
    caller.require_role(&["admin"])?;
    let limit = limit_of(paged.limit)?;
    let mut jobs = server.engine.import_jobs(paged.after.as_deref().map(job_place).transpose()?, limit + 1).await?;
    let more = jobs.len() > limit as usize;
    jobs.truncate(limit as usize);
    let next = jobs.last().filter(|_| more).map(job_place_text);
    let items: Vec<Value> = jobs
        .iter()
        .map(|job| {
            json!({
                "id": job.id, "owner": job.owner, "pack": job.pack, "form": job.form, "file": job.name,
                "bytes": job.size, "state": job.state, "problem": job.problem,
                "created_at": instant_text(job.created_at), "updated_at": instant_text(job.updated_at),
            })
        })
        .collect();
    Ok(Json(json!({"items": items, "next": next})))
}

/// Where a page of imports begins.
pub(crate) fn job_place_text(job: &ImportJob) -> String {
    format!("{}~{}", job.created_at.timestamp_micros(), job.id)
}

/// The same, read again.
pub(crate) fn job_place(text: &str) -> Result<(DateTime<Utc>, Uuid), Problem> {
    let (at, id) = place_of(text)?;
    let id = id.parse().map_err(|_| Problem::malformed("`after` is the `next` of the page before"))?;
    Ok((at, id))
}

fn limit_of(wanted: Option<u32>) -> Result<u32, Problem> {
    let limit = wanted.unwrap_or(LIMIT);
    if !(1..=200).contains(&limit) {
        return Err(Problem::malformed("`limit` is 1 to 200"));
    }
    Ok(limit)
}
