//! `demo/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, Keyed, formulas};
use crate::expr::Position;

/// Generated records for demonstrations.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    /// Recipes run in this order, then by name.
    #[serde(default)]
    pub order: u32,
    /// The form.
    pub form: String,
    /// How many.
    #[schemars(range(max = 10_000_000))]
    pub count: u32,
    /// Seed of `rng`.
    pub seed: u64,
    /// Fields and their expressions over `i`, `rng(n)`, `ref('form', k)`, `as_of`.
    #[schemars(extend("additionalProperties" = formulas("the field's type", Position::Recipe)))]
    pub fields: Keyed<Formula>,
}
