//! What fails or hangs holds up nobody but itself: a receiver, a timer, a row of a schedule (workflow.md §4, promise 8).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as Wait;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{Duration, TimeZone, Utc};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

use formwork_core::stimulus::Effects;
use formwork_core::{Act, Stop, Viewer};
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock, Engine, Webhook};
use formwork_store::{Decider, Kept, PostgresStore, SqliteStore, Store, postgres, sqlite};
use formwork_tests::hosts::database;
use formwork_tests::packs;
use formwork_tests::server::TestServer;

/// More than one channel sends at once, and more than one page of timers.
const REQUESTS: usize = 12;
const TIMERS: usize = 70;

/// The keys that arrived.
type Arrived = Arc<Mutex<Vec<String>>>;

/// A receiver that answers after `wait`.
async fn receiver(wait: Wait) -> (Webhook, Arrived) {
    let arrived = Arrived::default();
    let seen = arrived.clone();
    let take = move |headers: HeaderMap| async move {
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
        seen.lock().expect("no holder panics").push(key);
        tokio::time::sleep(wait).await;
        StatusCode::OK
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/in", listener.local_addr().expect("its address"));
    let router = Router::new().route("/in", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Webhook { url, secret: "between us".to_owned() }, arrived)
}

/// The pack `waiting` with a second channel: the greeting leaves by `slow`, the farewell by `hook`, a second apart.
fn two_channels() -> Bundle {
    let mut bundle = packs::waiting();
    for (_, text) in &mut bundle.files {
        *text = text
            .replace("PT1M", "PT1S")
            .replace(r#""channels": {"#, r#""channels": {"slow": {"type": "webhook"}, "#)
            .replacen(r#""channels": ["hook"]"#, r#""channels": ["slow"]"#, 1);
    }
    bundle
}

async fn file(engine: &Engine, what: &str) {
    let pack = engine.deployed().packs[0].clone();
    let values = json!({"what": what}).as_object().cloned().expect("an object");
    let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
    engine.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");
}

/// Waits until there are `count`, for at most ten seconds.
async fn until_there_are(count: usize, found: impl AsyncFn() -> usize) -> usize {
    for _ in 0..100 {
        if found().await >= count {
            break;
        }
        tokio::time::sleep(Wait::from_millis(100)).await;
    }
    found().await
}

async fn fired(engine: &Engine) -> usize {
    let events = engine.store().events(0, 100_000).await.expect("events");
    events.iter().filter(|(_, event)| event.kind == "timer.fired").count()
}

async fn a_receiver_that_hangs_holds_up_only_its_own_channel(store: Arc<dyn Store>) {
    let ((slow, hung), (hook, arrived)) = (receiver(Wait::from_secs(60)).await, receiver(Wait::ZERO).await);
    let mut channels = Channels::default();
    channels.webhooks.extend([("slow".to_owned(), slow), ("hook".to_owned(), hook)]);
    let server = TestServer::start(store, &two_channels(), Clock::System, channels).await;
    let engine = &server.engine;
    for number in 0..REQUESTS {
        file(engine, &format!("request {number}")).await;
    }
    let started = tokio::time::Instant::now();
    let dispatcher = tokio::spawn(engine.clone().run_dispatcher());
    let count = |arrived: &Arrived| arrived.lock().expect("no holder panics").len();
    assert_eq!(until_there_are(REQUESTS, async || count(&arrived)).await, REQUESTS, "the other channel goes on");
    assert_eq!(fired(engine).await, REQUESTS, "so do the timers");
    assert!(started.elapsed() < Wait::from_secs(9), "and before the first sending of the slow one was given up");
    assert_eq!(count(&hung), 8, "the slow one has as many under way as a channel may");

    // Nothing is sent twice while it hangs: the lease is longer than a sending.
    tokio::time::sleep(Wait::from_secs(2)).await;
    let keys = arrived.lock().expect("no holder panics").clone();
    assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), REQUESTS, "each once: {keys:?}");
    assert_eq!((keys.len(), count(&hung)), (REQUESTS, 8));
    dispatcher.abort();
}

/// A core that has a defect for the first timer it sees.
fn poisoned() -> Decider {
    let poison = Mutex::new(None);
    Arc::new(move |submission, facts| {
        if let Act::Timer { id } = &submission.stimulus.act
            && *poison.lock().expect("no holder panics").get_or_insert(*id) == *id
        {
            return Err(Stop::Fault("a timer that breaks whatever fires it".to_owned()));
        }
        formwork_core::decide(&submission.pack, &submission.packs.by_hash, &submission.stimulus, facts)
    })
}

async fn a_timer_that_always_fails_does_not_keep_the_others(store: Arc<dyn Store>) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).single().expect("an instant");
    let (hook, arrived) = receiver(Wait::ZERO).await;
    let mut channels = Channels::default();
    channels.webhooks.insert("hook".to_owned(), hook);
    let server = TestServer::start(store, &packs::waiting(), Clock::standing_at(start), channels).await;
    let engine = &server.engine;
    for number in 0..TIMERS {
        file(engine, &format!("request {number}")).await;
    }
    engine.advance_to(start + Duration::minutes(2)).await.expect("due work runs");
    assert_eq!(fired(engine).await, TIMERS - 1, "all but the first, which fails");
    let greetings_and_farewells = 2 * TIMERS - 1;
    assert_eq!(arrived.lock().expect("no holder panics").len(), greetings_and_farewells, "messages leave");

    let left = engine.store().due_timers(engine.clock().now(), None, 10).await.expect("timers");
    assert_eq!(left.len(), 1, "it is still there, to be tried again");
    assert_eq!(engine.run_due().await.expect("due work runs"), 0, "but not at once");
}

