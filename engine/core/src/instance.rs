//! The state of running workflows: instances, tokens, tasks and timers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use formwork_model::{Key, Value};

/// One run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// UUIDv7.
    pub id: Uuid,
    /// The workflow's key.
    pub workflow: Key,
    /// Hash of the pack it is pinned to.
    pub pack_hash: String,
    /// The form and record it works on.
    pub record: Option<(Key, Uuid)>,
    /// Its start key: unique per workflow, for ever.
    pub key: String,
    /// Whether it still runs.
    pub status: InstanceStatus,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Who started it; none for the system and the public.
    pub started_by: Option<Uuid>,
    /// Counted from 1; each committed change adds one.
    pub revision: i64,
    /// Tokens, variables and what its steps left behind.
    pub state: State,
}

/// Whether an instance still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    /// It has a live token.
    Running,
    /// No live token is left.
    Completed,
    /// It waits for an administrator: an incident is open.
    Failed,
    /// Its record was deleted.
    Cancelled,
    /// Whoever started it took it back.
    Withdrawn,
}

/// The resumable part of an instance: its size depends on what is live, not on its history.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Number of this format.
    pub format: u8,
    /// Live tokens.
    pub tokens: Vec<Token>,
    /// Live blocks, by the activation of their fork: how many tokens have reached their end.
    pub blocks: BTreeMap<u64, u32>,
    /// The next activation number.
    pub next_activation: u64,
    /// Activations whose step is still to act: an incident stopped them. Retrying acts them.
    pub pending: Vec<u64>,
    /// Signatures of live approvals, by activation.
    pub rounds: BTreeMap<u64, Vec<Signature>>,
    /// Where returned tasks go once they are done, by the activation they were returned to.
    pub returns: BTreeMap<u64, WayBack>,
    /// The stage it is in, of those its workflow has.
    pub stage: Option<Key>,
    /// Whether its messages leave: an import may say no.
    pub notify: bool,
    /// Variables.
    pub vars: BTreeMap<Key, Value>,
    /// What `step.<id>.x` reads: the newest activation of each step.
    pub steps: BTreeMap<Key, StepState>,
}

/// A token on a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The visit it stands for: (instance, activation) identifies it on every wait and history row.
    pub activation: u64,
    /// The step.
    pub step: Key,
    /// The block it is in, by the activation of its fork; 0 outside of all blocks.
    pub block: u64,
}

/// Straight back to whoever returned a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayBack {
    /// Their step.
    pub step: Key,
    /// Of an approval: its signatures. Those given stay.
    pub round: Vec<Signature>,
    /// Where that step itself goes once it is done, if it was returned to.
    pub then: Option<Box<WayBack>>,
}

/// A signature of an approval, given or awaited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which of the signers.
    pub signer: Key,
    /// Their task; none where nobody could sign, and the approval goes on without.
    pub task: Option<Uuid>,
    /// Whether they approved; none while they are to decide.
    pub approved: Option<bool>,
}

/// What a step left behind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepState {
    /// How often it was entered.
    pub count: i64,
    /// When it was entered last.
    pub entered_at: Option<DateTime<Utc>>,
    /// When it was left last.
    pub left_at: Option<DateTime<Utc>>,
    /// The outcome, branch or event chosen last.
    pub outcome: Option<String>,
    /// Who completed it last.
    pub actor: Option<Uuid>,
    /// Declared outputs.
    pub outputs: BTreeMap<Key, Value>,
}

/// Work for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// UUIDv7.
    pub id: Uuid,
    /// The instance.
    pub instance: Uuid,
    /// Its workflow.
    pub workflow: Key,
    /// Hash of the pack the instance is pinned to.
    pub pack_hash: String,
    /// The activation it belongs to.
    pub activation: u64,
    /// The step.
    pub step: Key,
    /// The record worked on.
    pub record: Option<(Key, Uuid)>,
    /// Who may claim it.
    pub pool: Pool,
    /// Who holds it.
    pub assignee: Option<Uuid>,
    /// Who gets it back, while somebody else works on it.
    pub owner: Option<Uuid>,
    /// Whoever started the instance.
    pub starter: Option<Uuid>,
    /// Four eyes: who may not do it.
    pub barred: Vec<Uuid>,
    /// Of an approval: whose signature it is.
    pub signer: Option<Key>,
    /// Whether it still waits.
    pub status: TaskStatus,
    /// When it came up.
    pub created_at: DateTime<Utc>,
    /// When it should be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When and by whom it was closed.
    pub closed: Option<(DateTime<Utc>, Option<Uuid>)>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Who has a copy of it, and since when: they read what its holder reads, also after it closed.
    pub copies: Vec<(Uuid, DateTime<Utc>)>,
    /// Who reminded of it, and when last.
    pub reminders: Vec<(Uuid, DateTime<Utc>)>,
}

/// Who may claim a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Whoever serves the queue.
    Queue(Key),
    /// Whoever is a member of the team.
    Team(Key),
    /// Whoever has the role.
    Role(Key),
    /// Nobody else: it was given to a person.
    Person,
}

/// Whether a task still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It waits.
    Open,
    /// Somebody completed it.
    Done,
    /// Its step was left without it.
    Cancelled,
}

/// A message an instance waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Follows from what it is, as a timer's.
    pub id: Uuid,
    /// The instance.
    pub instance: Uuid,
    /// The pack its workflow is of.
    pub pack: Key,
    /// The activation it belongs to.
    pub activation: u64,
    /// The event of the step.
    pub event: Key,
    /// Name of the message.
    pub name: Key,
    /// What tells the one waited for from others.
    pub key: String,
}

/// A point in time an instance waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct TimerRow {
    /// UUIDv7.
    pub id: Uuid,
    /// The instance.
    pub instance: Uuid,
    /// The pack its workflow is of.
    pub pack: Key,
    /// The activation it belongs to.
    pub activation: u64,
    /// The event of the step.
    pub event: Key,
    /// When it fires.
    pub due_at: DateTime<Utc>,
}
