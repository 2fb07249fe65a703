//! A disk that can lose power: a virtual file system for SQLite that remembers what was synced.
//!
//! ```text
//! write ─► the file (as always)          sync ─► the file ─► a copy beside it: `….durable`
//! image ─► a folder with the copies only: what a power failure at this moment would leave
//! ```
//! Writes that were never synced are in the file and not in the copy. So a store that answers before it has synced
//! loses what it answered, and a test sees it.

#![expect(unsafe_code, reason = "SQLite's virtual file systems are tables of C functions")]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use rusqlite::ffi::{
    SQLITE_ERROR, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_OK, sqlite3_file, sqlite3_io_methods,
    sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

/// Name of the virtual file system.
const NAME: &CStr = c"formwork-crash";
/// Ending of the copies.
const DURABLE: &str = ".durable";

/// An open file: the functions of the real file system, and where it is.
struct Open {
    methods: usize,
    path: PathBuf,
}

static FILES: LazyLock<Mutex<HashMap<usize, Open>>> = LazyLock::new(Mutex::default);
static SYNCS: AtomicU64 = AtomicU64::new(0);
static FAILING: Mutex<Option<(PathBuf, Trouble)>> = Mutex::new(None);
/// Held while copies are made or taken.
static COPYING: Mutex<()> = Mutex::new(());

/// Registers the virtual file system, once, and tells its name for `sqlite::Options::vfs`.
///
/// # Panics
/// When SQLite has no file system to build on.
pub fn vfs() -> String {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        // SAFETY: the default file system lives as long as the process, and so does the leaked copy of its table.
        let done = unsafe {
            let real = sqlite3_vfs_find(std::ptr::null());
            assert!(!real.is_null(), "SQLite has a file system");
            let mut table = Box::new(*real);
            table.zName = NAME.as_ptr();
            table.pNext = std::ptr::null_mut();
            table.xOpen = Some(open);
            table.xDelete = Some(delete);
            sqlite3_vfs_register(Box::into_raw(table), 0)
        };
        assert_eq!(done, SQLITE_OK, "SQLite takes the file system");
    });
    NAME.to_string_lossy().into_owned()
}

/// Syncs so far, of all files under this file system.
pub fn syncs() -> u64 {
    SYNCS.load(Ordering::Relaxed)
}

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing can be made durable.
    Syncs,
    /// Nothing can be read.
    Reads,
    /// Nothing more can be written: the disk is full.
    Full,
}

/// From now on the disk has that trouble with every file in `folder`; with none where absent.
pub fn trouble(folder: Option<(&Path, Trouble)>) {
    *failing() = folder.map(|(folder, trouble)| (folder.to_owned(), trouble));
}

fn failing() -> std::sync::MutexGuard<'static, Option<(PathBuf, Trouble)>> {
    FAILING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the file has that trouble.
fn troubled(path: &Path, trouble: Trouble) -> bool {
    failing().as_ref().is_some_and(|(folder, kind)| *kind == trouble && path.starts_with(folder))
}

/// Makes `into` what a power failure at this moment would leave of `folder`.
pub fn image(folder: &Path, into: &Path) -> io::Result<()> {
    let _alone = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(DURABLE));
        if let Some(name) = name {
            std::fs::copy(&path, into.join(name))?;
        }
    }
    Ok(())
}

/// Opens with the real file system, and takes the place of some of the file's functions.
unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite hands over valid pointers; the real table is the one this one was copied from.
    unsafe {
        let real = sqlite3_vfs_find(std::ptr::null());
        let Some(open_really) = (*real).xOpen else { return SQLITE_ERROR };
        let opened = open_really(real, name, file, flags, flags_out);
        if opened != SQLITE_OK || name.is_null() || (*file).pMethods.is_null() {
            return opened;
        }
        let path = PathBuf::from(CStr::from_ptr(name).to_string_lossy().into_owned());
        let methods = (*file).pMethods;
        let mut table = Box::new(*methods);
        table.xSync = Some(sync);
        table.xRead = Some(read);
        table.xWrite = Some(write);
        table.xClose = Some(close);
        (*file).pMethods = Box::into_raw(table);
        files().insert(file as usize, Open { methods: methods as usize, path });
        SQLITE_OK
    }
}

/// A file that is deleted is gone from the disk, too: SQLite syncs the folder where it matters.
unsafe extern "C" fn delete(_vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite hands over a valid name; the real table is the one this one was copied from.
    unsafe {
        let real = sqlite3_vfs_find(std::ptr::null());
        let Some(delete_really) = (*real).xDelete else { return SQLITE_ERROR };
        let deleted = delete_really(real, name, sync_folder);
        if deleted == SQLITE_OK {
            let _ = std::fs::remove_file(copy_of(Path::new(&*CStr::from_ptr(name).to_string_lossy())));
        }
        deleted
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let Some((methods, path)) = known(file) else { return SQLITE_ERROR };
    if troubled(&path, Trouble::Syncs) {
        return SQLITE_IOERR_FSYNC;
    }
    // SAFETY: the real functions were kept when the file was opened.
    let synced = unsafe {
        match (*(methods as *const sqlite3_io_methods)).xSync {
            Some(sync_really) => sync_really(file, flags),
            None => SQLITE_ERROR,
        }
    };
    if synced != SQLITE_OK {
        return synced;
    }
    SYNCS.fetch_add(1, Ordering::Relaxed);
    let _alone = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
    match std::fs::copy(&path, copy_of(&path)) {
        Ok(_) => SQLITE_OK,
        Err(_) => SQLITE_ERROR,
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, bytes: c_int, at: i64) -> c_int {
    let Some((methods, path)) = known(file) else { return SQLITE_ERROR };
    if troubled(&path, Trouble::Reads) {
        return SQLITE_IOERR_READ;
    }
    // SAFETY: the real functions were kept when the file was opened.
    unsafe {
        match (*(methods as *const sqlite3_io_methods)).xRead {
            Some(read_really) => read_really(file, into, bytes, at),
            None => SQLITE_ERROR,
        }
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, bytes: c_int, at: i64) -> c_int {
    let Some((methods, path)) = known(file) else { return SQLITE_ERROR };
    if troubled(&path, Trouble::Full) {
        return SQLITE_FULL;
    }
    // SAFETY: the real functions were kept when the file was opened.
    unsafe {
        match (*(methods as *const sqlite3_io_methods)).xWrite {
            Some(write_really) => write_really(file, from, bytes, at),
            None => SQLITE_ERROR,
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let Some(open) = files().remove(&(file as usize)) else { return SQLITE_ERROR };
    // SAFETY: the table was made in `open` and belongs to this file alone; afterwards the file is the real one again.
    unsafe {
        let table = (*file).pMethods.cast_mut();
        let methods = open.methods as *const sqlite3_io_methods;
        (*file).pMethods = methods;
        drop(Box::from_raw(table));
        match (*methods).xClose {
            Some(close_really) => close_really(file),
            None => SQLITE_ERROR,
        }
    }
}

/// The real functions of an open file, and where it is.
fn known(file: *mut sqlite3_file) -> Option<(usize, PathBuf)> {
    files().get(&(file as usize)).map(|open| (open.methods, open.path.clone()))
}

fn copy_of(path: &Path) -> PathBuf {
    let mut copy = path.as_os_str().to_owned();
    copy.push(DURABLE);
    copy.into()
}

fn files() -> std::sync::MutexGuard<'static, HashMap<usize, Open>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}
