//! The step `end`: ends this token.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::KEY_PATTERN;

/// Ends this token.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How the instance ended, for its history.
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub outcome: Option<String>,
}
