//! The metric type `count`: rows.

use schemars::JsonSchema;
use serde::Deserialize;

/// How many rows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {}
