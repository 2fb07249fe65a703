//! The field type `datetime`.

use schemars::JsonSchema;
use serde::Deserialize;

/// An instant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Datetime {}
