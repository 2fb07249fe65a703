//! The field type `integer`: a whole number of 64 bits.

use schemars::JsonSchema;
use serde::Deserialize;

/// A whole number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integer {
    /// Least value.
    pub min: Option<i64>,
    /// Greatest value.
    pub max: Option<i64>,
}
