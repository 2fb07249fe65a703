//! Connecting, and making the system tables.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::run::{Counter, execute, select};
use crate::Fault;
use crate::codec::Reader;
use crate::dialect::{ColumnKind, Dialect};
use crate::schema::system;
use crate::statement::Select;

/// Key of the lock under which the schema changes: `formwork` in ASCII.
pub(super) const SCHEMA_LOCK: i64 = 0x666f_726d_776f_726b;

/// How long one waits for a connection; then there is too much at once.
const CONNECTION_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// A pool of connections that see only the schema `public` and never answer before their commit is durable.
pub(super) async fn pool(url: &str, connections: u32) -> Result<PgPool, Fault> {
    let options = PgConnectOptions::from_str(url).map_err(|error| Fault::of("reading the database URL", error))?;
    let options = options.application_name("formwork").statement_cache_capacity(500).options([
        ("search_path", "public"),
        ("synchronous_commit", "on"),
        ("timezone", "UTC"),
        ("lock_timeout", "10s"),
    ]);
    let pool =
        PgPoolOptions::new().max_connections(connections.max(1)).min_connections(1).acquire_timeout(CONNECTION_WAIT);
    pool.connect_with(options).await.map_err(|error| Fault::of("connecting to the database", error))
}

/// Makes the system tables that are missing; two nodes that start at once take turns.
pub(super) async fn create_system_tables(pool: &PgPool, counter: &Counter) -> Result<(), Fault> {
    let failed = |error: sqlx::Error| Fault::of("creating the system tables", error);
    let mut transaction = pool.begin().await.map_err(failed)?;
    lock_schema(&mut transaction, counter).await.map_err(failed)?;
    execute(&mut transaction, counter, &system::in_dialect(system::META, Dialect::Postgres), &[])
        .await
        .map_err(failed)?;
    let sql = "SELECT value FROM fw_meta WHERE name = 'schema'".to_owned();
    let rows = select(&mut transaction, counter, &Select::new(sql, Vec::new(), [ColumnKind::Integer])).await;
    let done = rows.map_err(failed)?.into_iter().next().map(|row| Reader::new(row).integer()).transpose()?;
    let done = usize::try_from(done.unwrap_or_default()).unwrap_or_default();
    for (number, step) in system::STEPS.iter().enumerate().skip(done) {
        for statement in *step {
            let sql = system::in_dialect(statement, Dialect::Postgres);
            execute(&mut transaction, counter, &sql, &[]).await.map_err(failed)?;
        }
        let sql = format!(
            "INSERT INTO fw_meta VALUES ('schema', {}) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            number + 1
        );
        execute(&mut transaction, counter, &sql, &[]).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// Waits until no other node changes the schema; let go at the end of the transaction.
pub(super) async fn lock_schema(connection: &mut PgConnection, counter: &Counter) -> Result<(), sqlx::Error> {
    let sql = format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK})");
    execute(connection, counter, &sql, &[]).await.map(|_| ())
}
