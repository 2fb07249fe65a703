//! The whole way of one request by the API only, with the shipped pack on both stores: a traveller files it, the right
//! desk gets it and no other, an agent claims, asks and proposes, a lead approves, and traveller and board follow.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

async fn done(client: &Client, path: &str, body: Json) -> Json {
    let (status, told) = client.call(Method::POST, path, body).await;
    assert!(status < 300, "{path}: {status} {told}");
    told
}

/// The task of a record in a box, if it is there.
async fn task_in(client: &Client, tasks: &str, record: &str) -> Option<Json> {
    let (status, page) = client.get(&format!("/api/tasks?box={tasks}&limit=200")).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().expect("tasks").iter().find(|task| task["record"]["id"] == record).cloned()
}

async fn claimed(client: &Client, record: &str, step: &str) -> String {
    let task = task_in(client, "claimable", record).await.expect("a task to claim");
    assert_eq!(task["step"], step, "{task}");
    let id = task["id"].as_str().expect("an id").to_owned();
    done(client, &format!("/api/tasks/{id}/claim"), json!({})).await;
    id
}

/// Tickets and money of the board once it holds a change.
async fn board(client: &Client, seq: &Json) -> (Json, Json) {
    let (status, board) = client.get(&format!("/api/boards/service_desk?min_seq={seq}")).await;
    assert_eq!(status, 200, "{board}");
    (board["tiles"]["volume"]["value"].clone(), board["tiles"]["money"]["value"].clone())
}

/// The states of the stages and what was said, by whom, newest first.
async fn followed(client: &Client, no: &str) -> (Vec<String>, Vec<String>, Json) {
    let (status, told) = client.get(&format!("/api/public/track?form=ticket&no={no}&phone=8000")).await;
    assert_eq!(status, 200, "{told}");
    let texts = |list: &str, key: &str| {
        let items = told[list].as_array().into_iter().flatten();
        items.map(|item| item[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    (texts("stages", "state"), texts("messages", "text"), told["values"]["resolution_code"].clone())
}

async fn a_lost_bag_from_the_traveller_to_the_board(host: &dyn Host) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("desk").await.expect("the store opens");
    let server =
        TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::default()).await;
    let agent = server.user("ana", &["agent"], &["baggage_desk"]).await;
    let other = server.user("ben", &["agent"], &["refund_desk"]).await;
    let lead = server.user("lea", &["team_lead"], &[]).await;
    let traveller = server.anonymous();
    let customer = json!({"name_zh": "王芳", "phone": "13800138000", "email": "fang.wang@example.com"});
    let customer = done(&lead, "/api/records/customer", customer).await;
    assert_eq!(board(&lead, &customer["seq"]).await, (json!("0"), json!("0.00")));

    // What was approved is nothing a traveller may write or see.
    let bag = |approved: bool| {
        let mut bag = json!({"bag_tag": "0123456789", "claimed": "1200.00"});
        if approved {
            bag["approved"] = json!("1200.00");
        }
        json!({"subject": "行李未到", "category": "baggage", "flight_no": "FW1881", "phone": "13800138000", "items": [bag]})
    };
    let (status, refused) = traveller.call(Method::POST, "/api/records/ticket", bag(true)).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/items/0/approved")), "{refused}");
    let filed = done(&traveller, "/api/records/ticket", bag(false)).await;
    let no = filed["reference"].as_str().expect("a reference").to_owned();
    assert_eq!(followed(&traveller, &no).await.0, ["done", "now", "ahead", "ahead"]);

    let (_, found) = agent.get(&format!("/api/records/ticket?q={no}")).await;
    let ticket = found["items"][0]["id"].as_str().expect("the ticket").to_owned();
    assert!(task_in(&agent, "claimable", &ticket).await.is_some(), "the baggage desk gets it");
    assert!(task_in(&other, "claimable", &ticket).await.is_none(), "no other desk gets it");
    assert_eq!(other.get(&format!("/api/records/ticket/{ticket}")).await.0, 404);

    let task = claimed(&agent, &ticket, "handle").await;
    let said = json!({"text": "行李箱是什么品牌？", "public": true});
    done(&agent, &format!("/api/records/ticket/{ticket}/comments"), said).await;
    done(&agent, &format!("/api/tasks/{task}/complete"), json!({"outcome": "ask"})).await;
    assert_eq!(followed(&traveller, &no).await.1, ["行李箱是什么品牌？"]);
    let pairs = format!("%2Fno={no}&%2Fphone=8000&_key=answer-1&%2Ftext=28%20inch");
    let request = traveller.request(Method::POST, "/p/track?form=ticket").body(pairs);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(request.send().await.expect("an answer").status(), 200);

    let task = claimed(&agent, &ticket, "handle").await;
    let (_, record) = agent.get(&format!("/api/records/ticket/{ticket}")).await;
    assert_eq!(record["reply"], "28 inch", "{record}");
    let fields = json!({"customer": customer["id"], "compensation": "600.00", "answer": "照价补偿。"});
    let proposal = json!({"outcome": "propose", "fields": fields});
    let proposed = done(&agent, &format!("/api/tasks/{task}/complete"), proposal).await;
    assert_eq!(
        board(&lead, &proposed["seq"]).await,
        (json!("1"), json!("0.00")),
        "nothing is paid before it is approved"
    );

    let task = claimed(&lead, &ticket, "approve").await;
    let approved = done(&lead, &format!("/api/tasks/{task}/complete"), json!({"outcome": "approved"})).await;
    let (stages, said, resolution) = followed(&traveller, &no).await;
    assert_eq!(stages, ["done", "done", "now", "ahead"]);
    assert_eq!((said, resolution), (vec!["28 inch".into(), "行李箱是什么品牌？".into()], json!("compensated")));
    assert_eq!(board(&lead, &approved["seq"]).await, (json!("1"), json!("600.00")));

    // The history names what a change links to, as the record does.
    let (_, history) = agent.get(&format!("/api/records/ticket/{ticket}/history")).await;
    let changes = history["items"].as_array().expect("items").iter().filter_map(|item| item["data"]["diff"].as_array());
    let of =
        |path: &str| changes.clone().flatten().find(|change| change["path"] == path).map(|one| one["value"].clone());
    assert_eq!(of("/customer"), Some(record_link(&agent, &ticket, "customer").await));
    assert_eq!(of("/assignee"), Some(record_link(&agent, &ticket, "assignee").await));
}

async fn record_link(client: &Client, ticket: &str, field: &str) -> Json {
    let (_, record) = client.get(&format!("/api/records/ticket/{ticket}")).await;
    assert!(record[field]["title"].is_string(), "{record}");
    record[field].clone()
}

on_both_stores!(a_lost_bag_from_the_traveller_to_the_board);
