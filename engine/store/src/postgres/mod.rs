//! PostgreSQL through `sqlx`: any number of nodes over one database, none of which keeps state that counts.

mod migrate;
mod open;
mod run;
mod series;
mod submit;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit};

use formwork_core::Facts;
use formwork_model::Pack;

use crate::decide::{self, Decider, Rounds, Said};
use crate::deployment::{Deploy, DeployFailure};
use crate::dialect::Dialect;
use crate::engine::{Command, Engine, Layouts};
use crate::load::{Context, Load, Locking, loads};
use crate::statement::{Row, Select};
use crate::{Committed, Failure, Fault, NotTogether, QUESTION_MAX, QUEUE_MAX, Question, READ_MAX, Submission};

use run::{Broken, Counter};

/// How a database is used.
#[derive(Clone)]
pub struct Options {
    /// Connections that write.
    pub writers: u32,
    /// Connections that read.
    pub readers: u32,
    /// Submissions that may be under way or wait, and reads.
    pub queue_max: usize,
    /// How long a question may take.
    pub question_max: Duration,
    /// Another decider than the core's; tests only.
    pub decider: Option<Decider>,
}

impl Default for Options {
    fn default() -> Self {
        Self { writers: 16, readers: 8, queue_max: QUEUE_MAX, question_max: QUESTION_MAX, decider: None }
    }
}

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    /// Connections that write.
    pool: PgPool,
    /// Connections that read; a board that is slow does not hold up a submit.
    reads: PgPool,
    /// Who is under way or waits for a connection of these pools.
    writing: Semaphore,
    reading: Semaphore,
    question_max: Duration,
    layouts: Layouts,
    decider: Decider,
    series: series::Series,
    counter: Counter,
}

impl PostgresStore {
    /// Connects (`postgres://user:password@host/database`) and makes the system tables where they are missing.
    pub async fn open(url: &str, options: Options) -> Result<Self, Fault> {
        let counter = Counter::default();
        let pool = open::pool(url, options.writers).await?;
        open::create_system_tables(&pool, &counter).await?;
        Ok(Self {
            pool,
            reads: open::pool(url, options.readers).await?,
            writing: Semaphore::new(options.queue_max),
            reading: Semaphore::new(options.queue_max),
            question_max: options.question_max,
            layouts: Layouts::default(),
            decider: options.decider.unwrap_or_else(decide::core),
            series: series::Series::default(),
            counter,
        })
    }

    /// Statements sent so far, `BEGIN` and `COMMIT` included: each is a round trip.
    pub fn statements(&self) -> u64 {
        self.counter.sent()
    }

    async fn question(&self, context: &Context, question: &Question) -> Result<Json, Failure> {
        let _place = place(&self.reading)?;
        let (mut facts, mut rounds) = (Facts::default(), Rounds::default());
        let mut snapshot = None;
        loop {
            let needs = match rounds.sort(question(&facts))? {
                Said::Answer(answer) => return Ok(answer),
                Said::Load(needs) => needs,
            };
            let transaction = match &mut snapshot {
                Some(transaction) => transaction,
                None => snapshot.insert(self.snapshot(self.question_max).await?),
            };
            let (wanted, _) = loads(context, &needs)?;
            for mut load in wanted {
                run::load(transaction, &self.counter, &mut load).await.map_err(run::or_too_slow)?;
                load.finish(&mut facts)?;
            }
        }
    }

    /// A snapshot; a statement that takes longer than `most` is given up.
    async fn snapshot(&self, most: Duration) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Fault> {
        self.counter.count();
        let limit = most.as_millis().max(1);
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {limit}");
        let begun = self.reads.begin_with(AssertSqlSafe(begin)).await;
        begun.map_err(|error| run::fault("beginning to read", error))
    }
}

/// A place among those who are under way or wait; whoever finds none comes back later.
fn place(places: &Semaphore) -> Result<SemaphorePermit<'_>, Fault> {
    places.try_acquire().map_err(|_| Fault::full("waiting for a connection"))
}

#[async_trait]
impl Engine for PostgresStore {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    async fn transact(&self, submission: Submission) -> Result<Committed, Failure> {
        let layout = self.layout_now(&submission.pack).await?;
        let context =
            Context { dialect: Dialect::Postgres, pack: submission.pack.clone(), layout, locking: Locking::None };
        let _place = place(&self.writing)?;
        submit::transact(self, &submission, &context).await
    }

    async fn transact_together(&self, submissions: Vec<Submission>) -> Result<Vec<Committed>, NotTogether> {
        let nothing = |failure| NotTogether { at: 0, failure };
        let Some(first) = submissions.first() else { return Ok(Vec::new()) };
        let (pack, layout) = (first.pack.clone(), self.layout_now(&first.pack).await.map_err(nothing)?);
        let _place = place(&self.writing).map_err(|fault| nothing(fault.into()))?;
        submit::together(self, pack, layout, submissions).await
    }

    async fn answer(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure> {
        let layout = self.layout_now(pack).await?;
        let context = Context { dialect: Dialect::Postgres, pack: pack.clone(), layout, locking: Locking::None };
        self.question(&context, &question).await
    }

    async fn read(&self, mut loads: Vec<Load>, select: Select) -> Result<(Vec<Load>, Vec<Row>), Fault> {
        let _place = place(&self.reading)?;
        let failed = |error: sqlx::Error| run::fault(format!("running `{}`", select.sql), error);
        if loads.is_empty() {
            let mut connection = self.reads.acquire().await.map_err(failed)?;
            let rows = run::select(&mut connection, &self.counter, &select).await.map_err(failed)?;
            return Ok((loads, rows));
        }
        let mut transaction = self.snapshot(READ_MAX).await?;
        for load in &mut loads {
            run::load(&mut transaction, &self.counter, load).await?;
        }
        let rows = run::select(&mut transaction, &self.counter, &select).await.map_err(failed)?;
        Ok((loads, rows))
    }

    async fn change(&self, commands: Vec<Command>) -> Result<Vec<u64>, Fault> {
        let _place = place(&self.writing)?;
        let changed = async {
            let mut transaction = self.pool.begin().await?;
            let mut touched = Vec::with_capacity(commands.len());
            for command in &commands {
                let rows = run::execute(&mut transaction, &self.counter, &command.sql, &command.params).await?;
                touched.push(rows);
                if rows == 0 && command.guards {
                    break;
                }
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(touched)
        };
        changed.await.map_err(|error| Broken::from(error).into())
    }

    async fn change_rows(&self, select: Select) -> Result<Vec<Row>, Fault> {
        let _place = place(&self.writing)?;
        let changed = async {
            let mut connection = self.pool.acquire().await?;
            run::select(&mut connection, &self.counter, &select).await
        };
        changed.await.map_err(|error| Broken::from(error).into())
    }

    async fn migrate(&self, deploy: Deploy<'_>) -> Result<i64, DeployFailure> {
        migrate::run(self, deploy).await
    }

    async fn shut(&self) {
        self.reads.close().await;
        self.pool.close().await;
    }
}
