//! Bad packs and what is said of them. A folder in `tests/bad/` is a pack with one theme; `expected.txt` beside its
//! files is what an author reads, reviewed by hand. `FORMWORK_BLESS=1` rewrites the expected files: read the diff.

use std::fs;
use std::path::{Path, PathBuf};

use formwork_model::diagnostic::{Paint, render};
use formwork_model::{Severity, SourceMap, compile};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

/// The files of a folder; a pack without a `pack.json` of its own borrows `tests/bad/pack.json`.
fn load(folder: &Path) -> SourceMap {
    let mut sources = SourceMap::new();
    add(folder, folder, &mut sources);
    let says_missing = folder.ends_with("no_pack_json");
    if sources.get("pack.json").is_none() && !says_missing {
        sources.insert("pack.json", fs::read_to_string(root().join("pack.json")).unwrap());
    }
    sources
}

fn add(root: &Path, folder: &Path, sources: &mut SourceMap) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add(root, &path, sources);
        } else if path.file_name().is_some_and(|name| name != "expected.txt") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn bad_packs_are_refused_with_the_expected_words() {
    let mut failed = Vec::new();
    for folder in folders() {
        let sources = load(&folder);
        let (pack, diagnostics) = compile("bad", &sources);
        let found = render(&diagnostics, &sources, Paint::Plain);
        let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        assert_eq!(pack.is_none(), has_errors, "{}", folder.display());
        let path = folder.join("expected.txt");
        if std::env::var_os("FORMWORK_BLESS").is_some() {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            failed.push(format!("── {}\n{found}", folder.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What no bad pack provokes is a message nobody has read.
#[test]
fn every_code_is_expected_somewhere() {
    let expected: String =
        folders().iter().filter_map(|folder| fs::read_to_string(folder.join("expected.txt")).ok()).collect();
    let missing: Vec<&str> =
        formwork_model::codes::all().filter(|code| !expected.contains(&format!("[{code}]"))).collect();
    assert!(missing.is_empty(), "no `expected.txt` has {missing:?}");
}

/// A folder nobody runs is a test that cannot fail.
#[test]
fn no_folder_is_forgotten_or_says_nothing() {
    let folders = folders();
    assert!(folders.len() >= 20, "only {} folders were found", folders.len());
    for folder in folders {
        let expected = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
        assert!(expected.contains("[FW"), "{} expects nothing", folder.display());
    }
}
