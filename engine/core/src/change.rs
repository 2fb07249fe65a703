//! What a stimulus changes: everything one transaction writes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::Key;

use crate::clock::{Clock, RungReached, Segment};
use crate::instance::{Instance, Subscription, Task, TimerRow};
use crate::notice::Notice;
use crate::record::Record;
use crate::stimulus::Mark;
use crate::trace::Trace;

/// Everything one stimulus writes, set-wise. The store adds change-log rows for each record change by itself.
#[derive(Debug, Clone, Default)]
pub struct ChangeSet {
    /// Records, at most one entry per record.
    pub records: Vec<RecordChange>,
    /// Instances as they are now; new ones have revision 1.
    pub instances: Vec<Instance>,
    /// (workflow, key) → instance: inserted, a second insert is a conflict.
    pub start_keys: Vec<(Key, String, Uuid)>,
    /// Tasks as they are now.
    pub tasks: Vec<Task>,
    /// Timers armed.
    pub timers_set: Vec<TimerRow>,
    /// Timers disarmed or fired.
    pub timers_removed: Vec<Uuid>,
    /// Subscriptions made.
    pub subscriptions_set: Vec<Subscription>,
    /// Subscriptions that have ended.
    pub subscriptions_removed: Vec<Uuid>,
    /// (name, id, when) of messages taken in: a second one with the same id is none.
    pub messages: Vec<(Key, String, DateTime<Utc>)>,
    /// Suggestions that were accepted or dismissed: inserted, a second insert is a conflict.
    pub judgments: Vec<Judgment>,
    /// Whom it concerns; [`crate::decide()`] adds them.
    pub notices: Vec<Notice>,
    /// Messages to leave the house.
    pub outbox: Vec<OutboxMessage>,
    /// History.
    pub events: Vec<Event>,
    /// Incidents opened.
    pub incidents: Vec<Incident>,
    /// What those who watch cannot see in what is stored; [`crate::decide()`] adds it last.
    pub traces: Vec<Trace>,
    /// The row of a file that this was, where the import is kept.
    pub fed: Option<FedRow>,
    /// Clocks as they are now.
    pub clocks: Vec<Clock>,
    /// Segments of clocks that ended.
    pub clock_segments: Vec<Segment>,
    /// Rungs that were reached: inserted, a second insert is a conflict.
    pub rungs: Vec<RungReached>,
    /// What the caller is told.
    pub reply: Reply,
}

/// A change of one record.
#[derive(Debug, Clone)]
pub struct RecordChange {
    /// The form.
    pub form: Key,
    /// What was stored; none when it is created.
    pub before: Option<Record>,
    /// What is stored now; none when it is deleted.
    pub after: Option<Record>,
}

impl RecordChange {
    /// The record's id.
    ///
    /// # Panics
    /// When there is neither a before nor an after: a defect of the core.
    pub fn id(&self) -> Uuid {
        self.after.as_ref().or(self.before.as_ref()).expect("a change has a before or an after").id
    }
}

/// A row of a file that is done with: inserted, a second insert is a conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct FedRow {
    /// Where it stands.
    pub mark: Mark,
    /// `created updated unchanged undone`.
    pub outcome: &'static str,
    /// What it did.
    pub records: Vec<FedRecord>,
}

/// What a row of a file did to one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FedRecord {
    /// The form.
    pub form: Key,
    /// The record.
    pub id: Uuid,
    /// Its version afterwards.
    pub version: i64,
    /// What was done.
    pub outcome: Written,
    /// Of a changed record, the values it had before, as on the wire; none where they cannot be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Map<String, Json>>,
}

