//! One store over two engines: SQLite (embedded) and PostgreSQL.
//!
//! ```text
//! submit:  BEGIN ─► decide ⇄ load what it needs ─► write the change set ─► COMMIT ─► reply
//! ask:     snapshot ─► a pure question ⇄ load what it needs ─► answer
//! ```
//! Nothing leaves the store but replies and answers of pure functions of the core, which take a viewer.

mod accounts;
mod audit;
mod backlog;
mod catalogue;
mod changes;
mod clocks;
mod codec;
mod decide;
mod deployment;
mod dialect;
mod engine;
mod imports;
mod incidents;
mod kept;
mod layout;
mod load;
mod lower;
mod names;
mod notices;
mod operations;
mod people;
pub mod postgres;
mod schema;
pub mod sqlite;
mod statement;
mod store;
pub mod testing;
mod work;
mod write;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::change::{Event, Reply};
use formwork_core::clock::Clock;
use formwork_core::facts::UserFacts;
use formwork_core::stimulus::Pass;
use formwork_core::trace::Trace;
use formwork_core::{Facts, Record, Rejection, RejectionKind, Stimulus, Stop};
use formwork_model::{Key, Pack};

pub use accounts::{People, Session, Team, Token, UserFilter};
pub use audit::{Audit, AuditFilter, Audited};
pub use backlog::Backlog;
pub use decide::Decider;
pub use deployment::{Deploy, DeployFailure, Migration, Step};
pub use imports::{ImportJob, ImportRow, ImportRows, KEPT_DAYS};
pub use lower::Unsupported;
pub use notices::{Noticed, Notices};
pub use operations::{Operations, Posted, PostedFilter};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// The packs a transaction may need: the deployed ones, and older ones that running instances are pinned to.
#[derive(Debug, Clone, Default)]
pub struct Packs {
    /// Every pack by hash.
    pub by_hash: std::collections::HashMap<String, Arc<Pack>>,
}

/// A stimulus on its way in.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The deployed pack it is for.
    pub pack: Arc<Pack>,
    /// Packs of running instances, by hash.
    pub packs: Arc<Packs>,
    /// What happens.
    pub stimulus: Stimulus,
    /// The caller's idempotency key (each user has their own) and the hash of the request: same key and same hash give the stored
    /// reply, another hash is refused.
    pub idempotency: Option<(String, String)>,
}

/// A committed stimulus.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// What the caller is told.
    pub reply: Reply,
    /// Number of the last change-log row of the transaction, 0 if it changed no record; reads that carry it as `min_seq`
    /// see the change. On PostgreSQL the number is that of the transaction, see [`Change::seq`].
    pub seq: i64,
    /// Whether this is the stored reply of an earlier, equal request.
    pub replayed: bool,
}

/// Why submissions that were to be committed together were not: none of them is.
#[derive(Debug, thiserror::Error)]
#[error("submission {at}: {failure}")]
pub struct NotTogether {
    /// The place of the one that failed.
    pub at: usize,
    /// Why.
    pub failure: Failure,
}

/// Why a submission was not committed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller is refused; nothing was written.
    #[error(transparent)]
    Rejected(#[from] Box<Rejection>),
    /// Too many stimuli wait: try again after this many seconds.
    #[error("the queue is full, retry after {0} s")]
    Busy(u32),
    /// The pack is no longer the deployed one; nothing was written. The stimulus is to be decided by the newest.
    #[error("the pack was deployed anew")]
    Outdated,
    /// Us or the world.
    #[error(transparent)]
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault.source.as_ref().and_then(|source| source.downcast_ref::<FullQueue>()) {
            Some(FullQueue) => Self::Busy(RETRY_AFTER_S),
            None => Self::Fault(fault),
        }
    }
}

/// Seconds after which a refused caller may try again.
const RETRY_AFTER_S: u32 = 1;

/// Most submissions that wait, and most reads.
const QUEUE_MAX: usize = 4_096;

/// How long a question of a caller may take, unless a store is opened otherwise.
const QUESTION_MAX: Duration = Duration::from_secs(10);

/// How long the engine's own reads may take, the scans of the columnar copy among them.
const READ_MAX: Duration = Duration::from_secs(120);

