//! A submission: one transaction in which every row that is read is locked, replayed as a whole where it met another one.
//!
//! ```text
//! BEGIN ─► lock what it is about ─► decide ⇄ load and lock ─► one statement that writes everything ─► COMMIT
//!   ▲                                                                                                 │
//!   └──── 55P03, 23505, a lock too weak, what was looked up moved: at most five times ◄───────────────┘
//! ```
//! Why not `SERIALIZABLE`: PostgreSQL notes what was read by page of an index, and our ids ascend, so that submissions
//! that have nothing to do with each other meet on the newest page. Measured with 16 to 256 callers that create records
//! with a unique field: a third of all submissions were played again, and one in a hundred was refused after five tries.
//! What that level would have guarded is guarded here, row by row:
//!
//! | read | guard |
//! |---|---|
//! | a record | shared lock; exclusive where the stimulus is about it |
//! | records that link here | shared locks, and a lock on this record that every new link waits for |
//! | the records a look-up finds | asked again before anything is written, behind a lock on the table (`verify.rs`) |
//! | no record with these values, no instance of this key | the unique index, the key of the table |
//! | a user, with roles and queues | shared lock |
//! | tasks of an instance, timers | the exclusive lock of the instance, which every writer takes first |
//! | clocks of a record | the exclusive locks of the record and of its instances |
//!
//! Everybody locks in one order: records by form and id, then instances by id, then tasks and timers, for which nobody
//! asks who does not hold their instance. A stimulus locks what it is about in that order before anything is decided. What
//! turns out to be needed later is not waited for, because whoever holds it may wait for us (a deadlock is found only after
//! a second): if it is not free, and also where a record is to be written that is locked shared only, the stimulus is
//! played again with everything it has read locked for writing, in the order.
//!
//! What was found by a key (an upsert, a link by a natural key) was found before it was locked: where the record that is
//! locked no longer holds the key, the stimulus is played again, too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgDatabaseError};
use uuid::Uuid;

use formwork_core::change::ChangeSet;
use formwork_core::facts::Need;
use formwork_core::{Act, Facts};
use formwork_model::{Key, Pack};

use super::run::{self, Broken};
use super::verify::{still_found, still_held};
use super::{PostgresStore, open, series};
use crate::decide::{Rounds, Said};
use crate::dialect::Dialect;
use crate::engine::{newest, newest_hash};
use crate::layout::PackLayout;
use crate::load::{Context, Locking, SeriesKey, Target, Waits, loads, subjects, targets};
use crate::write::request::{committed_before, stored_request};
use crate::write::violation::Violation;
use crate::{Committed, Failure, Fault, NotTogether, Submission, write};

/// Most times a stimulus is tried.
const TRIES_MAX: u32 = 5;

/// Why a try came to nothing.
pub(super) enum Broke {
    /// Another transaction was in the way: the stimulus may be played again.
    Conflict(sqlx::Error),
    /// A record is to be written that is locked too weakly: the stimulus may be played again with stronger locks.
    Upgrade,
    /// A look-up would find something else now, or a record no longer holds the key it was found by: the stimulus may be played again.
    Moved,
    /// For good.
    Failed(Failure),
}

impl From<Failure> for Broke {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Fault> for Broke {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl From<Broken> for Broke {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Database(error) => error.into(),
            Broken::Fault(fault) => fault.into(),
        }
    }
}

impl From<sqlx::Error> for Broke {
    fn from(error: sqlx::Error) -> Self {
        match code(&error).as_deref() {
            // Serialisation failure, deadlock, a lock waited for too long; a unique or foreign key somebody else was
            // faster with.
            Some("40001" | "40P01" | "55P03" | "23505" | "23503") => Self::Conflict(error),
            _ => Self::Failed(run::fault("asking the database", error).into()),
        }
    }
}

/// What is kept over the tries of one submission.
#[derive(Default)]
struct Memory {
    /// A conflict leaves no gap in a series.
    numbers: HashMap<SeriesKey, i64>,
    /// Records to lock for writing from the start, by form.
    records: BTreeMap<Key, BTreeSet<Uuid>>,
    /// Instances to lock from the start.
    instances: BTreeSet<Uuid>,
}

impl Memory {
    /// Everything that was read or was to be read is locked at the next try before anything is decided.
    fn learn(&mut self, facts: &Facts, needs: &[Need]) {
        let linked = facts
            .backlinks
            .iter()
            .flat_map(|((form, ..), records)| records.iter().map(move |record| (form, record.id)));
        let read = facts.records.keys().map(|(form, id)| (form, *id));
        let wanted = needs.iter().filter_map(|need| match need {
            Need::Record(form, id) => Some((form, *id)),
            _ => None,
        });
        for (form, id) in read.chain(linked).chain(wanted) {
            self.records.entry(form.clone()).or_default().insert(id);
        }
        let of_records = facts.record_instances.values().flatten().map(|instance| instance.id);
        let wanted = needs.iter().filter_map(|need| match need {
            Need::Instance(id) => Some(*id),
            _ => None,
        });
        self.instances.extend(facts.instances.keys().copied().chain(of_records).chain(wanted));
    }
}

