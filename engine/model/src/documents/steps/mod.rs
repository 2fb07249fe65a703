//! Steps of a workflow: the keys all kinds share, and the registry of kinds.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::common::{Entry, Given, Keyed, registry};
use crate::text::Text;

mod event;

registry! {
    /// The keys a step kind has of its own.
    StepOptions, "Step", {
        /// A task for a person.
        "user" => user::User,
        /// A task for each signer.
        "approval" => approval::Approval,
        /// The first true branch.
        "choice" => choice::Choice,
        /// A decision table.
        "decision" => decision::Decision,
        /// Assigns, nothing else.
        "set" => set::Set,
        /// A message.
        "notify" => notify::Notify,
        /// Waits for the first event.
        "wait" => wait::Wait,
        /// Branches that run at the same time, up to their join.
        "parallel" => parallel::Parallel,
        /// A pure script.
        "script" => script::Script,
        /// Ends this token.
        "end" => end::End,
    }
}

pub use approval::ModeWord;
pub use event::{CommentByWord, Event};
pub use parallel::Join;
pub use user::{Assign, Due, IfEmpty, Outcome, ResumeWord, Return, RoundWord, VerbWord};

/// A step.
pub type Step = Entry<StepCommon, StepOptions>;

/// A step, `end` (this token ends), `join` (it reaches the end of its block), or `{"leave": step}` (the block is
/// cancelled, the token goes on outside).
#[derive(Debug, Clone)]
pub enum Next {
    /// A step, `end` or `join`.
    Word(String),
    /// A step outside the block.
    Leave(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leave {
    /// A step outside the block.
    leave: String,
}

impl<'de> Deserialize<'de> for Next {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Word(String),
            Leave(Leave),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Word(word) => Self::Word(word),
            Either::Leave(Leave { leave }) => Self::Leave(leave),
        })
    }
}

impl JsonSchema for Next {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Next".into()
    }

    // One schema for both forms: object keywords say nothing about strings, and the errors stay readable.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Leave::json_schema(generator);
        schema.insert("type".to_owned(), serde_json::json!(["string", "object"]));
        schema.insert("description".to_owned(), "A step, `end`, `join`, or `{\"leave\": step}`.".into());
        schema
    }
}

/// `set`: record fields or `vars.x` and their values.
pub type Assignments = IndexMap<String, Given>;

/// Keys of every step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepCommon {
    /// Shown to people; the key where absent.
    pub label: Option<Text>,
    /// The stage the instance is in from when the step is entered.
    pub stage: Option<String>,
    /// Assigned when the step is left.
    #[serde(default)]
    pub set: Assignments,
    /// Where it goes on.
    pub next: Option<Next>,
    /// Events that may happen while the step waits.
    #[serde(default)]
    pub boundary: Keyed<Event>,
}
