//! The field type `money`: an amount in the pack's currency, two places.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::Exact;

/// An amount in the pack's currency.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Least value.
    pub min: Option<Exact>,
    /// Greatest value.
    pub max: Option<Exact>,
}
