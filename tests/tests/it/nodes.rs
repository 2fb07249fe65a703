//! Two nodes over one PostgreSQL: each timer fires once, each message leaves once, each start key starts once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration as Wait;

use serde_json::json;
use tempfile::TempDir;

use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{PostgresStore, postgres};
use formwork_tests::hosts::database;
use formwork_tests::packs;

const REQUESTS: usize = 60;

async fn node(url: &str, folder: &TempDir, name: &str) -> Arc<Engine> {
    let store = Arc::new(PostgresStore::open(url, postgres::Options::default()).await.expect("the store opens"));
    let environment = Environment {
        clock: Clock::System,
        channels: Channels::pretending(),
        message_file: folder.path().join(name),
        seeds: Seeds::Random,
        replica_bytes_max: 16 << 20,
    };
    Engine::start(store, environment).await.expect("a node starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_and_messages_happen_once() {
    let folder = TempDir::new().expect("a scratch folder");
    let url = database().await;
    let one = node(&url, &folder, "one.jsonl").await;
    // The wait of the pack is shortened, so that the test sees timers fire on the real clock.
    let mut bundle = packs::waiting();
    for (_, text) in &mut bundle.files {
        *text = text.replace("PT1M", "PT1S");
    }
    one.deploy_if_safe(&bundle).await.expect("the pack is deployed");
    let two = node(&url, &folder, "two.jsonl").await;
    let dispatchers = [tokio::spawn(one.clone().run_dispatcher()), tokio::spawn(two.clone().run_dispatcher())];

    let pack = one.deployed().packs[0].clone();
    for number in 0..REQUESTS {
        let engine = if number % 2 == 0 { &one } else { &two };
        let values = json!({"what": format!("request {number}")}).as_object().cloned().expect("an object");
        let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
        engine.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");
    }
    // Until every request was greeted, waited and was greeted again; the bound only ends a broken run.
    for _ in 0..300 {
        if sent(&folder).iter().map(Vec::len).sum::<usize>() >= 2 * REQUESTS {
            break;
        }
        tokio::time::sleep(Wait::from_millis(100)).await;
    }
    // A doubled effect would come soon after: both nodes look at least twice more before we count.
    tokio::time::sleep(Wait::from_millis(2_500)).await;
    for dispatcher in dispatchers {
        dispatcher.abort();
    }
    let by_node = sent(&folder);
    assert!(by_node.iter().all(|keys| !keys.is_empty()), "both nodes worked, or the test shows nothing");
    let keys: Vec<String> = by_node.into_iter().flatten().collect();
    assert_eq!(keys.len(), 2 * REQUESTS, "two messages a request: none doubled, none lost");
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "each under a key of its own");

    let events = one.store().events(0, 100_000).await.expect("events");
    let fired = events.iter().filter(|(_, event)| event.kind == "timer.fired").count();
    assert_eq!(fired, REQUESTS, "each timer once");
}

/// A node learns of the other's deployment by looking, and acts by it at once even before it has looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_reaches_every_node() {
    let folder = TempDir::new().expect("a scratch folder");
    let url = database().await;
    let one = node(&url, &folder, "one.jsonl").await;
    one.deploy_if_safe(&packs::waiting()).await.expect("the pack is deployed");
    let two = node(&url, &folder, "two.jsonl").await;
    let old = two.deployed().packs[0].clone();
    let next = |label: &str| {
        let mut bundle = packs::waiting();
        for (_, text) in &mut bundle.files {
            *text = text.replace("\"Request\"", &format!("\"{label}\"")).replace("PT1M", "PT1S");
        }
        bundle
    };
    one.deploy_if_safe(&next("Second")).await.expect("deployed again");
    // An instance that is pinned to a pack the second node has never seen.
    let pack = one.deployed().packs[0].clone();
    let values = json!({"what": "new"}).as_object().cloned().expect("an object");
    let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
    one.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");
    let soon = chrono::Utc::now() + chrono::Duration::seconds(9);
    let timer = one.store().due_timers(soon, None, 9).await.expect("timers").remove(0);
    tokio::time::sleep(Wait::from_millis(1_100)).await;
    two.submit(&old, Viewer::system("en"), Act::Timer { id: timer.id }, None)
        .await
        .expect("it is decided by the new pack");
    assert_eq!(two.deployed().packs[0].hash(), pack.hash(), "which the second node has learned of");

    one.deploy_if_safe(&next("Third")).await.expect("deployed again");
    two.run_due().await.expect("it looks");
    assert_eq!(two.deployed().packs[0].hash(), one.deployed().packs[0].hash());
}

/// The keys of the messages each node has sent.
fn sent(folder: &TempDir) -> Vec<Vec<String>> {
    let keys = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"));
        lines.map(|message| message["key"].as_str().unwrap_or_default().to_owned()).collect()
    };
    vec![keys("one.jsonl"), keys("two.jsonl")]
}
