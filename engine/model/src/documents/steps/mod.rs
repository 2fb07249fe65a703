//! Steps of a workflow: the keys all kinds share, and the registry of kinds.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Entry, Given, registry};
use crate::text::Text;

registry! {
    /// The keys a step kind has of its own.
    StepOptions, "Step", {
        /// A task for a person.
        "user" => user::User,
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
        /// A pure script.
        "script" => script::Script,
        /// Ends this token.
        "end" => end::End,
    }
}

pub use user::{Assign, Outcome};
pub use wait::Event;

/// A step.
pub type Step = Entry<StepCommon, StepOptions>;

/// `set`: record fields or `vars.x` and their values.
pub type Assignments = IndexMap<String, Given>;

/// Keys of every step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepCommon {
    /// Shown to people; the key where absent.
    pub label: Option<Text>,
    /// Assigned when the step is left.
    #[serde(default)]
    pub set: Assignments,
    /// A step, or `end`.
    pub next: Option<String>,
}
