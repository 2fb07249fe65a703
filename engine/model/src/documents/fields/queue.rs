//! The field type `queue`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A queue of the pack.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Queue {}
