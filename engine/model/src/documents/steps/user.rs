//! The step `user`: a task for a person.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::{Assignments, Next};
use crate::documents::common::{Given, Keyed, LevelWord};
use crate::text::Text;

/// A task for a person; waits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Who may do it: exactly one of the keys.
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
}

/// Who may do a task.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// Whoever serves this queue.
    pub queue: Option<Given>,
    /// Whoever has this role.
    pub role: Option<String>,
    /// This user.
    pub user: Option<Given>,
}

/// How long a task may take.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// An ISO 8601 duration.
    pub after: String,
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
