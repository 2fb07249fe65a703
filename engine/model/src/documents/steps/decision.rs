//! The step `decision`: evaluates a decision table.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Next;

/// Evaluates a decision; its outputs are `step.<id>.<output>`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["decision", "next"]))]
pub struct Decision {
    /// The decision.
    pub decision: String,
    /// Where it goes on where no rule hits; an incident where absent.
    pub none: Option<Next>,
}
