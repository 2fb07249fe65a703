//! What a deployment would do, and doing it.
//!
//! ```text
//! migration: deployed, wanted, catalogue ─► statements · what the data forbids · a digest of it all
//! deploy:    LOCK ─► the same again: is the digest the one that was looked at? ─► statements ─► seed rows ─► COMMIT
//! ```

use std::sync::Arc;

use chrono::{DateTime, Utc};

use formwork_core::{Rejection, Stimulus};
use formwork_model::Pack;
use formwork_model::plan::{Blocked, ChangeClass};

use crate::Audit;
use crate::Fault;
use crate::dialect::ColumnKind;
use crate::engine::Engine;
use crate::schema;
use crate::statement::Select;
use crate::store::first_integer;

/// What bringing the database to a pack takes; nothing is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// In the order to run. The last may be `catalogue`, the store's own books.
    pub steps: Vec<Step>,
    /// What the records there are forbid.
    pub blocked: Vec<Blocked>,
    /// Stored fields whose value SQL cannot say: each record gets it when it is saved next.
    pub later: Vec<String>,
    /// SHA-256 over what is deployed, what is wanted and every statement, hexadecimal.
    pub digest: String,
}

impl Migration {
    /// Nothing to run: the definitions forbid it already.
    pub fn none(deployed: Option<&Pack>, wanted: &Pack) -> Self {
        let digest = schema::digest(deployed, wanted, &[]);
        Self { steps: Vec::new(), blocked: Vec::new(), later: Vec::new(), digest }
    }
}

/// A step of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it changes: `forms/ticket/fields/voucher`.
    pub at: String,
    /// What it does to data.
    pub class: ChangeClass,
    /// The statements.
    pub sql: Vec<String>,
    /// Records it concerns.
    pub rows: u64,
}

/// A deployment, asked for.
#[derive(Debug)]
pub struct Deploy<'a> {
    /// What is deployed, as the plan saw it.
    pub deployed: Option<&'a Pack>,
    /// What is to be.
    pub wanted: &'a Arc<Pack>,
    /// The digest of the migration that was looked at.
    pub digest: &'a str,
    /// The author's files.
    pub files: &'a [(String, String)],
    /// Seed rows, in the transaction of the deployment.
    pub seeds: Vec<Stimulus>,
    /// When.
    pub at: DateTime<Utc>,
    /// What the audit log tells of it, in the same transaction.
    pub audit: Option<Audit>,
}

/// Why nothing was deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployFailure {
    /// What is deployed, or the catalogue, is no longer what the plan saw.
    #[error("what is deployed has changed since the plan")]
    Stale,
    /// The records there are forbid it; they have changed since the plan.
    #[error("{}: {}", .0.at, .0.message)]
    Blocked(Box<Blocked>),
    /// A seed row was refused.
    #[error("seed row {row}: {rejection}")]
    Seed {
        /// Its place among the seeds.
        row: usize,
        /// Why.
        rejection: Box<Rejection>,
    },
    /// Us or the world.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The migration, with its rows counted.
pub(crate) async fn migration(
    engine: &impl Engine,
    deployed: Option<&Pack>,
    wanted: &Pack,
) -> Result<Migration, Fault> {
    let planned = schema::migrate(engine.dialect(), deployed, wanted, &engine.catalogue().await?)?;
    let digest = planned.digest(deployed, wanted);
    let mut steps = Vec::new();
    for step in planned.steps {
        let rows = match step.count {
            Some(sql) => count(engine, sql).await?,
            None => 0,
        };
        steps.push(Step { at: step.at, class: step.class, sql: step.sql, rows });
    }
    let mut blocked = Vec::new();
    for check in planned.checks {
        // A condition may read a column that this very migration adds. It holds nothing yet; the index will tell.
        let rows = count(engine, check.count.clone()).await.unwrap_or_default();
        if rows > 0 {
            blocked.push(check.blocked(rows));
        }
    }
    Ok(Migration { steps, blocked, later: planned.later, digest })
}

async fn count(engine: &impl Engine, sql: String) -> Result<u64, Fault> {
    let rows = engine.rows(Select::new(sql, Vec::new(), [ColumnKind::Integer])).await?;
    u64::try_from(first_integer(rows)?).map_err(|error| Fault::of("counting records", error))
}
