//! Notices: what concerns a person, until they have read it and for a while after. The statements, the same on both
//! engines.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_core::trace::Trace;
use formwork_model::Key;

use crate::codec::{Reader, Selection};
use crate::dialect::ColumnKind::{DateTime as Time, Id, Integer, Text};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::people::{dialect_cast, text};
use crate::statement::{Row, Select};
use crate::store::first_integer;
use crate::{Fault, ImportJob};

/// A notice as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Noticed {
    /// Counted upwards.
    pub number: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The pack.
    pub pack: Key,
    /// `task.given task.copied task.reminded import.done import.failed import.undone`.
    pub kind: String,
    /// Who did it; none for the public and the system.
    pub actor: Option<Uuid>,
    /// The task or the import.
    pub subject: Uuid,
    /// Whether it was read.
    pub is_read: bool,
}

const NOTICE: Selection = Selection {
    columns: "number, at, pack, kind, actor, subject, read_at",
    kinds: &[Integer, Time, Text, Text, Id, Id, Time],
};

/// The notices of people.
#[async_trait]
pub trait Notices {
    /// The newest ones of a person before a number.
    async fn notices_of(&self, person: Uuid, before: Option<i64>, limit: u32) -> Result<Vec<Noticed>, Fault>;
    /// How many they have not read, counted up to `most`.
    async fn unread_of(&self, person: Uuid, most: u32) -> Result<i64, Fault>;
    /// Marks a person's own as read: that one, or all up to it; how many.
    async fn read_notices(&self, person: Uuid, number: i64, only: bool, at: DateTime<Utc>) -> Result<u64, Fault>;
}

#[async_trait]
impl<E: Engine> Notices for E {
    async fn notices_of(&self, person: Uuid, before: Option<i64>, limit: u32) -> Result<Vec<Noticed>, Fault> {
        let sql = format!(
            "SELECT {} FROM fw_notice WHERE person = $1 AND number < $2 ORDER BY number DESC LIMIT {limit}",
            NOTICE.columns
        );
        let params = vec![bind_id(self.dialect(), person), Bound::BigInt(Some(before.unwrap_or(i64::MAX)))];
        self.rows(Select::new(sql, params, NOTICE.kinds)).await?.into_iter().map(noticed).collect()
    }

    async fn unread_of(&self, person: Uuid, most: u32) -> Result<i64, Fault> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 AS one FROM fw_notice WHERE person = $1 AND read_at IS NULL LIMIT {most}) AS unread"
        );
        let select = Select::new(sql, vec![bind_id(self.dialect(), person)], [ColumnKind::Integer]);
        first_integer(self.rows(select).await?)
    }

    async fn read_notices(&self, person: Uuid, number: i64, only: bool, at: DateTime<Utc>) -> Result<u64, Fault> {
        let which = if only { "=" } else { "<=" };
        let sql =
            format!("UPDATE fw_notice SET read_at = $1 WHERE person = $2 AND read_at IS NULL AND number {which} $3");
        let dialect = self.dialect();
        let params = vec![bind_instant(dialect, at), bind_id(dialect, person), Bound::BigInt(Some(number))];
        Ok(self.change(vec![Command::new(sql, params)]).await?.first().copied().unwrap_or_default())
    }
}

fn noticed(row: Row) -> Result<Noticed, Fault> {
    let mut row = Reader::new(row);
    Ok(Noticed {
        number: row.integer()?,
        at: row.time()?,
        pack: row.key()?,
        kind: row.text()?,
        actor: row.maybe_id()?,
        subject: row.id()?,
        is_read: row.maybe_time()?.is_some(),
    })
}

/// Tells whoever began an import how it ended, and wakes the pages they have open.
pub(crate) fn of_import(dialect: Dialect, job: &ImportJob, at: DateTime<Utc>) -> Result<Vec<Command>, Fault> {
    let (Some(owner), "done" | "failed" | "undone") = (job.owner, job.state.as_str()) else { return Ok(Vec::new()) };
    let notice = "INSERT INTO fw_notice (person, at, pack, kind, actor, subject) VALUES ($1, $2, $3, $4, $5, $6)";
    let kind = text(&format!("import.{}", job.state));
    let params = vec![
        bind_id(dialect, owner),
        bind_instant(dialect, at),
        text(&job.pack),
        kind,
        ColumnKind::Id.null(dialect),
        bind_id(dialect, job.id),
    ];
    let told = serde_json::to_string(&Trace::Notice { person: owner });
    let told = told.map_err(|error| Fault::of("writing a trace", error))?;
    let trace = format!("INSERT INTO fw_trace (pack, at, trace) VALUES ($1, $2, $3{})", dialect_cast(dialect, "json"));
    let traced = vec![text(&job.pack), bind_instant(dialect, at), text(&told)];
    Ok(vec![Command::new(notice, params), Command::new(trace, traced)])
}
