//! What monitoring reads, and who may.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

async fn waiting(host: &dyn Host) -> TestServer {
    let store = host.open("monitoring").await.expect("the store opens");
    TestServer::start(store, &packs::waiting(), Clock::standing_at(chrono::Utc::now()), Channels::default()).await
}

/// The values of series, in the order asked.
async fn values(client: &Client, series: &[&str]) -> Vec<String> {
    let answer = client.request(Method::GET, "/metrics").send().await.expect("the server answers");
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().expect("ASCII").to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let told = answer.text().await.expect("a text");
    assert!(told.ends_with("# EOF\n"), "{told}");
    let value = |name: &&str| {
        let line = told.lines().find_map(|line| line.strip_prefix(*name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{told}")).to_owned()
    };
    series.iter().map(value).collect()
}

async fn what_is_open_and_late_is_told(host: &dyn Host) {
    let server = waiting(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let ann = server.user("ann", &["agent"], &[]).await;
    for what in ["one", "two"] {
        let (status, filed) = ann.call(Method::POST, "/api/records/request", json!({"what": what})).await;
        assert_eq!(status, 201, "{filed}");
    }
    assert_eq!(ann.get("/nowhere/at/all").await.0, 404);
    assert_eq!(ann.get("/nor/here").await.0, 404);

    let backlog = [
        "formwork_open_tasks",
        "formwork_running_instances",
        "formwork_stopped_instances",
        "formwork_late_timers",
        "formwork_timer_lag_seconds",
        "formwork_waiting_messages",
        "formwork_failed_messages",
        "formwork_open_imports",
    ];
    assert_eq!(values(&admin, &backlog).await, ["0", "2", "0", "0", "0.0", "2", "0", "0"]);
    let requests = [
        r#"formwork_http_requests_total{method="POST",route="/api/records/{form}",status="201"}"#,
        r#"formwork_http_request_duration_seconds_count{method="POST",route="/api/records/{form}"}"#,
        r#"formwork_http_requests_total{method="GET",route="none",status="404"}"#,
    ];
    assert_eq!(values(&admin, &requests).await, ["2", "2", "2"]);

    // Each waits for a minute; nobody fires what is due here.
    let clock = server.engine.clock();
    assert!(clock.move_to(clock.now() + TimeDelta::milliseconds(61_500)));
    assert_eq!(values(&admin, &backlog[3..5]).await, ["2", "1.5"]);
    let (status, ready) = ann.get("/readyz").await;
    assert_eq!((status, &ready["timer_lag_ms"]), (200, &json!(1_500)), "{ready}");
}

async fn only_administrators_read_it(host: &dyn Host) {
    let server = waiting(host).await;
    server.user("root", &["admin"], &[]).await;
    let ann = server.user("ann", &["agent"], &[]).await;
    assert_eq!(server.anonymous().get("/metrics").await.0, 401);
    assert_eq!(ann.get("/metrics").await.0, 403);
    for (scopes, expected) in [(["reports", "records:read"], 403), (["admin", "reports"], 200)] {
        let token = server.token("root", &scopes, None).await;
        let asked = server.anonymous().request(Method::GET, "/metrics").bearer_auth(token);
        assert_eq!(asked.send().await.expect("the server answers").status(), expected, "{scopes:?}");
    }
}

on_both_stores!(what_is_open_and_late_is_told, only_administrators_read_it);
