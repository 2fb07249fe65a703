//! The metric type `percentile`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Exact, Formula, expression};
use crate::expr::Position;

/// The value that so many per cent of the values do not exceed, between two of them by their distance: the median of 1, 2,
/// 3, 4 is 2.5.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Percentile {
    /// How many per cent, 0 to 100; `"99.9"` where it is no whole number.
    pub percent: Exact,
    /// Of what.
    #[schemars(extend("x-formwork-expression" = expression("number", Position::Source)))]
    pub compute: Formula,
}
