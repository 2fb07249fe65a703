//! What operators and auditors see: the audit log, messages on their way, instances that stand still, imports of everybody.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;

use formwork_runtime::cases::Host;
use formwork_runtime::people::By;
use formwork_runtime::{Channels, Clock, Webhook};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, PASSWORD, TestServer};

async fn waiting(host: &dyn Host, channels: Channels) -> TestServer {
    let store = host.open("operations").await.expect("the store opens");
    TestServer::start(store, &packs::waiting(), Clock::standing_at(chrono::Utc::now()), channels).await
}

/// (kind, who, subject) of the audit log, the oldest first.
async fn told(auditor: &Client, query: &str) -> Vec<(String, String, String)> {
    let (status, page) = auditor.get(&format!("/api/admin/audit?limit=200{query}")).await;
    assert_eq!(status, 200, "{page}");
    let text = |row: &Json, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = page["items"].as_array().expect("rows");
    rows.iter().rev().map(|row| (text(row, "kind"), text(row, "who"), text(row, "subject"))).collect()
}

fn row(kind: &str, who: &str, subject: &str) -> (String, String, String) {
    (kind.to_owned(), who.to_owned(), subject.to_owned())
}

async fn the_audit_log_tells_who_did_what(host: &dyn Host) {
    let server = waiting(host, Channels::default()).await;
    let auditor = server.user("vera", &["auditor"], &[]).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let (status, made) =
        admin.call(Method::POST, "/api/admin/users", json!({"login": "ann", "roles": ["agent"]})).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/admin/users/{}", made["user"]["id"].as_str().expect("an id"));
    let given = made["password"].as_str().expect("a password");
    assert!(server.log_in("ann", "wrong").await.is_none());
    assert!(server.log_in("my-secret-typed-in-the-wrong-place", "wrong").await.is_none());
    let ann = server.log_in("ann", given).await.expect("a session");
    assert_eq!(ann.call(Method::DELETE, "/api/session", Json::Null).await.0, 204);
    let (status, _) = admin.call(Method::PATCH, &path, json!({"roles": ["agent", "auditor"]})).await;
    assert_eq!(status, 200);
    assert_eq!(admin.call(Method::PATCH, &path, json!({"active": false})).await.0, 200);
    assert!(server.log_in("ann", given).await.is_none());
    // Nothing was changed, and nothing is told: what was refused, and what was so already.
    assert_eq!(admin.call(Method::PATCH, &path, json!({"roles": ["nobody"]})).await.0, 422);
    assert_eq!(admin.call(Method::PATCH, &path, json!({"active": false})).await.0, 200);

    let expected = [
        row("pack.deployed", "command line", "waiting"),
        row("session.opened", "vera", ""),
        row("session.opened", "root", ""),
        row("user.added", "root", "ann"),
        row("session.refused", "ann", ""),
        row("session.refused", "", ""),
        row("session.opened", "ann", ""),
        row("session.closed", "ann", ""),
        row("user.changed", "root", "ann"),
        row("user.disabled", "root", "ann"),
        row("session.refused", "ann", ""),
    ];
    assert_eq!(told(&auditor, "").await, expected);
    assert_eq!(told(&auditor, "&kind=session.refused").await.len(), 3);
    assert_eq!(told(&auditor, "&kind=user.").await.len(), 3);
    assert_eq!(told(&auditor, "&q=VERA").await, [row("session.opened", "vera", "")]);
    let (_, page) = auditor.get("/api/admin/audit?kind=user.changed").await;
    let changed = &page["items"][0];
    assert_eq!(changed["data"], json!({"roles": {"from": ["agent"], "to": ["agent", "auditor"]}}));
    assert_eq!(changed["address"], "127.0.0.1");
    let (_, page) = auditor.get("/api/admin/audit?limit=4").await;
    let next = page["next"].as_i64().expect("more");
    assert_eq!(auditor.get(&format!("/api/admin/audit?before={next}")).await.1["items"].as_array().unwrap().len(), 7);

    // No secret is in it, nor what a stranger typed.
    let file = auditor.request(Method::GET, "/api/admin/audit?format=csv").send().await.expect("an answer");
    assert_eq!(file.headers()["content-type"], "text/csv; charset=utf-8");
    let file = file.text().await.expect("text");
    assert_eq!(file.lines().count(), 1 + expected.len() + 1, "a head, the rows, and that it was exported: {file}");
    for secret in [given, "my-secret", "argon2", PASSWORD] {
        assert!(!file.contains(secret), "{secret}: {file}");
    }
    // It belongs to auditors: an administrator who could read it could find out who watches them.
    for (client, expected) in [(&admin, 403), (&server.anonymous(), 401)] {
        assert_eq!(client.get("/api/admin/audit").await.0, expected);
        assert_eq!(client.get("/api/admin/audit?format=csv").await.0, expected);
    }
    assert_eq!((admin.get("/admin/audit").await.0, admin.get("/admin/audit.csv").await.0), (403, 403));
    let page = admin.request(Method::GET, "/admin/audit").send().await.expect("an answer").text().await.expect("text");
    assert!(page.contains("This page belongs to the role: Auditor"), "{page}");
    let page =
        auditor.request(Method::GET, "/admin/audit").send().await.expect("an answer").text().await.expect("text");
    for words in ["Log-in refused", "the user is disabled", "Roles: Agent → Agent, Auditor"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let days =
        auditor.request(Method::GET, "/admin/audit?from=2020-01-01&to=2020-01-02").send().await.expect("an answer");
    assert!(days.text().await.expect("text").contains("Nothing found"));
}

async fn a_deployment_and_its_row_are_one(host: &dyn Host) {
    let server = waiting(host, Channels::default()).await;
    let auditor = server.user("vera", &["auditor"], &[]).await;
    let publisher = server.user("pub", &["publisher"], &[]).await;
    let mut changed = packs::waiting();
    for (path, text) in &mut changed.files {
        if path == "pack.json" {
            *text = text.replace("1.0.0", "1.1.0");
        }
    }
    let files: serde_json::Map<String, Json> =
        changed.files.iter().map(|(path, text)| (path.clone(), json!(text))).collect();
    let (_, plan) = publisher.call(Method::POST, "/api/packs/waiting/plan", json!({"files": files})).await;
    let stale = json!({"files": files, "plan": "another"});
    assert_eq!(publisher.call(Method::POST, "/api/packs/waiting/deploy", stale).await.0, 409);
    assert_eq!(told(&auditor, "&kind=pack.").await.len(), 1, "the first one: what was refused is not told as done");
    let right = json!({"files": files, "plan": plan["hash"]});
    assert_eq!(publisher.call(Method::POST, "/api/packs/waiting/deploy", right).await.0, 200);
    let rows = told(&auditor, "&kind=pack.").await;
    assert_eq!(rows.last(), Some(&row("pack.deployed", "pub", "waiting")));
    let plan = server.engine.plan(&packs::waiting()).await.expect("a plan");
    let files = Some(packs::waiting().files);
    server.engine.deploy("waiting", files, plan.hash(), &By::command_line()).await.expect("back again");
    assert_eq!(told(&auditor, "&kind=pack.").await.last(), Some(&row("pack.deployed", "command line", "waiting")));
}

/// A receiver that refuses for good until it is mended.
async fn receiver() -> (String, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let seen = mended.clone();
    let take = move || {
        let is_mended = seen.load(Ordering::SeqCst);
        async move { if is_mended { StatusCode::OK } else { StatusCode::BAD_REQUEST } }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/in", listener.local_addr().expect("its address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/in", post(take))).await });
    (url, mended)
}

async fn a_failed_message_is_sent_again(host: &dyn Host) {
    let (url, mended) = receiver().await;
    let mut channels = Channels::default();
    channels.webhooks.insert("hook".to_owned(), Webhook { url, secret: "between us".to_owned() });
    let server = waiting(host, channels).await;
    let engine = &server.engine;
    let agent = server.user("ann", &["agent"], &["desk"]).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let (status, filed) = agent.call(Method::POST, "/api/records/request", json!({"what": "王芳 wants a chair"})).await;
    assert_eq!(status, 201, "{filed}");
    engine.advance_to(engine.clock().now()).await.expect("due work runs");

    let (status, page) = admin.get("/api/admin/outbox?state=failed").await;
    assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(1)), "{page}");
    assert_eq!(page["counts"], json!({"failed": 1}));
    let message = &page["items"][0];
    assert_eq!((&message["channel"], &message["state"]), (&json!("hook"), &json!("failed")));
    assert!(message["reason"].as_str().is_some_and(|reason| reason.contains("400")), "{message}");
    assert!(!page.to_string().contains("王芳"), "nothing of the record is told: {page}");
    let list = admin.request(Method::GET, "/admin/outbox").send().await.expect("an answer").text().await.expect("text");
    assert!(list.contains("Send again") && !list.contains("王芳"), "{list}");

    let again = json!({"key": message["key"]});
    for (client, expected) in [(&agent, 403), (&server.anonymous(), 401)] {
        assert_eq!(client.get("/api/admin/outbox").await.0, expected);
        assert_eq!(client.call(Method::POST, "/api/admin/outbox/resend", again.clone()).await.0, expected);
    }
    mended.store(true, Ordering::SeqCst);
    assert_eq!(admin.call(Method::POST, "/api/admin/outbox/resend", again.clone()).await.0, 200);
    engine.advance_to(engine.clock().now()).await.expect("due work runs");
    let (_, page) = admin.get("/api/admin/outbox").await;
    assert_eq!((&page["items"][0]["state"], &page["items"][0]["key"]), (&json!("sent"), &again["key"]));
    let (status, refused) = admin.call(Method::POST, "/api/admin/outbox/resend", again).await;
    assert_eq!((status, &refused["code"]), (409, &json!("not_failed")), "what was sent is not sent twice");
    let auditor = server.user("vera", &["auditor"], &[]).await;
    assert_eq!(told(&auditor, "&kind=message.").await.len(), 1);
}

