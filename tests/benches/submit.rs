//! Submits at 64 clients on both stores, beside a yardstick in the same process: the same rows written raw, with prepared
//! statements, 64 a transaction, at the same durability. Quote the ratios; absolute numbers are those of one machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use formwork_core::Act;
use formwork_core::stimulus::Effects;
use formwork_model::Pack;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{PostgresStore, SqliteStore, Store, postgres, sqlite};
use formwork_tests::hosts::database;

const CLIENTS: usize = 64;
const SECONDS: u64 = 5;

const PACK: [(&str, &str); 2] = [
    (
        "pack.json",
        r#"{"version": "1.0.0", "title": "Bench", "languages": ["en"], "timezone": "UTC", "roles": {"agent": {"title": "Agent"}}}"#,
    ),
    (
        "forms/note.json",
        r#"{"label": "Note", "title": "subject", "fields": {
            "subject": {"type": "text", "required": true}, "body": {"type": "long_text"},
            "kind": {"type": "choice", "options": {"a": {}, "b": {}, "c": {}}},
            "amount": {"type": "money", "min": 0}, "at": {"type": "datetime"},
            "done": {"type": "boolean", "default": false}},
          "rules": {"small": {"check": "(amount ?? 0) < 1000000", "at": "amount", "message": "too much"}},
          "access": {"agent": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}"#,
    ),
];

#[tokio::main]
async fn main() {
    println!("{CLIENTS} clients, {SECONDS} s each\n");
    println!("| store | submits/s | p50 ms | p99 ms | raw rows/s | ratio | statements (= round trips) per submit |");
    println!("|---|---|---|---|---|---|---|");
    sqlite().await;
    postgres().await;
    refusals().await;
    start_up().await;
}

async fn sqlite() {
    let folder = TempDir::new().expect("a scratch folder");
    let store = Arc::new(SqliteStore::open(folder.path(), sqlite::Options::default()).expect("the store opens"));
    let measured = measure(store).await;
    report("sqlite", &measured, raw_sqlite(folder.path()), None);
}

async fn postgres() {
    let url = database().await;
    let store = Arc::new(PostgresStore::open(&url, postgres::Options::default()).await.expect("the store opens"));
    let measured = measure(store.clone()).await;
    // Deploying sends a few dozen statements more, which thousands of submits drown.
    let statements = store.statements() as f64 / measured.latencies.len() as f64;
    report("postgresql", &measured, raw_postgres(&url).await, Some(statements));
}

