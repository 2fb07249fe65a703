//! An instance that stands still, as an operator meets it over the API, on both stores.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::server::TestServer;

/// A note's task is for whoever the note names: nobody, at first.
fn pack() -> Bundle {
    let file = |path: &str, json: Json| (path.to_owned(), json.to_string());
    let files = vec![
        file(
            "pack.json",
            json!({"version": "1.0.0", "title": "Notes", "languages": ["en"], "timezone": "UTC", "roles": {"agent": {"title": "A"}}}),
        ),
        file(
            "forms/note.json",
            json!({"label": "Note", "title": "text", "fields": {"text": {"type": "text"}, "who": {"type": "user"}},
                "access": {"agent": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}),
        ),
        file(
            "workflows/flow.json",
            json!({"label": "Flow", "for": "note", "start": {"filed": {"on": "created", "next": "handle"}},
                "steps": {"handle": {"type": "user", "assign": {"user": "=record.who"}, "outcomes": {"done": "end"}}}}),
        ),
    ];
    Bundle { pack: "notes".into(), files }
}

async fn an_incident_is_seen_and_retried(host: &dyn Host) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("instances").await.expect("the store opens");
    let server = TestServer::start(store, &pack(), Clock::standing_at(start), Channels::default()).await;
    let ana = server.user("ana", &["agent"], &[]).await;
    let root = server.user("root", &["admin"], &[]).await;
    let (status, note) = ana.call(Method::POST, "/api/records/note", json!({"text": "a"})).await;
    assert_eq!(status, 201, "the record is there, whatever its workflow met: {note}");

    assert_eq!(ana.get("/api/admin/incidents").await.0, 403);
    let (status, stopped) = root.get("/api/admin/incidents").await;
    let incident = &stopped["items"][0];
    assert_eq!((status, &incident["code"], &incident["step"]), (200, &json!("empty_assignee"), &json!("handle")));
    assert_eq!(incident["record"], json!({"form": "note", "id": note["id"]}));

    let path = |verb: &str| format!("/api/instances/{}/{verb}", incident["instance"].as_str().expect("an id"));
    let why = json!({"reason": "somebody is there now"});
    assert_eq!(ana.call(Method::POST, &path("retry"), why.clone()).await.0, 403);
    let (status, problem) = root.call(Method::POST, &path("retry"), json!({"reason": ""})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("reason_required")));

    let (_, me) = ana.get("/api/session").await;
    let patch = json!({"who": me["user"]["id"]});
    let record = format!("/api/records/note/{}", note["id"].as_str().expect("an id"));
    let (status, answer) = ana.call(Method::PATCH, &record, patch).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = root.call(Method::POST, &path("retry"), why.clone()).await;
    assert_eq!(status, 200, "{answer}");
    let (_, mine) = ana.get("/api/tasks?box=mine").await;
    assert_eq!(mine["items"][0]["step"], "handle");
    assert_eq!(root.get("/api/admin/incidents").await.1["items"], json!([]));
    let (status, problem) = root.call(Method::POST, &path("retry"), why).await;
    assert_eq!((status, &problem["code"]), (409, &json!("instance_runs")));
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_on_sqlite() {
    an_incident_is_seen_and_retried(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_on_postgres() {
    an_incident_is_seen_and_retried(&Postgres::default()).await;
}
