//! Notices: whom something concerns is told, once, and nobody else; what they may not read any more is not told in them.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

async fn crm(host: &dyn Host) -> TestServer {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("notices").await.expect("the store opens");
    TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::pretending()).await
}

async fn id_of(client: &Client) -> String {
    client.get("/api/session").await.1["user"]["id"].as_str().expect("an id").to_owned()
}

async fn told(client: &Client) -> Json {
    let (status, body) = client.get("/api/notices").await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Kind, whether it is read, and the title of the record it is about; the newest first.
fn lines(told: &Json) -> Vec<(String, bool, String)> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let items = told["items"].as_array().expect("items").iter();
    items.map(|item| (text(&item["kind"]), item["read"] == true, text(&item["task"]["record"]["title"]))).collect()
}

async fn page(client: &Client, path: &str) -> String {
    let answer = client.request(Method::GET, path).send().await.expect("the server answers");
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

async fn whom_a_task_concerns_is_told(host: &dyn Host) {
    let server = crm(host).await;
    let lea = server.user("lea", &["team_lead"], &["baggage_desk"]).await;
    let ana = server.user("ana", &["agent"], &["baggage_desk"]).await;
    let ben = server.user("ben", &["agent"], &["baggage_desk"]).await;
    let ticket = json!({"subject": "行李未到", "category": "baggage", "flight_no": "FW1881", "channel": "call"});
    let (status, body) = lea.call(Method::POST, "/api/records/ticket", ticket).await;
    assert_eq!(status, 201, "{body}");
    let (_, tasks) = lea.get("/api/tasks?box=claimable").await;
    let task = tasks["items"][0]["id"].as_str().expect("a task").to_owned();
    let act = |client: Client, verb: &'static str, body: Json| {
        let path = format!("/api/tasks/{task}/{verb}");
        async move {
            let (status, told) = client.call(Method::POST, &path, body).await;
            assert!(status < 300, "{verb}: {status} {told}");
        }
    };
    act(lea.clone(), "claim", json!({})).await;
    assert_eq!(told(&lea).await, json!({"items": [], "next": null, "unread": 0}), "what one did oneself is no news");

    let (ana_id, ben_id) = (id_of(&ana).await, id_of(&ben).await);
    act(lea.clone(), "transfer", json!({"user": ana_id})).await;
    let given = told(&ana).await;
    assert_eq!((&given["unread"], &given["items"][0]["actor"]["name"]), (&json!(1), &json!("lea")), "{given}");
    let (kind, is_read, title) = lines(&given).remove(0);
    assert!((kind.as_str(), is_read) == ("task.given", false) && !title.is_empty(), "{given}");
    assert_eq!((told(&lea).await["unread"].clone(), told(&ben).await["unread"].clone()), (json!(0), json!(0)));

    act(ana.clone(), "cc", json!({"users": [ben_id]})).await;
    act(ben.clone(), "remind", json!({})).await;
    assert_eq!(lines(&told(&ben).await)[0].0, "task.copied");
    let kinds: Vec<String> = lines(&told(&ana).await).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["task.reminded", "task.given"]);

    // The bell, the page, and what somebody else has no hand in.
    assert_eq!(page(&ana, "/notices/count").await, "2");
    let shown = page(&ana, "/notices").await;
    assert!(shown.contains("lea gave you a task") && shown.contains("ben reminds you of a task"), "{shown}");
    assert!(page(&ana, "/home").await.contains("data-count=\"/notices/count\">2</b>"));
    let newest = told(&ana).await["items"][0]["id"].clone();
    let oldest = told(&ana).await["items"][1]["id"].clone();
    let (_, read) = ben.call(Method::POST, "/api/notices/read", json!({"until": newest})).await;
    assert_eq!(read, json!({"read": 1, "unread": 0}), "one's own alone");
    assert_eq!(told(&ana).await["unread"], 2);
    let (_, read) = ana.call(Method::POST, "/api/notices/read", json!({"id": newest})).await;
    assert_eq!(read, json!({"read": 1, "unread": 1}));
    let sent = ana.request(Method::POST, "/notices/read").header("origin", format!("http://{}", ana.host()));
    let sent =
        sent.header("content-type", "application/x-www-form-urlencoded").body(format!("_id={oldest}&_next=/inbox"));
    let answer = sent.send().await.expect("the server answers");
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/inbox".parse().expect("a header")));
    assert_eq!(page(&ana, "/notices/count").await, "");
    for body in [json!({}), json!({"id": 1, "until": 2})] {
        assert_eq!(ana.call(Method::POST, "/api/notices/read", body).await.0, 400);
    }
    assert_eq!(server.anonymous().get("/api/notices").await.0, 401);

    // Not at that desk any more: that something was there stays, what it was about is told no more.
    act(ana.clone(), "transfer", json!({"queue": "refund_desk"})).await;
    let mut user = server.engine.store().user_by_login("ana").await.expect("the store").expect("ana");
    user.facts.queues.clear();
    server.engine.store().put_user(&user).await.expect("a user can be changed");
    let gone = told(&ana).await;
    assert!(
        gone["items"]
            .as_array()
            .is_some_and(|items| items.len() == 2 && items.iter().all(|item| item["task"].is_null())),
        "{gone}"
    );
    assert!(!gone.to_string().contains(&title) && !page(&ana, "/notices").await.contains(&title));
}

async fn whoever_imports_is_told_how_it_ended(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lead", &["team_lead"], &[]).await;
    let other = server.user("other", &["team_lead"], &[]).await;
    let file = "MEMBER_NO,GENDER,FFP_TIER,LAST_FLIGHT_DATE,FFP_DATE,FLIGHT_COUNT,SEG_KM_SUM,Points_Sum\n\
                54993,男,6,2014/03/31,2006/11/02,210,580717,619760\n";
    let mut ears = lead.request(Method::GET, "/api/events").send().await.expect("an answer");
    let sent = lead.request(Method::POST, "/api/imports/ffp_members").body(file).send().await.expect("an answer");
    assert_eq!(sent.status(), 202);
    server.engine.run_due().await.expect("due work");
    let done = told(&lead).await;
    let [item] = done["items"].as_array().expect("items").as_slice() else { panic!("one notice: {done}") };
    assert_eq!(
        (&item["kind"], &item["import"]["state"], &done["unread"]),
        (&json!("import.done"), &json!("done"), &json!(1))
    );
    let id = item["import"]["id"].as_str().expect("an id");
    assert!(page(&lead, "/notices").await.contains(&format!("imports&#x2f;{id}")));
    assert_eq!(told(&other).await["items"], json!([]));
    // Whoever has a page open hears of it.
    let mut heard = String::new();
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(3);
    while !heard.contains("\"notices\":true") {
        let piece = tokio::time::timeout_at(until, ears.chunk()).await;
        let piece = piece.unwrap_or_else(|_| panic!("within three seconds: {heard}")).expect("the stream lasts");
        heard.push_str(std::str::from_utf8(&piece.expect("more")).expect("UTF-8"));
    }
}

on_both_stores!(whom_a_task_concerns_is_told, whoever_imports_is_told_how_it_ended,);
