//! The tile `metric`: one number.

use schemars::JsonSchema;
use serde::Deserialize;

use super::report::Set;
use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// One number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The metric.
    pub metric: String,
    /// Only these records of its dataset's form.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Tile)))]
    pub filter: Option<Formula>,
    /// Parameters instead of the reader's.
    #[serde(default)]
    pub set: Set,
}
