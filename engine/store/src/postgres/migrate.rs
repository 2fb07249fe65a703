//! A deployment: the statements, the catalogue, the row and the seed rows, in one transaction; nodes take turns, and no
//! submission runs meanwhile.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use formwork_core::Stimulus;
use formwork_model::Pack;

use super::run::{self, Counter};
use super::submit::Alone;
use super::{PostgresStore, open};
use crate::audit::note;
use crate::catalogue::Catalogue;
use crate::codec::Reader;
use crate::deployment::{Deploy, DeployFailure};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_instant};
use crate::engine::{newest, newest_hash};
use crate::layout::PackLayout;
use crate::schema;
use crate::statement::Select;
use crate::{Failure, Fault, NotTogether, Packs, Submission};

/// A migration waits at most this long for running transactions; others wait behind it meanwhile.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '10s'";

pub(super) async fn run(store: &PostgresStore, deploy: Deploy<'_>) -> Result<i64, DeployFailure> {
    let failed = |error: sqlx::Error| Fault::of("deploying", error);
    let counter = &store.counter;
    let mut transaction = store.pool.begin().await.map_err(failed)?;
    run::execute(&mut transaction, counter, LOCK_WAIT, &[]).await.map_err(failed)?;
    open::lock_schema(&mut transaction, counter).await.map_err(failed)?;
    let rows = run::select(&mut transaction, counter, &newest(deploy.wanted.key())).await.map_err(failed)?;
    if newest_hash(rows)?.as_ref() != deploy.deployed.map(|pack| pack.hash()) {
        return Err(DeployFailure::Stale);
    }
    let catalogue = catalogue(&mut transaction, counter).await?;
    let planned = schema::migrate(Dialect::Postgres, deploy.deployed, deploy.wanted, &catalogue)?;
    if planned.digest(deploy.deployed, deploy.wanted) != deploy.digest {
        return Err(DeployFailure::Stale);
    }
    for step in &planned.steps {
        for sql in &step.sql {
            let ran = run::execute(&mut transaction, counter, sql, &[]).await;
            ran.map_err(|error| match error.as_database_error().and_then(|error| error.code()).as_deref() {
                // A value that is not unique, or does not fit.
                Some("23505" | "22003") => DeployFailure::Blocked(Box::new(step.forbidden())),
                _ => Fault::of(format!("migrating `{}`: `{sql}`", step.at), error).into(),
            })?;
        }
    }
    let number = record(&mut transaction, counter, deploy.wanted, deploy.files, deploy.at).await?;
    if let Some(audit) = &deploy.audit {
        let note = note(Dialect::Postgres, audit);
        run::execute(&mut transaction, counter, &note.sql, &note.params).await.map_err(failed)?;
    }
    let layout = Arc::new(PackLayout::new(deploy.wanted, &planned.catalogue)?);
    plant(store, &mut transaction, deploy.wanted, layout, deploy.seeds).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(number)
}

/// Seed rows, in the transaction of the deployment.
async fn plant(
    store: &PostgresStore,
    connection: &mut PgConnection,
    pack: &Arc<Pack>,
    layout: Arc<PackLayout>,
    seeds: Vec<Stimulus>,
) -> Result<(), DeployFailure> {
    let submission = |stimulus| {
        let (pack, packs) = (pack.clone(), Arc::new(Packs::default()));
        Submission { pack, packs, stimulus, idempotency: None }
    };
    let planted = Alone { store, pack: pack.clone(), layout }.run(connection, seeds.into_iter().map(submission)).await;
    planted.map(drop).map_err(|NotTogether { at: row, failure }| match failure {
        Failure::Rejected(rejection) => DeployFailure::Seed { row, rejection },
        Failure::Fault(fault) => fault.into(),
        other => Fault::new(format!("seed row {row}: {other}")).into(),
    })
}

async fn catalogue(connection: &mut PgConnection, counter: &Counter) -> Result<Catalogue, Fault> {
    let failed = |error: sqlx::Error| Fault::of("reading the catalogue", error);
    let [entries, indexes] = Catalogue::selects();
    let entries = run::select(connection, counter, &entries).await.map_err(failed)?;
    let indexes = run::select(connection, counter, &indexes).await.map_err(failed)?;
    Catalogue::of_rows(entries, indexes)
}

/// The row of the deployment and its files.
async fn record(
    connection: &mut PgConnection,
    counter: &Counter,
    pack: &Pack,
    files: &[(String, String)],
    at: DateTime<Utc>,
) -> Result<i64, Fault> {
    let failed = |error: sqlx::Error| Fault::of("recording the deployment", error);
    let text = |text: &str| Bound::String(Some(text.to_owned()));
    let sql = "INSERT INTO fw_deployment (pack, version, hash, at) VALUES ($1, $2, $3, $4) RETURNING number";
    let at = bind_instant(Dialect::Postgres, at);
    let params = vec![text(pack.key()), text(pack.version()), text(pack.hash()), at];
    let insert = Select::new(sql.to_owned(), params, [ColumnKind::Integer]);
    let rows = run::select(connection, counter, &insert).await.map_err(failed)?;
    let row = rows.into_iter().next().ok_or_else(|| Fault::new("a deployment without number"))?;
    let number = Reader::new(row).integer()?;
    for (path, content) in files {
        let sql = "INSERT INTO fw_deployment_file (number, path, content) VALUES ($1, $2, $3)";
        let params = [Bound::BigInt(Some(number)), text(path), text(content)];
        run::execute(connection, counter, sql, &params).await.map_err(failed)?;
    }
    Ok(number)
}
