//! The texts of a pack, by path. Somebody else loads them: this crate does no input or output.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Most bytes of one file.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most files of one pack.
pub const FILES_MAX: usize = 2_000;
/// Deepest nesting of one JSON file.
pub const DEPTH_MAX: usize = 64;

/// The files of one pack: path relative to the pack's folder (`forms/ticket.json`, always `/`) → text.
///
/// Files are kept in the order of their paths, so that the same folder gives the same pack on every machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMap {
    files: BTreeMap<String, Arc<str>>,
}

impl SourceMap {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) {
        self.files.insert(path.into(), text.into());
    }

    /// Removes a file and tells whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        self.files.remove(path).is_some()
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|text| &**text)
    }

    /// Paths and texts, in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), &**text))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// SHA-256 over the pack's key, paths and texts, in hexadecimal: the identity of the pack. Two packs of one text are
    /// two packs.
    pub fn hash(&self, key: &str) -> String {
        let mut hasher = Sha256::new();
        let files = self.files.iter().flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]);
        for part in std::iter::once(key.as_bytes()).chain(files) {
            // Lengths in front, so that no two different folders give the same stream of bytes.
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hexadecimal(&hasher.finalize())
    }
}

impl<P: Into<String>, T: Into<Arc<str>>> FromIterator<(P, T)> for SourceMap {
    fn from_iter<I: IntoIterator<Item = (P, T)>>(files: I) -> Self {
        let mut map = Self::new();
        for (path, text) in files {
            map.insert(path, text);
        }
        map
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
