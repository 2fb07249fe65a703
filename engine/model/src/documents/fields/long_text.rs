//! The field type `long_text`: several lines.

use schemars::JsonSchema;
use serde::Deserialize;

/// Text of several lines.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongText {
    /// Most code points.
    #[serde(default = "max_default")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: u32,
}

fn max_default() -> u32 {
    10_000
}
