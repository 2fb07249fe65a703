//! The values of the expression language and of record fields.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One value. What a field may hold is said by its [`crate::expr::Type`]; the value itself carries no type beyond its shape.
///
/// Choices and queues are [`Value::Text`] (their key), links and users are [`Value::Id`], money is [`Value::Decimal`] in
/// major units with the currency known from the field. There is no float: numbers are exact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "t", content = "v", rename_all = "snake_case")]
pub enum Value {
    /// No value. Every field may be null.
    #[default]
    Null,
    /// True or false.
    Boolean(bool),
    /// A checked 64-bit integer.
    Integer(i64),
    /// An exact decimal; also money.
    Decimal(Decimal),
    /// Text, or the key of a choice or a queue.
    Text(String),
    /// A civil date.
    Date(NaiveDate),
    /// An instant, microsecond precision.
    DateTime(DateTime<Utc>),
    /// Months, days and milliseconds, kept apart.
    Duration(Duration),
    /// The id of a record or of a user.
    Id(Uuid),
    /// A list of scalars.
    List(Vec<Value>),
    /// The rows of a child table, in order.
    Rows(Vec<Row>),
}

/// A row of a child table: its values stand in the order of the child table's fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Stable id of the row; patches address rows by it.
    pub id: Uuid,
    /// One value per field of the child table.
    pub values: Vec<Value>,
}

impl Value {
    /// Whether this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether this is true: a condition that is null counts as false.
    pub fn is_true(&self) -> bool {
        matches!(self, Value::Boolean(true))
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The id, if this is a link or a user.
    pub fn as_id(&self) -> Option<Uuid> {
        match self {
            Value::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// The instant, if this is one.
    pub fn as_datetime(&self) -> Option<DateTime<Utc>> {
        match self {
            Value::DateTime(at) => Some(*at),
            _ => None,
        }
    }

    /// `a == b` of the language: null-safe, numbers by value, durations by length.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Duration(_), Value::Duration(_)) | (Value::Integer(_) | Value::Decimal(_), _) => {
                self.order(other).is_some_and(Ordering::is_eq)
            }
            _ => self == other,
        }
    }

    /// Which comes first, as `<` and its like see it: numbers by value, texts by code point, times, durations by length.
    /// None for null and for what has no order.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
            (Value::Integer(a), Value::Decimal(b)) => Decimal::from(*a).cmp(b),
            (Value::Decimal(a), Value::Integer(b)) => a.cmp(&Decimal::from(*b)),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
            (Value::Duration(a), Value::Duration(b)) => a.length().cmp(&b.length()),
            _ => return None,
        })
    }

    /// The rows of a child table; none for every other value.
    pub fn rows(&self) -> &[Row] {
        match self {
            Value::Rows(rows) => rows,
            _ => &[],
        }
    }
}

/// A duration as ISO 8601 means it: `P1D` is a civil day, `PT24H` is 24 elapsed hours, and the two are not equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Duration {
    /// Civil months (years are twelve).
    pub months: i32,
    /// Civil days (weeks are seven).
    pub days: i32,
    /// Elapsed milliseconds.
    pub milliseconds: i64,
}

impl Duration {
    /// A duration of elapsed milliseconds only.
    pub const fn of_milliseconds(milliseconds: i64) -> Self {
        Self { months: 0, days: 0, milliseconds }
    }

    /// In milliseconds. A day counts as 24 hours and a month as 30 days, as in the databases.
    pub fn length(&self) -> i128 {
        const DAY: i128 = 24 * 60 * 60 * 1_000;
        const MONTH: i128 = 30 * DAY;
        i128::from(self.months) * MONTH + i128::from(self.days) * DAY + i128::from(self.milliseconds)
    }
}
