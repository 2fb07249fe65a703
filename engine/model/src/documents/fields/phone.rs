//! The field type `phone`: a number, stored in E.164.

use schemars::JsonSchema;
use serde::Deserialize;

/// A phone number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// ISO 3166 region of numbers written without a country code.
    #[serde(default = "region_default")]
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub region: String,
}

fn region_default() -> String {
    "CN".to_owned()
}