/// The pack `waiting` with two schedules: `broken`, whose starts fail, and `sound`.
fn two_schedules() -> Bundle {
    let mut bundle = packs::waiting();
    for name in ["broken", "sound"] {
        let workflow = r#"{"label": "Tick", "start": {"tick": {"schedule": "* * * * *", "next": "done"}},
            "steps": {"done": {"type": "end", "outcome": "done"}}}"#;
        bundle.files.push((format!("workflows/{name}.json"), workflow.to_owned()));
    }
    bundle
}

/// A core that has a defect for the schedule `broken`, and how often that was met.
fn broken(met: Arc<AtomicUsize>) -> Decider {
    Arc::new(move |submission, facts| {
        if let Act::Scheduled { workflow, .. } = &submission.stimulus.act
            && &**workflow == "broken"
        {
            met.fetch_add(1, Ordering::Relaxed);
            return Err(Stop::Fault("a schedule that breaks whatever starts it".to_owned()));
        }
        formwork_core::decide(&submission.pack, &submission.packs.by_hash, &submission.stimulus, facts)
    })
}

async fn a_schedule_that_always_fails_waits_longer_and_keeps_no_other(store: Arc<dyn Store>, met: Arc<AtomicUsize>) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).single().expect("an instant");
    let server = TestServer::start(store, &two_schedules(), Clock::standing_at(start), Channels::default()).await;
    let engine = &server.engine;
    engine.run_due().await.expect("the schedules are seen");
    // A look every second, as a node takes it, through one occurrence and the tries after it.
    for second in 0..100 {
        engine.clock().move_to(start + Duration::seconds(60 + second));
        engine.run_due().await.expect("due work runs");
    }
    let started = engine.store().schedule("waiting", "sound", "tick").await.expect("its state");
    assert_eq!(started, Some(start + Duration::minutes(2)), "the other runs each minute");
    // At once, and after about 5, 10, 20 and 40 seconds.
    let tries = met.load(Ordering::Relaxed);
    assert!((4..=6).contains(&tries), "{tries} tries in 100 seconds");
}

