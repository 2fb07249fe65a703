//! A submission: one serialisable transaction, replayed as a whole where it met another one.
//!
//! ```text
//! BEGIN ─► decide ⇄ load ─► one statement that writes everything ─► COMMIT
//!   ▲                                                                  │
//!   └────────── 40001, 40P01, 23505: at most five times ◄──────────────┘
//! ```

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgDatabaseError};

use formwork_core::Facts;
use formwork_core::change::ChangeSet;

use super::PostgresStore;
use super::run::{self, Broken};
use crate::decide::{Rounds, Said};
use crate::dialect::Dialect;
use crate::load::{Context, SeriesKey, loads};
use crate::write::request::{committed_before, stored_request};
use crate::write::violation::Violation;
use crate::{Committed, Failure, Fault, Submission, write};

/// Most times a stimulus is tried.
const TRIES_MAX: u32 = 5;

/// Why a try came to nothing.
enum Broke {
    /// Another transaction was in the way: the stimulus may be played again.
    Conflict(sqlx::Error),
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
            // Serialisation failure, deadlock; a unique or foreign key somebody else was faster with.
            Some("40001" | "40P01" | "23505" | "23503") => Self::Conflict(error),
            _ => Self::Failed(Fault::of("asking the database", error).into()),
        }
    }
}

/// Runs the submission to its commit.
pub(super) async fn transact(
    store: &PostgresStore,
    submission: &Submission,
    context: &Context,
) -> Result<Committed, Failure> {
    // Numbers are kept over replays, so that a conflict leaves no gap.
    let mut numbers = HashMap::new();
    let mut tries = 0;
    let result = loop {
        tries += 1;
        match attempt(store, submission, context, &mut numbers).await {
            Ok(committed) => return Ok(committed),
            Err(Broke::Failed(failure)) => break Err(failure),
            Err(Broke::Conflict(error)) if tries == TRIES_MAX => break Err(last_word(&error, context)),
            Err(Broke::Conflict(_)) => tokio::time::sleep(jitter(tries)).await,
        }
    };
    store.series.give_back(context.pack.key(), &numbers);
    result
}

async fn attempt(
    store: &PostgresStore,
    submission: &Submission,
    context: &Context,
    numbers: &mut HashMap<SeriesKey, i64>,
) -> Result<Committed, Broke> {
    store.counter.count();
    let mut transaction = store.pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
    let tried = play(store, &mut transaction, submission, context, numbers).await;
    store.counter.count();
    match tried {
        Ok(committed) => {
            transaction.commit().await?;
            Ok(committed)
        }
        // What a refusal is based on was true only if the transaction would have committed.
        Err(Broke::Failed(Failure::Rejected(rejection))) => {
            transaction.commit().await?;
            Err(Broke::Failed(Failure::Rejected(rejection)))
        }
        Err(broke) => {
            if let Err(error) = transaction.rollback().await {
                tracing::warn!(%error, "rolling back");
            }
            Err(broke)
        }
    }
}

async fn play(
    store: &PostgresStore,
    connection: &mut PgConnection,
    submission: &Submission,
    context: &Context,
    numbers: &mut HashMap<SeriesKey, i64>,
) -> Result<Committed, Broke> {
    if let Some((key, hash)) = &submission.idempotency {
        let select = stored_request(&write::request_actor(&submission.stimulus), key);
        if let Some(row) = run::select(connection, &store.counter, &select).await?.into_iter().next() {
            return Ok(committed_before(row, hash)?);
        }
    }
    let changes = decide(store, connection, submission, context, numbers).await?;
    let mut batches = write::batches(Dialect::Postgres, context.pack.key(), &context.layout, &changes)?;
    if let Some(request) = &submission.idempotency {
        batches.push(write::request_row(Dialect::Postgres, &submission.stimulus, request, &changes.reply, None)?);
    }
    if batches.is_empty() {
        return Ok(Committed { reply: changes.reply, seq: 0, replayed: false });
    }
    let hint = !changes.timers_set.is_empty() || !changes.outbox.is_empty();
    let number = run::write(connection, &store.counter, &batches, hint).await?;
    let seq = if changes.records.is_empty() { 0 } else { number };
    Ok(Committed { reply: changes.reply, seq, replayed: false })
}

async fn decide(
    store: &PostgresStore,
    connection: &mut PgConnection,
    submission: &Submission,
    context: &Context,
    numbers: &mut HashMap<SeriesKey, i64>,
) -> Result<ChangeSet, Broke> {
    let (mut facts, mut rounds) = (Facts::default(), Rounds::default());
    loop {
        let needs = match rounds.sort((store.decider)(submission, &facts))? {
            Said::Answer(changes) => return Ok(changes),
            Said::Load(needs) => needs,
        };
        let (wanted, series) = loads(context, &needs)?;
        for mut load in wanted {
            run::load(connection, &store.counter, &mut load).await?;
            load.finish(&mut facts)?;
        }
        for key in series {
            let number = match numbers.get(&key) {
                Some(number) => *number,
                None => store.series.next(&store.reads, &store.counter, context.pack.key(), &key).await?,
            };
            numbers.insert(key.clone(), number);
            facts.series.insert((key.form, key.field, key.period), number);
        }
    }
}

/// What the caller is told when the last try met a conflict, too.
fn last_word(error: &sqlx::Error, context: &Context) -> Failure {
    let violation = match code(error).as_deref() {
        Some("23505") => constraint(error).map(Violation::UniqueIndex),
        Some("23503") => Some(Violation::Link),
        _ => return Failure::Busy(1),
    };
    let rejection = violation.and_then(|violation| violation.rejection(&context.pack, &context.layout));
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
