//! Runs statements: binding, decoding, batches. The one place where SQL text is handed to `sqlx`.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row as _, ValueRef as _};
use uuid::Uuid;

use formwork_model::Value;

use crate::dialect::{Bound, ColumnKind};
use crate::load::Load;
use crate::statement::{Batch, Row, Select};
use crate::{Failure, Fault, too_slow};

/// Statements sent so far; each is a round trip (the first use of a statement on a connection adds one).
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The statement. Its text is made by this crate: names are quoted, values are bound.
pub(super) fn query(sql: &str) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
}

/// Rows of a query.
pub(super) async fn select(
    connection: &mut PgConnection,
    counter: &Counter,
    select: &Select,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut statement = query(&select.sql);
    for param in &select.params {
        statement = bind(statement, param)?;
    }
    if let Some(ids) = &select.each {
        statement = statement.bind(ids.clone());
    }
    counter.count();
    let rows = statement.fetch_all(connection).await?;
    rows.iter().map(|row| decode_row(row, &select.kinds)).collect()
}

/// Runs a load to its end.
pub(super) async fn load(connection: &mut PgConnection, counter: &Counter, load: &mut Load) -> Result<(), Broken> {
    while let Some(query) = load.next()? {
        load.take(select(connection, counter, &query).await?)?;
    }
    Ok(())
}

/// Why something did not run: the database's word, or ours.
#[derive(Debug)]
pub(super) enum Broken {
    Database(sqlx::Error),
    Fault(Fault),
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A fault, or, where no connection came free in time, a full queue.
pub(super) fn fault(context: impl Into<String>, error: sqlx::Error) -> Fault {
    match error {
        sqlx::Error::PoolTimedOut => Fault::full(context),
        error => Fault::of(context, error),
    }
}

/// What a caller is told whose question did not run.
pub(super) fn or_too_slow(broken: Broken) -> Failure {
    match &broken {
        // A statement that was given up.
        Broken::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57014") => too_slow(),
        _ => Fault::from(broken).into(),
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Database(error) => fault("asking the database", error),
            Broken::Fault(fault) => fault,
        }
    }
}

/// Runs a statement without result; the number of rows touched.
pub(super) async fn execute(
    connection: &mut PgConnection,
    counter: &Counter,
    sql: &str,
    params: &[Bound],
) -> Result<u64, sqlx::Error> {
    let mut statement = query(sql);
    for param in params {
        statement = bind(statement, param)?;
    }
    counter.count();
    Ok(statement.execute(connection).await?.rows_affected())
}

/// All batches in one statement, one round trip; the number of the transaction, and the hash of what is deployed of the
/// pack. With `hint`, others are told that there is work.
pub(super) async fn write(
    connection: &mut PgConnection,
    counter: &Counter,
    pack: &str,
    batches: &[Batch],
    hint: bool,
) -> Result<(i64, Option<String>), sqlx::Error> {
    let (mut parts, mut first) = (Vec::with_capacity(batches.len()), 1);
    for (number, batch) in batches.iter().enumerate() {
        parts.push(format!("b{number} AS ({})", batch.array_sql(first)));
        first += batch.columns.len();
    }
    let with = if parts.is_empty() { String::new() } else { format!("WITH {} ", parts.join(", ")) };
    let hint = if hint { ", pg_notify('fw_work', '')::text" } else { "" };
    let deployed = "(SELECT hash FROM fw_deployment WHERE pack = $1 ORDER BY number DESC LIMIT 1)";
    let mut statement = query(&format!("{with}SELECT pg_current_xact_id()::text::bigint, {deployed}{hint}"));
    statement = statement.bind(pack.to_owned());
    for batch in batches {
        for (place, (_, kind)) in batch.columns.iter().enumerate() {
            statement = bind_column(statement, *kind, batch.rows.iter().map(|row| &row[place]))?;
        }
    }
    counter.count();
    let row = statement.fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn bind(
    statement: Query<'static, Postgres, PgArguments>,
    param: &Bound,
) -> Result<Query<'static, Postgres, PgArguments>, sqlx::Error> {
    Ok(match param.clone() {
        Bound::Bool(value) => statement.bind(value),
        Bound::BigInt(value) => statement.bind(value),
        Bound::BigUnsigned(value) => {
            let value = value.map(i64::try_from).transpose();
            statement.bind(value.map_err(|error| sqlx::Error::Encode(error.into()))?)
        }
        Bound::String(value) => statement.bind(value),
        Bound::Uuid(value) => statement.bind(value),
        Bound::Decimal(value) => statement.bind(value),
        Bound::ChronoDate(value) => statement.bind(value),
        Bound::ChronoDateTimeUtc(value) => statement.bind(value),
        other => return Err(misplaced(&other)),
    })
}

/// A column of a batch as an array.
fn bind_column<'a>(
    statement: Query<'static, Postgres, PgArguments>,
    kind: ColumnKind,
    values: impl Iterator<Item = &'a Bound>,
) -> Result<Query<'static, Postgres, PgArguments>, sqlx::Error> {
    macro_rules! array {
        ($variant:ident, $ty:ty) => {{
            let values = values.map(|value| match value {
                Bound::$variant(value) => Ok(value.clone()),
                other => Err(misplaced(other)),
            });
            statement.bind(values.collect::<Result<Vec<Option<$ty>>, _>>()?)
        }};
    }
    Ok(match kind {
        ColumnKind::Text | ColumnKind::Json => array!(String, String),
        ColumnKind::Integer => array!(BigInt, i64),
        ColumnKind::Decimal(_) => array!(Decimal, Decimal),
        ColumnKind::Boolean => array!(Bool, bool),
        ColumnKind::Date => array!(ChronoDate, NaiveDate),
        ColumnKind::DateTime => array!(ChronoDateTimeUtc, DateTime<Utc>),
        ColumnKind::Id => array!(Uuid, Uuid),
    })
}

fn misplaced(value: &Bound) -> sqlx::Error {
    sqlx::Error::Encode(format!("{value:?} has no place in PostgreSQL").into())
}

fn decode_row(row: &PgRow, kinds: &[ColumnKind]) -> Result<Row, sqlx::Error> {
    kinds.iter().enumerate().map(|(index, kind)| decode(row, index, *kind)).collect()
}

fn decode(row: &PgRow, index: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
    macro_rules! read {
        ($ty:ty, $variant:ident) => {
            row.try_get::<Option<$ty>, _>(index)?.map(Value::$variant)
        };
    }
    let value = match kind {
        ColumnKind::Text => read!(String, Text),
        ColumnKind::Integer => read!(i64, Integer),
        ColumnKind::Decimal(_) => read!(Decimal, Decimal),
        ColumnKind::Boolean => read!(bool, Boolean),
        ColumnKind::Date => read!(NaiveDate, Date),
        ColumnKind::DateTime => read!(DateTime<Utc>, DateTime),
        ColumnKind::Id => read!(Uuid, Id),
        ColumnKind::Json => {
            let raw = row.try_get_raw(index)?;
            if raw.is_null() {
                None
            } else {
                // `json` is sent as its author's text, also in the binary format.
                Some(Value::Text(raw.as_str().map_err(sqlx::Error::Decode)?.to_owned()))
            }
        }
    };
    Ok(value.unwrap_or_default())
}
