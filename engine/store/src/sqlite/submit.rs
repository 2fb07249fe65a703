//! A submission on the writer: decide ⇄ load, then write.

use std::sync::Arc;

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use formwork_core::Facts;
use formwork_core::change::ChangeSet;

use super::run;
use super::writer::{Job, Ran};
use crate::codec::Reader;
use crate::decide::{Decider, Rounds, Said};
use crate::dialect::{Bound, ColumnKind, Dialect};
use crate::engine::{newest, newest_hash};
use crate::layout::PackLayout;
use crate::load::{Context, Locking, SeriesKey, loads};
use crate::statement::{Batch, Select};
use crate::write::request::{committed_before, stored_request};
use crate::write::violation::Violation;
use crate::{Committed, Failure, Fault, NotTogether, Submission, write};

/// A submission in the queue.
pub(super) struct Submit {
    submission: Submission,
    context: Context,
    decider: Decider,
    result: Option<Result<Committed, Failure>>,
    answer: oneshot::Sender<Result<Committed, Failure>>,
}

impl Submit {
    /// The job, and where its answer comes.
    pub(super) fn new(
        submission: Submission,
        layout: Arc<PackLayout>,
        decider: Decider,
    ) -> (Self, oneshot::Receiver<Result<Committed, Failure>>) {
        let (answer, answered) = oneshot::channel();
        let context =
            Context { dialect: Dialect::Sqlite, pack: submission.pack.clone(), layout, locking: Locking::None };
        (Self { submission, context, decider, result: None, answer }, answered)
    }

    pub(super) fn transact(&self, connection: &Connection) -> Result<Committed, Failure> {
        if let Some(stored) = self.stored_reply(connection)? {
            return Ok(stored);
        }
        let deployed = newest_hash(run::select(connection, &newest(self.context.pack.key()))?)?;
        if deployed.as_ref() != Some(self.context.pack.hash()) {
            return Err(Failure::Outdated);
        }
        let changes = self.decide(connection)?;
        let (pack, layout) = (self.context.pack.key(), &self.context.layout);
        let batches = write::batches(Dialect::Sqlite, pack, layout, &changes, self.submission.stimulus.at)?;
        for batch in &batches {
            self.write(connection, batch)?;
        }
        let seq = if changes.records.is_empty() { 0 } else { connection.last_insert_rowid() };
        if let Some(request) = &self.submission.idempotency {
            let row =
                write::request_row(Dialect::Sqlite, &self.submission.stimulus, request, &changes.reply, Some(seq))?;
            self.write(connection, &row)?;
        }
        Ok(Committed { reply: changes.reply, seq, replayed: false })
    }

    /// The reply to an equal request that was committed before.
    fn stored_reply(&self, connection: &Connection) -> Result<Option<Committed>, Failure> {
        let Some((key, hash)) = &self.submission.idempotency else { return Ok(None) };
        let select = stored_request(&write::request_actor(&self.submission.stimulus), key);
        let Some(row) = run::select(connection, &select)?.into_iter().next() else { return Ok(None) };
        committed_before(row, hash).map(Some)
    }

    fn decide(&self, connection: &Connection) -> Result<ChangeSet, Failure> {
        let (mut facts, mut rounds) = (Facts::default(), Rounds::default());
        loop {
            let needs = match rounds.sort((self.decider)(&self.submission, &facts))? {
                Said::Answer(changes) => return Ok(changes),
                Said::Load(needs) => needs,
            };
            let (wanted, series) = loads(&self.context, &needs)?;
            for mut load in wanted {
                run::load(connection, &mut load)?;
                load.finish(&mut facts)?;
            }
            for key in series {
                let number = self.count(connection, &key)?;
                facts.series.insert((key.form, key.field, key.period), number);
            }
        }
    }

    /// The next number, inside the transaction: a refused submission leaves no gap.
    fn count(&self, connection: &Connection, key: &SeriesKey) -> Result<i64, Fault> {
        let sql = "INSERT INTO fw_series (pack, form, field, period, last) VALUES ($1, $2, $3, $4, 1) \
                   ON CONFLICT (pack, form, field, period) DO UPDATE SET last = last + 1 RETURNING last";
        let texts = [self.context.pack.key(), &key.form, &key.field].map(|text| Bound::String(Some(text.to_string())));
        let mut params = texts.to_vec();
        params.push(Bound::String(Some(key.period.clone())));
        let rows = run::select(connection, &Select::new(sql.to_owned(), params, [ColumnKind::Integer]))?;
        rows.into_iter()
            .next()
            .map_or_else(|| Err(Fault::new("a series without number")), |row| Reader::new(row).integer())
    }

    fn write(&self, connection: &Connection, batch: &Batch) -> Result<(), Failure> {
        let Err(error) = run::batch(connection, batch) else { return Ok(()) };
        if let rusqlite::Error::SqliteFailure(code, Some(message)) = &error
            && code.code == ErrorCode::ConstraintViolation
            && let Some(violation) = Violation::of_sqlite(message)
            && let Some(rejection) =
                violation.rejection(&self.context.pack, &self.context.layout, &self.submission.stimulus.actor)
        {
            return Err(Failure::Rejected(Box::new(rejection)));
        }
        Err(Fault::of(format!("writing `{}`", batch.table), error).into())
    }
}

/// All in one transaction; the writer rolls back what is left open.
pub(super) fn together(
    connection: &mut Connection,
    submissions: Vec<Submission>,
    layout: &Arc<PackLayout>,
    decider: &Decider,
) -> Result<Vec<Committed>, NotTogether> {
    let around = |at: usize, context: &str, error| NotTogether { at, failure: Fault::of(context, error).into() };
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| around(0, "beginning a transaction", error))?;
    let mut committed = Vec::with_capacity(submissions.len());
    for (at, submission) in submissions.into_iter().enumerate() {
        let (submit, _) = Submit::new(submission, layout.clone(), decider.clone());
        committed.push(submit.transact(&transaction).map_err(|failure| NotTogether { at, failure })?);
    }
    let last = committed.len().saturating_sub(1);
    transaction.commit().map_err(|error| around(last, "committing", error))?;
    Ok(committed)
}

impl Job for Submit {
    fn run(&mut self, connection: &Connection) -> Ran {
        match self.result.insert(self.transact(connection)) {
            Ok(_) => Ran::Kept,
            Err(Failure::Fault(fault)) => Ran::of_fault(fault),
            Err(_) => Ran::Undone,
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let result = self.result.unwrap_or_else(|| Err(Fault::new("deciding panicked").into()));
        let _ = self.answer.send(committed.map_err(Failure::from).and(result));
    }
}