/// Runs the submission to its commit.
pub(super) async fn transact(
    store: &PostgresStore,
    submission: &Submission,
    context: &Context,
) -> Result<Committed, Failure> {
    let (mut memory, mut tries) = (Memory::default(), 0);
    let result = loop {
        tries += 1;
        match attempt(store, submission, context, &mut memory).await {
            Ok(committed) => return Ok(committed),
            Err(Broke::Failed(failure)) => break Err(failure),
            Err(Broke::Upgrade | Broke::Moved) if tries == TRIES_MAX => break Err(Failure::Busy(1)),
            Err(Broke::Upgrade | Broke::Moved) => {}
            Err(Broke::Conflict(error)) if tries == TRIES_MAX => break Err(last_word(&error, submission, context)),
            Err(Broke::Conflict(error)) => {
                if is_series(&error, context) {
                    // Somebody holds such a number: each try takes another one.
                    memory.numbers.clear();
                }
                tokio::time::sleep(jitter(tries)).await;
            }
        }
    };
    // After a fault nobody knows whether the transaction is in: rather a gap than a number given twice.
    if !matches!(result, Err(Failure::Fault(_))) {
        store.series.give_back(context.pack.key(), &memory.numbers);
    }
    result
}

async fn attempt(
    store: &PostgresStore,
    submission: &Submission,
    context: &Context,
    memory: &mut Memory,
) -> Result<Committed, Broke> {
    store.counter.count();
    let mut transaction = store.pool.begin_with(AssertSqlSafe(begin())).await?;
    let (context, locked) = (context.clone(), HashSet::new());
    let mut play = Play { store, submission, context, memory, locked, holds: Holds::default(), alone: false };
    let played = match play.run(&mut transaction).await {
        // What an older pack cannot make sense of, an instance of a newer one for example.
        Err(Broke::Failed(Failure::Fault(fault))) => Err(play.outdated_or(&mut transaction, fault).await),
        played => played,
    };
    store.counter.count();
    match played {
        Ok(committed) => {
            transaction.commit().await?;
            Ok(committed)
        }
        Err(broke) => {
            if let Err(error) = transaction.rollback().await {
                tracing::warn!(%error, "rolling back");
            }
            Err(broke)
        }
    }
}

/// Holds off deployments until the transaction ends, in the same round trip: what is deployed stays deployed.
fn begin() -> String {
    format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared({})", open::SCHEMA_LOCK)
}

/// Submissions of one pack in one transaction in which nobody else writes: seed rows at a deployment, or bulk.
pub(super) struct Alone<'a> {
    pub(super) store: &'a PostgresStore,
    pub(super) pack: Arc<Pack>,
    pub(super) layout: Arc<PackLayout>,
}

impl Alone<'_> {
    /// Runs them one after another; the place of the one that fails, and why.
    pub(super) async fn run(
        self,
        connection: &mut PgConnection,
        submissions: impl Iterator<Item = Submission>,
    ) -> Result<Vec<Committed>, NotTogether> {
        let (pack, layout) = (self.pack, self.layout);
        let context = Context { dialect: Dialect::Postgres, pack, layout, locking: Locking::None };
        let mut committed = Vec::new();
        for (at, submission) in submissions.enumerate() {
            let (store, context, mut memory) = (self.store, context.clone(), Memory::default());
            let (locked, memory) = (HashSet::new(), &mut memory);
            let (submission, holds) = (&submission, Holds::default());
            let mut play = Play { store, submission, context, memory, locked, holds, alone: true };
            let played = play.run(connection).await.map_err(|broke| match broke {
                Broke::Failed(failure) => failure,
                Broke::Conflict(error) => Fault::of("writing alone", error).into(),
                Broke::Upgrade | Broke::Moved => Fault::new("a record was not locked").into(),
            });
            committed.push(played.map_err(|failure| NotTogether { at, failure })?);
        }
        Ok(committed)
    }
}

/// All in one transaction, alone.
pub(super) async fn together(
    store: &PostgresStore,
    pack: Arc<Pack>,
    layout: Arc<PackLayout>,
    submissions: Vec<Submission>,
) -> Result<Vec<Committed>, NotTogether> {
    let failed = |error| NotTogether { at: 0, failure: run::fault("writing alone", error).into() };
    let mut transaction = store.pool.begin().await.map_err(failed)?;
    open::lock_schema(&mut transaction, &store.counter).await.map_err(failed)?;
    let committed = Alone { store, pack, layout }.run(&mut transaction, submissions.into_iter()).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(committed)
}

