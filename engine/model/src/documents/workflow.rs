//! `workflows/<key>.json`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::common::{Formula, Keyed, expression};
use super::sla::Sla;
use super::steps::{Assignments, Step};
use crate::expr::Position;
use crate::text::Text;

/// A workflow: ways to begin, and steps.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// Shown to people.
    pub label: Text,
    /// The form its instances work on; absent for a job without a record.
    #[serde(rename = "for")]
    pub form: Option<String>,
    /// The few words of a public status page, in order; steps move along them.
    #[serde(default)]
    pub stages: Keyed<Text>,
    /// Instance variables.
    #[serde(default)]
    pub vars: Keyed<VarEntry>,
    /// The ways to begin.
    #[schemars(extend("minProperties" = 1))]
    pub start: Keyed<Start>,
    /// How whoever started it may take it back; not at all where absent.
    pub withdraw: Option<Withdraw>,
    /// Clocks that measure how long something may take.
    #[serde(default)]
    pub sla: Keyed<Sla>,
    /// The steps.
    #[schemars(extend("minProperties" = 1))]
    pub steps: Keyed<Step>,
}

/// How whoever started an instance may take it back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Up to when: `first_decision` (nobody has completed a task of it), `end`, or before a step was reached.
    pub until: Until,
    /// Assigned then.
    #[serde(default)]
    pub set: Assignments,
}

/// Up to when an instance may be taken back.
#[derive(Debug, Clone)]
pub enum Until {
    /// As long as nobody has completed a task of it.
    FirstDecision,
    /// As long as it runs.
    End,
    /// As long as this step was not reached.
    Before(String),
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            FirstDecision,
            End,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Word(Word),
            Step { before: String },
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Word(Word::FirstDecision) => Self::FirstDecision,
            Either::Word(Word::End) => Self::End,
            Either::Step { before } => Self::Before(before),
        })
    }
}

impl JsonSchema for Until {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Until".into()
    }

    // One schema for both forms: object keywords say nothing about strings, and the errors stay readable.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "`first_decision`, `end`, or `{\"before\": step}`.",
            "type": ["string", "object"],
            "if": {"type": "string"},
            "then": {"enum": ["first_decision", "end"]},
            "properties": {"before": {"description": "As long as this step was not reached.", "type": "string"}},
            "required": ["before"],
            "additionalProperties": false,
        })
    }
}

/// An instance variable.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VarEntry {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: VarType,
    /// Its first value.
    pub default: Option<serde_json::Value>,
}

/// Types of variables.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum VarType {
    Integer,
    Decimal,
    Text,
    Boolean,
    Datetime,
    Date,
    Money,
}

/// A way to begin: exactly one of `on`, `schedule` and `manual`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What happens to the record.
    pub on: Option<OnWord>,
    /// Only where this is true, with `on`.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Start)))]
    pub when: Option<Formula>,
    /// Five fields of a cron line, in the pack's zone.
    pub schedule: Option<String>,
    /// Once for each of these records, with `schedule`.
    pub each: Option<Each>,
    /// Who may start it by hand.
    #[schemars(length(min = 1))]
    pub manual: Option<Vec<String>>,
    /// One key starts at most one instance, ever.
    #[schemars(extend("x-formwork-expression" = expression("any", Position::Start)))]
    pub key: Option<Formula>,
    /// A step, or `end`.
    pub next: String,
}

/// What happens to the record.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnWord {
    /// It is created.
    Created,
}

/// The records a schedule runs over.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// Their form.
    pub form: String,
    /// Which of them: `it` is the record.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Each)))]
    pub filter: Option<Formula>,
}
