//! The values of the expression language and of record fields.

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
}
