//! Imports that are kept: the job, its file, and what became of each row; the statements, the same on both engines.
//!
//! ```text
//! fw_import      one row an import: what is to be done, how far it is, who works on it (a lease)
//! fw_import_part the file in pieces of text
//! fw_import_row  one row of the file in one pass: written in the transaction that writes its records
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::change::FedRecord;
use formwork_core::stimulus::Pass;
use formwork_model::Key;

use crate::Fault;
use crate::codec::{IMPORT, IMPORT_ROW, Reader};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::notices;
use crate::people::{dialect_cast, text};
use crate::statement::{Row, Select};

/// Days after which an import that nobody touched any more is removed, its file and what it could undo with it.
pub const KEPT_DAYS: i64 = 30;
/// States in which somebody works on it: never removed, and taken up again where the worker died.
pub(crate) const UNDER_WAY: &str = "('checking', 'running', 'cancelling', 'undoing')";
/// Rows of one statement.
const BATCH: usize = 500;

/// An import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportJob {
    /// UUIDv7.
    pub id: Uuid,
    /// Whose it is; none where the operator imports at the machine.
    pub owner: Option<Uuid>,
    /// The pack.
    pub pack: Key,
    /// The form it was begun for.
    pub form: Key,
    /// Name of the file.
    pub name: String,
    /// Bytes of the file as it came.
    pub size: i64,
    /// `draft checking checked running cancelling cancelled done failed undoing undone`.
    pub state: String,
    /// What is to be done: the runtime's own.
    pub settings: Json,
    /// How far it is: the runtime's own.
    pub counts: Json,
    /// Why it failed.
    pub problem: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When something about it changed last.
    pub updated_at: DateTime<Utc>,
    /// The lease: only its holder may say how far it is.
    pub epoch: i64,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRow {
    /// Its number, counted from 0.
    pub row: i64,
    /// The line of the file it starts in, counted from 1.
    pub line: i64,
    /// `created updated unchanged skipped rejected`; of an undo `undone left`.
    pub outcome: String,
    /// What it did.
    pub records: Vec<FedRecord>,
    /// What is wrong with it: a list, the runtime's own.
    pub errors: Json,
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub struct ImportRows {
    /// With one of these outcomes; any where empty.
    pub outcomes: Vec<&'static str>,
    /// Only those of which something is told.
    pub told: bool,
    /// After the row of this number (before it where the last come first).
    pub after: Option<i64>,
    /// The last first.
    pub last_first: bool,
    /// At most.
    pub limit: u32,
}

/// The number a pass is kept under.
pub(crate) fn pass_number(pass: Pass) -> i64 {
    match pass {
        Pass::Check => 0,
        Pass::Run => 1,
        Pass::Undo => 2,
    }
}

pub(crate) async fn put(engine: &impl Engine, job: &ImportJob, parts: Vec<String>) -> Result<(), Fault> {
    let dialect = engine.dialect();
    let json = dialect_cast(dialect, "json");
    let insert = format!(
        "INSERT INTO fw_import (id, owner, pack, form, name, size, state, settings, counts, problem, created_at, \
         updated_at, epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8{json}, $9{json}, $10, $11, $12, $13)"
    );
    let params = vec![
        bind_id(dialect, job.id),
        job.owner.map_or_else(|| ColumnKind::Id.null(dialect), |id| bind_id(dialect, id)),
        text(&job.pack),
        text(&job.form),
        text(&job.name),
        Bound::BigInt(Some(job.size)),
        text(&job.state),
        text(&job.settings.to_string()),
        text(&job.counts.to_string()),
        Bound::String(job.problem.clone()),
        bind_instant(dialect, job.created_at),
        bind_instant(dialect, job.updated_at),
        Bound::BigInt(Some(job.epoch)),
    ];
    let mut commands = vec![Command::new(insert, params)];
    for (number, part) in (0_i64..).zip(parts) {
        let sql = "INSERT INTO fw_import_part (import, number, content) VALUES ($1, $2, $3)";
        let params = vec![bind_id(dialect, job.id), Bound::BigInt(Some(number)), Bound::String(Some(part))];
        commands.push(Command::new(sql, params));
    }
    engine.change(commands).await.map(drop)
}

pub(crate) async fn job(engine: &impl Engine, id: Uuid) -> Result<Option<ImportJob>, Fault> {
    let sql = format!("SELECT {} FROM fw_import WHERE id = $1", IMPORT.columns);
    let select = Select::new(sql, vec![bind_id(engine.dialect(), id)], IMPORT.kinds);
    engine.rows(select).await?.into_iter().next().map(job_of).transpose()
}

pub(crate) async fn of_owner(engine: &impl Engine, owner: Uuid, limit: u32) -> Result<Vec<ImportJob>, Fault> {
    let sql = format!(
        "SELECT {} FROM fw_import WHERE owner = $1 ORDER BY created_at DESC, id DESC LIMIT {limit}",
        IMPORT.columns
    );
    let select = Select::new(sql, vec![bind_id(engine.dialect(), owner)], IMPORT.kinds);
    engine.rows(select).await?.into_iter().map(job_of).collect()
}

/// Imports of everybody, the newest first, before the place (begun at, id).
pub(crate) async fn newest(
    engine: &impl Engine,
    before: Option<[Bound; 2]>,
    limit: u32,
) -> Result<Vec<ImportJob>, Fault> {
    let behind = if before.is_some() { " WHERE (created_at, id) < ($1, $2)" } else { "" };
    let sql =
        format!("SELECT {} FROM fw_import{behind} ORDER BY created_at DESC, id DESC LIMIT {limit}", IMPORT.columns);
    let params = before.into_iter().flatten().collect();
    engine.rows(Select::new(sql, params, IMPORT.kinds)).await?.into_iter().map(job_of).collect()
}

pub(crate) async fn file(engine: &impl Engine, id: Uuid) -> Result<Vec<String>, Fault> {
    let sql = "SELECT content FROM fw_import_part WHERE import = $1 ORDER BY number".to_owned();
    let select = Select::new(sql, vec![bind_id(engine.dialect(), id)], [ColumnKind::Text]);
    engine.rows(select).await?.into_iter().map(|row| Reader::new(row).text()).collect()
}

/// Moves an import on, if it still is in one of the states; whoever works on it loses the lease.
pub(crate) async fn step(
    engine: &impl Engine,
    id: Uuid,
    from: &[&str],
    to: &str,
    settings: Option<&Json>,
    at: DateTime<Utc>,
) -> Result<bool, Fault> {
    let dialect = engine.dialect();
    let mut params = vec![text(to), bind_instant(dialect, at)];
    let mut set = "state = $1, updated_at = $2, problem = NULL".to_owned();
    if to != "cancelling" {
        // Nobody waits for a lease of the step before.
        set.push_str(", lease_until = NULL");
    }
    if let Some(settings) = settings {
        params.push(text(&settings.to_string()));
        set.push_str(&format!(", settings = $3{}", dialect_cast(dialect, "json")));
    }
    params.push(bind_id(dialect, id));
    let place = params.len();
    let first = place + 1;
    let places: Vec<String> = (first..first + from.len()).map(|place| format!("${place}")).collect();
    params.extend(from.iter().map(|state| text(state)));
    let sql = format!("UPDATE fw_import SET {set} WHERE id = ${place} AND state IN ({})", places.join(", "));
    Ok(engine.change(vec![Command::new(sql, params)]).await? == [1])
}

/// Lets go every lease where no other process can have the store open: whoever held one is dead.
pub(crate) async fn free(engine: &impl Engine) -> Result<(), Fault> {
    if engine.dialect() == Dialect::Postgres {
        return Ok(());
    }
    let sql = format!("UPDATE fw_import SET lease_until = NULL WHERE state IN {UNDER_WAY}");
    engine.change(vec![Command::new(sql, Vec::new())]).await.map(drop)
}

/// Takes up an import that is to be worked on and that nobody holds.
pub(crate) async fn claim(
    engine: &impl Engine,
    at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Option<ImportJob>, Fault> {
    let dialect = engine.dialect();
    let due = |place: u8| format!("state IN {UNDER_WAY} AND (lease_until IS NULL OR lease_until <= ${place})");
    let select = format!("SELECT count(*) FROM fw_import WHERE {}", due(1));
    let waiting = Select::new(select, vec![bind_instant(dialect, at)], [ColumnKind::Integer]);
    // Mostly there is none, and looking takes no turn from those who write.
    if crate::store::first_integer(engine.rows(waiting).await?)? == 0 {
        return Ok(None);
    }
    let lock = if dialect == Dialect::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE fw_import SET epoch = epoch + 1, lease_until = $1 WHERE id IN (SELECT id FROM fw_import \
         WHERE {} ORDER BY updated_at, id LIMIT 1{lock}) RETURNING {}",
        due(2),
        IMPORT.columns
    );
    let params = vec![bind_instant(dialect, lease_until), bind_instant(dialect, at)];
    engine.change_rows(Select::new(sql, params, IMPORT.kinds)).await?.into_iter().next().map(job_of).transpose()
}

/// Says how far it is and keeps the lease; the state it is in now, none where the lease was lost.
pub(crate) async fn beat(
    engine: &impl Engine,
    job: &ImportJob,
    at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Option<String>, Fault> {
    let dialect = engine.dialect();
    let sql = format!(
        "UPDATE fw_import SET counts = $1{}, updated_at = $2, lease_until = $3 WHERE id = $4 AND epoch = $5 \
         RETURNING state",
        dialect_cast(dialect, "json")
    );
    let params = vec![
        text(&job.counts.to_string()),
        bind_instant(dialect, at),
        bind_instant(dialect, lease_until),
        bind_id(dialect, job.id),
        Bound::BigInt(Some(job.epoch)),
    ];
    let rows = engine.change_rows(Select::new(sql, params, [ColumnKind::Text])).await?;
    rows.into_iter().next().map(|row| Reader::new(row).text()).transpose()
}

/// Ends the work with the state, counts and problem of `job`, and lets the lease go; false where it was lost.
pub(crate) async fn end(engine: &impl Engine, job: &ImportJob, at: DateTime<Utc>) -> Result<bool, Fault> {
    let dialect = engine.dialect();
    let sql = format!(
        "UPDATE fw_import SET state = $1, counts = $2{}, problem = $3, updated_at = $4, lease_until = NULL \
         WHERE id = $5 AND epoch = $6",
        dialect_cast(dialect, "json")
    );
    let params = vec![
        text(&job.state),
        text(&job.counts.to_string()),
        Bound::String(job.problem.clone()),
        bind_instant(dialect, at),
        bind_id(dialect, job.id),
        Bound::BigInt(Some(job.epoch)),
    ];
    let mut commands = vec![Command::guarding(sql, params)];
    commands.extend(notices::of_import(dialect, job, at)?);
    Ok(engine.change(commands).await?.first() == Some(&1))
}

/// Keeps what became of rows that wrote nothing; a row that is kept already stays as it is.
pub(crate) async fn note(engine: &impl Engine, id: Uuid, pass: Pass, rows: &[ImportRow]) -> Result<(), Fault> {
    let dialect = engine.dialect();
    let json = dialect_cast(dialect, "json");
    let sql = format!(
        "INSERT INTO fw_import_row (import, pass, row, line, outcome, records, errors, told) VALUES \
         ($1, $2, $3, $4, $5, $6{json}, $7{json}, $8) ON CONFLICT (import, pass, row) DO NOTHING"
    );
    for rows in rows.chunks(BATCH) {
        let commands = rows.iter().map(|row| {
            let records = serde_json::to_string(&row.records);
            let records = records.map_err(|error| Fault::of("writing a row of an import", error))?;
            let params = vec![
                bind_id(dialect, id),
                Bound::BigInt(Some(pass_number(pass))),
                Bound::BigInt(Some(row.row)),
                Bound::BigInt(Some(row.line)),
                text(&row.outcome),
                text(&records),
                text(&row.errors.to_string()),
                Bound::BigInt(Some(told(&row.errors))),
            ];
            Ok(Command::new(sql.clone(), params))
        });
        engine.change(commands.collect::<Result<_, Fault>>()?).await?;
    }
    Ok(())
}

/// How many errors a list holds.
pub(crate) fn told(errors: &Json) -> i64 {
    errors.as_array().map_or(0, |errors| i64::try_from(errors.len()).unwrap_or(i64::MAX))
}

pub(crate) async fn forget(engine: &impl Engine, id: Uuid, pass: Pass) -> Result<(), Fault> {
    let params = vec![bind_id(engine.dialect(), id), Bound::BigInt(Some(pass_number(pass)))];
    let sql = "DELETE FROM fw_import_row WHERE import = $1 AND pass = $2";
    engine.change(vec![Command::new(sql, params)]).await.map(drop)
}

pub(crate) async fn outcomes(engine: &impl Engine, id: Uuid, pass: Pass) -> Result<Vec<(i64, String)>, Fault> {
    let sql = "SELECT row, outcome FROM fw_import_row WHERE import = $1 AND pass = $2 ORDER BY row".to_owned();
    let params = vec![bind_id(engine.dialect(), id), Bound::BigInt(Some(pass_number(pass)))];
    let rows = engine.rows(Select::new(sql, params, [ColumnKind::Integer, ColumnKind::Text])).await?;
    let outcome = |row| {
        let mut row = Reader::new(row);
        Ok((row.integer()?, row.text()?))
    };
    rows.into_iter().map(outcome).collect()
}

pub(crate) async fn rows(
    engine: &impl Engine,
    id: Uuid,
    pass: Pass,
    which: &ImportRows,
) -> Result<Vec<ImportRow>, Fault> {
    let mut params = vec![bind_id(engine.dialect(), id), Bound::BigInt(Some(pass_number(pass)))];
    let (beyond, order) = if which.last_first { ("<", "DESC") } else { (">", "ASC") };
    let mut condition = String::new();
    if let Some(after) = which.after {
        params.push(Bound::BigInt(Some(after)));
        condition.push_str(&format!(" AND row {beyond} ${}", params.len()));
    }
    if which.told {
        condition.push_str(" AND told > 0");
    }
    if !which.outcomes.is_empty() {
        let places: Vec<String> =
            (1..=which.outcomes.len()).map(|place| format!("${}", params.len() + place)).collect();
        params.extend(which.outcomes.iter().map(|outcome| text(outcome)));
        condition.push_str(&format!(" AND outcome IN ({})", places.join(", ")));
    }
    let sql = format!(
        "SELECT {} FROM fw_import_row WHERE import = $1 AND pass = $2{condition} ORDER BY row {order} LIMIT {}",
        IMPORT_ROW.columns, which.limit
    );
    engine.rows(Select::new(sql, params, IMPORT_ROW.kinds)).await?.into_iter().map(row_of).collect()
}

/// Removes imports that nobody touched for [`KEPT_DAYS`].
pub(crate) fn outdated(dialect: Dialect, at: DateTime<Utc>) -> Vec<Command> {
    let old = format!("SELECT id FROM fw_import WHERE updated_at < $1 AND state NOT IN {UNDER_WAY}");
    let kept_from = bind_instant(dialect, at - TimeDelta::days(KEPT_DAYS));
    ["fw_import_row", "fw_import_part"]
        .map(|table| format!("DELETE FROM {table} WHERE import IN ({old})"))
        .into_iter()
        .chain([format!("DELETE FROM fw_import WHERE id IN ({old})")])
        .map(|sql| Command::new(sql, vec![kept_from.clone()]))
        .collect()
}

fn job_of(row: Row) -> Result<ImportJob, Fault> {
    let mut row = Reader::new(row);
    Ok(ImportJob {
        id: row.id()?,
        owner: row.maybe_id()?,
        pack: row.key()?,
        form: row.key()?,
        name: row.text()?,
        size: row.integer()?,
        state: row.text()?,
        settings: row.document()?,
        counts: row.document()?,
        problem: row.maybe_text()?,
        created_at: row.time()?,
        updated_at: row.time()?,
        epoch: row.integer()?,
    })
}

fn row_of(row: Row) -> Result<ImportRow, Fault> {
    let mut row = Reader::new(row);
    Ok(ImportRow {
        row: row.integer()?,
        line: row.integer()?,
        outcome: row.text()?,
        records: row.document()?,
        errors: row.document()?,
    })
}
