//! Values as columns, and back: numbers are scaled integers, instants are microseconds, dates are days, ids are 128-bit
//! integers. No float, no engine-side date or time type: the engine cannot apply rules of its own to them.

use chrono::{DateTime, NaiveDate, Utc};
use formwork_model::Value;
use formwork_model::expr::Type;
use formwork_report::{Fault, scale};
use polars::prelude::{
    BooleanChunked, Int32Chunked, Int64Chunked, Int128Chunked, IntoSeries, NewChunkedArray, PlSmallStr, Series,
    StringChunked,
};
use uuid::Uuid;

use crate::engine;

/// How the values of a column are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// True or false.
    Boolean,
    /// A number in 64 bits, scaled by ten to that power.
    Number(u8),
    /// Text.
    Text,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant,
    /// A UUID in 128 bits.
    Id,
}

impl Held {
    /// How values of a type are held; none for those that have no column: rows, lists, durations.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        Some(match ty {
            Type::Boolean => Held::Boolean,
            Type::Integer | Type::Money | Type::Decimal { .. } => Held::Number(scale::places_of_type(ty)),
            Type::Text | Type::Choice(_) | Type::Queue => Held::Text,
            Type::Date => Held::Date,
            Type::DateTime => Held::Instant,
            Type::Link(_) | Type::User => Held::Id,
            Type::Null | Type::Duration | Type::List(_) | Type::Rows(_) => return None,
        })
    }

    /// A column of these values.
    ///
    /// # Errors
    /// [`Fault::Engine`] for a value that is not of the type, [`Fault::Overflow`] for a number beyond 64 bits: the core
    /// stores neither.
    pub(crate) fn column<'a>(self, name: &str, values: impl Iterator<Item = &'a Value>) -> Result<Series, Fault> {
        let name = PlSmallStr::from(name);
        Ok(match self {
            Held::Boolean => BooleanChunked::from_iter_options(name, each(values, boolean)?.into_iter()).into_series(),
            Held::Number(places) => {
                let units = each(values, |value| narrow(value, places))?;
                Int64Chunked::from_iter_options(name, units.into_iter()).into_series()
            }
            Held::Text => {
                let texts = each(values, |value| value.as_text().map(Some).ok_or_else(|| misfit(value)))?;
                StringChunked::from_iter_options(name, texts.into_iter()).into_series()
            }
            Held::Date => Int32Chunked::from_iter_options(name, each(values, days)?.into_iter()).into_series(),
            Held::Instant => {
                Int64Chunked::from_iter_options(name, each(values, microseconds)?.into_iter()).into_series()
            }
            Held::Id => {
                let ids =
                    each(values, |value| value.as_id().map(|id| Some(id_units(id))).ok_or_else(|| misfit(value)))?;
                Int128Chunked::from_iter_options(name, ids.into_iter()).into_series()
            }
        })
    }

    /// The value at a place; `decimal` says whether a number is a decimal or an integer.
    ///
    /// # Errors
    /// [`Fault::Engine`] when the column is not held like this.
    pub(crate) fn value(self, column: &Series, at: usize, decimal: bool) -> Result<Value, Fault> {
        let found = match self {
            Held::Boolean => column.bool().map_err(engine)?.get(at).map(Value::Boolean),
            Held::Number(places) => match column.i64().map_err(engine)?.get(at) {
                Some(units) if decimal => {
                    let number = scale::decimal(i128::from(units), places).ok_or(Fault::Overflow)?;
                    Some(Value::Decimal(number.normalize()))
                }
                units => units.map(Value::Integer),
            },
            Held::Text => column.str().map_err(engine)?.get(at).map(|text| Value::Text(text.to_owned())),
            Held::Date => column.i32().map_err(engine)?.get(at).and_then(date_of_days).map(Value::Date),
            Held::Instant => {
                column.i64().map_err(engine)?.get(at).and_then(DateTime::from_timestamp_micros).map(Value::DateTime)
            }
            Held::Id => column.i128().map_err(engine)?.get(at).map(|units| Value::Id(id_of_units(units))),
        };
        Ok(found.unwrap_or_default())
    }
}

/// The 128 bits of an id as an integer.
pub(crate) fn id_units(id: Uuid) -> i128 {
    i128::from_be_bytes(*id.as_bytes())
}

/// The id of these 128 bits.
pub(crate) fn id_of_units(units: i128) -> Uuid {
    Uuid::from_bytes(units.to_be_bytes())
}

/// Days since 1970-01-01; the ends of the calendar stay in order.
pub(crate) fn days_of_date(date: NaiveDate) -> i32 {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
}

/// The date so many days after 1970-01-01.
pub(crate) fn date_of_days(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(days)))
}

/// Microseconds since 1970.
pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Converts each value that is not null.
fn each<'a, T>(
    values: impl Iterator<Item = &'a Value>,
    convert: impl Fn(&'a Value) -> Result<Option<T>, Fault>,
) -> Result<Vec<Option<T>>, Fault> {
    values.map(|value| if value.is_null() { Ok(None) } else { convert(value) }).collect()
}

fn boolean(value: &Value) -> Result<Option<bool>, Fault> {
    match value {
        Value::Boolean(flag) => Ok(Some(*flag)),
        other => Err(misfit(other)),
    }
}

fn narrow(value: &Value, places: u8) -> Result<Option<i64>, Fault> {
    let units = scale::units(value, places)?;
    units.map(|units| i64::try_from(units).map_err(|_| Fault::Overflow)).transpose()
}

fn days(value: &Value) -> Result<Option<i32>, Fault> {
    match value {
        Value::Date(date) => Ok(Some(days_of_date(*date))),
        other => Err(misfit(other)),
    }
}

fn microseconds(value: &Value) -> Result<Option<i64>, Fault> {
    value.as_datetime().map(|at| Some(micros(at))).ok_or_else(|| misfit(value))
}

fn misfit(value: &Value) -> Fault {
    let shape = match value {
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) | Value::Decimal(_) => "a number",
        Value::Text(_) => "text",
        Value::Date(_) | Value::DateTime(_) => "a time",
        Value::Id(_) => "an id",
        _ => "a compound value",
    };
    Fault::Engine(format!("{shape} stands in a column of another type"))
}
