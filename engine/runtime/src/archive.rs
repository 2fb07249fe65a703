//! A pack as a zip archive. What comes in is a stranger's: entries are counted, what they inflate to is counted while it
//! is read (the sizes an archive claims are not believed), and a name that would leave the pack's folder is refused.
//!
//! ```text
//! pack.json, forms/ticket.json            as `write` makes it
//! crm/pack.json, crm/forms/ticket.json    a folder that was packed whole: its name is taken off
//! ```
//! As with a folder on disk, only what belongs to a pack is read; a README beside it is left alone.

use std::io::{Cursor, Read, Write};

use thiserror::Error;
use zip::read::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use formwork_model::source::{FILE_BYTES_MAX, FILES_MAX};
use formwork_store::Fault;

use crate::files;

/// Most bytes all files of an archive inflate to.
pub const INFLATED_BYTES_MAX: u64 = 32 << 20;
/// Deepest folder of an entry, of those that are left alone, too.
const DEPTH_MAX: usize = 8;
/// The bits of a Unix mode that say what an entry is.
const KIND: u32 = 0o170_000;
/// An ordinary file.
const ORDINARY: u32 = 0o100_000;

/// Why an archive is refused.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It is no zip archive, or a damaged one.
    #[error("the body is not a zip archive: {0}")]
    Unreadable(String),
    /// It holds no `pack.json`.
    #[error("the archive holds no `pack.json`, at its top or in its only folder")]
    NotAPack,
    /// More than a pack may hold.
    #[error("the archive {0}")]
    TooMuch(String),
    /// One entry is refused.
    #[error("entry `{entry}`: {why}")]
    Entry {
        /// Its name in the archive.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The files of a pack in an archive: path → text, sorted.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, String)>, ArchiveError> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| ArchiveError::Unreadable(error.to_string()))?;
    if archive.len() > FILES_MAX {
        return Err(ArchiveError::TooMuch(format!("has {} entries, the most is {FILES_MAX}", archive.len())));
    }
    if archive.has_duplicate_names() {
        return Err(ArchiveError::TooMuch("holds two entries of one name".to_owned()));
    }
    let names = (0..archive.len()).map(|place| name(&mut archive, place)).collect::<Result<Vec<_>, _>>()?;
    let top = top(&names)?;
    let mut left = INFLATED_BYTES_MAX;
    let mut found = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        let Some(path) = name.strip_prefix(&top).filter(|path| files::belongs(path)) else { continue };
        let text = inflate(&mut archive, place, &name, left)?;
        left -= text.len() as u64;
        found.push((path.to_owned(), text));
    }
    found.sort();
    Ok(found)
}

/// The archive of a pack's files. The same files give the same bytes: no entry has a time of its own.
pub fn write(files: &[(String, String)]) -> Result<Vec<u8>, Fault> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Fault {
        context: "an archive could not be written".to_owned(),
        source: Some(source),
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in files {
        writer.start_file(path.as_str(), options).map_err(|error| failed(error.into()))?;
        writer.write_all(text.as_bytes()).map_err(|error| failed(error.into()))?;
    }
    Ok(writer.finish().map_err(|error| failed(error.into()))?.into_inner())
}

/// The name of an entry, if it may stand in a pack's folder at all.
fn name(archive: &mut ZipArchive<Cursor<&[u8]>>, place: usize) -> Result<String, ArchiveError> {
    let unreadable = |error: zip::result::ZipError| ArchiveError::Unreadable(error.to_string());
    let entry = archive.by_index_raw(place).map_err(unreadable)?;
    let shown = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let refused = |why: &str| Err(ArchiveError::Entry { entry: shown.clone(), why: why.to_owned() });
    let leaves = shown.starts_with('/') || shown.split('/').any(|part| matches!(part, "." | ".."));
    if leaves || shown.contains(['\\', '\0', ':']) || entry.enclosed_name().is_none() {
        return refused("the path leads out of the pack's folder");
    }
    if shown.split('/').count() > DEPTH_MAX {
        return refused("the path is too deep");
    }
    if entry.encrypted() {
        return refused("it is encrypted");
    }
    let ordinary = entry.unix_mode().is_none_or(|mode| matches!(mode & KIND, 0 | ORDINARY));
    if !entry.is_dir() && !ordinary {
        return refused("it is no ordinary file");
    }
    Ok(shown)
}

/// What stands before every path of the pack: nothing, or the one folder that was packed.
fn top(names: &[String]) -> Result<String, ArchiveError> {
    if names.iter().any(|name| name == "pack.json") {
        return Ok(String::new());
    }
    let mut folders = names.iter().filter_map(|name| name.strip_suffix("pack.json"));
    let mut one_deep =
        folders.by_ref().filter(|folder| folder.find('/').is_some_and(|slash| slash + 1 == folder.len()));
    match (one_deep.next(), one_deep.next()) {
        (Some(folder), None) => Ok(folder.to_owned()),
        _ => Err(ArchiveError::NotAPack),
    }
}

/// The text of an entry; `left` is how many bytes the archive may still inflate to.
fn inflate(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    place: usize,
    name: &str,
    left: u64,
) -> Result<String, ArchiveError> {
    let refused = |why: String| ArchiveError::Entry { entry: name.to_owned(), why };
    let entry = archive.by_index(place).map_err(|error| refused(error.to_string()))?;
    let most = left.min(FILE_BYTES_MAX as u64);
    let mut bytes = Vec::new();
    entry.take(most + 1).read_to_end(&mut bytes).map_err(|error| refused(format!("it is damaged: {error}")))?;
    if bytes.len() as u64 > most {
        return Err(match most == left {
            true => ArchiveError::TooMuch(format!("inflates to more than {} MiB", INFLATED_BYTES_MAX >> 20)),
            false => refused(format!("it is larger than {} KiB", FILE_BYTES_MAX >> 10)),
        });
    }
    String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".to_owned()))
}