struct Measured {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

/// 64 clients submit one after another until the time is up.
async fn measure(store: Arc<dyn Store>) -> Measured {
    let (engine, pack) = start(store).await;
    let viewer = formwork_core::Viewer::person(&pack, engine.new_id(), &["agent".into()], Vec::new(), "en");
    let begun = Instant::now();
    let until = begun + Duration::from_secs(SECONDS);
    let clients = (0..CLIENTS).map(|client| {
        let (engine, pack, viewer) = (engine.clone(), pack.clone(), viewer.clone());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let act =
                    Act::Create { form: "note".into(), values: values(client, latencies.len()), effects: Effects::ALL };
                let sent = Instant::now();
                engine.submit(&pack, viewer.clone(), act, None).await.expect("a submit is committed");
                latencies.push(sent.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        latencies.extend(client.await.expect("no client panics"));
    }
    latencies.sort();
    Measured { latencies, elapsed: begun.elapsed() }
}

/// Half of the clients send what is refused. Does it pay to decide on a snapshot before the queue of SQLite's writer, as
/// well as in it? Everything that is accepted is decided twice then.
async fn refusals() {
    println!("\n| sqlite, half refused | accepted/s | p99 ms | refused/s |");
    println!("|---|---|---|---|");
    for (name, is_first) in [("in the queue only", false), ("on a snapshot first", true)] {
        let folder = TempDir::new().expect("a scratch folder");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(folder.path(), sqlite::Options::default()).expect("the store opens"));
        let (engine, pack) = start(store).await;
        let viewer = formwork_core::Viewer::person(&pack, engine.new_id(), &["agent".into()], Vec::new(), "en");
        let begun = Instant::now();
        let until = begun + Duration::from_secs(SECONDS);
        let clients = (0..CLIENTS).map(|client| {
            let (engine, pack, viewer) = (engine.clone(), pack.clone(), viewer.clone());
            tokio::spawn(async move {
                let (mut latencies, mut refused) = (Vec::new(), 0_usize);
                while Instant::now() < until {
                    let mut values = values(client, latencies.len());
                    if client % 2 == 0 {
                        values.remove("subject");
                    }
                    let act = Act::Create { form: "note".into(), values, effects: Effects::ALL };
                    let sent = Instant::now();
                    let passes = !is_first || foreseen(&engine, &pack, &viewer, &act).await;
                    match passes && engine.submit(&pack, viewer.clone(), act, None).await.is_ok() {
                        true => latencies.push(sent.elapsed()),
                        false => refused += 1,
                    }
                }
                (latencies, refused)
            })
        });
        let (mut latencies, mut refused) = (Vec::new(), 0);
        for client in clients.collect::<Vec<_>>() {
            let (of_client, refused_of_client) = client.await.expect("no client panics");
            latencies.extend(of_client);
            refused += refused_of_client;
        }
        latencies.sort();
        let seconds = begun.elapsed().as_secs_f64();
        let p99 = latencies[(latencies.len() - 1) * 99 / 100].as_secs_f64() * 1_000.0;
        println!("| {name} | {:.0} | {p99:.1} | {:.0} |", latencies.len() as f64 / seconds, refused as f64 / seconds);
    }
}

/// Whether the core would accept it over a snapshot.
async fn foreseen(engine: &Engine, pack: &Arc<Pack>, viewer: &formwork_core::Viewer, act: &Act) -> bool {
    let stimulus = formwork_core::Stimulus { at: chrono::Utc::now(), seed: 1, actor: viewer.clone(), act: act.clone() };
    let (known, packs) = (pack.clone(), std::collections::HashMap::from([(pack.hash().clone(), pack.clone())]));
    let question =
        move |facts: &formwork_core::Facts| formwork_core::decide(&known, &packs, &stimulus, facts).map(|_| Json::Null);
    engine.store().ask(pack, Box::new(question)).await.is_ok()
}

async fn start(store: Arc<dyn Store>) -> (Arc<Engine>, Arc<Pack>) {
    let environment = Environment {
        clock: Clock::System,
        channels: Channels::default(),
        message_file: std::env::temp_dir().join("formwork-bench-messages.jsonl"),
        seeds: Seeds::Random,
        replica_bytes_max: 64 << 20,
    };
    let engine = Engine::start(store, environment).await.expect("the engine starts");
    let files = PACK.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
    engine.deploy_if_safe(&Bundle { pack: "bench".into(), files }).await.expect("the pack is deployed");
    let pack = engine.deployed().packs[0].clone();
    (engine, pack)
}

fn values(client: usize, number: usize) -> Map<String, Json> {
    let kind = ["a", "b", "c"][number % 3];
    let values = json!({
        "subject": format!("行李未到 {client}/{number}"),
        "body": "The first bag arrived, the second did not. Please call back after six.",
        "kind": kind,
        "amount": format!("{}.50", number % 1_000),
        "at": "2026-01-05T01:00:00Z",
    });
    values.as_object().cloned().expect("an object")
}

fn report(store: &str, measured: &Measured, raw: f64, statements: Option<f64>) {
    let rate = measured.latencies.len() as f64 / measured.elapsed.as_secs_f64();
    let at = |part: f64| {
        let index = ((measured.latencies.len() - 1) as f64 * part) as usize;
        measured.latencies[index].as_secs_f64() * 1_000.0
    };
    let statements = statements.map_or("–".to_owned(), |statements| format!("{statements:.1}"));
    println!(
        "| {store} | {rate:.0} | {:.1} | {:.1} | {raw:.0} | {:.2} | {statements} |",
        at(0.5),
        at(0.99),
        rate / raw
    );
}

/// The same rows, prepared, 64 a transaction, FULL.
fn raw_sqlite(folder: &std::path::Path) -> f64 {
    let mut connection = rusqlite::Connection::open(folder.join("raw.db")).expect("a database");
    connection.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    connection.pragma_update(None, "synchronous", "FULL").expect("FULL");
    connection.execute_batch(RAW_TABLE_SQLITE).expect("a table");
    let begun = Instant::now();
    let mut rows = 0_u64;
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        let transaction = connection.transaction().expect("a transaction");
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO note VALUES (?1, 1, ?2, NULL, ?2, NULL, ?3, ?4, ?5, ?6, ?7, 0)")
                .expect("a statement");
            for _ in 0..CLIENTS {
                rows += 1;
                let id = uuid::Uuid::now_v7();
                let body = "The first bag arrived, the second did not. Please call back after six.";
                let row = (id.as_bytes().to_vec(), 1_i64, format!("行李未到 {rows}"), body, "a", 50_i64, 1_i64);
                insert.execute(row).expect("a row");
            }
        }
        transaction.commit().expect("a commit");
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}

const RAW_TABLE_SQLITE: &str = "CREATE TABLE note (id BLOB PRIMARY KEY, version INTEGER, created_at INTEGER, created_by BLOB, \
     updated_at INTEGER, updated_by BLOB, subject TEXT, body TEXT, kind TEXT, amount INTEGER, at INTEGER, done INTEGER) \
     WITHOUT ROWID; CREATE INDEX note_created ON note (created_at, id);";

/// The same rows, prepared, 64 a transaction, synchronous_commit on.
async fn raw_postgres(url: &str) -> f64 {
    use sqlx::{Connection, Executor};
    let mut connection = sqlx::PgConnection::connect(url).await.expect("a connection");
    let table = "CREATE TABLE raw_note (id uuid PRIMARY KEY, version bigint, created_at timestamptz, created_by uuid, \
                 updated_at timestamptz, updated_by uuid, subject text, body text, kind text, amount numeric(38,2), \
                 at timestamptz, done boolean)";
    connection.execute(table).await.expect("a table");
    connection.execute("CREATE INDEX raw_note_created ON raw_note (created_at, id)").await.expect("an index");
    let begun = Instant::now();
    let mut rows = 0_u64;
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        let mut transaction = connection.begin().await.expect("a transaction");
        for _ in 0..CLIENTS {
            rows += 1;
            let now = chrono::Utc::now();
            sqlx::query("INSERT INTO raw_note VALUES ($1, 1, $2, NULL, $2, NULL, $3, $4, 'a', $5, $2, false)")
                .bind(uuid::Uuid::now_v7())
                .bind(now)
                .bind(format!("行李未到 {rows}"))
                .bind("The first bag arrived, the second did not. Please call back after six.")
                .bind(rust_decimal::Decimal::new(50, 2))
                .execute(&mut *transaction)
                .await
                .expect("a row");
        }
        transaction.commit().await.expect("a commit");
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}

/// How long an engine takes from nothing to ready over a store with the pack deployed, and what this process holds.
async fn start_up() {
    let folder = TempDir::new().expect("a scratch folder");
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(folder.path(), sqlite::Options::default()).expect("the store opens"));
    drop(start(store.clone()).await);
    store.close().await;
    drop(store);
    let begun = Instant::now();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(folder.path(), sqlite::Options::default()).expect("the store opens"));
    let (engine, _) = start(store).await;
    println!("\nstart over a deployed store: {:.0} ms", begun.elapsed().as_secs_f64() * 1_000.0);
    drop(engine);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: unknown");
    println!("this process after the run: {resident}");
}
