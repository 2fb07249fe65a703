//! kill -9 during an import that is kept: started again, it goes on where it was, and every row is in exactly once.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tempfile::TempDir;

use formwork_store::{PostgresStore, SqliteStore, Store, postgres, sqlite};
use formwork_tests::hosts::database;
use formwork_tests::packs;

/// Rows of the file, as the child writes it.
const ROWS: u64 = 2_000;

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(kind: &str, place: &str, id: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crash_child"))
            .args([kind, place, &format!("import:{id}")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the child says something").expect("UTF-8")
    }

    /// What stands behind this word in the next line that starts with it.
    fn told(&mut self, word: &str) -> String {
        loop {
            if let Some((first, rest)) = self.line().split_once(' ')
                && first == word
            {
                return rest.to_owned();
            }
        }
    }

    /// The rows done with, once more than `before` are; none when the import is over.
    fn beyond(&mut self, before: u64) -> Option<u64> {
        loop {
            let line = self.line();
            match line.split_once(' ') {
                Some(("at", read)) if read.parse::<u64>().expect("a number") > before => return read.parse().ok(),
                Some(_) => {}
                None if line == "ready" => {}
                None => {
                    assert_eq!(line, "done");
                    return None;
                }
            }
        }
    }

    fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("it is dead");
    }
}

/// Kills the import up to `kills` times, each time after it got further than the last time; then lets it end. How far
/// it is is told by its beats alone: on a fast machine it may be over before the last.
fn killed(kind: &str, place: &str, kills: usize) -> String {
    let (mut id, mut read) = ("new".to_owned(), 0);
    for kill in 0..kills {
        let mut running = Running::start(kind, place, &id);
        id = running.told("job");
        let Some(further) = running.beyond(read) else {
            assert!(kill > 0, "the import was over before it could be killed: more rows are needed");
            running.kill();
            break;
        };
        read = further;
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(0..60)));
        running.kill();
    }
    let mut running = Running::start(kind, place, &id);
    while let Some(further) = running.beyond(read) {
        read = further;
    }
    running.kill();
    id
}

async fn every_row_is_in_once(store: Arc<dyn Store>, id: &str) {
    let job = store.import_job(id.parse().expect("an id")).await.expect("the store answers").expect("the import");
    assert_eq!(job.state, "done");
    let run = &job.counts["run"];
    assert_eq!((run["read"].as_u64(), run["created"].as_u64()), (Some(ROWS), Some(ROWS)), "{run}");
    let bundle = packs::waiting();
    let sources = bundle.files.iter().cloned().collect();
    let (pack, found) = formwork_model::compile(&bundle.pack, &sources);
    let pack = Arc::new(pack.unwrap_or_else(|| panic!("{found:?}")));
    let (_, records) = store.scan(&pack, "request").await.expect("the records");
    assert_eq!(records.len() as u64, ROWS);
    assert!(records.iter().all(|record| record.version == 1), "no row was written twice");
    let events = store.events(0, 100_000).await.expect("the history");
    let created = events.iter().filter(|(_, event)| event.kind == "record.created").count() as u64;
    assert_eq!(created, ROWS);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_was_on_sqlite() {
    let folder = TempDir::new().expect("a scratch folder");
    let place = folder.path().to_str().expect("a plain path").to_owned();
    let id = tokio::task::spawn_blocking(move || killed("sqlite", &place, 4)).await.expect("the rounds");
    let store = SqliteStore::open(folder.path(), sqlite::Options::default()).expect("the store opens");
    every_row_is_in_once(Arc::new(store), &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_was_on_postgres() {
    let url = database().await;
    let place = url.clone();
    let id = tokio::task::spawn_blocking(move || killed("postgres", &place, 1)).await.expect("the rounds");
    let store = PostgresStore::open(&url, postgres::Options::default()).await.expect("PostgreSQL answers");
    every_row_is_in_once(Arc::new(store), &id).await;
}
