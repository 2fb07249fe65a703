//! A deployment on the writer: the statements, the catalogue, the row and the seed rows, in one transaction.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;
use tokio::sync::oneshot;

use chrono::{DateTime, Utc};

use formwork_core::Stimulus;
use formwork_model::Pack;

use super::submit::Submit;
use super::{SqliteStore, run};
use crate::audit::note;
use crate::catalogue::Catalogue;
use crate::decide::Decider;
use crate::deployment::{Deploy, DeployFailure};
use crate::dialect::{Bound, Dialect, bind_instant};
use crate::engine::{Engine, newest_hash};
use crate::layout::PackLayout;
use crate::schema::{self, Planned};
use crate::{Audit, Failure, Fault, Packs, Submission};

/// Makes the migration again, and runs it on the writer if it is the one that was looked at.
pub(super) async fn run(store: &SqliteStore, deploy: Deploy<'_>) -> Result<i64, DeployFailure> {
    let catalogue = store.catalogue().await?;
    let planned = schema::migrate(Dialect::Sqlite, deploy.deployed, deploy.wanted, &catalogue)?;
    if planned.digest(deploy.deployed, deploy.wanted) != deploy.digest {
        return Err(DeployFailure::Stale);
    }
    let work = Work {
        deployed: deploy.deployed.map(|pack| pack.hash().clone()),
        expected: catalogue,
        planned,
        pack: deploy.wanted.clone(),
        files: deploy.files.to_vec(),
        seeds: deploy.seeds,
        decider: store.decider.clone(),
        at: deploy.at,
        audit: deploy.audit,
    };
    let (answer, answered) = oneshot::channel();
    let alone = Box::new(move |connection: &mut Connection| {
        let _ = answer.send(work.run(connection));
    });
    if !store.writer.alone(alone)? {
        return Err(Fault::full("deploying").into());
    }
    answered.await.map_err(|_| Fault::new("the deployment broke off"))?
}

/// What is deployed.
struct Work {
    /// Hash of the pack that the plan saw deployed.
    deployed: Option<String>,
    /// The catalogue the migration was made from.
    expected: Catalogue,
    planned: Planned,
    pack: Arc<Pack>,
    files: Vec<(String, String)>,
    seeds: Vec<Stimulus>,
    decider: Decider,
    at: DateTime<Utc>,
    audit: Option<Audit>,
}

impl Work {
    /// Runs it; nothing of it is left where anything fails (the writer rolls back what is open).
    fn run(self, connection: &mut Connection) -> Result<i64, DeployFailure> {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
        let transaction = transaction.map_err(|error| Fault::of("beginning the deployment", error))?;
        let [entries, indexes] = Catalogue::selects();
        let actual = Catalogue::of_rows(run::select(&transaction, &entries)?, run::select(&transaction, &indexes)?)?;
        let deployed = newest_hash(run::select(&transaction, &crate::engine::newest(self.pack.key()))?)?;
        if actual != self.expected || deployed != self.deployed {
            return Err(DeployFailure::Stale);
        }
        for step in &self.planned.steps {
            for sql in &step.sql {
                transaction.execute_batch(sql).map_err(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ConstraintViolation) => DeployFailure::Blocked(Box::new(step.forbidden())),
                    _ => Fault::of(format!("migrating `{}`: `{sql}`", step.at), error).into(),
                })?;
            }
        }
        let text = |text: &str| Bound::String(Some(text.to_owned()));
        let sql = "INSERT INTO fw_deployment (pack, version, hash, at) VALUES ($1, $2, $3, $4)";
        let (pack, at) = (&self.pack, bind_instant(Dialect::Sqlite, self.at));
        run::execute(&transaction, sql, &[text(pack.key()), text(pack.version()), text(pack.hash()), at])?;
        let number = transaction.last_insert_rowid();
        for (path, content) in &self.files {
            let sql = "INSERT INTO fw_deployment_file (number, path, content) VALUES ($1, $2, $3)";
            run::execute(&transaction, sql, &[Bound::BigInt(Some(number)), text(path), text(content)])?;
        }
        if let Some(audit) = &self.audit {
            let note = note(Dialect::Sqlite, audit);
            run::execute(&transaction, &note.sql, &note.params)?;
        }
        self.plant(&transaction)?;
        transaction.commit().map_err(|error| Fault::of("committing the deployment", error))?;
        Ok(number)
    }

    fn plant(&self, connection: &Connection) -> Result<(), DeployFailure> {
        let layout = Arc::new(PackLayout::new(&self.pack, &self.planned.catalogue)?);
        for (row, stimulus) in self.seeds.iter().enumerate() {
            let submission = Submission {
                pack: self.pack.clone(),
                packs: Arc::new(Packs::default()),
                stimulus: stimulus.clone(),
                idempotency: None,
            };
            let (submit, _) = Submit::new(submission, layout.clone(), self.decider.clone());
            submit.transact(connection).map_err(|failure| match failure {
                Failure::Rejected(rejection) => DeployFailure::Seed { row, rejection },
                Failure::Fault(fault) => fault.into(),
                other => Fault::new(format!("seed row {row}: {other}")).into(),
            })?;
        }
        Ok(())
    }
}