/// What somebody made of a suggestion.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    /// The record it is about.
    pub record: (Key, Uuid),
    /// The decision that suggested it.
    pub decision: Key,
    /// The rule that hit.
    pub rule: Key,
    /// Accepted, or else dismissed.
    pub is_accepted: bool,
    /// Who; none for the system.
    pub by: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A message stored in the transaction that caused it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    /// `instance:step:activation`: unique for ever, sent as `Idempotency-Key`.
    pub key: String,
    /// The pack whose channel it uses.
    pub pack: Key,
    /// The channel.
    pub channel: Key,
    /// The template it was made from.
    pub template: Key,
    /// Where to.
    pub to: String,
    /// First line of the template, if it is one.
    pub subject: Option<String>,
    /// The rendered text.
    pub body: String,
    /// The instance that sent it.
    pub instance: Uuid,
    /// The record it is about.
    pub record: Option<(Key, Uuid)>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// A row of the history, append-only.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// The record it belongs to.
    pub record: Option<(Key, Uuid)>,
    /// The instance it belongs to.
    pub instance: Option<Uuid>,
    /// `record.created updated deleted`, `instance.started completed cancelled withdrawn retried jumped staged`,
    /// `step.entered left cancelled`, `task.created claimed released transferred delegated resolved returned completed
    /// copied reminded cancelled`, `signature.skipped`, `clock.started paused resumed rebased rung
    /// met breached cancelled reopened`, `timer.fired`, `message.received stored skipped`, `comment`,
    /// `suggestion.accepted dismissed`, `incident.opened`.
    pub kind: String,
    /// The step and its activation.
    pub step: Option<(Key, u64)>,
    /// Who; none for the public and the system.
    pub actor: Option<Uuid>,
    /// `person`, `public` or `system`.
    pub actor_kind: String,
    /// Details. For record changes: `{"version", "diff": [RFC 6902 operations with "old" beside them]}`, paths are JSON
    /// pointers into the record as on the wire, unmasked; the projection filters them when they are read.
    pub data: Json,
}

/// Something an administrator must look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// The instance that stands still.
    pub instance: Uuid,
    /// The step.
    pub step: Key,
    /// `no_rule`, `script_failed`, `runaway`, `rule_broken` …
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What the caller is told once the change is durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Reply {
    /// Nothing to tell.
    #[default]
    Nothing,
    /// A record was created, changed or (for an upsert) found unchanged.
    Record {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// Its version now.
        version: i64,
        /// What was done.
        outcome: Written,
    },
    /// A row of a file went in, or was taken back: what it did to each record.
    Fed(Vec<FedRecord>),
    /// A record was deleted.
    Deleted,
    /// A task was acted on.
    Task {
        /// The task.
        id: Uuid,
        /// Its state now: `open`, `done`.
        state: &'static str,
    },
    /// An instance was started, or the key had started this one before.
    Instance(Uuid),
    /// A message was taken in: how many instances had waited for it; none where it had been taken in before.
    Message(Option<u32>),
    /// The stimulus came too late and changed nothing: its timer or activation was gone.
    Gone,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// There was none before.
    Created,
    /// It was changed.
    Updated,
    /// It held these values already.
    Unchanged,
}

impl ChangeSet {
    /// A clock as it is now: the last word on it.
    pub(crate) fn put_clock(&mut self, clock: Clock) {
        match self.clocks.iter_mut().find(|known| known.id == clock.id) {
            Some(known) => *known = clock,
            None => self.clocks.push(clock),
        }
    }

    /// An instance as it is now: the last word on it.
    pub(crate) fn put_instance(&mut self, instance: Instance) {
        match self.instances.iter_mut().find(|known| known.id == instance.id) {
            Some(known) => *known = instance,
            None => self.instances.push(instance),
        }
    }

    /// Adds what another decision of the same transaction writes; its reply is left aside.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.records.extend(other.records);
        for instance in other.instances {
            self.put_instance(instance);
        }
        self.start_keys.extend(other.start_keys);
        self.tasks.extend(other.tasks);
        self.timers_set.extend(other.timers_set);
        self.timers_removed.extend(other.timers_removed);
        self.subscriptions_set.extend(other.subscriptions_set);
        self.subscriptions_removed.extend(other.subscriptions_removed);
        self.messages.extend(other.messages);
        self.judgments.extend(other.judgments);
        self.outbox.extend(other.outbox);
        self.events.extend(other.events);
        self.incidents.extend(other.incidents);
        self.clock_segments.extend(other.clock_segments);
        self.rungs.extend(other.rungs);
        for clock in other.clocks {
            self.put_clock(clock);
        }
    }
}
