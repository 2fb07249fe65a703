//! The tile `report`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A report.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The report.
    pub report: String,
    /// Parameters instead of the reader's.
    #[serde(default)]
    pub set: Set,
}

/// Parameters of a report.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Set {
    /// The range of time.
    pub range: Option<String>,
}
