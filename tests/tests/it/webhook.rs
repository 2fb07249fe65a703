//! Messages leave by a signed webhook, are tried again after a failure, and carry one key over all tries.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{Duration, TimeZone, Utc};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_runtime::cases::Host;
use formwork_runtime::channels::signature;
use formwork_runtime::{Channels, Clock, Webhook};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs;
use formwork_tests::server::TestServer;

const SECRET: &str = "between us";

/// What arrived: key, whether the signature was right, body.
type Arrived = Arc<Mutex<Vec<(String, bool, Json)>>>;

/// A receiver that is out of order for the first `failures` requests.
async fn receiver(failures: usize) -> (String, Arrived) {
    let arrived = Arrived::default();
    let seen = arrived.clone();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let right = text("x-formwork-signature") == format!("sha256={}", signature(SECRET, &body));
        let mut seen = seen.lock().expect("no holder panics");
        seen.push((text("idempotency-key"), right, serde_json::from_slice(&body).unwrap_or_default()));
        if seen.len() <= failures { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/in", listener.local_addr().expect("its address"));
    let router = Router::new().route("/in", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, arrived)
}

async fn a_message_is_retried_until_it_arrives(host: &dyn Host) {
    let (url, arrived) = receiver(2).await;
    let mut channels = Channels::default();
    channels.webhooks.insert("hook".to_owned(), Webhook { url, secret: SECRET.to_owned() });
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).single().expect("an instant");
    let store = host.open("webhook").await.expect("the store opens");
    let server = TestServer::start(store, &packs::waiting(), Clock::standing_at(start), channels).await;
    let engine = &server.engine;
    let pack = engine.deployed().packs[0].clone();
    let values = json!({"what": "王芳 <b>&</b>"}).as_object().cloned().expect("an object");
    let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
    engine.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");

    engine.advance_to(start).await.expect("due work runs");
    assert_eq!(arrived.lock().expect("no holder panics").len(), 1, "one try at once");
    // The first wait is 5 s ± 20 %, the second 10 s ± 20 %: both are over after half a minute.
    engine.advance_to(start + Duration::seconds(30)).await.expect("due work runs");
    let seen = arrived.lock().expect("no holder panics").clone();
    assert_eq!(seen.len(), 3, "refused twice, then accepted, then left alone: {seen:?}");
    assert!(seen.iter().all(|(key, right, _)| *key == seen[0].0 && *right), "one key, right signatures: {seen:?}");
    assert_eq!(seen[2].2["body"], "We have seen 王芳 <b>&</b>.");
    assert_eq!(seen[2].2["subject"], "Seen");

    let messages = engine.store().messages(10).await.expect("messages");
    let (_, state, attempts, _) = &messages[0];
    assert_eq!((state.as_str(), *attempts), ("sent", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_on_sqlite() {
    a_message_is_retried_until_it_arrives(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_on_postgres() {
    a_message_is_retried_until_it_arrives(&Postgres::default()).await;
}

#[tokio::test]
async fn a_channel_without_an_address_fails_unless_it_pretends() {
    for (channels, expected) in [(Channels::default(), "failed"), (Channels::pretending(), "sent")] {
        let host = Sqlite::default();
        let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).single().expect("an instant");
        let store = host.open("webhook").await.expect("the store opens");
        let server = TestServer::start(store, &packs::waiting(), Clock::standing_at(start), channels).await;
        let pack = server.engine.deployed().packs[0].clone();
        let values = json!({"what": "x"}).as_object().cloned().expect("an object");
        let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
        server.engine.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");
        server.engine.advance_to(start).await.expect("due work runs");
        let (_, state, _, reason) = &server.engine.store().messages(10).await.expect("messages")[0];
        assert_eq!(state, expected, "{reason:?}");
        let unable: Vec<_> = server.engine.channels().without_address(&pack).collect();
        assert_eq!(unable.is_empty(), expected == "sent", "what fails is warned of: {unable:?}");
    }
}
