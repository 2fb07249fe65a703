//! What crosses the executor boundary: partial aggregates, keyed by bucket and dimensions.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use formwork_model::Value;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::buckets::Buckets;
use crate::fault::Fault;
use crate::plan::{Plan, Policed};

/// Runs the branches of a policed plan over records.
pub trait Executor {
    /// Partial aggregates of every branch, in the plan's order.
    ///
    /// # Errors
    /// [`Fault`]: never a best effort.
    fn run(&self, plan: &Plan<Policed>, as_of: DateTime<Utc>, budget: &Budget) -> Result<Partials, Fault>;
}

/// What a run may use.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Most groups of a branch.
    pub groups_max: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { groups_max: 200_000 }
    }
}

/// The answer of an executor.
#[derive(Debug, Clone, PartialEq)]
pub struct Partials {
    /// The instant of the run.
    pub as_of: DateTime<Utc>,
    /// The change number the records hold, where the executor knows it.
    pub as_of_seq: Option<i64>,
    /// One per branch of the plan.
    pub branches: Vec<BranchPartials>,
}

/// The answer for one branch.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchPartials {
    /// The buckets the group keys count in.
    pub buckets: Buckets,
    /// A group exists if a row of the branch fell into it; one partial per aggregate of the branch.
    pub groups: BTreeMap<GroupKey, Vec<Partial>>,
}

/// A bucket and one key per dimension of the branch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// Index into the buckets.
    pub bucket: usize,
    /// In the order of the branch's keys.
    pub keys: Vec<DimensionKey>,
}

/// A partial aggregate. Numbers are integers of `10^-scale`, 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Partial {
    /// Σ of the non-null; the least or the greatest of them; the value below the rank of a percentile. 0 for counts.
    pub units: i128,
    /// For a percentile: the value above its rank.
    pub upper: i128,
    /// How many rows (count), different values (distinct count) or non-null values (all others).
    pub n: u64,
}

/// The value of a dimension. The order is the order of reports: ascending, null last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DimensionKey {
    /// A class between edges: 0 is below the first.
    Class(usize),
    /// False, true.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A decimal; equal numbers are one key, whatever their scale.
    Decimal(Decimal),
    /// A date.
    Date(NaiveDate),
    /// An instant.
    DateTime(DateTime<Utc>),
    /// Text, or the key of a choice or queue; by code point.
    Text(String),
    /// A record or user.
    Id(Uuid),
    /// No value.
    Null,
    /// Any value that is not among the first.
    Other,
}

impl DimensionKey {
    /// The key of a value; with edges, the class it falls into.
    ///
    /// # Errors
    /// [`Fault::Evaluation`] for rows, lists and durations: the checker admits none.
    pub fn of(value: &Value, edges: &[Decimal]) -> Result<Self, Fault> {
        let class = |number: Decimal| Self::Class(edges.partition_point(|edge| *edge <= number));
        Ok(match value {
            Value::Null => Self::Null,
            Value::Integer(number) if !edges.is_empty() => class(Decimal::from(*number)),
            Value::Decimal(number) if !edges.is_empty() => class(*number),
            Value::Boolean(flag) => Self::Boolean(*flag),
            Value::Integer(number) => Self::Integer(*number),
            Value::Decimal(number) => Self::Decimal(number.normalize()),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Date(date) => Self::Date(*date),
            Value::DateTime(at) => Self::DateTime(*at),
            Value::Id(id) => Self::Id(*id),
            Value::Duration(_) | Value::List(_) | Value::Rows(_) => {
                return Err(Fault::Evaluation("a dimension holds a value that is no key".to_owned()));
            }
        })
    }

    /// The text of a class between edges: `..1`, `1..3`, `30..`.
    pub fn class_text(class: usize, edges: &[Decimal]) -> String {
        let edge = |index: Option<usize>| {
            index.and_then(|index| edges.get(index)).map(|edge| edge.normalize().to_string()).unwrap_or_default()
        };
        format!("{}..{}", edge(class.checked_sub(1)), edge(Some(class)))
    }
}
