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

use crate::Fault;

/// Most submissions of one commit.
const BATCH_MAX: usize = 256;
/// Most submissions that wait.
const QUEUE_MAX: usize = 4_096;

/// Work for the writer.
pub(super) trait Job: Send {
    /// Does the work inside a savepoint and keeps the answer; false undoes what it wrote.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Answers, after the commit; the error where the commit failed and nothing was written.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
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
        let kept = catch_unwind(AssertUnwindSafe(|| job.run(connection))).unwrap_or_else(|panic| {
            tracing::error!(message = said(&*panic), "a job panicked");
            false
        });
        // An I/O error, a full disk or lack of memory may end the transaction around the savepoint.
        if connection.is_autocommit() {
            return Err(Fault::new("the database left the transaction"));
        }
        if !kept {
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
