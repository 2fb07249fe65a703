//! The one thread that writes.
//!
//! ```text
//! take what waits (≤ 256) ─► BEGIN IMMEDIATE ─► a SAVEPOINT for each ─► COMMIT ─► answer all
//! ```
//! It never waits for company. Refusals, too, are answered after the commit: what they saw may not have been durable.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;

use super::run::code;
use crate::{Fault, QUEUE_MAX};

/// Most submissions of one commit.
const BATCH_MAX: usize = 256;

/// Work for the writer.
pub(super) trait Job: Send {
    /// Does the work inside a savepoint and keeps the answer.
    fn run(&mut self, connection: &Connection) -> Ran;

    /// Answers, after the commit; the error where the commit failed and nothing was written.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// What becomes of a job's writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// They are committed with those of the others.
    Kept,
    /// The savepoint takes them back; the others are not concerned.
    Undone,
    /// The disk or the memory failed: nobody knows what is in the pages, so nothing of the batch is committed.
    Fatal,
}

impl Ran {
    /// What an error of a job says about the batch.
    pub(super) fn of_fault(fault: &Fault) -> Self {
        if code(fault).is_some_and(is_fatal) { Self::Fatal } else { Self::Undone }
    }
}

/// Errors of the world around the database; all others are about the statement.
fn is_fatal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
    )
}

/// Long work that gets the connection to itself: a deployment.
pub(super) type Alone = Box<dyn FnOnce(&mut Connection) + Send>;

enum Message {
    Job(Box<dyn Job>),
    Alone(Alone),
    Stop,
}

/// The writer's queue.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    thread: std::sync::Mutex<Option<std::thread::JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub(super) fn start(connection: Connection) -> Result<Self, Fault> {
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let commits = Arc::new(AtomicU64::new(0));
        let counted = commits.clone();
        let thread = std::thread::Builder::new().name("formwork-writer".to_owned());
        let thread = thread.spawn(move || run(connection, &waiting, &counted));
        let thread = thread.map_err(|error| Fault::of("starting the writer", error))?;
        Ok(Self { queue, thread: std::sync::Mutex::new(Some(thread)), commits })
    }

    /// Queues a job; false when the queue is full.
    pub(super) fn submit(&self, job: Box<dyn Job>) -> Result<bool, Fault> {
        self.send(Message::Job(job))
    }

    /// Queues work that runs alone; false when the queue is full.
    pub(super) fn alone(&self, work: Alone) -> Result<bool, Fault> {
        self.send(Message::Alone(work))
    }

    /// Commits made so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Finishes what waits and closes the connection.
    pub(super) fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = self.queue.send(Message::Stop);
            let _ = thread.join();
        }
    }

    fn send(&self, message: Message) -> Result<bool, Fault> {
        match self.queue.try_send(message) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => Ok(false),
            Err(TrySendError::Disconnected(_)) => Err(Fault::new("the store is closed")),
        }
    }
}

fn run(mut connection: Connection, waiting: &Receiver<Message>, commits: &AtomicU64) {
    let mut next = waiting.recv().ok();
    while let Some(message) = next.take() {
        let mut batch = Vec::new();
        match message {
            Message::Stop => break,
            Message::Alone(work) => {
                let _ = catch_unwind(AssertUnwindSafe(|| work(&mut connection)));
                leave_transaction(&connection);
            }
            Message::Job(job) => {
                batch.push(job);
                while batch.len() < BATCH_MAX {
                    match waiting.try_recv() {
                        Ok(Message::Job(job)) => batch.push(job),
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                commit_together(&connection, batch, commits);
            }
        }
        if next.is_none() {
            next = waiting.recv().ok();
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "closing the database");
    }
}

/// One transaction for all; if it fails as a whole, every job fails.
fn commit_together(connection: &Connection, mut batch: Vec<Box<dyn Job>>, commits: &AtomicU64) {
    let written = write(connection, &mut batch);
    if let Err(error) = &written {
        tracing::error!(%error, jobs = batch.len(), "a batch was not committed");
        leave_transaction(connection);
    } else {
        commits.fetch_add(1, Ordering::Relaxed);
    }
    for job in batch {
        let committed = match &written {
            Ok(()) => Ok(()),
            Err(error) => Err(Fault::new(format!("the batch was not committed: {error}"))),
        };
        let _ = catch_unwind(AssertUnwindSafe(|| job.answer(committed)));
    }
}

fn write(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    control(connection, "BEGIN IMMEDIATE")?;
    for job in batch {
        control(connection, "SAVEPOINT job")?;
        let ran = catch_unwind(AssertUnwindSafe(|| job.run(connection))).unwrap_or_else(|panic| {
            tracing::error!(message = said(&*panic), "a job panicked");
            Ran::Undone
        });
        // Such an error may also end the transaction around the savepoint.
        if ran == Ran::Fatal || connection.is_autocommit() {
            return Err(Fault::new("the disk or the memory failed"));
        }
        if ran == Ran::Undone {
            control(connection, "ROLLBACK TO job")?;
        }
        control(connection, "RELEASE job")?;
    }
    control(connection, "COMMIT")
}

fn control(connection: &Connection, sql: &str) -> Result<(), Fault> {
    let mut statement =
        connection.prepare_cached(sql).map_err(|error| Fault::of(format!("preparing `{sql}`"), error))?;
    statement.raw_execute().map(|_| ()).map_err(|error| Fault::of(format!("running `{sql}`"), error))
}

fn leave_transaction(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "rolling back");
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use rusqlite::ffi;

    use super::*;

    /// Writes a number, and ends as it is told.
    struct Writes(i64, Ran, Sender<bool>);

    impl Job for Writes {
        fn run(&mut self, connection: &Connection) -> Ran {
            connection.execute("INSERT INTO t VALUES (?1)", [self.0]).unwrap();
            self.1
        }

        fn answer(self: Box<Self>, committed: Result<(), Fault>) {
            self.2.send(committed.is_ok()).unwrap();
        }
    }

    /// What three jobs leave behind when the second ends so, and whether their commit succeeded.
    fn left(second: Ran) -> (Vec<i64>, Vec<bool>) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (n)").unwrap();
        let (answers, answered) = channel();
        let ends = [(1, Ran::Kept), (2, second), (3, Ran::Kept)];
        let jobs = ends.map(|(number, ran)| Box::new(Writes(number, ran, answers.clone())) as Box<dyn Job>);
        commit_together(&connection, jobs.into(), &AtomicU64::new(0));
        drop(answers);
        let mut rows = connection.prepare("SELECT n FROM t ORDER BY n").unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        (rows, answered.iter().collect())
    }

    #[test]
    fn a_fatal_job_fails_all_and_a_refused_one_itself_alone() {
        assert_eq!(left(Ran::Kept), (vec![1, 2, 3], vec![true; 3]));
        assert_eq!(left(Ran::Undone), (vec![1, 3], vec![true; 3]));
        assert_eq!(left(Ran::Fatal), (vec![], vec![false; 3]));
    }

    #[test]
    fn what_is_fatal_is_seen_through_the_fault_around_it() {
        let of = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Ran::of_fault(&Fault::of("outer", Fault::of("writing", error)))
        };
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_NOMEM, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CORRUPT] {
            assert_eq!(of(code), Ran::Fatal, "{code}");
        }
        for code in [ffi::SQLITE_CONSTRAINT, ffi::SQLITE_ERROR, ffi::SQLITE_TOOBIG] {
            assert_eq!(of(code), Ran::Undone, "{code}");
        }
        assert_eq!(Ran::of_fault(&Fault::new("a defect")), Ran::Undone);
    }
}
