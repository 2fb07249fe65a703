//! `metrics/<key>.json`: the keys all metrics share, and the registry of types.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Entry, Formula, expression, registry};
use crate::expr::Position;
use crate::text::Text;

registry! {
    /// The keys a metric type has of its own.
    MetricOptions, "Metric", {
        /// How many rows.
        "count" => count::Count,
        /// A sum.
        "sum" => sum::Sum,
        /// A mean.
        "avg" => avg::Avg,
        /// The least.
        "min" => min::Min,
        /// The greatest.
        "max" => max::Max,
        /// Different values.
        "count_distinct" => count_distinct::CountDistinct,
        /// A value so many per cent are not above.
        "percentile" => percentile::Percentile,
        /// Other metrics, calculated with.
        "formula" => formula::Calculated,
        /// One aggregate over another.
        "ratio" => ratio::Ratio,
    }
}

pub use ratio::{Part, PartKind};

/// A number, defined once.
pub type Metric = Entry<MetricCommon, MetricOptions>;

/// Keys of every metric.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MetricCommon {
    /// Shown to people.
    pub label: Text,
    /// The dataset; of a formula those of its metrics.
    pub dataset: Option<String>,
    /// The time of the dataset; its default where absent.
    pub time: Option<String>,
    /// Only these rows.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Source)))]
    pub filter: Option<Formula>,
    /// How it is written: `integer`, `decimal:n`, `percent:n`, `money`, `duration` (of milliseconds).
    #[schemars(regex(pattern = r"^(integer|money|duration|(decimal|percent):[0-9])$"))]
    pub format: Option<String>,
    /// What an empty cell holds; `zero` for counts and sums where absent; a mean, an extreme or a percentile of nothing is
    /// never 0.
    pub empty: Option<Empty>,
    /// A number that rests on fewer rows or values is not told.
    #[schemars(range(min = 2))]
    pub min_rows: Option<u64>,
    /// Which direction is good; neutral where absent.
    pub good: Option<Good>,
}

/// What an empty cell holds.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Empty {
    /// 0.
    Zero,
    /// Nothing.
    None,
}

/// Which direction is good.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Good {
    /// More.
    Up,
    /// Less.
    Down,
}
