//! Packs on disk: a folder is read as (path, text) and nothing else of it is touched.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Folders of a pack that hold definitions; anything else in the folder (a README) is left alone.
const FOLDERS: [&str; 14] = [
    "forms",
    "workflows",
    "calendars",
    "decisions",
    "datasets",
    "metrics",
    "reports",
    "boards",
    "templates",
    "scripts",
    "imports",
    "demo",
    "data",
    "cases",
];

/// Why a folder cannot be read as a pack.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no such folder, or it holds no `pack.json`.
    #[error("`{0}` is not a pack: it has no pack.json")]
    NotAPack(PathBuf),
    /// A file could not be read as UTF-8 text.
    #[error("cannot read `{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A pack's key (its folder's name) and its files with `/` paths, sorted.
pub fn read_pack(folder: &Path) -> Result<(String, Vec<(String, String)>), ReadError> {
    let folder = folder.canonicalize().map_err(|_| ReadError::NotAPack(folder.to_owned()))?;
    let key = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if !folder.join("pack.json").is_file() {
        return Err(ReadError::NotAPack(folder));
    }
    let mut files = vec![("pack.json".to_owned(), read(&folder.join("pack.json"))?)];
    for name in FOLDERS {
        for path in entries(&folder.join(name))? {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_file() && !file.starts_with('.') {
                files.push((format!("{name}/{file}"), read(&path)?));
            }
        }
    }
    files.sort();
    Ok((key, files))
}

/// Whether a file of that path is part of a pack: `pack.json`, or one in a folder of definitions.
pub(crate) fn belongs(path: &str) -> bool {
    path == "pack.json"
        || path.split_once('/').is_some_and(|(folder, file)| {
            FOLDERS.contains(&folder) && !file.is_empty() && !file.contains('/') && !file.starts_with('.')
        })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| ReadError::File { path: folder.to_owned(), source };
    let read = fs::read_dir(folder).map_err(failed)?;
    read.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn read(path: &Path) -> Result<String, ReadError> {
    fs::read_to_string(path).map_err(|source| ReadError::File { path: path.to_owned(), source })
}
