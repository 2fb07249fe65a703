//! The field type `text`: one line.

use schemars::JsonSchema;
use serde::Deserialize;

/// One line of text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Most code points.
    #[serde(default = "max_default")]
    #[schemars(range(min = 1, max = 4000))]
    pub max: u32,
    /// A regular expression the whole text must match.
    pub pattern: Option<String>,
}

fn max_default() -> u32 {
    140
}
