//! What people keep for themselves beside the records: saved views, columns, drafts, what can be undone. The statements,
//! the same on both engines.

use uuid::Uuid;

use crate::codec::{Reader, Selection};
use crate::dialect::ColumnKind::{DateTime, Id, Json, Text};
use crate::dialect::{bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::people::{dialect_cast, text};
use crate::statement::{Row, Select};
use crate::{Fault, Kept};

/// Most entries of one answer.
const ENTRIES_MAX: u32 = 500;

const KEPT: Selection =
    Selection { columns: "owner, kind, scope, name, at, body", kinds: &[Id, Text, Text, Text, DateTime, Json] };

pub(crate) async fn keep(engine: &impl Engine, kept: &Kept) -> Result<(), Fault> {
    let dialect = engine.dialect();
    let insert = format!(
        "INSERT INTO fw_kept (owner, kind, scope, name, at, body) VALUES ($1, $2, $3, $4, $5, $6{}) \
         ON CONFLICT (owner, kind, scope, name) DO UPDATE SET at = excluded.at, body = excluded.body",
        dialect_cast(dialect, "json")
    );
    let params = vec![
        bind_id(dialect, kept.owner),
        text(&kept.kind),
        text(&kept.scope),
        text(&kept.name),
        bind_instant(dialect, kept.at),
        text(&kept.body.to_string()),
    ];
    engine.change(vec![Command::new(insert, params)]).await.map(drop)
}

pub(crate) async fn kept(
    engine: &impl Engine,
    owner: Uuid,
    kind: &str,
    scope: &str,
    name: &str,
) -> Result<Option<Kept>, Fault> {
    let condition = "owner = $1 AND kind = $2 AND scope = $3 AND name = $4";
    let params = vec![bind_id(engine.dialect(), owner), text(kind), text(scope), text(name)];
    let sql = format!("SELECT {} FROM fw_kept WHERE {condition}", KEPT.columns);
    engine.rows(Select::new(sql, params, KEPT.kinds)).await?.into_iter().next().map(entry).transpose()
}

pub(crate) async fn kept_in(engine: &impl Engine, kind: &str, scope: &str) -> Result<Vec<Kept>, Fault> {
    let sql = format!(
        "SELECT {} FROM fw_kept WHERE kind = $1 AND scope = $2 ORDER BY at, name LIMIT {ENTRIES_MAX}",
        KEPT.columns
    );
    let select = Select::new(sql, vec![text(kind), text(scope)], KEPT.kinds);
    engine.rows(select).await?.into_iter().map(entry).collect()
}

pub(crate) async fn forget(
    engine: &impl Engine,
    owner: Uuid,
    kind: &str,
    scope: &str,
    name: &str,
) -> Result<bool, Fault> {
    let delete = "DELETE FROM fw_kept WHERE owner = $1 AND kind = $2 AND scope = $3 AND name = $4";
    let params = vec![bind_id(engine.dialect(), owner), text(kind), text(scope), text(name)];
    Ok(engine.change(vec![Command::new(delete, params)]).await? == [1])
}

fn entry(row: Row) -> Result<Kept, Fault> {
    let mut row = Reader::new(row);
    Ok(Kept {
        owner: row.id()?,
        kind: row.text()?,
        scope: row.text()?,
        name: row.text()?,
        at: row.time()?,
        body: row.document()?,
    })
}
