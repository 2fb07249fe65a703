//! Where cases are played: the embedded store in a scratch folder, and a PostgreSQL that the suite starts itself.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::Mutex;

use formwork_runtime::cases::Host;
use formwork_store::testing::Cluster;
use formwork_store::{Fault, PostgresStore, SqliteStore, Store, postgres, sqlite};

/// A fresh database in the cluster of this test process, which stops with the process.
pub async fn database() -> String {
    let cluster = Cluster::shared().expect("PostgreSQL can be started");
    cluster.database().await.expect("a fresh database")
}

/// Embedded stores, one folder a name.
pub struct Sqlite {
    folder: TempDir,
}

impl Default for Sqlite {
    fn default() -> Self {
        Self { folder: TempDir::new().expect("a scratch folder") }
    }
}

#[async_trait]
impl Host for Sqlite {
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>, Fault> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a scratch folder");
        Ok(Arc::new(SqliteStore::open(&folder, sqlite::Options::default())?))
    }

    fn message_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.messages.jsonl"))
    }
}

/// PostgreSQL, one database a name.
pub struct Postgres {
    folder: TempDir,
    databases: Mutex<HashMap<String, String>>,
}

impl Default for Postgres {
    fn default() -> Self {
        Self { folder: TempDir::new().expect("a scratch folder"), databases: Mutex::default() }
    }
}

#[async_trait]
impl Host for Postgres {
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>, Fault> {
        let mut databases = self.databases.lock().await;
        let url = match databases.get(name) {
            Some(url) => url.clone(),
            None => databases.entry(name.to_owned()).or_insert(database().await).clone(),
        };
        Ok(Arc::new(PostgresStore::open(&url, postgres::Options::default()).await?))
    }

    fn message_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.messages.jsonl"))
    }
}
