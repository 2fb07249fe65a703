//! `decisions/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, Keyed, formulas};
use crate::expr::Position;
use crate::text::Text;

/// A decision table (DMN 1.4 §8.2).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Shown to people.
    pub label: Text,
    /// The form its inputs read.
    #[serde(rename = "for")]
    pub form: String,
    /// Which of the rules that match counts.
    pub hit: Hit,
    /// Inputs over the form, in the order of the cells.
    #[schemars(extend("minProperties" = 1, "additionalProperties" = formulas("any", Position::Input)))]
    pub inputs: Keyed<Formula>,
    /// Outputs, in the order of `then`: `form.field` or a type.
    #[schemars(extend("minProperties" = 1))]
    pub outputs: Keyed<String>,
    /// The rules.
    #[schemars(extend("minProperties" = 1))]
    pub rules: Keyed<DecisionRule>,
}

/// Which of the rules that match counts.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Hit {
    /// The first in the order of the file.
    First,
    /// At most one matches.
    Unique,
    /// All that match agree.
    Any,
    /// All that match count: for proposals (the tile `rules`), not for a step, which needs one answer.
    Collect,
}

/// A rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRule {
    /// One cell per input: `-`, literals, a comparison, an interval, or a condition over `?`.
    #[serde(rename = "if")]
    #[schemars(extend("items" = formulas("boolean", Position::Cell)))]
    pub cells: Vec<Formula>,
    /// One value per output.
    #[schemars(extend("items" = formulas("the output's type", Position::Output)))]
    pub then: Vec<Formula>,
}
