//! The change log, read in commit order.
//!
//! On SQLite the rows are numbered one by one, and committed in that order. On PostgreSQL numbers are taken in one order
//! and committed in another; there a change carries the number of its transaction, all changes of a transaction share
//! it, and only transactions below the oldest one still running are read. So whoever has read up to a number never
//! misses a change below it.

use formwork_core::trace::Trace;
use formwork_model::{Key, Value};

use crate::codec::Reader;
use crate::dialect::{Bound, ColumnKind, Dialect};
use crate::engine::Engine;
use crate::statement::{Row, Select};
use crate::store::first_integer;
use crate::{Change, Fault};

/// The two logs: of records, and of what live pages need beside it.
#[derive(Debug, Clone, Copy)]
enum Log {
    Changes,
    Traces,
}

impl Log {
    fn table(self) -> &'static str {
        match self {
            Log::Changes => "fw_change",
            Log::Traces => "fw_trace",
        }
    }

    fn columns(self) -> &'static str {
        match self {
            Log::Changes => "pack, form, record",
            Log::Traces => "pack, trace",
        }
    }

    fn kinds(self) -> Vec<ColumnKind> {
        match self {
            Log::Changes => vec![ColumnKind::Integer, ColumnKind::Text, ColumnKind::Text, ColumnKind::Id],
            Log::Traces => vec![ColumnKind::Integer, ColumnKind::Text, ColumnKind::Json],
        }
    }
}

/// Changes after that number, in commit order: at most `limit`, but a transaction is never cut.
pub(crate) async fn after(engine: &impl Engine, after: i64, limit: u32) -> Result<Vec<Change>, Fault> {
    let change = |row| {
        let mut row = Reader::new(row);
        Ok(Change { seq: row.integer()?, pack: row.key()?, form: row.key()?, id: row.id()? })
    };
    rows(engine, Log::Changes, after, limit).await?.into_iter().map(change).collect()
}

/// The traces after that number in the same way, each with its number and its pack.
pub(crate) async fn traces(engine: &impl Engine, after: i64, limit: u32) -> Result<Vec<(i64, Key, Trace)>, Fault> {
    let trace = |row| {
        let mut row = Reader::new(row);
        Ok((row.integer()?, row.key()?, row.document()?))
    };
    rows(engine, Log::Traces, after, limit).await?.into_iter().map(trace).collect()
}

/// The number of the newest trace that every reader sees.
pub(crate) async fn newest_trace(engine: &impl Engine) -> Result<i64, Fault> {
    let sql = match engine.dialect() {
        Dialect::Sqlite => "SELECT coalesce(max(seq), 0) FROM fw_trace",
        // What no older transaction can come before any more, whether it left a trace or not.
        Dialect::Postgres => "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1",
    };
    first_integer(engine.rows(Select::new(sql.to_owned(), Vec::new(), [ColumnKind::Integer])).await?)
}

async fn rows(engine: &impl Engine, log: Log, after: i64, limit: u32) -> Result<Vec<Row>, Fault> {
    let (table, columns) = (log.table(), log.columns());
    match engine.dialect() {
        Dialect::Sqlite => {
            let sql = format!("SELECT seq, {columns} FROM {table} WHERE seq > $1 ORDER BY seq LIMIT {limit}");
            read(engine, sql, log, after).await
        }
        Dialect::Postgres => {
            let sql = format!(
                "SELECT txid, {columns} FROM {table} WHERE txid > $1 \
                 AND txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY txid, seq LIMIT {limit}"
            );
            let mut rows = read(engine, sql, log, after).await?;
            if rows.len() == limit as usize
                && let Some(cut) = rows.last().map(|row| row.first().cloned())
            {
                rows.retain(|row| row.first() != cut.as_ref());
                if rows.is_empty() {
                    let sql = format!("SELECT txid, {columns} FROM {table} WHERE txid = $1 ORDER BY seq");
                    let Some(Value::Integer(cut)) = cut else { return Err(Fault::new("a change without number")) };
                    return read(engine, sql, log, cut).await;
                }
            }
            Ok(rows)
        }
    }
}

async fn read(engine: &impl Engine, sql: String, log: Log, number: i64) -> Result<Vec<Row>, Fault> {
    engine.rows(Select::new(sql, vec![Bound::BigInt(Some(number))], log.kinds())).await
}
