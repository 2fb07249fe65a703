//! The tile `text`: words.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::text::Text as Words;

/// Words.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The words.
    pub text: Words,
}
