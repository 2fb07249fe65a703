//! A deployment on the writer: the statements, the catalogue and the row, in one transaction.

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::run;
use crate::Fault;
use crate::catalogue::Catalogue;
use crate::dialect::{Bound, Dialect, bind_instant};
use crate::schema::Migration;

/// What is deployed.
pub(super) struct Deploy {
    /// The catalogue the migration was made from.
    pub(super) expected: Catalogue,
    pub(super) migration: Migration,
    pub(super) pack: String,
    pub(super) version: String,
    pub(super) hash: String,
    pub(super) files: Vec<(String, String)>,
    pub(super) at: DateTime<Utc>,
}

impl Deploy {
    /// Runs it; nothing of it is left where anything fails (the writer rolls back what is open).
    pub(super) fn run(self, connection: &mut Connection) -> Result<i64, Fault> {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
        let transaction = transaction.map_err(|error| Fault::of("beginning the deployment", error))?;
        let [entries, indexes] = Catalogue::selects();
        let actual = Catalogue::of_rows(run::select(&transaction, &entries)?, run::select(&transaction, &indexes)?)?;
        if actual != self.expected {
            return Err(Fault::new("another deployment came first: plan again"));
        }
        for step in &self.migration.steps {
            for sql in &step.sql {
                let ran = transaction.execute_batch(sql);
                ran.map_err(|error| Fault::of(format!("migrating `{}`: `{sql}`", step.at), error))?;
            }
        }
        let text = |text: &str| Bound::String(Some(text.to_owned()));
        let sql = "INSERT INTO fw_deployment (pack, version, hash, at) VALUES ($1, $2, $3, $4)";
        let at = bind_instant(Dialect::Sqlite, self.at);
        run::execute(&transaction, sql, &[text(&self.pack), text(&self.version), text(&self.hash), at])?;
        let number = transaction.last_insert_rowid();
        for (path, content) in &self.files {
            let sql = "INSERT INTO fw_deployment_file (number, path, content) VALUES ($1, $2, $3)";
            run::execute(&transaction, sql, &[Bound::BigInt(Some(number)), text(path), text(content)])?;
        }
        transaction.commit().map_err(|error| Fault::of("committing the deployment", error))?;
        Ok(number)
    }
}
