//! The field type `series`: a running number.

use schemars::JsonSchema;
use serde::Deserialize;

/// A running number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Fixed text and the parts `{yyyy} {MM} {dd} {seq:n}`.
    pub pattern: String,
    /// When counting starts again from 1.
    #[serde(default)]
    pub reset: Reset,
}

/// When a series starts again, in the pack's zone.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Reset {
    /// Never.
    #[default]
    Never,
    /// Each year.
    Year,
    /// Each month.
    Month,
    /// Each day.
    Day,
}
