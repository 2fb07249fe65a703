//! Options of the environment: command line, then `FORMWORK_…`, then `formwork.toml`, then defaults.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;

use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{PostgresStore, SqliteStore, Store, postgres, sqlite};

/// Most memory for the columnar copy.
const REPLICA_BYTES_MAX: usize = 1 << 30;

/// Which store.
#[derive(Debug, Clone, Args)]
pub struct StoreOptions {
    /// Folder of the embedded store
    #[arg(long, value_name = "DIR", env = "FORMWORK_DATA", conflicts_with = "database_url")]
    data: Option<PathBuf>,
    /// PostgreSQL instead of the embedded store: postgres://user:password@host/database
    #[arg(long, value_name = "URL", env = "FORMWORK_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// `formwork.toml` in the working folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<String>,
    data: Option<PathBuf>,
    database_url: Option<String>,
    #[serde(default)]
    pub(super) channels: Channels,
}

impl File {
    /// Reads it, if it is there.
    pub(super) fn read() -> anyhow::Result<Self> {
        let path = Path::new("formwork.toml");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path).context("cannot read formwork.toml")?;
        toml::from_str(&text).context("formwork.toml does not fit")
    }
}

impl StoreOptions {
    /// The folder for the embedded store's data and the file messages are appended to.
    pub(super) fn folder(&self, file: &File) -> PathBuf {
        self.data.clone().or_else(|| file.data.clone()).unwrap_or_else(|| PathBuf::from("formwork-data"))
    }

    fn database_url(&self, file: &File) -> Option<String> {
        if self.data.is_some() { None } else { self.database_url.clone().or_else(|| file.database_url.clone()) }
    }
}

/// Opens the store that the options name.
pub async fn open_store(folder: &Path, database_url: Option<&str>) -> anyhow::Result<Arc<dyn Store>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    Ok(match database_url {
        Some(url) => {
            let store = PostgresStore::open(url, postgres::Options::default()).await;
            Arc::new(store.context("cannot reach PostgreSQL")?)
        }
        None => {
            let store = SqliteStore::open(folder, sqlite::Options::default());
            Arc::new(store.context("cannot open the embedded store")?)
        }
    })
}

/// Starts an engine as the options and the file say.
pub(super) async fn start_engine(options: &StoreOptions, file: File, clock: Clock) -> anyhow::Result<Arc<Engine>> {
    let folder = options.folder(&file);
    let store = open_store(&folder, options.database_url(&file).as_deref()).await?;
    let environment = Environment {
        clock,
        message_file: folder.join("messages.jsonl"),
        channels: file.channels,
        seeds: Seeds::Random,
        replica_bytes_max: REPLICA_BYTES_MAX,
    };
    Ok(Engine::start(store, environment).await?)
}
