//! The embedded engine: SQLite through `rusqlite`, one thread that writes and a few that read.

mod migrate;
mod open;
mod readers;
mod run;
mod submit;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use formwork_core::Facts;
use formwork_model::Pack;

use crate::decide::{self, Decider, Rounds, Said};
use crate::deployment::{Deploy, DeployFailure};
use crate::dialect::Dialect;
use crate::engine::{Command, Engine, Layouts};
use crate::load::{Context, Load, Locking, loads};
use crate::statement::{Row, Select};
use crate::{
    Committed, Failure, Fault, NotTogether, QUESTION_MAX, Question, READ_MAX, RETRY_AFTER_S, Submission, too_slow,
};

pub use open::Durability;
use readers::Readers;
use writer::{Job, Ran, Writer};

/// How a data folder is opened.
#[derive(Clone)]
pub struct Options {
    /// How sure a commit is before it is answered.
    pub durability: Durability,
    /// How many connections read.
    pub readers: u32,
    /// How long a question may take.
    pub question_max: Duration,
    /// The virtual file system of SQLite to use; the operating system's where absent.
    pub vfs: Option<String>,
    /// Another decider than the core's; tests only.
    pub decider: Option<Decider>,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Full, readers: 3, question_max: QUESTION_MAX, vfs: None, decider: None }
    }
}

/// A store in a data folder.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    layouts: Layouts,
    decider: Decider,
    question_max: Duration,
    /// Held as long as the store is open.
    lock: File,
}

/// Name of the database in the data folder.
const DATABASE: &str = "formwork.sqlite";

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_UNWATCHED: i32 = 10_000;

impl SqliteStore {
    /// Opens the data folder, which exists, and makes the database where there is none. Fails where another process has
    /// the folder open.
    pub fn open(folder: &Path, options: Options) -> Result<Self, Fault> {
        let lock = open::lock(folder)?;
        let place = open::Place { file: folder.join(DATABASE), durability: options.durability, vfs: options.vfs };
        let writer = open::writer(&place)?;
        let readers = (0..options.readers.max(1)).map(|_| open::reader(&place)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            writer: Writer::start(writer)?,
            readers: Readers::start(readers)?,
            layouts: Layouts::default(),
            decider: options.decider.unwrap_or_else(decide::core),
            question_max: options.question_max,
            lock,
        })
    }

    /// Transactions committed by the writer since it was opened; one holds up to 256 submissions.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// Runs a function on a reader, inside a snapshot; what takes longer than `most` is interrupted.
    async fn on_reader<T: Send + 'static>(
        &self,
        most: Duration,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |connection: &Connection| {
            let _ = answer.send(watched(connection, most).map_err(Failure::from).and_then(|()| read(connection)));
        });
        if !self.readers.submit(work)? {
            return Err(Failure::Busy(RETRY_AFTER_S));
        }
        let answered = answered.await.map_err(|_| Fault::new("a reader broke off"))?;
        answered.map_err(|failure| match failure {
            Failure::Fault(fault) if run::code(&fault) == Some(ErrorCode::OperationInterrupted) => too_slow(),
            failure => failure,
        })
    }

    /// Runs a function on the writer, in a savepoint of the next batch.
    async fn on_writer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let job = Plain { work: Some(Box::new(work)), result: None, answer };
        if !self.writer.submit(Box::new(job))? {
            return Err(Fault::full("writing"));
        }
        answered.await.map_err(|_| Fault::new("the writer broke off"))?
    }
}

/// From now on the connection gives up what is still running after that time.
fn watched(connection: &Connection, most: Duration) -> Result<(), Fault> {
    let end = Instant::now() + most;
    let set = connection.progress_handler(STEPS_UNWATCHED, Some(move || Instant::now() > end));
    set.map_err(|error| Fault::of("watching a reader", error))
}

type Work<T> = Box<dyn FnOnce(&Connection) -> Result<T, Fault> + Send>;

/// A small write that is no submission.
struct Plain<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, Fault>>,
    answer: oneshot::Sender<Result<T, Fault>>,
}

