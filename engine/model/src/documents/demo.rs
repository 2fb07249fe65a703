//! `demo/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, Keyed, expression, formulas};
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
    /// When the record is filed; at `as_of` where absent. What is still to come when the recipe runs is left out.
    #[schemars(extend("x-formwork-expression" = expression("datetime", Position::Recipe)))]
    pub at: Option<Formula>,
    /// Fields and their expressions over `i`, `rng(n)`, `pick(list, n)`, `ref('form', k)`, `ref('form', 'key')` and
    /// `as_of`, the midnight with which the day began; `now` is when the record is filed.
    #[schemars(extend("additionalProperties" = formulas("the field's type", Position::Recipe)))]
    pub fields: Keyed<Formula>,
    /// What people do with the tasks of the record afterwards, one after another.
    #[serde(default)]
    pub then: Keyed<Deed>,
}

/// What somebody does with a task of a generated record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// Whether it is done at all; where not, what stands behind it goes on.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Recipe)))]
    pub when: Option<Formula>,
    /// How long after what came before. From what is still to come when the recipe runs, nothing is done any more.
    #[schemars(extend("x-formwork-expression" = expression("duration", Position::Recipe)))]
    pub after: Formula,
    /// The demonstration's user of this role does it.
    pub by: String,
    /// The step whose task it is, of a workflow for the form.
    pub step: String,
    /// The way out; the task is only claimed where absent.
    pub outcome: Option<String>,
    /// Fields written on the way out, and their expressions.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = formulas("the field's type", Position::Recipe)))]
    pub fields: Keyed<Formula>,
}
