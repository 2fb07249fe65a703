//! The step `set`: assigns, nothing else.

use schemars::JsonSchema;
use serde::Deserialize;

/// Assigns; the key `set` is one every step may have.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["set", "next"]))]
pub struct Set {}
