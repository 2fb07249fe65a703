//! Cases: a pack's own tests, every name in them resolved.

use super::workflow::Resume;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::Key;
use crate::value::Duration;

/// Values by field, as on the wire, but links and users are the names they have in the case.
pub type CaseValues = Map<String, Json>;

/// A test on a virtual clock.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its key.
    pub key: Key,
    /// The first instant.
    pub clock: DateTime<Utc>,
    /// The people, by name.
    pub users: IndexMap<Key, CaseUser>,
    /// The records that are there, in the order of the file.
    pub records: Vec<CaseRecord>,
    /// The steps.
    pub steps: Vec<CaseStep>,
}

/// A person.
#[derive(Debug, Clone)]
pub struct CaseUser {
    /// Roles.
    pub roles: Vec<Key>,
    /// Queues served.
    pub queues: Vec<Key>,
    /// The team they are a member of.
    pub team: Option<Key>,
    /// Teams they lead.
    pub leads: Vec<Key>,
}

/// A record that is there before the first step.
#[derive(Debug, Clone)]
pub struct CaseRecord {
    /// Its name in the case.
    pub name: Key,
    /// Its form.
    pub form: Key,
    /// Its values.
    pub values: CaseValues,
}

/// A step.
#[derive(Debug, Clone)]
pub struct CaseStep {
    /// Who acts and looks.
    pub actor: Actor,
    /// What they do, if anything.
    pub verb: Option<CaseVerb>,
    /// How that is refused; it must be done where absent.
    pub fails: Option<CaseFailure>,
    /// What holds afterwards.
    pub expect: CaseExpectation,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The engine itself.
    System,
    /// Anybody.
    Public,
    /// A person of the case.
    User(Key),
}

/// What a step does. Records are named.
#[derive(Debug, Clone)]
pub enum CaseVerb {
    /// Files a record.
    Create {
        /// The form.
        form: Key,
        /// Its values.
        values: CaseValues,
        /// Its name from then on.
        save: Option<Key>,
    },
    /// Changes a record.
    Update {
        /// The record.
        record: Key,
        /// A merge patch.
        values: CaseValues,
    },
    /// Deletes a record.
    Delete {
        /// The record.
        record: Key,
    },
    /// Reads a record.
    Read {
        /// The record.
        record: Key,
    },
    /// Lists records.
    List {
        /// The form.
        form: Key,
        /// Which of them, as written: it is checked again for the person who lists.
        filter: String,
    },
    /// Fills in a form.
    Evaluate {
        /// The form.
        form: Key,
        /// What was filled in.
        values: CaseValues,
    },
    /// Acts on the newest task of a step.
    Task {
        /// The record it is about.
        record: Key,
        /// The step that made it.
        step: Key,
        /// What is done.
        act: TaskAct,
    },
    /// Starts a workflow by hand.
    Start {
        /// The workflow.
        workflow: Key,
        /// The record it is to work on.
        record: Option<Key>,
    },
    /// Sends an event from outside.
    Message {
        /// Its name.
        name: Key,
        /// What tells the one waited for from others.
        key: String,
        /// The sender's id of it.
        id: Option<String>,
        /// What it carries.
        data: CaseValues,
    },
    /// Imports a file.
    Import {
        /// The import.
        import: Key,
        /// The text of the file.
        file: String,
    },
    /// Runs a schedule.
    Run {
        /// The workflow.
        workflow: Key,
        /// Its start.
        start: Key,
    },
    /// Moves the clock.
    Advance {
        /// By how much.
        by: Duration,
        /// The same as written.
        text: String,
    },
    /// Deploys the pack with some files changed.
    Deploy {
        /// Path → merge patch.
        patches: IndexMap<String, CaseValues>,
    },
    /// Stops the server without warning and starts it again.
    Crash,
}

/// What is done with a task.
#[derive(Debug, Clone)]
pub enum TaskAct {
    /// Taken from its pool.
    Claim,
    /// Put back.
    Release,
    /// Done.
    Complete {
        /// The way out.
        outcome: Key,
        /// Changes to the record.
        fields: CaseValues,
    },
    /// Given to a person.
    ToUser(Key),
    /// Given to a queue.
    ToQueue(Key),
    /// Lent to a person.
    Delegate(Key),
    /// Given back to its owner.
    Resolve(CaseValues),
    /// Sent back to an earlier step.
    Return {
        /// The step; the first allowed where absent.
        to: Option<Key>,
        /// How it goes on from there; the step's default where absent.
        resume: Option<Resume>,
        /// Why.
        reason: String,
    },
    /// People get a copy.
    Cc(Vec<Key>),
    /// Whoever is to do it is reminded.
    Remind,
    /// The instance is taken back by whoever started it.
    Withdraw,
    /// Something is said about it.
    Comment(String),
}

