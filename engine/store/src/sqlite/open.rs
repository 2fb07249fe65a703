//! Opening a data folder: the lock, the connections, the system tables.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::run;
use crate::Fault;
use crate::codec::Reader;
use crate::dialect::{ColumnKind, Dialect};
use crate::schema::system;
use crate::statement::Select;

/// How sure a commit is before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on the disk. The only one for real data.
    Full,
    /// The operating system writes when it likes: a power failure loses commits. For tests whose subject is another.
    Off,
}

/// Where a database is and how it is opened.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) durability: Durability,
    /// The virtual file system to use; the operating system's where absent.
    pub(super) vfs: Option<String>,
}

/// Takes the lock file of the folder: two servers never write one database. Held as long as the file is open.
pub(super) fn lock(folder: &Path) -> Result<File, Fault> {
    let path = folder.join("formwork.lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|error| Fault::of(format!("opening `{}`", path.display()), error))?;
    file.try_lock()
        .map_err(|error| Fault::of(format!("another server works on the data folder `{}`", folder.display()), error))?;
    Ok(file)
}

/// The connection of the writer; makes the system tables where they are missing.
pub(super) fn writer(place: &Place) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = connect(place, flags)?;
    let synchronous = match place.durability {
        Durability::Full => "FULL",
        Durability::Off => "OFF",
    };
    let pragmas = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536;"
    );
    connection.execute_batch(&pragmas).map_err(|error| Fault::of("preparing the database", error))?;
    create_system_tables(&connection)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(place: &Place) -> Result<Connection, Fault> {
    connect(place, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|connection| {
        let set = connection.execute_batch("PRAGMA query_only = ON;");
        set.map_err(|error| Fault::of("preparing a reader", error))?;
        Ok(connection)
    })
}

fn connect(place: &Place, flags: OpenFlags) -> Result<Connection, Fault> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match &place.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(&place.file, flags, vfs.as_str()),
        None => Connection::open_with_flags(&place.file, flags),
    };
    let connection = opened.map_err(|error| Fault::of(format!("opening `{}`", place.file.display()), error))?;
    let waits = connection.busy_timeout(std::time::Duration::from_secs(10));
    waits.map_err(|error| Fault::of("preparing a connection", error))?;
    connection.set_prepared_statement_cache_capacity(512);
    Ok(connection)
}

fn create_system_tables(connection: &Connection) -> Result<(), Fault> {
    let failed = |error: rusqlite::Error| Fault::of("creating the system tables", error);
    connection.execute_batch(&system::in_dialect(system::META, Dialect::Sqlite)).map_err(failed)?;
    let sql = "SELECT value FROM fw_meta WHERE name = 'schema'".to_owned();
    let rows = run::select(connection, &Select::new(sql, Vec::new(), [ColumnKind::Integer]))?;
    let done = rows.into_iter().next().map(|row| Reader::new(row).integer()).transpose()?.unwrap_or_default();
    let done = usize::try_from(done).unwrap_or_default();
    if done > system::STEPS.len() {
        return Err(Fault::new("the database was made by a newer release"));
    }
    for (number, step) in system::STEPS.iter().enumerate().skip(done) {
        let statements: Vec<String> =
            step.iter().map(|statement| system::in_dialect(statement, Dialect::Sqlite)).collect();
        let sql = format!(
            "BEGIN IMMEDIATE; {}; INSERT INTO fw_meta VALUES ('schema', {}) ON CONFLICT (name) DO UPDATE SET value = excluded.value; COMMIT;",
            statements.join("; "),
            number + 1
        );
        connection.execute_batch(&sql).map_err(failed)?;
    }
    Ok(())
}
