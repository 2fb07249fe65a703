//! `reports/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::Keyed;
use crate::text::Text;

/// A question with a layout.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Shown to people.
    pub label: Text,
    /// What is measured.
    #[schemars(length(min = 1))]
    pub metrics: Vec<String>,
    /// What the reader may choose.
    #[serde(default)]
    pub params: Params,
    /// What it is broken down by, in order.
    #[serde(default)]
    pub by: Keyed<By>,
    /// Totals to add.
    #[serde(default)]
    pub totals: Vec<Total>,
    /// Columns to sort by, `-` in front for descending.
    #[serde(default)]
    pub sort: Vec<String>,
    /// Most rows; more are marked as truncated.
    #[schemars(range(min = 1, max = 100_000))]
    pub limit: Option<u32>,
}

/// What the reader may choose.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The range of time.
    pub range: Option<RangeParam>,
}

/// The range of time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeParam {
    /// Always `range`.
    #[serde(rename = "type")]
    pub kind: RangeWord,
    /// Where the reader chooses none: `last 13 weeks`.
    pub default: String,
}

/// The word `range`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RangeWord {
    /// A range of time.
    Range,
}

/// What a report is broken down by: a grain or a dimension.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// Buckets of the metrics' time.
    pub grain: Option<GrainWord>,
    /// A dimension of every metric's dataset.
    pub dimension: Option<String>,
}

/// Sizes of time buckets.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum GrainWord {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// A total.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Total {
    /// Over everything.
    Grand,
}
