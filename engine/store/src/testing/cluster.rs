//! A PostgreSQL cluster of one's own, from the binaries of the distribution.
//!
//! ```text
//! initdb in a temporary folder ─► postgres on a free port of the loopback ─► a fresh database for each test
//! ```
//! The server is a child of a small shell that reads a pipe from this process: when this process ends, however it ends,
//! the pipe closes, the server stops and the folder goes.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::Fault;

/// Runs the server until the pipe at its input closes.
const WATCHDOG: &str = r#"
"$@" >"$FOLDER/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$FOLDER"
"#;

/// How long the server may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A running cluster; it stops when this is dropped, or when the process ends.
#[derive(Debug)]
pub struct Cluster {
    watchdog: Mutex<Option<Child>>,
    port: u16,
    databases: AtomicU64,
}

/// An account the server may run under: it refuses to run as root.
#[derive(Debug, Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl Cluster {
    /// Starts a cluster. Durability is as in production: `fsync` is on.
    pub fn start() -> Result<Self, Fault> {
        let binaries = binaries()?;
        let folder = new_folder()?;
        let account = unprivileged(&folder)?;
        let data = folder.join("data");
        initdb(&binaries, &data, account)?;
        let port = free_port()?;
        let mut watchdog = command("sh", account);
        watchdog.args(["-c", WATCHDOG, "watchdog"]).arg(binaries.join("postgres")).arg("-D").arg(&data);
        watchdog.arg("-k").arg(&folder).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        watchdog.args(["-c", "max_connections=300", "-c", "max_pred_locks_per_transaction=256"]);
        watchdog.env("FOLDER", &folder).current_dir(&folder).stdin(Stdio::piped());
        let watchdog = watchdog.spawn().map_err(|error| Fault::of("starting PostgreSQL", error))?;
        Ok(Self { watchdog: Mutex::new(Some(watchdog)), port, databases: AtomicU64::new(0) })
    }

    /// The one cluster of this process, for tests that only need a database of their own.
    pub fn shared() -> Result<&'static Self, Fault> {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = SHARED.get() {
            return Ok(cluster);
        }
        let cluster = Self::start()?;
        Ok(SHARED.get_or_init(|| cluster))
    }

    /// The URL of a fresh, empty database.
    pub async fn database(&self) -> Result<String, Fault> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().await?;
        let created = sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await;
        created.map_err(|error| Fault::of("creating a test database", error))?;
        Ok(self.url(&name))
    }

    /// A connection to the maintenance database, as soon as the server answers.
    async fn connect(&self) -> Result<PgConnection, Fault> {
        let start = Instant::now();
        loop {
            match PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return Ok(connection),
                Err(error) if start.elapsed() > START_MAX => return Err(Fault::of("connecting to PostgreSQL", error)),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut watchdog) = watchdog {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
    }
}

/// The newest of the distribution's binaries.
fn binaries() -> Result<PathBuf, Fault> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.map_err(|error| Fault::of("looking for PostgreSQL (apt-get install postgresql)", error))?;
    let found = versions.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let binaries = entry.path().join("bin");
        binaries.join("initdb").exists().then_some((version, binaries))
    });
    let newest = found.max_by_key(|(version, _)| *version).map(|(_, binaries)| binaries);
    newest.ok_or_else(|| Fault::new("no PostgreSQL server under /usr/lib/postgresql (apt-get install postgresql)"))
}

fn new_folder() -> Result<PathBuf, Fault> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("formwork-postgres-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| Fault::of("making a folder for PostgreSQL", error))?;
    Ok(folder)
}

/// The account to run under, where this process is root; the folder becomes its own.
fn unprivileged(folder: &Path) -> Result<Option<Account>, Fault> {
    let owner = std::fs::metadata(folder).map_err(|error| Fault::of("looking at the folder of PostgreSQL", error))?;
    if owner.uid() != 0 {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd").map_err(|error| Fault::of("reading accounts", error))?;
    let account = ["postgres", "nobody"].iter().find_map(|name| account(&accounts, name));
    let account = account.ok_or_else(|| Fault::new("neither `postgres` nor `nobody` is an account here"))?;
    let given = chown(folder, Some(account.user), Some(account.group));
    given.map_err(|error| Fault::of("giving PostgreSQL its folder", error))?;
    Ok(Some(account))
}

/// The account of that name in the text of `/etc/passwd`.
fn account(accounts: &str, name: &str) -> Option<Account> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2);
    Some(Account { user: numbers.next()?.parse().ok()?, group: numbers.next()?.parse().ok()? })
}

fn command(program: impl AsRef<std::ffi::OsStr>, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    command
}

fn initdb(binaries: &Path, data: &Path, account: Option<Account>) -> Result<(), Fault> {
    let mut initdb = command(binaries.join("initdb"), account);
    initdb.arg("-D").arg(data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    initdb.current_dir("/").stdin(Stdio::null());
    let output = initdb.output().map_err(|error| Fault::of("running initdb", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Fault::new(format!("initdb: {}", String::from_utf8_lossy(&output.stderr))))
}

fn free_port() -> Result<u16, Fault> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| Fault::of("looking for a free port", error))
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn accounts_are_found_by_their_whole_name() {
        let text = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8::/:/x\npostgres:x:101:104::/:/bin/bash\n";
        let found = account(text, "postgres").unwrap();
        assert_eq!((found.user, found.group), (101, 104));
        assert!(account(text, "nobody").is_none());
    }
}
