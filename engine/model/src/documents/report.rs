//! `reports/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Exact, Keyed};
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
    /// Its picture, above the table.
    pub visual: Option<Visual>,
    /// Where its numbers lead to.
    pub drill: Option<Drill>,
}

/// Where the numbers of a report lead to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The records behind a number.
    pub open: DrillOpen,
}

/// The records behind a number: a view, narrowed to what the number counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillOpen {
    /// The form whose records every metric of the report counts.
    pub form: String,
    /// A view of it that leaves no record out.
    pub view: String,
}

/// A picture of a report: columns of its table as channels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Visual {
    /// How a number is drawn.
    pub mark: MarkWord,
    /// The key of `by` along the axis; of a pie its slices.
    pub x: String,
    /// The metrics drawn, in order.
    #[schemars(length(min = 1, max = 8))]
    pub y: Vec<String>,
    /// A second key of `by`: one colour each.
    pub color: Option<String>,
    /// A line across the picture, in the metric's own unit: `"0.9"` for 90 %.
    pub goal: Option<Exact>,
}

/// How a number is drawn.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum MarkWord {
    /// Points joined in order.
    Line,
    /// A line with what is below it filled.
    Area,
    /// Horizontal bars.
    Bar,
    /// Vertical bars.
    Column,
    /// Vertical bars, one upon the other: what adds up.
    Stacked,
    /// Columns for the first metric, lines over an axis of their own for the others.
    Combo,
    /// Shares of a whole.
    Pie,
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
    /// Only so many of its values: those of which the first metric, or that in `rank`, is greatest over the whole range.
    #[schemars(range(min = 1, max = 100))]
    pub top: Option<u32>,
    /// The metric of the report that ranks the values.
    pub rank: Option<String>,
    /// Whether all other values are one row, counted as one: its means and percentiles are those of all its rows.
    pub other: Option<bool>,
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
