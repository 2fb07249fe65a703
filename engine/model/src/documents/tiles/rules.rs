//! The tile `rules`: what a decision proposes for the board's record.

use schemars::JsonSchema;
use serde::Deserialize;

use super::form::{Presets, preset_schema};
use crate::documents::common::Keyed;
use crate::text::Text;

/// Next best actions: each rule of a decision that hits is shown as an action with its reason.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The decision; it is `for` the board's form.
    pub decision: String,
    /// What each rule of the decision stands for, by the rule's key.
    #[schemars(extend("minProperties" = 1))]
    pub actions: Keyed<Action>,
}

/// What to do where a rule hits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What to do.
    pub label: Text,
    /// Why.
    pub reason: Text,
    /// The form of the record to file for it, where there is something to file.
    pub form: Option<String>,
    /// Values the new record starts with.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = preset_schema()))]
    pub set: Presets,
}
