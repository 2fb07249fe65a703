//! The process the crash test kills: 64 clients file requests and an import runs, without end. What is acknowledged is
//! said on standard output, one line each; whatever else was on its way dies with the process.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_model::Pack;
use formwork_runtime::imports::NewImport;
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{Failure, PostgresStore, SqliteStore, Store, postgres, sqlite};
use formwork_tests::packs;

const CLIENTS: usize = 64;
/// Rows of the import that is kept.
const KEPT_ROWS: u32 = 2_000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (kind, place, round) = match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(kind), Some(place), Some(round)) => (kind, place, round),
        _ => panic!("usage: crash_child sqlite|postgres PLACE ROUND|import:ID"),
    };
    let engine = start(&kind, &place).await;
    engine.deploy_if_safe(&packs::waiting()).await.expect("the pack is deployed");
    let dispatcher = tokio::spawn(engine.clone().run_dispatcher());
    say("ready");
    if let Some(id) = round.strip_prefix("import:") {
        return import_once(&engine, id).await;
    }
    for client in 0..CLIENTS {
        tokio::spawn(file_for_ever(engine.clone(), format!("{round}.{client}")));
    }
    tokio::spawn(import_for_ever(engine.clone(), round));
    dispatcher.await.expect("the dispatcher never ends");
}

async fn start(kind: &str, place: &str) -> Arc<Engine> {
    let folder = Path::new(place);
    let (store, message_file): (Arc<dyn Store>, _) = match kind {
        "postgres" => {
            let store = PostgresStore::open(place, postgres::Options::default()).await.expect("PostgreSQL answers");
            (Arc::new(store), std::env::temp_dir().join(format!("formwork-crash-{}.jsonl", std::process::id())))
        }
        _ => {
            let store = SqliteStore::open(folder, sqlite::Options::default()).expect("the store opens");
            (Arc::new(store), folder.join("messages.jsonl"))
        }
    };
    let environment = Environment {
        clock: Clock::System,
        channels: Channels::pretending(),
        message_file,
        seeds: Seeds::Random,
        replica_bytes_max: 16 << 20,
    };
    Engine::start(store, environment).await.expect("the engine starts")
}

async fn file_for_ever(engine: Arc<Engine>, prefix: String) {
    let pack = engine.deployed().packs[0].clone();
    for number in 0_u64.. {
        let what = format!("{prefix}.{number}");
        let values = json!({"what": what, "number": number}).as_object().cloned().expect("an object");
        let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
        // Every second request carries a key and is sent twice, as a client does that got no answer.
        let key = (number % 2 == 0).then(|| (what.clone(), what.clone()));
        submitted(&engine, &pack, &act, &key).await;
        if key.is_some() {
            submitted(&engine, &pack, &act, &key).await;
        }
        say(&format!("ack {what}"));
    }
}

/// Submits until there is room; anything but a full queue ends the client.
async fn submitted(engine: &Engine, pack: &Arc<Pack>, act: &Act, key: &Option<(String, String)>) {
    while let Err(failure) = engine.submit(pack, Viewer::system("en"), act.clone(), key.clone()).await {
        assert!(matches!(failure, Failure::Busy(_)), "{failure:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Begins an import that is kept, or watches the one that was begun, and says how far it is until it is done.
async fn import_once(engine: &Arc<Engine>, id: &str) {
    let id = match id.parse() {
        Ok(id) => id,
        Err(_) => {
            let pack = engine.deployed().packs[0].clone();
            let rows = (0..KEPT_ROWS).map(|row| format!("kept.{row},{row}\n")).collect::<String>();
            let file = format!("what,number\n{rows}");
            let new = NewImport {
                form: "request".into(),
                definition: Some("bulk".into()),
                owner: None,
                language: "en".to_owned(),
                name: "kept.csv".to_owned(),
                file: file.as_bytes(),
                encoding: None,
                delimiter: None,
                mapping: None,
            };
            let job = engine.begin_import(&pack, new).await.expect("the file is taken in");
            engine.run_import(&job).await.expect("the import starts");
            job.id
        }
    };
    say(&format!("job {id}"));
    loop {
        let job = engine.store().import_job(id).await.expect("the store answers").expect("the import is there");
        say(&format!("at {}", job.counts["run"]["read"]));
        if job.state != "running" {
            return say(&job.state);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn import_for_ever(engine: Arc<Engine>, round: String) {
    let pack = engine.deployed().packs[0].clone();
    for file in 0_u64.. {
        let rows = (0..500).map(|row| format!("import.{round}.{file}.{row},{row}\n")).collect::<String>();
        let done = engine.import(&pack, "bulk", format!("what,number\n{rows}").as_bytes(), "en", &|_| ()).await;
        assert_eq!(done.expect("the file is imported").created, 500);
        for row in 0..500 {
            say(&format!("row import.{round}.{file}.{row}"));
        }
    }
}

/// Each line leaves at once: what was said before the kill was read by the test.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the test listens");
}
