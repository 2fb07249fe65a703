use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut used = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    let pages: BTreeSet<String> = all().map(str::to_owned).collect();
    assert_eq!(used, pages);
}

#[test]
fn every_page_has_a_title_and_both_examples() {
    for (code, page) in PAGES {
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        assert!(page.contains("\nWrong:\n") && page.contains("\nRight:\n"), "{code}");
    }
}

#[test]
fn every_page_on_disk_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("codes");
    let found: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, all().map(str::to_owned).collect());
}

#[test]
fn codes_are_found_in_any_case() {
    assert!(explain("fw0203").is_some());
    assert!(explain("FW9999").is_none());
}

/// The codes written in the sources of this crate, tests and this module left out.
fn collect(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, used);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "codes.rs" {
            let text = fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("\"FW") {
                used.extend(text.get(at + 1..at + 7).map(str::to_owned));
            }
        }
    }
}
