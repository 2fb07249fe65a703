//! What differs between the two engines in SQL: types, how values are bound, and a handful of words.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use uuid::Uuid;

use formwork_model::Value;
use formwork_model::expr::Type;

/// A value as it is bound to a statement: it knows its SQL type even when it is null.
pub(crate) type Bound = sea_query::Value;

/// Largest magnitude of a stored decimal, in units of its last place, on both engines. Sums of nine such numbers still
/// fit 64 bits, so that SQLite's silent change to a float on overflow cannot happen in additions.
pub(crate) use formwork_model::expr::bounds::DECIMAL_UNITS_MAX;

/// The engine a statement is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ColumnKind {
    Text,
    Integer,
    /// Places after the point. SQLite holds units of the last place.
    Decimal(u8),
    Boolean,
    /// SQLite holds days since 1970-01-01.
    Date,
    /// SQLite holds microseconds since 1970-01-01T00:00Z.
    DateTime,
    /// 16 bytes.
    Id,
    /// A document, as its author wrote it (key order kept); system tables only.
    Json,
}

/// Why a value cannot be stored in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A number beyond what both engines hold exactly.
    OutOfRange,
    /// U+0000, which PostgreSQL cannot store.
    ControlCharacter,
    /// A value of another type: a defect of the core.
    WrongType,
}

impl ColumnKind {
    /// The kind of a field of that type; none for types that have no column.
    pub(crate) fn of_type(ty: &Type) -> Option<Self> {
        Some(match ty {
            Type::Text | Type::Choice(_) | Type::Queue => Self::Text,
            Type::Integer => Self::Integer,
            Type::Decimal { scale } => Self::Decimal(*scale),
            Type::Money => Self::Decimal(2),
            Type::Boolean => Self::Boolean,
            Type::Date => Self::Date,
            Type::DateTime => Self::DateTime,
            Type::Link(_) | Type::User => Self::Id,
            Type::Null | Type::Duration | Type::List(_) | Type::Rows(_) => return None,
        })
    }

    /// The word in the catalogue: `text`, `decimal:2`.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Decimal(scale) => format!("decimal:{scale}"),
            Self::Text => "text".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Date => "date".to_owned(),
            Self::DateTime => "datetime".to_owned(),
            Self::Id => "id".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }

    /// The kind of that catalogue word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "text" => Self::Text,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "id" => Self::Id,
            "json" => Self::Json,
            _ => Self::Decimal(word.strip_prefix("decimal:")?.parse().ok()?),
        })
    }

    /// The column type of `CREATE TABLE`.
    pub(crate) fn sql_type(self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => match self {
                Self::Text | Self::Json => "TEXT",
                Self::Id => "BLOB",
                _ => "INTEGER",
            }
            .to_owned(),
            Dialect::Postgres => match self {
                Self::Text => r#"text COLLATE "C""#.to_owned(),
                Self::Decimal(scale) => format!("numeric(38,{scale})"),
                _ => self.cast_type().to_owned(),
            },
        }
    }

    /// The PostgreSQL type without its limits, for casts and arrays.
    pub(crate) fn cast_type(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "bigint",
            Self::Decimal(_) => "numeric",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "timestamptz",
            Self::Id => "uuid",
            Self::Json => "json",
        }
    }

    /// The value as it is bound for a column of this kind.
    pub(crate) fn bind(self, dialect: Dialect, value: &Value) -> Result<Bound, Unfit> {
        Ok(match (self, value) {
            (_, Value::Null) => self.null(dialect),
            (Self::Text | Self::Json, Value::Text(text)) if text.contains('\0') => return Err(Unfit::ControlCharacter),
            (Self::Text | Self::Json, Value::Text(text)) => Bound::String(Some(text.clone())),
            (Self::Integer, Value::Integer(number)) => Bound::BigInt(Some(*number)),
            (Self::Decimal(scale), Value::Decimal(number)) => bind_decimal(dialect, *number, scale)?,
            (Self::Decimal(scale), Value::Integer(number)) => bind_decimal(dialect, Decimal::from(*number), scale)?,
            (Self::Boolean, Value::Boolean(truth)) => match dialect {
                Dialect::Sqlite => Bound::BigInt(Some(i64::from(*truth))),
                Dialect::Postgres => Bound::Bool(Some(*truth)),
            },
            (Self::Date, Value::Date(date)) => match dialect {
                Dialect::Sqlite => Bound::BigInt(Some(days_of(*date))),
                Dialect::Postgres => Bound::ChronoDate(Some(*date)),
            },
            (Self::DateTime, Value::DateTime(at)) => bind_instant(dialect, *at),
            (Self::Id, Value::Id(id)) => bind_id(dialect, *id),
            _ => return Err(Unfit::WrongType),
        })
    }

    /// Null, with the type of the column.
    pub(crate) fn null(self, dialect: Dialect) -> Bound {
        match (dialect, self) {
            (_, Self::Text | Self::Json) => Bound::String(None),
            (Dialect::Sqlite, Self::Id) => Bound::Bytes(None),
            (Dialect::Sqlite, _) | (_, Self::Integer) => Bound::BigInt(None),
            (Dialect::Postgres, Self::Decimal(_)) => Bound::Decimal(None),
            (Dialect::Postgres, Self::Boolean) => Bound::Bool(None),
            (Dialect::Postgres, Self::Date) => Bound::ChronoDate(None),
            (Dialect::Postgres, Self::DateTime) => Bound::ChronoDateTimeUtc(None),
            (Dialect::Postgres, Self::Id) => Bound::Uuid(None),
        }
    }
}

