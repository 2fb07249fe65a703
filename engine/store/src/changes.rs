//! The change log, read in commit order.
//!
//! On SQLite the rows are numbered one by one, and committed in that order. On PostgreSQL numbers are taken in one order
//! and committed in another; there a change carries the number of its transaction, all changes of a transaction share
//! it, and only transactions below the oldest one still running are read. So whoever has read up to a number never
//! misses a change below it.

use crate::codec::Reader;
use crate::dialect::{Bound, ColumnKind, Dialect};
use crate::engine::Engine;
use crate::statement::{Row, Select};
use crate::{Change, Fault};

/// Changes after that number, in commit order: at most `limit`, but a transaction is never cut.
pub(crate) async fn after(engine: &impl Engine, after: i64, limit: u32) -> Result<Vec<Change>, Fault> {
    match engine.dialect() {
        Dialect::Sqlite => {
            let sql = "SELECT seq, pack, form, record FROM fw_change WHERE seq > $1 ORDER BY seq";
            read(engine, sql, after, Some(limit)).await
        }
        Dialect::Postgres => {
            let sql = "SELECT txid, pack, form, record FROM fw_change WHERE txid > $1 \
                       AND txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY txid, seq";
            let mut changes = read(engine, sql, after, Some(limit)).await?;
            if changes.len() == limit as usize
                && let Some(cut) = changes.last().map(|change| change.seq)
            {
                changes.retain(|change| change.seq != cut);
                if changes.is_empty() {
                    let sql = "SELECT txid, pack, form, record FROM fw_change WHERE txid = $1 ORDER BY seq";
                    return read(engine, sql, cut, None).await;
                }
            }
            Ok(changes)
        }
    }
}

async fn read(engine: &impl Engine, sql: &str, number: i64, limit: Option<u32>) -> Result<Vec<Change>, Fault> {
    let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    let kinds = [ColumnKind::Integer, ColumnKind::Text, ColumnKind::Text, ColumnKind::Id];
    let select = Select::new(format!("{sql}{limit}"), vec![Bound::BigInt(Some(number))], kinds);
    engine.rows(select).await?.into_iter().map(change).collect()
}

fn change(row: Row) -> Result<Change, Fault> {
    let mut row = Reader::new(row);
    Ok(Change { seq: row.integer()?, pack: row.key()?, form: row.key()?, id: row.id()? })
}