/// Too many wait already: nothing is broken.
#[derive(Debug, thiserror::Error)]
#[error("the queue is full")]
struct FullQueue;

/// What a caller is told whose question took too long.
fn too_slow() -> Failure {
    let title = "the question takes too long: narrow it";
    Failure::Rejected(Box::new(Rejection::new(RejectionKind::Invalid, "too_slow", title)))
}

/// Us or the world: logged once, never shown.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct Fault {
    /// What was being done.
    pub context: String,
    /// Why it failed.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A fault that says all by itself.
    pub fn new(context: impl Into<String>) -> Self {
        Self { context: context.into(), source: None }
    }

    /// Not a fault but a full queue, on its way through what knows only faults: [`Failure::Busy`].
    pub(crate) fn full(context: impl Into<String>) -> Self {
        Self::of(context, FullQueue)
    }

    /// A fault with its cause.
    pub fn of(context: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { context: context.into(), source: Some(source.into()) }
    }
}

/// A pure question: called with ever more facts until it answers or refuses.
pub type Question = Box<dyn Fn(&Facts) -> Result<Json, Stop> + Send + Sync>;

/// A user and what they may do.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// UUIDv7.
    pub id: Uuid,
    /// What they log in with; unique, lower case.
    pub login: String,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// As rules see them.
    pub facts: UserFacts,
    /// `zh-CN`, `en`.
    pub language: String,
    /// `light`, `dark`, `system`.
    pub theme: String,
    /// When the password ends that somebody else gave them; none once they have chosen their own.
    pub password_until: Option<DateTime<Utc>>,
    /// Counts the changes of what others say of them; see [`People::change_user`].
    pub revision: i64,
}

/// Something a person keeps beside the records: a saved view, the columns of a list, a draft, what can be undone.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Whose it is.
    pub owner: Uuid,
    /// `view`, `columns`, `draft`, `undo`.
    pub kind: String,
    /// What it is about: a form as `pack.form`, or with more behind it.
    pub scope: String,
    /// Tells it from others of its owner, kind and scope.
    pub name: String,
    /// When it was kept last.
    pub at: DateTime<Utc>,
    /// What is kept.
    pub body: Json,
}

/// A deployment of a pack: what ran from then on.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Counted from 1 over all packs.
    pub number: i64,
    /// The pack.
    pub pack: Key,
    /// Its version.
    pub version: String,
    /// Its hash.
    pub hash: String,
    /// The author's files: path → text.
    pub files: Vec<(String, String)>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Work that came due: the dispatcher turns each into a submission or a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct DueTimer {
    /// The timer.
    pub id: Uuid,
    /// The pack its workflow is of.
    pub pack: Key,
    /// When it was due.
    pub due_at: DateTime<Utc>,
}

/// What is waited for on a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The record.
    pub record: Uuid,
    /// The task or the timer.
    pub id: Uuid,
    /// What it is.
    pub what: WaitsFor,
}

/// Who or what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// Somebody, who does the open task of this step.
    Task(Key),
    /// A timer, which is due then.
    Timer(DateTime<Utc>),
}

/// A message claimed for delivery under a lease.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedMessage {
    /// Stable over retries; the receiver's idempotency key.
    pub key: String,
    /// The lease: only its holder may settle the row.
    pub epoch: i64,
    /// How often it was tried before.
    pub attempts: i32,
    /// The message.
    pub message: formwork_core::change::OutboxMessage,
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Accepted by the other side.
    Sent,
    /// Try again then.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why it failed.
        reason: String,
    },
    /// Given up.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A row of the change log.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number: ascending in commit order. On PostgreSQL all changes of a transaction share one.
    pub seq: i64,
    /// The pack.
    pub pack: Key,
    /// The form.
    pub form: Key,
    /// The record.
    pub id: Uuid,
}

/// An instance that waits for an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedInstance {
    /// The instance.
    pub instance: Uuid,
    /// Its pack.
    pub pack: Key,
    /// Its workflow.
    pub workflow: Key,
    /// The record it works on.
    pub record: Option<(Key, Uuid)>,
    /// Where it stands.
    pub step: Key,
    /// What kind of incident.
    pub code: String,
    /// What happened.
    pub message: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The storage engine.
