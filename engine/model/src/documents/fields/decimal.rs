//! The field type `decimal`: exact, with a fixed number of places.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::Exact;

/// An exact decimal.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decimal {
    /// Places after the point.
    #[schemars(range(max = 9))]
    pub scale: u8,
    /// Least value.
    pub min: Option<Exact>,
    /// Greatest value.
    pub max: Option<Exact>,
}
