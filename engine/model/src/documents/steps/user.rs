//! The step `user`: a task for a person, and the keys it shares with `approval`.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::{Assignments, Next};
use crate::documents::common::{Given, Keyed, LevelWord, value_expression};
use crate::expr::Position;
use crate::text::Text;

/// A task for a person; waits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Who may do it.
    pub assign: Assign,
    /// Levels inside the task by field, `#tag` or `*`.
    #[serde(default)]
    pub fields: IndexMap<String, LevelWord>,
    /// The ways out.
    #[schemars(extend("minProperties" = 1))]
    pub outcomes: Keyed<Outcome>,
    /// How long it may take.
    pub due: Option<Due>,
    /// Said to the person.
    pub instructions: Option<Text>,
    /// Four eyes: these people may not do it.
    #[serde(default)]
    #[schemars(extend("items" = serde_json::json!({"x-formwork-expression": value_expression("user", Position::Workflow)})))]
    pub not: Vec<Given>,
    /// Verbs beside `claim`, `release`, `complete`, `comment` and `remind`; `transfer` and `cc` where absent.
    pub verbs: Option<Vec<VerbWord>>,
    /// Where it may be returned to, with the verb `return`.
    #[serde(rename = "return")]
    pub return_to: Option<Return>,
}

/// A verb that a step may have or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum VerbWord {
    /// Give it to a person or a queue, for good.
    Transfer,
    /// Ask a person to work on it; it comes back.
    Delegate,
    /// Send it back to an earlier step.
    Return,
    /// Give people a copy of it, to read.
    Cc,
}

/// Where a task may be returned to, and how it goes on from there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// Earlier steps.
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
    /// How it may go on; `rerun` where absent. With both, whoever returns it chooses, and the first is the default.
    #[schemars(length(min = 1))]
    pub resume: Option<Vec<ResumeWord>>,
}

/// How a returned task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ResumeWord {
    /// All between runs again; earlier signatures are void.
    Rerun,
    /// After the step it was returned to, straight back to who returned it; signatures given stay.
    BackToMe,
}

/// Who may do a task: exactly one of `queue`, `role`, `team` and `user`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// Whoever serves this queue.
    pub queue: Option<Given>,
    /// Whoever has this role.
    pub role: Option<String>,
    /// Whoever is a member of this team. Teams are looked after by administrators: where there is none of this key, it is
    /// nobody.
    #[schemars(extend("x-formwork-expression" = value_expression("text", Position::Workflow)))]
    pub team: Option<Given>,
    /// This user.
    #[schemars(extend("x-formwork-expression" = value_expression("user", Position::Workflow)))]
    pub user: Option<Given>,
    /// Where that is nobody: `incident` (the default), `skip` (of an approval: it counts as approved), or who else.
    #[serde(rename = "ifEmpty")]
    pub if_empty: Option<IfEmpty>,
}

/// What happens where a task would be nobody's.
#[derive(Debug, Clone)]
pub enum IfEmpty {
    /// An administrator looks at it.
    Incident,
    /// It counts as approved.
    Skip,
    /// Somebody else.
    Assign(Box<Assign>),
}

impl<'de> Deserialize<'de> for IfEmpty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            Incident,
            Skip,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Word(Word),
            Assign(Box<Assign>),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Word(Word::Incident) => Self::Incident,
            Either::Word(Word::Skip) => Self::Skip,
            Either::Assign(assign) => Self::Assign(assign),
        })
    }
}

impl JsonSchema for IfEmpty {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IfEmpty".into()
    }

    // One schema for both forms: object keywords say nothing about strings, and the errors stay readable.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let assign = generator.subschema_for::<Assign>();
        let mut schema = schemars::json_schema!({"type": ["string", "object"], "pattern": "^(incident|skip)$"});
        schema.insert("if".to_owned(), serde_json::json!({"type": "object"}));
        schema.insert("then".to_owned(), assign.to_value());
        schema.insert("description".to_owned(), "`incident`, `skip`, or who else may do it.".into());
        schema
    }
}

/// How long a task may take.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// An ISO 8601 duration.
    pub after: String,
    /// In open hours and working days of this calendar.
    pub calendar: Option<String>,
    /// With a calendar: `day_end` counts whole days, up to the end of the last.
    pub round: Option<RoundWord>,
}

/// How days of a calendar are counted.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RoundWord {
    /// Whole days after that of the start, up to the end of the last.
    DayEnd,
}

/// A way out of a task; a bare string is short for `{"next": …}`.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// On the button; the key where absent.
    pub label: Option<Text>,
    /// Fields that must hold a value.
    pub required: Vec<String>,
    /// Assigned on the way out.
    pub set: Assignments,
    /// Where it goes on.
    pub next: Next,
    /// Asked before.
    pub confirm: Option<Text>,
}

/// The long form of an outcome.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongOutcome {
    /// On the button; the key where absent.
    label: Option<Text>,
    /// Fields that must hold a value.
    #[serde(default)]
    required: Vec<String>,
    /// Assigned on the way out.
    #[serde(default)]
    set: Assignments,
    /// Where it goes on.
    next: Next,
    /// Asked before.
    confirm: Option<Text>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ShortOrLong {
    Short(String),
    Long(LongOutcome),
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match ShortOrLong::deserialize(deserializer)? {
            ShortOrLong::Short(word) => {
                let next = Next::Word(word);
                Self { label: None, required: Vec::new(), set: Assignments::new(), next, confirm: None }
            }
            ShortOrLong::Long(LongOutcome { label, required, set, next, confirm }) => {
                Self { label, required, set, next, confirm }
            }
        })
    }
}

impl JsonSchema for Outcome {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Outcome".into()
    }

    // One schema for both forms: object keywords say nothing about strings, and the errors stay readable.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = LongOutcome::json_schema(generator);
        schema.insert("type".to_owned(), serde_json::json!(["string", "object"]));
        schema
    }
}