/// Once an hour a node removes what nobody asks for any more.
async fn what_was_kept_long_enough_is_removed_once_an_hour(store: Arc<dyn Store>) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).single().expect("an instant");
    let server = TestServer::start(store, &packs::waiting(), Clock::standing_at(start), Channels::default()).await;
    let (engine, owner) = (&server.engine, Uuid::from_u128(7));
    let keep = async |kind: &str, name: &str, days: i64| {
        let (kind, name, at) = (kind.to_owned(), name.to_owned(), start - Duration::days(days));
        let kept = Kept { owner, kind, scope: "waiting.request".to_owned(), name, at, body: json!({}) };
        engine.store().keep(&kept).await.expect("it is kept");
    };
    let left = async || {
        let mut left = Vec::new();
        for kind in ["draft", "undo", "view"] {
            let kept = engine.store().kept_in(kind, "waiting.request").await.expect("what is kept");
            left.extend(kept.into_iter().map(|kept| format!("{kind} {}", kept.name)));
        }
        for key in ["old", "new"] {
            let answer = engine.store().answer_of(owner, key).await.expect("an answer");
            left.extend(answer.map(|_| format!("answer {key}")));
        }
        left
    };
    for (key, days) in [("old", 31), ("new", 29)] {
        let at = start - Duration::days(days);
        engine.store().keep_answer(owner, key, "hash", &json!({}), at).await.expect("it is kept");
    }
    for (kind, days) in [("draft", 91), ("draft", 89), ("undo", 8), ("undo", 6), ("view", 900)] {
        keep(kind, &format!("of {days} days"), days).await;
    }
    engine.run_due().await.expect("due work runs");
    let expected = ["draft of 89 days", "undo of 6 days", "view of 900 days", "answer new"];
    assert_eq!(left().await, expected);

    keep("draft", "late", 91).await;
    engine.clock().move_to(start + Duration::minutes(59));
    engine.run_due().await.expect("due work runs");
    assert!(left().await.contains(&"draft late".to_owned()), "not twice in an hour");
    engine.clock().move_to(start + Duration::minutes(60));
    engine.run_due().await.expect("due work runs");
    assert_eq!(left().await, expected);
}

async fn sqlite(decider: Option<Decider>, folder: &TempDir) -> Arc<dyn Store> {
    let options = sqlite::Options { decider, ..sqlite::Options::default() };
    Arc::new(SqliteStore::open(folder.path(), options).expect("the store opens"))
}

async fn postgres(decider: Option<Decider>) -> Arc<dyn Store> {
    let options = postgres::Options { decider, ..postgres::Options::default() };
    Arc::new(PostgresStore::open(&database().await, options).await.expect("the store opens"))
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_on_sqlite() {
    let folder = TempDir::new().expect("a scratch folder");
    a_receiver_that_hangs_holds_up_only_its_own_channel(sqlite(None, &folder).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_on_postgres() {
    a_receiver_that_hangs_holds_up_only_its_own_channel(postgres(None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_on_sqlite() {
    let (folder, met) = (TempDir::new().expect("a scratch folder"), Arc::new(AtomicUsize::new(0)));
    let store = sqlite(Some(broken(met.clone())), &folder).await;
    a_schedule_that_always_fails_waits_longer_and_keeps_no_other(store, met).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_on_postgres() {
    let met = Arc::new(AtomicUsize::new(0));
    let store = postgres(Some(broken(met.clone()))).await;
    a_schedule_that_always_fails_waits_longer_and_keeps_no_other(store, met).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cleaning_on_sqlite() {
    let folder = TempDir::new().expect("a scratch folder");
    what_was_kept_long_enough_is_removed_once_an_hour(sqlite(None, &folder).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cleaning_on_postgres() {
    what_was_kept_long_enough_is_removed_once_an_hour(postgres(None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_on_sqlite() {
    let folder = TempDir::new().expect("a scratch folder");
    a_timer_that_always_fails_does_not_keep_the_others(sqlite(Some(poisoned()), &folder).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_on_postgres() {
    a_timer_that_always_fails_does_not_keep_the_others(postgres(Some(poisoned())).await).await;
}
