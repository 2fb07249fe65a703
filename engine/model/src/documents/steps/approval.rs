//! The step `approval`: a task for each signer, counted (会签, 或签).

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::user::{Assign, Due, Outcome, Return, VerbWord};
use crate::documents::common::{Given, Keyed, LevelWord, value_expression};
use crate::expr::Position;
use crate::text::Text;

/// A task for each signer; decided as soon as the signatures say so, the rest is cancelled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The signers.
    #[schemars(extend("minProperties" = 1))]
    pub who: Keyed<Assign>,
    /// `all` (会签, the default) or `any` (或签).
    #[serde(default)]
    pub mode: ModeWord,
    /// Whether the first rejection decides (the default); if not, all have to act.
    pub veto: Option<bool>,
    /// Levels inside the task by field, `#tag` or `*`.
    #[serde(default)]
    pub fields: IndexMap<String, LevelWord>,
    /// The two ways out.
    pub outcomes: Outcomes,
    /// How long it may take.
    pub due: Option<Due>,
    /// Said to the signers.
    pub instructions: Option<Text>,
    /// Four eyes: these people may not sign.
    #[serde(default)]
    #[schemars(extend("items" = serde_json::json!({"x-formwork-expression": value_expression("user", Position::Workflow)})))]
    pub not: Vec<Given>,
    /// Verbs beside `claim`, `release`, `complete` and `comment`; `transfer` where absent.
    pub verbs: Option<Vec<VerbWord>>,
    /// Where it may be returned to, with the verb `return`.
    #[serde(rename = "return")]
    pub return_to: Option<Return>,
}

/// How many signatures are needed.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ModeWord {
    /// Everybody's.
    #[default]
    All,
    /// One.
    Any,
}

/// The ways out of an approval.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// It was granted.
    pub approved: Outcome,
    /// It was not.
    pub rejected: Outcome,
}
