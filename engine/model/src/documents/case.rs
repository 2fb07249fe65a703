//! `cases/<key>.json`: tests on a virtual clock. What the names in them mean is checked in `compile/case`.

use super::steps::ResumeWord;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::common::{Formula, Keyed};

/// Values of a record by field. Links and users are the names they have in the case.
pub type Values = Map<String, Value>;

/// A test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is there before the first step.
    pub given: CaseGiven,
    /// The steps.
    #[schemars(length(min = 1))]
    pub steps: Vec<CaseStep>,
}

/// What is there before the first step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseGiven {
    /// The virtual clock: an RFC 3339 instant.
    pub clock: String,
    /// Users by name.
    #[serde(default)]
    pub users: Keyed<CaseUser>,
    /// Records by form and name; they set nothing off.
    #[serde(default)]
    pub records: IndexMap<String, Keyed<Values>>,
}

/// A user of the test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseUser {
    /// Roles.
    pub roles: Vec<String>,
    /// Queues served.
    pub queues: Vec<String>,
    /// The team they are a member of: there is one then.
    pub team: Option<String>,
    /// Teams they lead: they are there then.
    pub leads: Vec<String>,
}

/// A step: at most one verb, and what holds afterwards.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseStep {
    /// Who acts: a user of `given`, `public` or `system`; the system where absent.
    #[serde(rename = "as")]
    pub actor: Option<String>,
    /// Creates a record: form → values.
    #[schemars(extend("maxProperties" = 1, "minProperties" = 1))]
    pub create: Option<IndexMap<String, Values>>,
    /// Changes a record: name → values.
    #[schemars(extend("maxProperties" = 1, "minProperties" = 1))]
    pub update: Option<IndexMap<String, Values>>,
    /// Deletes a record by name.
    pub delete: Option<String>,
    /// Reads a record by name.
    pub read: Option<String>,
    /// Lists records: form → condition; `true` for all.
    #[schemars(extend("maxProperties" = 1, "minProperties" = 1))]
    pub list: Option<IndexMap<String, Formula>>,
    /// Fills in a form without filing it: form → values.
    #[schemars(extend("maxProperties" = 1, "minProperties" = 1))]
    pub evaluate: Option<IndexMap<String, Values>>,
    /// Acts on the newest task of a step.
    pub task: Option<CaseTask>,
    /// Starts a workflow by hand.
    pub start: Option<CaseStart>,
    /// Sends an event from outside.
    pub message: Option<CaseMessage>,
    /// Imports a file: import → the text of the file.
    #[schemars(extend("maxProperties" = 1, "minProperties" = 1))]
    pub import: Option<IndexMap<String, String>>,
    /// Runs a schedule now, whatever its next time.
    pub run: Option<CaseRun>,
    /// Moves the clock forward: an ISO 8601 duration.
    pub advance: Option<String>,
    /// Deploys the pack with some files changed: path → merge patch of its JSON (RFC 7396).
    #[schemars(extend("minProperties" = 1))]
    pub deploy: Option<IndexMap<String, Values>>,
    /// Stops the server without warning and starts it again.
    #[schemars(extend("const" = true))]
    pub crash: Option<bool>,
    /// The name of the record created.
    pub save: Option<String>,
    /// How the verb is refused.
    pub fails: Option<CaseFailure>,
    /// What holds afterwards.
    pub expect: Option<CaseExpectation>,
}

/// An act on a task.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseTask {
    /// What is done.
    pub verb: TaskWord,
    /// The record it is about, by name.
    pub of: String,
    /// The step that made it.
    pub step: String,
    /// The way out, with `complete`.
    pub outcome: Option<String>,
    /// Changes to the record, with `complete` and `resolve`.
    pub fields: Option<Values>,
    /// To whom, with `transfer` and `delegate`.
    pub user: Option<String>,
    /// To which queue, with `transfer`.
    pub queue: Option<String>,
    /// To which step, with `return`; the first allowed where absent.
    pub to: Option<String>,
    /// How it goes on from there, with `return`; the step's default where absent.
    pub resume: Option<ResumeWord>,
    /// Why, with `return`.
    pub reason: Option<String>,
    /// Who gets a copy, with `cc`.
    pub users: Option<Vec<String>>,
    /// What is said, with `comment`.
    pub text: Option<String>,
}

