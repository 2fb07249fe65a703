//! The tile `report`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// A report.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The report.
    pub report: String,
    /// Only these records of its datasets' form.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Tile)))]
    pub filter: Option<Formula>,
    /// Parameters instead of the reader's.
    #[serde(default)]
    pub set: Set,
}

/// Parameters of a metric or a report.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Set {
    /// The range of time.
    pub range: Option<String>,
}
