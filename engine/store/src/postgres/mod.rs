//! PostgreSQL through `sqlx`: any number of nodes over one database, none of which keeps state that counts.

mod migrate;
mod open;
mod run;
mod series;
mod submit;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use sqlx::postgres::PgPool;

use formwork_core::Facts;
use formwork_model::Pack;

use crate::decide::{self, Decider, Rounds, Said};
use crate::deployment::{Deploy, DeployFailure};
use crate::dialect::Dialect;
use crate::engine::{Command, Engine, Layouts};
use crate::load::{Context, Load, Locking, loads};
use crate::statement::{Row, Select};
use crate::{Committed, Failure, Fault, Question, Submission};

use run::{Broken, Counter};

/// How a database is used.
#[derive(Clone)]
pub struct Options {
    /// Connections that write.
    pub writers: u32,
    /// Connections that read.
    pub readers: u32,
    /// Another decider than the core's; tests only.
    pub decider: Option<Decider>,
}

impl Default for Options {
    fn default() -> Self {
        Self { writers: 16, readers: 8, decider: None }
    }
}

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    /// Connections that write.
    pool: PgPool,
    /// Connections that read; a board that is slow does not hold up a submit.
    reads: PgPool,
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
        let (mut facts, mut rounds) = (Facts::default(), Rounds::default());
        let mut snapshot = None;
        loop {
            let needs = match rounds.sort(question(&facts))? {
                Said::Answer(answer) => return Ok(answer),
                Said::Load(needs) => needs,
            };
            let transaction = match &mut snapshot {
                Some(transaction) => transaction,
                None => snapshot.insert(self.snapshot().await?),
            };
            let (wanted, _) = loads(context, &needs)?;
            for mut load in wanted {
                run::load(transaction, &self.counter, &mut load).await.map_err(Fault::from)?;
                load.finish(&mut facts)?;
            }
        }
    }

    async fn snapshot(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Fault> {
        self.counter.count();
        let begun = self.reads.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        begun.map_err(|error| Fault::of("beginning to read", error))
    }
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
        submit::transact(self, &submission, &context).await
    }

    async fn answer(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure> {
        let layout = self.layout_now(pack).await?;
        let context = Context { dialect: Dialect::Postgres, pack: pack.clone(), layout, locking: Locking::None };
        self.question(&context, &question).await
    }

    async fn read(&self, mut loads: Vec<Load>, select: Select) -> Result<(Vec<Load>, Vec<Row>), Fault> {
        let failed = |error: sqlx::Error| Fault::of(format!("running `{}`", select.sql), error);
        if loads.is_empty() {
            let mut connection = self.reads.acquire().await.map_err(failed)?;
            let rows = run::select(&mut connection, &self.counter, &select).await.map_err(failed)?;
            return Ok((loads, rows));
        }
        let mut transaction = self.snapshot().await?;
        for load in &mut loads {
            run::load(&mut transaction, &self.counter, load).await?;
        }
        let rows = run::select(&mut transaction, &self.counter, &select).await.map_err(failed)?;
        Ok((loads, rows))
    }

    async fn change(&self, commands: Vec<Command>) -> Result<Vec<u64>, Fault> {
        let changed = async {
            let mut transaction = self.pool.begin().await?;
            let mut touched = Vec::with_capacity(commands.len());
            for command in &commands {
                touched.push(run::execute(&mut transaction, &self.counter, &command.sql, &command.params).await?);
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(touched)
        };
        changed.await.map_err(|error| Broken::from(error).into())
    }

    async fn change_rows(&self, select: Select) -> Result<Vec<Row>, Fault> {
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