/// What is done with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum TaskWord {
    Claim,
    Release,
    Complete,
    Transfer,
    Delegate,
    Resolve,
    Return,
    Cc,
    Remind,
    Withdraw,
    Comment,
}

/// A start by hand.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseStart {
    /// The workflow.
    pub workflow: String,
    /// The record it is to work on, by name.
    pub of: Option<String>,
}

/// An event from outside.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseMessage {
    /// Its name, one of `messages` in `pack.json`.
    pub name: String,
    /// What tells the one waited for from others.
    pub key: String,
    /// The sender's id of it: the same id is taken in once.
    pub id: Option<String>,
    /// What it carries.
    #[serde(default)]
    pub data: Values,
}

/// A run of a schedule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseRun {
    /// The workflow.
    pub workflow: String,
    /// Its start.
    pub start: String,
}

/// How a verb is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFailure {
    /// The code of the rejection, or of the error at that place.
    pub code: String,
    /// A pointer into the values.
    pub at: Option<String>,
}

/// What holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct CaseExpectation {
    /// The record it is about, by name; that of the verb where absent.
    pub record: Option<String>,
    /// Its fields as the step's person sees them, `null` where they see none; with `evaluate`, the states of fields.
    #[schemars(extend("minProperties" = 1))]
    pub fields: Option<Values>,
    /// An open task of the record.
    pub task: Option<TaskExpectation>,
    /// Exactly the messages stored for the record (without one: for any) since this was last asked.
    pub sent: Option<Vec<SentExpectation>>,
    /// The newest instance of the record.
    pub instance: Option<InstanceExpectation>,
    /// A clock of the record: of the newest instance, in its newest cycle.
    pub clock: Option<String>,
    /// Its state: `none running paused met breached cancelled`.
    pub state: Option<ClockWord>,
    /// When it is due, as RFC 3339; `null` where it is not.
    #[serde(default, deserialize_with = "present")]
    pub due: Option<Value>,
    /// Open time consumed by now, as ISO 8601.
    pub consumed: Option<String>,
    /// Time it stood still, as ISO 8601.
    pub paused: Option<String>,
    /// Its cycle.
    pub cycle: Option<u32>,
    /// The rungs that were reached, in their order.
    pub rungs: Option<Vec<String>>,
    /// How many records `list` found.
    pub count: Option<u64>,
    /// What `import` did.
    pub import: Option<ImportExpectation>,
    /// A metric over all time.
    pub metric: Option<String>,
    /// Its value.
    #[serde(default, deserialize_with = "present")]
    pub value: Option<Value>,
    /// Its rows.
    pub n: Option<u64>,
}

/// An open task.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskExpectation {
    /// The step that made it.
    pub step: String,
    /// The queue it waits in.
    pub queue: Option<String>,
    /// The role it waits for.
    pub role: Option<String>,
    /// The team it waits for.
    pub team: Option<String>,
    /// Who has it.
    pub assignee: Option<String>,
}

/// A message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentExpectation {
    /// Its template.
    pub template: String,
    /// Its channel.
    pub channel: Option<String>,
    /// Its address.
    pub to: Option<String>,
    /// A part of its text.
    pub contains: Option<String>,
}

/// An instance.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceExpectation {
    /// Where it is.
    pub status: StatusWord,
    /// How it ended.
    pub outcome: Option<String>,
}

/// Where an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StatusWord {
    /// It waits.
    Running,
    /// It has ended.
    Completed,
    /// It stands still with an incident.
    Failed,
}

/// The state of a clock; `missing`: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum ClockWord {
    None,
    Running,
    Paused,
    Met,
    Breached,
    Cancelled,
    Missing,
}

impl ClockWord {
    /// The word itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Met => "met",
            Self::Breached => "breached",
            Self::Cancelled => "cancelled",
            Self::Missing => "missing",
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct ImportExpectation {
    /// Records created.
    pub created: Option<u64>,
    /// Records changed.
    pub updated: Option<u64>,
    /// Rows that changed nothing.
    pub skipped: Option<u64>,
    /// Rows refused.
    pub rejected: Option<u64>,
}

/// `null` is a value here: the key is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