impl<T: Send> Job for Plain<T> {
    fn run(&mut self, connection: &Connection) -> Ran {
        self.result = self.work.take().map(|work| work(connection));
        match &self.result {
            Some(Ok(_)) => Ran::Kept,
            Some(Err(fault)) => Ran::of_fault(fault),
            None => Ran::Undone,
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let result = self.result.unwrap_or_else(|| Err(Fault::new("a write panicked")));
        let _ = self.answer.send(committed.and(result));
    }
}

#[async_trait]
impl Engine for SqliteStore {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    async fn transact(&self, submission: Submission) -> Result<Committed, Failure> {
        let layout = self.layout_now(&submission.pack).await?;
        let (job, answered) = submit::Submit::new(submission, layout, self.decider.clone());
        if !self.writer.submit(Box::new(job))? {
            return Err(Failure::Busy(RETRY_AFTER_S));
        }
        answered.await.map_err(|_| Fault::new("the writer broke off"))?
    }

    async fn transact_together(&self, submissions: Vec<Submission>) -> Result<Vec<Committed>, NotTogether> {
        let nothing = |failure| NotTogether { at: 0, failure };
        let Some(first) = submissions.first() else { return Ok(Vec::new()) };
        let layout = self.layout_now(&first.pack).await.map_err(nothing)?;
        let decider = self.decider.clone();
        let (answer, answered) = oneshot::channel();
        let alone = Box::new(move |connection: &mut Connection| {
            let _ = answer.send(submit::together(connection, submissions, &layout, &decider));
        });
        if !self.writer.alone(alone).map_err(|fault| nothing(fault.into()))? {
            return Err(nothing(Failure::Busy(RETRY_AFTER_S)));
        }
        answered.await.map_err(|_| nothing(Fault::new("the writer broke off").into()))?
    }

    async fn answer(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure> {
        let layout = self.layout_now(pack).await?;
        let context = Context { dialect: Dialect::Sqlite, pack: pack.clone(), layout, locking: Locking::None };
        self.on_reader(self.question_max, move |connection| answer(connection, &context, &question)).await
    }

    async fn read(&self, mut loads: Vec<Load>, select: Select) -> Result<(Vec<Load>, Vec<Row>), Fault> {
        let read = self.on_reader(READ_MAX, move |connection| {
            for load in &mut loads {
                run::load(connection, load)?;
            }
            let rows = run::select(connection, &select)?;
            Ok((loads, rows))
        });
        read.await.map_err(|failure| match failure {
            Failure::Fault(fault) => fault,
            Failure::Busy(_) => Fault::full("reading"),
            other => Fault::new(format!("reading: {other}")),
        })
    }

    async fn change(&self, commands: Vec<Command>) -> Result<Vec<u64>, Fault> {
        self.on_writer(move |connection| {
            let mut touched = Vec::with_capacity(commands.len());
            for command in &commands {
                let rows = run::execute(connection, &command.sql, &command.params)?;
                touched.push(rows as u64);
                if rows == 0 && command.guards {
                    break;
                }
            }
            Ok(touched)
        })
        .await
    }

    async fn change_rows(&self, select: Select) -> Result<Vec<Row>, Fault> {
        self.on_writer(move |connection| run::select(connection, &select)).await
    }

    async fn migrate(&self, deploy: Deploy<'_>) -> Result<i64, DeployFailure> {
        migrate::run(self, deploy).await
    }

    async fn shut(&self) {
        self.readers.stop();
        self.writer.stop();
        // Nothing is written any more: another server may take the folder, though somebody still holds this store.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the lock of the data folder could not be released before the store is dropped");
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.stop();
        self.writer.stop();
    }
}

fn answer(connection: &Connection, context: &Context, question: &Question) -> Result<Json, Failure> {
    let (mut facts, mut rounds) = (Facts::default(), Rounds::default());
    loop {
        let needs = match rounds.sort(question(&facts))? {
            Said::Answer(answer) => return Ok(answer),
            Said::Load(needs) => needs,
        };
        let (wanted, _) = loads(context, &needs)?;
        for mut load in wanted {
            run::load(connection, &mut load)?;
            load.finish(&mut facts)?;
        }
    }
}
