//! The metric type `ratio`: one aggregate over another.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// One aggregate over another; no value where the lower one is zero.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// Above.
    pub num: Part,
    /// Below.
    pub den: Part,
}

/// A side of a ratio.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What is aggregated.
    #[serde(rename = "type")]
    pub kind: PartKind,
    /// Only these rows.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Source)))]
    pub filter: Option<Formula>,
    /// Of what, for `sum`.
    #[schemars(extend("x-formwork-expression" = expression("number", Position::Source)))]
    pub compute: Option<Formula>,
}

/// Aggregates of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PartKind {
    /// Rows.
    Count,
    /// A sum.
    Sum,
}
