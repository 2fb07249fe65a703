//! Why a question has no answer.

use formwork_model::Key;

/// Why the reader gets no answer, and what would help. Shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The pack has no such metric or report.
    #[error("there is no {kind} `{key}`")]
    Unknown {
        /// `metric` or `report`.
        kind: &'static str,
        /// What was asked for.
        key: String,
    },
    /// The viewer may read none of the forms it is about.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The range leaves the calendar.
    #[error("the range is outside the calendar")]
    OutOfCalendar,
    /// More buckets than an answer may have.
    #[error("more than {} time buckets: choose a narrower range or a coarser grain", crate::buckets::BUCKETS_MAX)]
    TooManyBuckets,
    /// More cells than an answer may have.
    #[error("more than {0} rows: choose a narrower range or fewer keys")]
    TooManyGroups(usize),
    /// The records do not fit the memory set aside for the columnar copy.
    #[error("the records of {} do not fit the memory for reports", forms(.0))]
    TooLarge(Vec<Key>),
    /// A report may be broken down by one grain.
    #[error("`{0}` is a second grain: a report has one")]
    SecondGrain(Key),
    /// A dimension is not one of every metric's dataset.
    #[error("dataset `{dataset}` of metric `{metric}` has no dimension `{dimension}`")]
    NoDimension {
        /// The metric.
        metric: Key,
        /// Its dataset.
        dataset: Key,
        /// What the report is broken down by.
        dimension: Key,
    },
}

/// The viewer may read none of the forms the question is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("you may not read what this is about")]
pub struct Denied {
    /// The forms.
    pub forms: Vec<Key>,
}

/// Why an executor failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It has no copy of that form.
    #[error("form `{0}` is not loaded")]
    NotLoaded(Key),
    /// A number left 127 bits.
    #[error("a number is too large to be exact")]
    Overflow,
    /// An expression could not be evaluated on a row: a value no rule allowed for.
    #[error("an expression failed on a row: {0}")]
    Evaluation(String),
    /// The engine below failed.
    #[error("the columnar engine failed: {0}")]
    Engine(String),
    /// The store did not deliver.
    #[error("the records could not be read")]
    Feed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The question is too large.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

fn forms(keys: &[Key]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
