//! Clocks as people and integrators see them, on both stores; and two nodes that see the same rung.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

async fn errands(host: &dyn Host) -> TestServer {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0).single().expect("an instant");
    let store = host.open("clocks").await.expect("the store opens");
    TestServer::start(store, &shipped("tests/packs/clocks"), Clock::standing_at(start), Channels::default()).await
}

async fn file(client: &Client) -> String {
    let (status, body) =
        client.call(Method::POST, "/api/records/errand", json!({"what": "Keys", "desk": "front"})).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!((&body["due_at"], &body["standing"]), (&json!("2026-01-05T13:00:00Z"), &json!("running")), "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

async fn wait(server: &TestServer, hours: i64) {
    let at = server.engine.clock().now() + chrono::Duration::hours(hours);
    server.engine.advance_to(at).await.expect("the clock moves");
}

async fn resolve(client: &Client, id: &str) -> Json {
    let (status, body) = client.get(&format!("/api/records/errand/{id}/clocks")).await;
    assert_eq!(status, 200, "{body}");
    let items = body["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().find(|clock| clock["sla"] == "resolve").expect("the clock")
}

async fn a_record_says_how_much_time_is_left(host: &dyn Host) {
    let server = errands(host).await;
    let ann = server.user("ann", &["clerk"], &[]).await;
    let id = file(&ann).await;
    wait(&server, 1).await;
    let clock = resolve(&ann, &id).await;
    assert_eq!(clock["state"], "running");
    assert_eq!((&clock["budget_ms"], &clock["consumed_ms"]), (&json!(14_400_000), &json!(3_600_000)));
    assert_eq!((&clock["remaining_ms"], &clock["elapsed_ms"]), (&json!(10_800_000), &json!(3_600_000)));
    assert_eq!(
        (&clock["due_at"], &clock["next_rung_at"]),
        (&json!("2026-01-05T13:00:00Z"), &json!("2026-01-05T11:00:00Z"))
    );
    assert_eq!((&clock["is_open"], &clock["turns_at"]), (&json!(true), &json!("2026-01-05T17:00:00Z")));
    assert_eq!(clock["split"], json!({}), "what runs now is not in the ledger yet");

    let (status, body) = ann.call(Method::PATCH, &format!("/api/records/errand/{id}"), json!({"desk": "back"})).await;
    assert_eq!(status, 200, "{body}");
    wait(&server, 1).await;
    let (_, body) = ann.call(Method::PATCH, &format!("/api/records/errand/{id}"), json!({"state": "closed"})).await;
    assert_eq!((&body["due_at"], &body["standing"]), (&Json::Null, &json!("met")), "{body}");
    let clock = resolve(&ann, &id).await;
    assert_eq!(clock["split"], json!({"front": 3_600_000, "back": 3_600_000}));
    assert_eq!((&clock["consumed_ms"], &clock["remaining_ms"]), (&json!(7_200_000), &Json::Null));

    let stranger = server.user("bob", &[], &[]).await;
    let (status, _) = stranger.get(&format!("/api/records/errand/{id}/clocks")).await;
    assert_eq!(status, 404, "who does not read the record learns nothing of its clocks");
}

async fn a_page_counts_down(host: &dyn Host) {
    let server = errands(host).await;
    let ann = server.user("ann", &["clerk"], &[]).await;
    let id = file(&ann).await;
    wait(&server, 1).await;
    let shown = |html: &str| {
        let html = Html::parse_document(html);
        let selector = Selector::parse("#clocks .fact:first-child .due").expect("a selector");
        let due = html.select(&selector).next().expect("a clock on the page");
        let count = due.select(&Selector::parse(".count-down").expect("a selector")).next().expect("a countdown");
        let text = due.text().collect::<String>();
        (text, due.attr("class").unwrap_or_default().to_owned(), count.attr("data-left").map(str::to_owned))
    };
    let html = page(&ann, &id).await;
    assert_eq!(shown(&html), ("3 h left".to_owned(), "due ".to_owned(), Some("10800000".to_owned())));
    wait(&server, 4).await;
    let html = page(&ann, &id).await;
    assert_eq!(shown(&html), ("1 h overdue".to_owned(), "due bad".to_owned(), Some("-3600000".to_owned())));
    assert!(html.contains("The deadline “Resolve” passed"), "the history tells it");
}

async fn page(client: &Client, id: &str) -> String {
    let answer = client.request(Method::GET, &format!("/records/errand/{id}")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("text")
}

/// What stands behind the title of each row or line.
async fn counted(client: &Client, path: &str, within: &str) -> Vec<(String, Option<String>)> {
    let answer = client.request(Method::GET, path).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let html = Html::parse_document(&answer.text().await.expect("text"));
    let selector = |text: &str| Selector::parse(text).expect("a selector");
    let (clocks, count) = (selector(&format!("{within} .clock")), selector(".count-down"));
    let told = html.select(&clocks).map(|clock| {
        let count = clock.select(&count).next().expect("a countdown");
        let text = clock.text().collect::<Vec<_>>().join(" ");
        (text.split_whitespace().collect::<Vec<_>>().join(" "), count.attr("data-left").map(str::to_owned))
    });
    told.collect()
}

async fn lists_and_the_inbox_count_down(host: &dyn Host) {
    let server = errands(host).await;
    let ann = server.user("ann", &["clerk"], &[]).await;
    let porter = server.user("pia", &["porter"], &[]).await;
    let id = file(&ann).await;
    let (list, inbox) = ("/records/errand", "/inbox?box=claimable");
    wait(&server, 1).await;
    let told = |text: &str, left: &str| vec![(text.to_owned(), Some(left.to_owned()))];
    // Four open hours from 09:00, and ten hours by the wall.
    assert_eq!(counted(&ann, list, "#list td").await, told("Resolve 3 h left", "10800000"));
    assert_eq!(counted(&ann, inbox, "#lines .line").await, told("Resolve 3 h left", "10800000"));
    assert_eq!(counted(&porter, list, "#list td").await, told("Fix 9 h left", "32400000"), "of what they read");
    let (_, tasks) = ann.get("/api/tasks?box=claimable").await;
    let clock = &tasks["items"][0]["clock"];
    assert_eq!((&clock["sla"], &clock["remaining_ms"]), (&json!("resolve"), &json!(10_800_000)), "{tasks}");
    wait(&server, 4).await;
    assert_eq!(counted(&ann, list, "#list td").await, told("Resolve 1 h overdue", "-3600000"));
    let (status, _) = ann.call(Method::PATCH, &format!("/api/records/errand/{id}"), json!({"state": "closed"})).await;
    assert_eq!(status, 200);
    assert_eq!(counted(&ann, list, "#list td").await, []);
}

on_both_stores!(a_record_says_how_much_time_is_left, a_page_counts_down, lists_and_the_inbox_count_down);
