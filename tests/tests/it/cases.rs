//! The cases of the shipped packs, and of packs made for tests (`tests/packs`), on both stores: the same transcript, and it is the one that was reviewed. And cases
//! that must fail, so that the player is known to look.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use formwork_runtime::cases::{Host, play};
use formwork_runtime::deploy::Bundle;
use formwork_runtime::files::read_pack;
use formwork_tests::hosts::{Postgres, Sqlite};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").join(path)
}

/// Plays every case of a pack and compares each transcript with the reviewed file beside this test.
/// `FORMWORK_BLESS=1` writes the files anew; look at the difference before committing it.
async fn play_all(host: &dyn Host, path: &str) {
    let (key, files) = read_pack(&folder(path)).expect("the pack can be read");
    let bundle = Bundle { pack: key, files };
    let (pack, found) = bundle.check();
    let pack = Arc::new(pack.unwrap_or_else(|| panic!("{path} does not check: {found:#?}")));
    assert!(!pack.cases().is_empty(), "{path} has no cases");
    for case in pack.cases().values() {
        let played = play(host, &pack, &bundle.files, case).await.expect("the engine works");
        let transcript = played.transcript.join("\n") + "\n";
        assert!(played.failures.is_empty(), "{path} {}: {:#?}\n{transcript}", case.key, played.failures);
        compare(&folder("tests/transcripts").join(format!("{}.{}.txt", pack.key(), case.key)), &transcript);
    }
}

fn compare(reviewed: &Path, found: &str) {
    if std::env::var_os("FORMWORK_BLESS").is_some() {
        std::fs::write(reviewed, found).expect("the transcript can be written");
    }
    let expected = std::fs::read_to_string(reviewed)
        .unwrap_or_else(|_| panic!("{} is missing: review the transcript and bless it", reviewed.display()));
    assert_eq!(found, expected, "{}", reviewed.display());
}

/// Each case of `tests/cases_bad/wrong` but the one named `right` claims something that does not hold, and the player
/// says what.
async fn play_wrong(host: &dyn Host) {
    let (key, files) = read_pack(&folder("tests/cases_bad/wrong")).expect("the pack can be read");
    let bundle = Bundle { pack: key, files };
    let (pack, found) = bundle.check();
    let pack = Arc::new(pack.unwrap_or_else(|| panic!("the pack does not check: {found:#?}")));
    assert!(pack.cases().len() > 25, "only {} cases", pack.cases().len());
    for case in pack.cases().values() {
        let played = play(host, &pack, &bundle.files, case).await.expect("the engine works");
        assert_eq!(played.failures.is_empty(), &*case.key == "right", "{}: {:?}", case.key, played.failures);
        let failures = played.failures.iter().map(|failure| format!("FAILED {failure}"));
        let told = played.transcript.iter().cloned().chain(failures).collect::<Vec<_>>().join("\n") + "\n";
        compare(&folder("tests/cases_bad/expected").join(format!("{}.txt", case.key)), &told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_fails_on_sqlite() {
    play_wrong(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_fails_on_postgres() {
    play_wrong(&Postgres::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crm_on_sqlite() {
    play_all(&Sqlite::default(), "definitions/crm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crm_on_postgres() {
    play_all(&Postgres::default(), "definitions/crm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_on_sqlite() {
    play_all(&Sqlite::default(), "examples/hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_on_postgres() {
    play_all(&Postgres::default(), "examples/hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_on_sqlite() {
    play_all(&Sqlite::default(), "tests/packs/parcels").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_on_postgres() {
    play_all(&Postgres::default(), "tests/packs/parcels").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_on_sqlite() {
    play_all(&Sqlite::default(), "tests/packs/clocks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_on_postgres() {
    play_all(&Postgres::default(), "tests/packs/clocks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crews_on_sqlite() {
    play_all(&Sqlite::default(), "tests/packs/crews").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crews_on_postgres() {
    play_all(&Postgres::default(), "tests/packs/crews").await;
}

#[test]
fn no_transcript_is_forgotten() {
    let mut known = Vec::new();
    for path in ["definitions/crm", "examples/hello", "tests/packs/parcels", "tests/packs/clocks", "tests/packs/crews"]
    {
        let (key, files) = read_pack(&folder(path)).expect("the pack can be read");
        let cases = files.iter().filter_map(|(path, _)| path.strip_prefix("cases/")?.strip_suffix(".json"));
        known.extend(cases.map(|case| format!("{key}.{case}.txt")));
    }
    for entry in std::fs::read_dir(folder("tests/transcripts")).expect("transcripts") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "tests/transcripts/{name} belongs to no case");
    }
}
