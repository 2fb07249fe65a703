//! The tile `metric`: one number.

use schemars::JsonSchema;
use serde::Deserialize;

/// One number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The metric.
    pub metric: String,
}