/// What a try holds already.
#[derive(Debug, Default)]
struct Holds {
    /// Any row.
    anything: bool,
    /// Any instance.
    instances: bool,
}

/// One try.
struct Play<'a> {
    store: &'a PostgresStore,
    submission: &'a Submission,
    context: Context,
    memory: &'a mut Memory,
    /// Records locked for writing.
    locked: HashSet<Uuid>,
    holds: Holds,
    /// Whether nobody else writes, as in a deployment and in bulk: nothing is locked, and numbers are taken in this transaction.
    alone: bool,
}

impl Play<'_> {
    async fn run(&mut self, connection: &mut PgConnection) -> Result<Committed, Broke> {
        let (submission, counter) = (self.submission, &self.store.counter);
        if let Some((key, hash)) = &submission.idempotency {
            let select = stored_request(&write::request_actor(&submission.stimulus), key);
            if let Some(row) = run::select(connection, counter, &select).await?.into_iter().next() {
                return Ok(committed_before(row, hash)?);
            }
        }
        let (changes, facts) = self.decide(connection).await?;
        let (pack, layout) = (self.context.pack.key(), &self.context.layout);
        let mut batches = write::batches(Dialect::Postgres, pack, layout, &changes, submission.stimulus.at)?;
        if let Some(request) = &submission.idempotency {
            // The number of a transaction without a change is none that a reader could wait for.
            let seq = changes.records.is_empty().then_some(0);
            batches.push(write::request_row(Dialect::Postgres, &submission.stimulus, request, &changes.reply, seq)?);
        }
        if batches.is_empty() {
            return Ok(Committed { reply: changes.reply, seq: 0, replayed: false });
        }
        if !self.alone {
            let (context, facts) = (&self.context, &facts);
            let is_held = still_held(connection, counter, context, facts).await?;
            if !is_held || !still_found(connection, counter, context, facts, &changes).await? {
                return Err(Broke::Moved);
            }
        }
        let hint = !changes.timers_set.is_empty() || !changes.outbox.is_empty();
        let (number, deployed) = run::write(connection, counter, pack, &batches, hint).await?;
        if deployed.as_ref() != Some(self.context.pack.hash()) {
            return Err(Failure::Outdated.into());
        }
        let seq = if changes.records.is_empty() { 0 } else { number };
        Ok(Committed { reply: changes.reply, seq, replayed: false })
    }

    /// The fault, unless another pack is deployed.
    async fn outdated_or(&self, connection: &mut PgConnection, fault: Fault) -> Broke {
        let deployed = run::select(connection, &self.store.counter, &newest(self.context.pack.key())).await;
        match deployed.map_err(|error| Fault::of("asking the database", error)).and_then(newest_hash) {
            Ok(deployed) if deployed.as_ref() != Some(self.context.pack.hash()) => Failure::Outdated.into(),
            _ => fault.into(),
        }
    }

    async fn decide(&mut self, connection: &mut PgConnection) -> Result<(ChangeSet, Facts), Broke> {
        let (mut facts, mut rounds) = (Facts::default(), Rounds::default());
        if !self.alone {
            let first = self.first(connection).await?;
            self.load(connection, &mut facts, &first).await?;
        }
        loop {
            match rounds.sort((self.store.decider)(self.submission, &facts))? {
                Said::Answer(changes) => return Ok((self.locked_enough(changes, &facts)?, facts)),
                Said::Load(needs) => {
                    let loaded = self.load(connection, &mut facts, &needs).await;
                    if let Err(Broke::Conflict(_)) = &loaded {
                        self.memory.learn(&facts, &needs);
                    }
                    loaded?;
                }
            }
        }
    }

    /// What is locked before anything is decided: what the stimulus is about, and what an earlier try has learnt.
    async fn first(&mut self, connection: &mut PgConnection) -> Result<Vec<Need>, Broke> {
        let act = &self.submission.stimulus.act;
        let (mut records, mut instances) = (self.memory.records.clone(), self.memory.instances.clone());
        let found = match targets(&self.context, act) {
            Some(select) => run::select(connection, &self.store.counter, &select).await?,
            None => Vec::new(),
        };
        let found = found.into_iter().map(Target::of).collect::<Result<Vec<_>, _>>()?;
        instances.extend(found.iter().filter_map(|target| target.instance));
        for (form, id) in found.into_iter().filter_map(|target| target.record).chain(subjects(act)) {
            // A record of a form that is no more is nobody's.
            if self.context.layout.form(&form).is_ok() {
                records.entry(form).or_default().insert(id);
            }
        }
        self.memory.records.clone_from(&records);
        let records = records.into_iter().flat_map(|(form, ids)| ids.into_iter().map(move |id| (form.clone(), id)));
        let records = records.map(|(form, id)| Need::Record(form, id));
        Ok(records.chain(instances.into_iter().map(Need::Instance)).collect())
    }

    async fn load(&mut self, connection: &mut PgConnection, facts: &mut Facts, needs: &[Need]) -> Result<(), Broke> {
        let mut exclusive = concerned(&self.submission.stimulus.act, facts);
        exclusive.extend(self.memory.records.values().flatten());
        self.locked.extend(needs.iter().filter_map(|need| match need {
            Need::Record(_, id) if exclusive.contains(id) => Some(*id),
            _ => None,
        }));
        if !self.alone {
            let waits = Waits { records: !self.holds.anything, instances: !self.holds.instances };
            self.context.locking = Locking::Rows { exclusive: Arc::new(exclusive), waits };
            let instances = |need: &Need| matches!(need, Need::Instance(_) | Need::RecordInstances(..));
            let rows = |need: &Need| {
                matches!(
                    need,
                    Need::Record(..)
                        | Need::Backlinks { .. }
                        | Need::Task(_)
                        | Need::Timer(_)
                        | Need::User(_)
                        | Need::Team(_)
                )
            };
            self.holds.instances |= needs.iter().any(instances);
            self.holds.anything |= needs.iter().any(|need| instances(need) || rows(need));
        }
        let (wanted, series) = loads(&self.context, needs)?;
        for mut load in wanted {
            run::load(connection, &self.store.counter, &mut load).await?;
            load.finish(facts)?;
        }
        for key in series {
            let number = match self.memory.numbers.get(&key) {
                Some(number) => *number,
                None if self.alone => {
                    series::count_on(connection, &self.store.counter, self.context.pack.key(), &key, 1).await?
                }
                None => {
                    let (reads, counter) = (&self.store.reads, &self.store.counter);
                    self.store.series.next(reads, counter, self.context.pack.key(), &key).await?
                }
            };
            self.memory.numbers.insert(key.clone(), number);
            facts.series.insert((key.form, key.field, key.period), number);
        }
        Ok(())
    }

    /// The changes, if all that they write is locked for writing; else everything read is remembered for the next try.
    fn locked_enough(&mut self, changes: ChangeSet, facts: &Facts) -> Result<ChangeSet, Broke> {
        let mut written = changes.records.iter().filter(|change| change.before.is_some());
        if self.alone || written.all(|change| self.locked.contains(&change.id())) {
            return Ok(changes);
        }
        self.memory.learn(facts, &[]);
        Err(Broke::Upgrade)
    }
}

