//! The step `choice`: the first true branch.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Next;
use crate::documents::common::{Formula, Keyed, expression};
use crate::expr::Position;

/// The first true branch in the order of the file; null is false.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The branches.
    #[schemars(extend("minProperties" = 1))]
    pub branches: Keyed<Branch>,
    /// Where it goes on where none is true.
    #[serde(rename = "else")]
    pub otherwise: Next,
}

/// A branch.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The condition.
    #[serde(rename = "if")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Workflow)))]
    pub condition: Formula,
    /// Where it goes on.
    pub next: Next,
}
