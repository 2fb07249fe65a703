//! Runs statements on a connection: binding, decoding, batches.

use rusqlite::ffi::ErrorCode;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, ToSql};
use rust_decimal::Decimal;
use uuid::Uuid;

use formwork_model::Value;

use crate::Fault;
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, date_of};
use crate::load::Load;
use crate::statement::{Action, Batch, Row, Select};

/// What SQLite says of a fault, however deep it lies.
pub(super) fn code(fault: &Fault) -> Option<ErrorCode> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(fault);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
            return error.sqlite_error_code();
        }
        cause = error.source();
    }
    None
}

/// Rows of a query; with `each`, of one run for each id.
pub(super) fn select(connection: &Connection, select: &Select) -> Result<Vec<Row>, Fault> {
    let at = |error: rusqlite::Error| Fault::of(format!("running `{}`", select.sql), error);
    let mut statement = connection.prepare_cached(&select.sql).map_err(at)?;
    let mut rows = Vec::new();
    match &select.each {
        None => collect(&mut statement, &select.params, select, &mut rows).map_err(at)?,
        Some(ids) => {
            let mut params = select.params.clone();
            params.push(Bound::BigInt(None));
            for id in ids {
                if let Some(last) = params.last_mut() {
                    *last = bind_id(Dialect::Sqlite, *id);
                }
                collect(&mut statement, &params, select, &mut rows).map_err(at)?;
            }
        }
    }
    Ok(rows)
}

/// Runs a load to its end.
pub(super) fn load(connection: &Connection, load: &mut Load) -> Result<(), Fault> {
    while let Some(query) = load.next()? {
        load.take(select(connection, &query)?)?;
    }
    Ok(())
}

/// Writes the rows of a batch, one after another, with one prepared statement. Every row of an update or delete must be
/// found: it was read in this transaction.
pub(super) fn batch(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&batch.row_sql())?;
    let order = batch.row_order();
    for row in &batch.rows {
        for (parameter, &place) in order.iter().enumerate() {
            statement.raw_bind_parameter(parameter + 1, BoundRef(&row[place]))?;
        }
        let touched = statement.raw_execute()?;
        // What nobody waits for any more may be gone: a timer that fired is ended again with its step.
        let is_gone = batch.action == Action::Delete && touched == 0;
        if touched != 1 && !is_gone {
            return Err(rusqlite::Error::StatementChangedRows(touched));
        }
    }
    Ok(())
}

/// Runs a statement without result.
pub(super) fn execute(connection: &Connection, sql: &str, params: &[Bound]) -> Result<usize, Fault> {
    let at = |error: rusqlite::Error| Fault::of(format!("running `{sql}`"), error);
    let mut statement = connection.prepare_cached(sql).map_err(at)?;
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, BoundRef(param)).map_err(at)?;
    }
    statement.raw_execute().map_err(at)
}

fn collect(
    statement: &mut Statement<'_>,
    params: &[Bound],
    select: &Select,
    rows: &mut Vec<Row>,
) -> rusqlite::Result<()> {
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, BoundRef(param))?;
    }
    let mut found = statement.raw_query();
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(select.kinds.len());
        for (index, kind) in select.kinds.iter().enumerate() {
            values.push(decode(*kind, row.get_ref(index)?).ok_or_else(|| {
                rusqlite::Error::InvalidColumnType(index, kind.word(), row.get_ref_unwrap(index).data_type())
            })?);
        }
        rows.push(values);
    }
    Ok(())
}

fn decode(kind: ColumnKind, stored: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, stored) {
        (_, ValueRef::Null) => Value::Null,
        (ColumnKind::Text | ColumnKind::Json, ValueRef::Text(bytes)) => {
            Value::Text(String::from_utf8(bytes.to_vec()).ok()?)
        }
        (ColumnKind::Integer, ValueRef::Integer(number)) => Value::Integer(number),
        (ColumnKind::Decimal(scale), ValueRef::Integer(units)) => Value::Decimal(Decimal::new(units, u32::from(scale))),
        (ColumnKind::Boolean, ValueRef::Integer(truth)) => Value::Boolean(truth != 0),
        (ColumnKind::Date, ValueRef::Integer(days)) => Value::Date(date_of(days)?),
        (ColumnKind::DateTime, ValueRef::Integer(micros)) => {
            Value::DateTime(chrono::DateTime::from_timestamp_micros(micros)?)
        }
        (ColumnKind::Id, ValueRef::Blob(bytes)) => Value::Id(Uuid::from_slice(bytes).ok()?),
        _ => return None,
    })
}

/// A bound value for rusqlite.
struct BoundRef<'a>(&'a Bound);

impl ToSql for BoundRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Bound::BigInt(Some(number)) => ToSqlOutput::Owned((*number).into()),
            Bound::BigUnsigned(Some(number)) => {
                let number =
                    i64::try_from(*number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                ToSqlOutput::Owned(number.into())
            }
            Bound::String(Some(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Bound::Bytes(Some(bytes)) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Bound::BigInt(None) | Bound::String(None) | Bound::Bytes(None) => ToSqlOutput::Borrowed(ValueRef::Null),
            other => {
                let message = format!("{other:?} has no place in SQLite");
                return Err(rusqlite::Error::ToSqlConversionFailure(message.into()));
            }
        })
    }
}
