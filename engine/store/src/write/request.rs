//! Requests that carry an idempotency key: the same request gets the reply it got before.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::{Rejection, RejectionKind};

use crate::codec::{Reader, reply_document, reply_of};
use crate::dialect::{Bound, ColumnKind, bind_instant};
use crate::engine::{Command, Engine};
use crate::people::{dialect_cast, text};
use crate::statement::{Row, Select};
use crate::{Committed, Failure, Fault};

/// The query for an earlier request.
pub(crate) fn stored_request(actor: &str, key: &str) -> Select {
    let sql = "SELECT hash, reply, seq FROM fw_request WHERE actor = $1 AND request_key = $2".to_owned();
    let params = vec![Bound::String(Some(actor.to_owned())), Bound::String(Some(key.to_owned()))];
    Select::new(sql, params, [ColumnKind::Text, ColumnKind::Json, ColumnKind::Integer])
}

/// The reply of an earlier request; refused where the request was another one.
pub(crate) fn committed_before(row: Row, hash: &str) -> Result<Committed, Failure> {
    let mut row = Reader::new(row);
    if row.text()? != hash {
        let title = "the idempotency key was used for another request";
        let rejection = Rejection::new(RejectionKind::Invalid, "idempotency_key_reused", title);
        return Err(Failure::Rejected(Box::new(rejection)));
    }
    let reply = reply_of(&row.document::<Json>()?)?;
    Ok(Committed { reply, seq: row.integer()?, replayed: true })
}

/// The hash of an earlier request and what it was answered.
pub(crate) async fn answer_of(
    engine: &impl Engine,
    actor: Uuid,
    key: &str,
) -> Result<Option<(String, Option<Json>)>, Fault> {
    let sql = "SELECT hash, answer FROM fw_request WHERE actor = $1 AND request_key = $2".to_owned();
    let params = vec![text(&actor.to_string()), text(key)];
    let Some(row) =
        engine.rows(Select::new(sql, params, [ColumnKind::Text, ColumnKind::Json])).await?.into_iter().next()
    else {
        return Ok(None);
    };
    let mut row = Reader::new(row);
    let (hash, answer) = (row.text()?, row.maybe_text()?);
    let answer = answer.map(|answer| serde_json::from_str(&answer)).transpose();
    Ok(Some((hash, answer.map_err(|error| Fault::of("reading a stored answer", error))?)))
}

/// Keeps an answer beside the request; a request that changed nothing by itself (it began a job) has no row yet.
pub(crate) async fn keep_answer(
    engine: &impl Engine,
    actor: Uuid,
    key: &str,
    hash: &str,
    answer: &Json,
    at: DateTime<Utc>,
) -> Result<(), Fault> {
    let (dialect, nothing) = (engine.dialect(), reply_document(&Reply::Nothing));
    let json = dialect_cast(dialect, "json");
    let insert = format!(
        "INSERT INTO fw_request (actor, request_key, hash, reply, seq, at, answer) VALUES ($1, $2, $3, $4{json}, 0, $5, $6{json}) \
         ON CONFLICT (actor, request_key) DO UPDATE SET answer = excluded.answer WHERE fw_request.hash = excluded.hash"
    );
    let params = vec![
        text(&actor.to_string()),
        text(key),
        text(hash),
        text(&nothing.to_string()),
        bind_instant(dialect, at),
        text(&answer.to_string()),
    ];
    engine.change(vec![Command::new(insert, params)]).await.map(|_| ())
}
