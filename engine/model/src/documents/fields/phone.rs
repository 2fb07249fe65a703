//! The field type `phone`: a number, stored in E.164.

use schemars::JsonSchema;
use serde::Deserialize;

/// A phone number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// The region of numbers written without a country code; of all others the code must be written.
    #[serde(default)]
    pub region: Region,
}

/// Regions whose national numbers are understood, by ISO 3166.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub enum Region {
    /// China.
    #[default]
    Cn,
}