/// How a verb is refused.
#[derive(Debug, Clone)]
pub struct CaseFailure {
    /// The code of the rejection, or of the error at the place.
    pub code: String,
    /// A pointer into the values.
    pub at: Option<String>,
}

/// What holds after a step; nothing is expected where all is absent.
#[derive(Debug, Clone, Default)]
pub struct CaseExpectation {
    /// The record named, whose fields, task, messages and instance are meant; that of the verb where absent.
    pub record: Option<Key>,
    /// Fields and what the viewer sees in them; `null` where they see nothing.
    pub fields: CaseValues,
    /// States of fields while a form is filled in.
    pub states: IndexMap<Key, FieldState>,
    /// An open task.
    pub task: Option<ExpectedTask>,
    /// Exactly the messages stored since this was last asked.
    pub sent: Option<Vec<ExpectedMessage>>,
    /// The newest instance.
    pub instance: Option<ExpectedInstance>,
    /// A clock.
    pub clock: Option<ExpectedClock>,
    /// How many records a list found.
    pub count: Option<u64>,
    /// What an import did: `created`, `updated`, `skipped`, `rejected`.
    pub import: Vec<(&'static str, u64)>,
    /// A metric.
    pub metric: Option<ExpectedMetric>,
}

/// A clock; what is absent is not compared.
#[derive(Debug, Clone, Default)]
pub struct ExpectedClock {
    /// Which.
    pub sla: Key,
    /// Its state, or `missing`.
    pub state: Option<&'static str>,
    /// When it is due; null where it is not.
    pub due: Option<Json>,
    /// Open time consumed, in milliseconds.
    pub consumed_ms: Option<i64>,
    /// Time it stood still, in milliseconds.
    pub paused_ms: Option<i64>,
    /// Its cycle.
    pub cycle: Option<u32>,
    /// The rungs reached.
    pub rungs: Option<Vec<String>>,
}

/// The state of a field while a form is filled in; what is absent is not compared.
#[derive(Debug, Clone, Default)]
pub struct FieldState {
    /// Flags by their word on the wire: `visible`, `required`, `readonly`.
    pub flags: Vec<(&'static str, bool)>,
    /// The value shown.
    pub value: Option<Json>,
    /// Codes of its errors, all of them.
    pub errors: Option<Vec<String>>,
}

/// An open task.
#[derive(Debug, Clone)]
pub struct ExpectedTask {
    /// The step that made it.
    pub step: Key,
    /// The queue it waits in.
    pub queue: Option<Key>,
    /// The role it waits for.
    pub role: Option<Key>,
    /// The team it waits for.
    pub team: Option<Key>,
    /// Who has it.
    pub assignee: Option<Key>,
}

/// A message.
#[derive(Debug, Clone)]
pub struct ExpectedMessage {
    /// Its template.
    pub template: Key,
    /// Its channel.
    pub channel: Option<Key>,
    /// Its address.
    pub to: Option<String>,
    /// A part of its text.
    pub contains: Option<String>,
}

/// An instance.
#[derive(Debug, Clone)]
pub struct ExpectedInstance {
    /// `running`, `completed` or `failed`.
    pub status: &'static str,
    /// How it ended.
    pub outcome: Option<Key>,
}

/// A metric over all time.
#[derive(Debug, Clone)]
pub struct ExpectedMetric {
    /// Its key.
    pub metric: Key,
    /// Its value.
    pub value: Option<Json>,
    /// Its rows.
    pub n: Option<u64>,
}

impl CaseVerb {
    /// The word of the definition language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Read { .. } => "read",
            Self::List { .. } => "list",
            Self::Evaluate { .. } => "evaluate",
            Self::Task { .. } => "task",
            Self::Start { .. } => "start",
            Self::Message { .. } => "message",
            Self::Import { .. } => "import",
            Self::Run { .. } => "run",
            Self::Advance { .. } => "advance",
            Self::Deploy { .. } => "deploy",
            Self::Crash => "crash",
        }
    }

    /// The record it is about, where it has a name.
    pub fn record(&self) -> Option<&Key> {
        match self {
            Self::Create { save, .. } => save.as_ref(),
            Self::Update { record, .. }
            | Self::Delete { record }
            | Self::Read { record }
            | Self::Task { record, .. } => Some(record),
            Self::Start { record, .. } => record.as_ref(),
            _ => None,
        }
    }
}
