//! What happens to the engine: one stimulus is one database transaction.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::workflow::Resume;

use crate::change::FedRecord;
use crate::viewer::Viewer;

/// One thing that happens, with everything that would otherwise be read from the world: time and randomness.
#[derive(Debug, Clone)]
pub struct Stimulus {
    /// Now.
    pub at: DateTime<Utc>,
    /// Seed of the ids made while deciding.
    pub seed: u64,
    /// Who acts.
    pub actor: Viewer,
    /// What they do.
    pub act: Act,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum Act {
    /// Look after the clocks of a record: their calendar is another one now. Only the system does.
    Clocks {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
    },
    /// File a record.
    Create {
        /// The form.
        form: Key,
        /// Values by field, as on the wire.
        values: Map<String, Json>,
        /// What it sets off.
        effects: Effects,
    },
    /// Change a record.
    Update {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// The version the caller read; none to change whatever is there.
        expected_version: Option<i64>,
        /// RFC 7396 merge patch; child rows are matched by `id`.
        patch: Map<String, Json>,
    },
    /// Delete a record.
    Delete {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// The version the caller read.
        expected_version: Option<i64>,
    },
    /// Take the last change of a record back: its fields as they were before, or the whole record where it was deleted.
    Undo {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// The version that is taken back: the record's own, or the one it was deleted at.
        expected_version: Option<i64>,
    },
    /// Create a record, or update the one whose unique fields hold the same values (imports, seed rows).
    Upsert {
        /// The form.
        form: Key,
        /// Positions of the fields that find the record.
        by: Vec<usize>,
        /// Values by field, as on the wire.
        values: Map<String, Json>,
        /// What creating sets off.
        effects: Effects,
    },
    /// Feed one row of a file to one or more forms: all of it, or nothing (imports).
    Feed {
        /// What the row says of each form, in this order.
        entries: Vec<Feeding>,
        /// What creating sets off.
        effects: Effects,
        /// Where it stands in an import that is kept.
        mark: Option<Mark>,
    },
    /// Take a row back: delete what it has created, restore what it has changed; nothing of it where any of its records
    /// has moved on.
    Unfeed {
        /// What the row did, in the order it was done; versions are those the records have if nobody touched them.
        records: Vec<FedRecord>,
        /// Where it stands in its import.
        mark: Mark,
    },
    /// Act on a task.
    Task {
        /// The task.
        id: Uuid,
        /// What is done with it.
        verb: Verb,
    },
    /// Start a workflow by hand.
    Start {
        /// The workflow.
        workflow: Key,
        /// The record it is to work on.
        record: Option<Uuid>,
        /// The start key; one per request.
        key: String,
    },
    /// A schedule came due.
    Scheduled {
        /// The workflow.
        workflow: Key,
        /// The start.
        start: Key,
        /// The instant of the schedule (not of the run).
        due_at: DateTime<Utc>,
        /// The row, for schedules with `each`.
        row: Option<Uuid>,
    },
    /// A timer came due.
    Timer {
        /// The timer.
        id: Uuid,
    },
    /// An event from outside: whoever waits for it goes on.
    Message {
        /// Its name.
        name: Key,
        /// What tells the one waited for from others.
        key: String,
        /// The sender's id of it: the same id is taken in once.
        id: Option<String>,
        /// What it carries, as on the wire.
        data: Map<String, Json>,
    },
    /// An administrator helps an instance on.
    Instance {
        /// The instance.
        id: Uuid,
        /// What is done with it.
        verb: InstanceVerb,
        /// Why.
        reason: String,
    },
    /// Write a comment on a record.
    Comment {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// What is said.
        text: String,
        /// Whether whoever follows the record without logging in sees it, too.
        is_public: bool,
    },
    /// Accept or dismiss what a decision suggests about a record: once, whoever does it.
    Judge {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// The decision.
        decision: Key,
        /// Its rule that hit.
        rule: Key,
        /// Accepted, or else dismissed.
        is_accepted: bool,
    },
    /// Somebody who is not logged in adds to a record they have proven to know.
    Answer {
        /// The form.
        form: Key,
        /// What they know of the record, in the order of its form.
        proofs: Vec<String>,
        /// What is said.
        text: String,
    },
}

/// What a row of a file says of one form.
#[derive(Debug, Clone, PartialEq)]
pub struct Feeding {
    /// The form.
    pub form: Key,
    /// Positions of the fields that find the record; none where a new one is made.
    pub by: Vec<usize>,
    /// Values by field, as on the wire.
    pub values: Map<String, Json>,
    /// Link fields, and the place among the entries of the record they hold: an earlier one.
    pub links: Vec<(Key, usize)>,
}

/// The place of a row in an import that is kept. One row of one pass is written at most once, ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The import.
    pub import: Uuid,
    /// Which of its passes.
    pub pass: Pass,
    /// Number of the row, counted from 0.
    pub row: u64,
    /// Line of the file it starts in, counted from 1.
    pub line: u64,
    /// What is told of it although it goes in: a list of errors of cells that were left empty.
    pub errors: Json,
}

/// The passes over a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Looks what would happen, writes nothing.
    Check,
    /// Writes.
    Run,
    /// Takes back.
    Undo,
}

/// What an administrator does with an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceVerb {
    /// Acts the steps that an incident stopped once more.
    Retry,
    /// Lets the stopped token go on at another step.
    Jump {
        /// The step.
        to: Key,
    },
    /// Ends it.
    Cancel,
}

/// What creating a record sets off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effects {
    /// Whether workflows start.
    pub starts: bool,
    /// Whether messages leave.
    pub notify: bool,
}

impl Effects {
    /// Everything, as when a person files a record.
    pub const ALL: Self = Self { starts: true, notify: true };
    /// Nothing, as for imports unless they say otherwise.
    pub const NONE: Self = Self { starts: false, notify: false };
}

/// What is done with a task.
#[derive(Debug, Clone)]
pub enum Verb {
    /// Take it from its pool.
    Claim,
    /// Put it back.
    Release,
    /// Do it.
    Complete {
        /// The way out.
        outcome: String,
        /// Changes to the record, as a merge patch.
        fields: Map<String, Json>,
        /// The record's version the caller read.
        expected_version: Option<i64>,
    },
    /// Give it to a person or a queue, for good.
    Transfer {
        /// To this user …
        user: Option<Uuid>,
        /// … or to this queue.
        queue: Option<Key>,
    },
    /// Ask somebody to work on it; it stays one's own.
    Delegate {
        /// Whom.
        user: Uuid,
    },
    /// Give it back to its owner.
    Resolve {
        /// Changes to the record, as a merge patch.
        fields: Map<String, Json>,
        /// The record's version the caller read.
        expected_version: Option<i64>,
    },
    /// Send it back to an earlier step.
    Return {
        /// The step; the first allowed where absent.
        to: Option<Key>,
        /// How it goes on from there; the step's default where absent.
        resume: Option<Resume>,
        /// Why.
        reason: String,
    },
    /// Give people a copy of it: they read what its holder reads, also after it closed.
    Cc {
        /// Whom.
        users: Vec<Uuid>,
    },
    /// Remind whoever is to do it.
    Remind,
    /// Take back the instance one has started.
    Withdraw,
    /// Say something about it.
    Comment {
        /// What is said.
        text: String,
    },
}
