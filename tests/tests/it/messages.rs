//! A message from outside, sent by an integrator, on both stores: who waits for it goes on, once.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

/// The open task of a step of the only ticket.
async fn task(client: &Client, step: &str) -> Option<Json> {
    let (_, boxed) = client.get("/api/tasks?box=team").await;
    boxed["items"].as_array()?.iter().find(|task| task["step"] == step).cloned()
}

async fn act(client: &Client, task: &Json, verb: &str, body: Json) {
    let path = format!("/api/tasks/{}/{verb}", task["id"].as_str().expect("an id"));
    let (status, answer) = client.call(Method::POST, &path, body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn a_reply_brings_the_task_back(host: &dyn Host) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("messages").await.expect("the store opens");
    let clock = Clock::standing_at(start);
    let server = TestServer::start(store, &shipped("definitions/crm"), clock, Channels::default()).await;
    let lea = server.user("lea", &["team_lead"], &["baggage_desk"]).await;
    let ticket = json!({"subject": "行李未到", "category": "baggage", "flight_no": "FW1881"});
    let (_, ticket) = lea.call(Method::POST, "/api/records/ticket", ticket).await;
    let handle = task(&lea, "handle").await.expect("a task");
    act(&lea, &handle, "claim", json!({})).await;
    act(&lea, &handle, "complete", json!({"outcome": "ask"})).await;
    assert!(task(&lea, "handle").await.is_none(), "it is the customer's turn");

    let reply = |id: &str, no: &Json| json!({"key": no, "id": id, "data": {"text": "蓝色，二十寸"}});
    let path = "/api/messages/customer.replied";
    let (status, answer) = lea.call(Method::POST, path, reply("m1", &ticket["no"])).await;
    assert_eq!((status, &answer["taken"], &answer["repeated"]), (200, &json!(1), &json!(false)), "{answer}");
    assert!(task(&lea, "handle").await.is_some(), "the task is back in the same transaction");
    let record = format!("/api/records/ticket/{}", ticket["id"].as_str().expect("an id"));
    let (_, stored) = lea.get(&record).await;
    assert_eq!((&stored["reply"], &stored["state"]), (&json!("蓝色，二十寸"), &json!("routed")));

    let (status, answer) = lea.call(Method::POST, path, reply("m1", &ticket["no"])).await;
    assert_eq!((status, &answer["taken"], &answer["repeated"]), (200, &json!(0), &json!(true)), "{answer}");
    let (_, after) = lea.get(&record).await;
    assert_eq!(after["version"], stored["version"], "a message is taken in once");

    let (status, problem) = lea.call(Method::POST, "/api/messages/customer.left", reply("m2", &ticket["no"])).await;
    assert_eq!((status, problem["status"].as_u64()), (404, Some(404)));
    let (status, _) = server.anonymous().call(Method::POST, path, reply("m3", &ticket["no"])).await;
    assert!([401, 403, 404].contains(&status), "{status}");
    let ana = server.user("ana", &["analyst"], &[]).await;
    let (status, problem) = ana.call(Method::POST, path, reply("m3", &ticket["no"])).await;
    assert_eq!((status, &problem["code"]), (404, &json!("message_not_found")));
    let bad = json!({"key": ticket["no"], "data": {"text": 7, "mood": "good"}});
    let (status, problem) = lea.call(Method::POST, path, bad).await;
    let pointers: Vec<_> = problem["errors"].as_array().into_iter().flatten().map(|error| &error["pointer"]).collect();
    assert_eq!((status, pointers), (422, vec![&json!("/data/mood"), &json!("/data/text")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_on_sqlite() {
    a_reply_brings_the_task_back(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_on_postgres() {
    a_reply_brings_the_task_back(&Postgres::default()).await;
}
