//! A finished answer: what every renderer reads and none calculates.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use formwork_model::expr::Type;
use formwork_model::pack::analytics::{Format, Good, Grain, Visual};
use formwork_model::{Key, Text};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::cell::Cell;
use crate::number::Number;
use crate::partial::DimensionKey;

/// A finished answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Key of the metric or report.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// Columns that tell rows apart, in order.
    pub by: Vec<KeyColumn>,
    /// Columns of numbers, in order.
    pub metrics: Vec<NumberColumn>,
    /// The rows, sorted and limited.
    pub rows: Vec<Row>,
    /// The grand total, where the report has one: one cell per metric.
    pub total: Option<Vec<Cell>>,
    /// For a metric: the same range earlier.
    pub previous: Option<Comparison>,
    /// How many rows there were before the limit.
    pub row_count: usize,
    /// The range asked for, as text: `last 13 weeks`.
    pub range: String,
    /// How a report is drawn, where it has a picture.
    pub visual: Option<Visual>,
    /// Its first instant, where it has one.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after it, where it has one.
    pub to: Option<DateTime<Utc>>,
    /// The zone of filter, buckets and labels.
    pub zone: Tz,
    /// The instant of the run.
    pub as_of: DateTime<Utc>,
    /// The change number of the records, where known.
    pub as_of_seq: Option<i64>,
}

/// A column that tells rows apart.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyColumn {
    /// Its key in the report.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// What it holds.
    pub kind: KeyKind,
    /// Labels of choices and queues by key; empty for everything else.
    pub options: Vec<(Key, Text)>,
}

/// What a key column holds.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyKind {
    /// The start of a bucket, in local time.
    Time(Grain),
    /// A dimension of this type.
    Value(Type),
    /// Classes between these edges.
    Class(Vec<Decimal>),
}

/// A column of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberColumn {
    /// The metric.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// How it is written.
    pub format: Format,
    /// Which direction is good.
    pub good: Option<Good>,
    /// The viewer may not see it.
    pub hidden: bool,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// One per key column.
    pub keys: Vec<RowKey>,
    /// One per metric.
    pub cells: Vec<Cell>,
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// Local start of a bucket.
    Time(NaiveDateTime),
    /// Value of a dimension.
    Value(DimensionKey),
}

/// A number against the same number earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The cell of the range before.
    pub cell: Cell,
    /// Current less previous, where both are numbers.
    pub delta: Option<Number>,
    /// The difference over the previous value, where that is not zero.
    pub relative: Option<Number>,
    /// What the difference means.
    pub verdict: Verdict,
}

/// What a difference means, by the metric's `good`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// In the good direction.
    Better,
    /// In the other direction.
    Worse,
    /// No difference.
    Unchanged,
    /// A difference without a good direction, or nothing to compare.
    Neutral,
}

impl Verdict {
    /// The word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Unchanged => "unchanged",
            Verdict::Neutral => "neutral",
        }
    }

    pub(crate) fn of(delta: Option<Number>, good: Option<Good>) -> Self {
        let (Some(delta), good) = (delta, good) else { return Self::Neutral };
        match (delta.cmp(&Number::ZERO), good) {
            (Ordering::Equal, _) => Self::Unchanged,
            (_, None) => Self::Neutral,
            (Ordering::Greater, Some(Good::Up)) | (Ordering::Less, Some(Good::Down)) => Self::Better,
            _ => Self::Worse,
        }
    }
}

impl Table {
    /// Whether rows were cut off by the limit.
    pub fn truncated(&self) -> bool {
        self.row_count > self.rows.len()
    }

    /// The records its rows name, by form, so that the caller can look up their titles through the access projection.
    pub fn links(&self) -> Vec<(Key, Uuid)> {
        let mut links = Vec::new();
        for (index, column) in self.by.iter().enumerate() {
            let KeyKind::Value(Type::Link(form)) = &column.kind else { continue };
            for row in &self.rows {
                if let RowKey::Value(DimensionKey::Id(id)) = &row.keys[index] {
                    links.push((form.clone(), *id));
                }
            }
        }
        links.sort();
        links.dedup();
        links
    }
}
