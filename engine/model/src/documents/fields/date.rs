//! The field type `date`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A civil date.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Date {}
