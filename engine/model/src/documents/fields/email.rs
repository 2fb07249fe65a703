//! The field type `email`.

use schemars::JsonSchema;
use serde::Deserialize;

/// An e-mail address, kept in lower case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Email {}
