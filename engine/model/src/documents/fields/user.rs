//! The field type `user`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A user.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct User {}