async fn imports_of_everybody_are_listed(host: &dyn Host) {
    let server = waiting(host, Channels::default()).await;
    let agent = server.user("ann", &["agent"], &["desk"]).await;
    let admin = server.user("root", &["admin"], &[]).await;
    for name in ["one", "two"] {
        let request =
            agent.request(Method::POST, "/api/imports/bulk?dry_run=true").body(format!("what,number\n{name},1\n"));
        let begun = request.send().await.expect("an answer");
        assert_eq!(begun.status(), 202, "{}", begun.text().await.expect("text"));
    }
    let (status, page) = admin.get("/api/admin/jobs?limit=1").await;
    assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(1)), "{page}");
    let next = page["next"].as_str().expect("another one");
    let (_, rest) = admin.get(&format!("/api/admin/jobs?after={next}")).await;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1), "{rest}");
    assert_ne!(page["items"][0]["id"], rest["items"][0]["id"]);
    assert_eq!((agent.get("/api/admin/jobs").await.0, agent.get("/admin/jobs").await.0), (403, 403));
    assert_eq!(agent.get("/admin/incidents").await.0, 403);
    for path in ["/admin/jobs", "/admin/incidents", "/admin/outbox"] {
        let page = admin.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(page.status(), 200, "{path}");
    }
}

on_both_stores!(
    the_audit_log_tells_who_did_what,
    a_deployment_and_its_row_are_one,
    a_failed_message_is_sent_again,
    imports_of_everybody_are_listed,
);
