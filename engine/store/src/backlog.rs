//! How much is there to be done, for those who watch over a server: numbers of rows, nothing of any record.

use chrono::{DateTime, Utc};

use crate::Fault;
use crate::codec::Reader;
use crate::dialect::{ColumnKind, bind_instant};
use crate::engine::Engine;
use crate::imports::UNDER_WAY;
use crate::statement::Select;

/// What is open, late or broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Tasks nobody has done yet.
    pub open_tasks: i64,
    /// Instances on their way.
    pub running_instances: i64,
    /// Instances that stand still over an incident.
    pub stopped_instances: i64,
    /// Timers that are due and have not fired.
    pub late_timers: i64,
    /// When the first of them was due.
    pub late_since: Option<DateTime<Utc>>,
    /// Messages that are to be sent.
    pub waiting_messages: i64,
    /// Messages given up.
    pub failed_messages: i64,
    /// Imports that have not ended.
    pub open_imports: i64,
}

/// As it is at an instant. The conditions are those of partial indexes, word for word, so that what is done costs nothing.
pub(crate) async fn backlog(engine: &impl Engine, at: DateTime<Utc>) -> Result<Backlog, Fault> {
    let sql = format!(
        "SELECT \
               (SELECT count(*) FROM fw_task WHERE status = 'open'), \
               (SELECT count(*) FROM fw_instance WHERE status IN ('running', 'failed') AND status = 'running'), \
               (SELECT count(*) FROM fw_instance WHERE status IN ('running', 'failed') AND status = 'failed'), \
               (SELECT count(*) FROM fw_timer WHERE due_at <= $1), \
               (SELECT min(due_at) FROM fw_timer WHERE due_at <= $1), \
               (SELECT count(*) FROM fw_outbox WHERE state IN ('pending', 'leased')), \
               (SELECT count(*) FROM fw_outbox WHERE state = 'failed'), \
               (SELECT count(*) FROM fw_import WHERE state IN {UNDER_WAY})"
    );
    let kinds = [
        ColumnKind::Integer,
        ColumnKind::Integer,
        ColumnKind::Integer,
        ColumnKind::Integer,
        ColumnKind::DateTime,
        ColumnKind::Integer,
        ColumnKind::Integer,
        ColumnKind::Integer,
    ];
    let rows = engine.rows(Select::new(sql, vec![bind_instant(engine.dialect(), at)], kinds)).await?;
    let mut row = Reader::new(rows.into_iter().next().ok_or_else(|| Fault::new("a query without answer"))?);
    Ok(Backlog {
        open_tasks: row.integer()?,
        running_instances: row.integer()?,
        stopped_instances: row.integer()?,
        late_timers: row.integer()?,
        late_since: row.maybe_time()?,
        waiting_messages: row.integer()?,
        failed_messages: row.integer()?,
        open_imports: row.integer()?,
    })
}