#[async_trait]
pub trait Store: People + Operations + Notices + Send + Sync + 'static {
    /// `sqlite` or `postgres`.
    fn engine(&self) -> &'static str;

    /// Runs a stimulus in one transaction and replies after its durable commit.
    async fn submit(&self, submission: Submission) -> Result<Committed, Failure>;

    /// Runs stimuli of one pack one after another in one transaction, while nobody else writes: all of them, or none.
    /// For bulk that has no caller waiting for each (demonstrations).
    async fn submit_together(&self, submissions: Vec<Submission>) -> Result<Vec<Committed>, NotTogether>;

    /// Answers a pure question on one snapshot. `min_seq`: the snapshot holds at least that change.
    async fn ask(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure>;

    /// The newest change number that every reader has: no change with a smaller one is still to come.
    async fn seq(&self) -> Result<i64, Fault>;

    /// The newest change number written so far; [`Store::seq`] gets there when older transactions have ended.
    async fn written_seq(&self) -> Result<i64, Fault>;

    // --- deployments -----------------------------------------------------------------------------------------------

    /// What brings the actual catalogue to `wanted` (three-way: deployed, wanted, actual); nothing is run.
    async fn migration(&self, deployed: Option<&Pack>, wanted: &Pack) -> Result<Migration, Fault>;

    /// Runs the migration that was looked at, records the deployment and plants the seed rows, in one transaction, alone.
    /// Returns its number.
    async fn deploy(&self, deploy: Deploy<'_>) -> Result<i64, DeployFailure>;

    /// The number of the newest deployment of any pack; 0 where there is none. Nodes ask it to learn of others' deployments.
    async fn newest_deployment(&self) -> Result<i64, Fault>;

    /// How many instances of each workflow of the pack run; each stays on the version it started with.
    async fn running(&self, pack: &str) -> Result<Vec<(Key, u64)>, Fault>;

    /// The newest deployment of each pack, and every older one that a running instance is pinned to.
    async fn deployments(&self) -> Result<Vec<Deployment>, Fault>;

    // --- people ----------------------------------------------------------------------------------------------------

    /// Adds a user or replaces the one with that login.
    async fn put_user(&self, user: &User) -> Result<(), Fault>;
    /// Changes only what a user chose for themselves; what is none stays.
    async fn put_settings(&self, user: Uuid, language: Option<&str>, theme: Option<&str>) -> Result<(), Fault>;
    /// Keeps something for a person, in place of what they kept under that name.
    async fn keep(&self, kept: &Kept) -> Result<(), Fault>;
    /// What a person keeps under a name.
    async fn kept(&self, owner: Uuid, kind: &str, scope: &str, name: &str) -> Result<Option<Kept>, Fault>;
    /// What anybody keeps of a kind about one thing, oldest first; at most 500.
    async fn kept_in(&self, kind: &str, scope: &str) -> Result<Vec<Kept>, Fault>;
    /// Forgets it; whether there was something.
    async fn forget(&self, owner: Uuid, kind: &str, scope: &str, name: &str) -> Result<bool, Fault>;
    /// By login.
    async fn user_by_login(&self, login: &str) -> Result<Option<User>, Fault>;
    /// By id.
    async fn user(&self, id: Uuid) -> Result<Option<User>, Fault>;
    /// All, by login; at most 1,000.
    async fn users(&self) -> Result<Vec<User>, Fault>;
    /// The session's user, if it is still open and they are active.
    async fn session(&self, token_hash: &str, at: DateTime<Utc>) -> Result<Option<User>, Fault>;
    /// Closes a session.
    async fn end_session(&self, token_hash: &str) -> Result<(), Fault>;
    /// The token's user and scopes, if it has not ended and its user is active.
    async fn token(&self, token_hash: &str, at: DateTime<Utc>) -> Result<Option<(User, Vec<String>)>, Fault>;

    // --- requests that may be repeated -----------------------------------------------------------------------------

    /// The hash of the request that came with this idempotency key, and what it was answered, if that was kept.
    async fn answer_of(&self, actor: Uuid, key: &str) -> Result<Option<(String, Option<Json>)>, Fault>;
    /// Keeps what a request that came with an idempotency key was answered.
    async fn keep_answer(
        &self,
        actor: Uuid,
        key: &str,
        hash: &str,
        answer: &Json,
        at: DateTime<Utc>,
    ) -> Result<(), Fault>;

    // --- work that came due ----------------------------------------------------------------------------------------

    /// Timers due at or before `at`, in due order, those after the place (due, id) of `after`. Firing is claimed by the stimulus itself (the timer row is locked and
    /// removed in its transaction), so two nodes may see the same timer and only one fires it.
    async fn due_timers(
        &self,
        at: DateTime<Utc>,
        after: Option<(DateTime<Utc>, Uuid)>,
        limit: u32,
    ) -> Result<Vec<DueTimer>, Fault>;
    /// The open tasks and the timers of the instances that work on these records: tasks first, each oldest first.
    async fn waiting_on(&self, records: &[Uuid]) -> Result<Vec<Waiting>, Fault>;
    /// The day for which the demonstration of a pack is being loaded; none where that is done or was never begun.
    async fn demo_begun(&self, pack: &str) -> Result<Option<DateTime<Utc>>, Fault>;
    /// Keeps that loading has begun, or that it is done.
    async fn set_demo_begun(&self, pack: &str, day: Option<DateTime<Utc>>) -> Result<(), Fault>;
    /// Which versions of which calendars the running clocks of a pack are counted by.
    async fn calendars_counted(&self, pack: &str) -> Result<Vec<(Key, String)>, Fault>;
    /// A calendar is the same in another version of the pack: the clocks counted by the one are counted by the other.
    async fn move_calendar(&self, pack: &str, calendar: &str, from: &str, to: &str) -> Result<(), Fault>;
    /// The clocks of a form, of these records or of all, with a number of the change log that they hold at least.
    async fn clocks(&self, pack: &str, form: &str, records: Option<&[Uuid]>) -> Result<(i64, Vec<Clock>), Fault>;

    /// Running clocks counted by that version, in id order after `after`: id, form and record.
    async fn clocks_counted_by(
        &self,
        pack: &str,
        calendar: &str,
        version: &str,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<(Uuid, Key, Uuid)>, Fault>;
    /// When the earliest timer or message that is not due at `at` comes due.
    async fn next_due(&self, at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Fault>;
    /// Channels that have a message due at or before `at`.
    async fn due_channels(&self, at: DateTime<Utc>) -> Result<Vec<Key>, Fault>;
    /// Claims messages of a channel due at or before `at` under a lease until `lease_until`.
    async fn claim_messages(
        &self,
        channel: &str,
        at: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedMessage>, Fault>;
    /// Settles a claimed message; false when the lease was lost meanwhile.
    async fn settle_message(
        &self,
        key: &str,
        epoch: i64,
        delivery: &Delivery,
        at: DateTime<Utc>,
    ) -> Result<bool, Fault>;
    /// The newest messages with state and attempts, for operators and cases: (message, state, attempts, reason).
    async fn messages(
        &self,
        limit: u32,
    ) -> Result<Vec<(formwork_core::change::OutboxMessage, String, i32, Option<String>)>, Fault>;
    /// Instances that stand still with their newest incident, the newest first.
    async fn stopped_instances(&self, limit: u32) -> Result<Vec<StoppedInstance>, Fault>;
    /// The pack an instance is of; none where there is no such instance.
    async fn pack_of_instance(&self, id: Uuid) -> Result<Option<Key>, Fault>;
    /// When a schedule last ran; `set` moves it forward, only if it still is `from`. False when another node was first.
    async fn move_schedule(
        &self,
        pack: &str,
        workflow: &str,
        start: &str,
        from: Option<DateTime<Utc>>,
        to: DateTime<Utc>,
    ) -> Result<bool, Fault>;
    /// When a schedule last ran.
    async fn schedule(&self, pack: &str, workflow: &str, start: &str) -> Result<Option<DateTime<Utc>>, Fault>;
    /// Ids of the records of a form for which the expression (frame 0) is true, in id order after `after`: the rows a
    /// schedule runs over. The engine acts on them as the system.
    async fn ids(
        &self,
        pack: &Arc<Pack>,
        form: &str,
        filter: Option<&formwork_model::expr::Ir>,
        at: DateTime<Utc>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Uuid>, Fault>;

    // --- imports ---------------------------------------------------------------------------------------------------

    /// Keeps a new import with its file in pieces of text.
    async fn put_import(&self, job: &ImportJob, parts: Vec<String>) -> Result<(), Fault>;
    /// An import; none where there is none, or none any more.
    async fn import_job(&self, id: Uuid) -> Result<Option<ImportJob>, Fault>;
    /// The newest imports of a user.
    async fn imports_of(&self, owner: Uuid, limit: u32) -> Result<Vec<ImportJob>, Fault>;
    /// The pieces of its file.
    async fn import_file(&self, id: Uuid) -> Result<Vec<String>, Fault>;
    /// Moves an import on to another state (and settings), if it still is in one of `from`; false where it is not.
    async fn step_import(
        &self,
        id: Uuid,
        from: &[&str],
        to: &str,
        settings: Option<&Json>,
        at: DateTime<Utc>,
    ) -> Result<bool, Fault>;
    /// Takes up, under a lease, an import that is to be worked on and that nobody holds.
    async fn claim_import(&self, at: DateTime<Utc>, lease_until: DateTime<Utc>) -> Result<Option<ImportJob>, Fault>;
    /// Lets go the leases of a process that died, where it must have: no other can have the embedded store open.
    async fn free_imports(&self) -> Result<(), Fault>;
    /// Says how far it is (`counts`) and keeps the lease; the state it is in now, none where the lease was lost.
    async fn beat_import(
        &self,
        job: &ImportJob,
        at: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Option<String>, Fault>;
    /// Ends the work with the state, counts and problem of `job`; false where the lease was lost.
    async fn end_import(&self, job: &ImportJob, at: DateTime<Utc>) -> Result<bool, Fault>;
    /// Keeps what became of rows that wrote nothing; those that are kept already stay as they are.
    async fn note_import_rows(&self, id: Uuid, pass: Pass, rows: &[ImportRow]) -> Result<(), Fault>;
    /// Forgets the rows of a pass.
    async fn forget_import_rows(&self, id: Uuid, pass: Pass) -> Result<(), Fault>;
    /// Number and outcome of every row of a pass that is done with.
    async fn import_outcomes(&self, id: Uuid, pass: Pass) -> Result<Vec<(i64, String)>, Fault>;
    /// Rows of a pass, by number.
    async fn import_rows(&self, id: Uuid, pass: Pass, which: &ImportRows) -> Result<Vec<ImportRow>, Fault>;

    // --- the columnar copy -----------------------------------------------------------------------------------------

    /// Change-log rows after `after`, in commit order, at most `limit`; on PostgreSQL only those below the oldest
    /// running transaction.
    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, Fault>;
    /// Every record of a form on one snapshot, with the change number it holds. For the replica only: what leaves the
    /// executor is policed by the plan.
    async fn scan(&self, pack: &Arc<Pack>, form: &str) -> Result<(i64, Vec<Record>), Fault>;
    /// These records as they are now; deleted ones are absent. For the replica only.
    async fn records(&self, pack: &Arc<Pack>, form: &str, ids: &[Uuid]) -> Result<Vec<Record>, Fault>;

    // --- live pages ------------------------------------------------------------------------------------------------

    /// What those who watch cannot see in the change log, each with its number and pack: after `after` and in commit
    /// order as [`Store::changes`], but numbered by itself on SQLite.
    async fn traces(&self, after: i64, limit: u32) -> Result<Vec<(i64, Key, Trace)>, Fault>;
    /// The newest number of them: whoever begins to watch now has missed none.
    async fn newest_trace(&self) -> Result<i64, Fault>;

    // --- operations ------------------------------------------------------------------------------------------------

    /// History of everything, oldest first, after an event number: for cases and the audit page.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, Fault>;
    /// Removes what nobody asks for any more: old replies, sessions that are over, old imports.
    async fn clean(&self, at: DateTime<Utc>) -> Result<(), Fault>;
    /// How much is open, late or broken.
    async fn backlog(&self, at: DateTime<Utc>) -> Result<Backlog, Fault>;
    /// Whether the store answers: the version of its system tables.
    async fn ready(&self) -> Result<i64, Fault>;
    /// Flushes and closes.
    async fn close(&self);
}