/// The records a stimulus is about, as far as is known by now: they will most likely be written.
fn concerned(act: &Act, facts: &Facts) -> HashSet<Uuid> {
    let of_instances = facts.instances.values().flatten().filter_map(|instance| instance.record.as_ref());
    let of_tasks = facts.tasks.values().flatten().filter_map(|task| task.record.as_ref());
    let mut subjects: HashSet<Uuid> = of_instances.chain(of_tasks).map(|(_, id)| *id).collect();
    if let Act::Upsert { .. } | Act::Feed { .. } = act {
        subjects.extend(facts.uniques.iter().filter_map(|(_, found)| *found));
    }
    subjects
}

/// Whether the conflict is over a number of a series.
fn is_series(error: &sqlx::Error, context: &Context) -> bool {
    let violation = constraint(error).map(Violation::UniqueIndex);
    violation.is_some_and(|violation| violation.is_of_series(&context.pack, &context.layout))
}

/// What the caller is told when the last try met a conflict, too.
fn last_word(error: &sqlx::Error, submission: &Submission, context: &Context) -> Failure {
    let violation = match code(error).as_deref() {
        Some("23505") => constraint(error).map(Violation::UniqueIndex),
        Some("23503") => Some(Violation::Link),
        _ => return Failure::Busy(1),
    };
    let rejection =
        violation.and_then(|violation| violation.rejection(&context.pack, &context.layout, &submission.stimulus.actor));
    match rejection {
        Some(rejection) => Failure::Rejected(Box::new(rejection)),
        None => Fault::new(format!("a constraint of a system table was violated: {error}")).into(),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

fn constraint(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    error.constraint().map(str::to_owned)
}

/// A pause before the next try: longer each time, and never the same for two.
fn jitter(tries: u32) -> Duration {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let most = 4_u64 << tries;
    Duration::from_millis(1 + random % most)
}
