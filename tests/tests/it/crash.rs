//! kill -9 at random moments under load: every acknowledged write is there exactly once, no task is lost, no effect is
//! stored twice.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rand::Rng;
use tempfile::TempDir;

use formwork_core::Viewer;
use formwork_model::Key;
use formwork_runtime::questions::ListRequest;
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{PostgresStore, SqliteStore, Store, postgres, sqlite};
use formwork_tests::hosts::database;

/// What one child said before it was killed.
#[derive(Default)]
struct Said {
    acknowledged: Vec<String>,
    imported: Vec<String>,
}

/// Starts a child, lets it work for a random while, kills it with SIGKILL.
fn one_round(kind: &str, place: &str, round: usize) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crash_child"))
        .args([kind, place, &round.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let lines = listen(&mut child);
    let ready = lines.recv_timeout(Duration::from_secs(60)).expect("the child gets ready");
    assert_eq!(ready, "ready");
    // Work has begun: the kill comes at a random moment of it, however slow the machine is.
    let first = lines.recv_timeout(Duration::from_secs(60)).expect("the child works");
    let until = Instant::now() + Duration::from_millis(rand::rng().random_range(20..400));
    let mut said = Said::default();
    let mut take = |line: String| match line.split_once(' ') {
        Some(("ack", what)) => said.acknowledged.push(what.to_owned()),
        Some(("row", what)) => said.imported.push(what.to_owned()),
        _ => panic!("the child said {line}"),
    };
    take(first);
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        take(line);
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    // What it had said before it died is still in the pipe.
    lines.iter().for_each(&mut take);
    said
}

fn listen(child: &mut Child) -> Receiver<String> {
    let (say, lines) = channel();
    let out = BufReader::new(child.stdout.take().expect("its output"));
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if say.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Everything that is wrong with the store, in words.
async fn wrong(store: Arc<dyn Store>, said: &Said) -> Vec<String> {
    let folder = TempDir::new().expect("a scratch folder");
    let environment = Environment {
        clock: Clock::System,
        channels: Channels::pretending(),
        message_file: folder.path().join("messages.jsonl"),
        seeds: Seeds::Random,
        replica_bytes_max: 16 << 20,
    };
    let engine = Engine::start(store, environment).await.expect("the engine starts");
    let records = all_records(&engine).await;
    let mut wrong = Vec::new();
    for what in said.acknowledged.iter().chain(&said.imported) {
        match records.get(what).map_or(0, Vec::len) {
            1 => {}
            found => wrong.push(format!("`{what}` was acknowledged and is there {found} times")),
        }
    }
    // Each filed request (imports start nothing) was greeted, and waits for its timer or has its task.
    let pack = engine.deployed().packs[0].clone();
    let messages = engine.store().messages(1_000_000).await.expect("messages");
    let mut greeted: HashMap<String, usize> = HashMap::new();
    let mut keys = HashSet::new();
    for (message, ..) in &messages {
        *greeted.entry(message.to.clone()).or_default() += 1;
        if !keys.insert((message.record.clone(), message.created_at, message.to.clone())) {
            wrong.push(format!("a message to `{}` is stored twice", message.to));
        }
    }
    let timers = engine.store().due_timers(engine.clock().now() + chrono::Duration::days(1), None, 1_000_000).await;
    let waiting = timers.expect("timers").len();
    let filed: Vec<_> = records.iter().filter(|(what, _)| !what.starts_with("import.")).collect();
    let mut tasks = 0;
    for (what, ids) in &filed {
        if greeted.get(*what).copied().unwrap_or(0) == 0 {
            wrong.push(format!("`{what}` was filed but its message is lost"));
        }
        for id in *ids {
            let id = id.parse().expect("an id");
            let found = engine.record_tasks(&pack, &Viewer::system("en"), &Key::from("request"), id).await;
            tasks += found.expect("tasks")["items"].as_array().map_or(0, Vec::len);
        }
        if wrong.len() > 20 {
            break;
        }
    }
    if wrong.is_empty() && waiting + tasks != filed.len() {
        wrong.push(format!("{} requests, but {waiting} timers and {tasks} tasks", filed.len()));
    }
    engine.store().close().await;
    wrong
}

/// Ids by `what`.
async fn all_records(engine: &Engine) -> HashMap<String, Vec<String>> {
    let pack = engine.deployed().packs[0].clone();
    let mut records: HashMap<String, Vec<String>> = HashMap::new();
    let mut after = None;
    loop {
        let request =
            ListRequest { limit: 200, after, sort: Some(vec!["created_at".to_owned()]), ..ListRequest::default() };
        let page = engine.list(&pack, &Viewer::system("en"), &Key::from("request"), request).await.expect("a page");
        for item in page["items"].as_array().into_iter().flatten() {
            let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
            records.entry(text("what")).or_default().push(text("id"));
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return records,
        }
    }
}

/// Kills `rounds` children one after another over the same data, then looks.
async fn rounds_on_sqlite(rounds: usize) -> (Said, Vec<String>) {
    let folder = TempDir::new().expect("a scratch folder");
    let place = folder.path().to_str().expect("a plain path").to_owned();
    let mut said = Said::default();
    for round in 0..rounds {
        let more = one_round("sqlite", &place, round);
        said.acknowledged.extend(more.acknowledged);
        said.imported.extend(more.imported);
    }
    let store = SqliteStore::open(folder.path(), sqlite::Options::default());
    match store {
        Ok(store) => {
            let wrong = wrong(Arc::new(store), &said).await;
            (said, wrong)
        }
        Err(fault) => (said, vec![format!("the store does not open: {fault}")]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_on_sqlite_lose_nothing() {
    let (said, wrong) = rounds_on_sqlite(50).await;
    assert!(
        said.acknowledged.len() + said.imported.len() >= 50,
        "only {} writes: the test shows too little",
        said.acknowledged.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_on_postgres_lose_nothing() {
    let url = database().await;
    let mut said = Said::default();
    for round in 0..10 {
        let place = url.clone();
        let more = tokio::task::spawn_blocking(move || one_round("postgres", &place, round)).await.expect("a round");
        said.acknowledged.extend(more.acknowledged);
        said.imported.extend(more.imported);
    }
    assert!(said.acknowledged.len() + said.imported.len() >= 10, "only {} writes", said.acknowledged.len());
    let store = PostgresStore::open(&url, postgres::Options::default()).await.expect("PostgreSQL answers");
    let wrong = wrong(Arc::new(store), &said).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
