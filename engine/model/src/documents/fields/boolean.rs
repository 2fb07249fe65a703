//! The field type `boolean`.

use schemars::JsonSchema;
use serde::Deserialize;

/// True or false.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Boolean {}