/// An id as it is bound.
pub(crate) fn bind_id(dialect: Dialect, id: Uuid) -> Bound {
    match dialect {
        Dialect::Sqlite => Bound::Bytes(Some(id.as_bytes().to_vec())),
        Dialect::Postgres => Bound::Uuid(Some(id)),
    }
}

/// An instant as it is bound; both engines keep microseconds.
pub(crate) fn bind_instant(dialect: Dialect, at: DateTime<Utc>) -> Bound {
    match dialect {
        Dialect::Sqlite => Bound::BigInt(Some(at.timestamp_micros())),
        Dialect::Postgres => Bound::ChronoDateTimeUtc(Some(at)),
    }
}

/// Days since 1970-01-01.
pub(crate) fn days_of(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// The date that many days after 1970-01-01, if chrono knows it.
pub(crate) fn date_of(days: i64) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(chrono::TimeDelta::try_days(days)?)
}

/// The number in units of its last place; half a unit rounds away from zero, so that reversals mirror.
pub(crate) fn units_of(number: Decimal, scale: u8) -> Result<i64, Unfit> {
    let mut rounded = number.round_dp_with_strategy(u32::from(scale), RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(u32::from(scale));
    let units = rounded.mantissa();
    let exact = rounded.scale() == u32::from(scale) && units.abs() <= DECIMAL_UNITS_MAX;
    if exact { i64::try_from(units).map_err(|_| Unfit::OutOfRange) } else { Err(Unfit::OutOfRange) }
}

fn bind_decimal(dialect: Dialect, number: Decimal, scale: u8) -> Result<Bound, Unfit> {
    let units = units_of(number, scale)?;
    Ok(match dialect {
        Dialect::Sqlite => Bound::BigInt(Some(units)),
        Dialect::Postgres => Bound::Decimal(Some(Decimal::new(units, u32::from(scale)))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_half_away_from_zero_and_are_bounded() {
        let cases = [
            ("1.005", 2, Ok(101)),
            ("-1.005", 2, Ok(-101)),
            ("7", 0, Ok(7)),
            ("0.1", 9, Ok(100_000_000)),
            ("10000000000000000.00", 2, Ok(1_000_000_000_000_000_000)),
            ("10000000000000000.01", 2, Err(Unfit::OutOfRange)),
            ("79228162514264337593543950335", 9, Err(Unfit::OutOfRange)),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(units_of(text.parse().unwrap(), scale), expected, "{text} at scale {scale}");
        }
    }

    #[test]
    fn dates_count_from_the_epoch_in_both_directions() {
        for (text, days) in [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("0001-01-01", -719_162)] {
            let date: NaiveDate = text.parse().unwrap();
            assert_eq!(days_of(date), days, "{text}");
            assert_eq!(date_of(days), Some(date), "{text}");
        }
        assert_eq!(date_of(i64::MAX), None);
    }

    #[test]
    fn kinds_have_words_that_read_back() {
        for kind in [ColumnKind::Text, ColumnKind::Decimal(9), ColumnKind::DateTime, ColumnKind::Id, ColumnKind::Json] {
            assert_eq!(ColumnKind::of_word(&kind.word()), Some(kind));
        }
        assert_eq!(ColumnKind::of_word("decimal:x"), None);
    }
}
