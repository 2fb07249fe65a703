//! One verb for many tasks: each has its own result, and what is not one's own stays as it is.

use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";

async fn box_of(client: &Client, name: &str) -> Vec<String> {
    let (_, body) = client.get(&format!("/api/tasks?box={name}&limit=200")).await;
    let ids =
        body["items"].as_array().expect("tasks").iter().map(|task| task["id"].as_str().expect("an id").to_owned());
    ids.collect()
}

async fn batch(client: &Client, body: Json) -> Vec<(u64, String)> {
    let (status, told) = client.call(Method::POST, "/api/tasks/batch", body).await;
    assert_eq!(status, 200, "{told}");
    let items = told["items"].as_array().expect("results").iter();
    items
        .map(|item| (item["status"].as_u64().expect("a status"), item["id"].as_str().expect("an id").to_owned()))
        .collect()
}

async fn each_task_has_its_own_result(host: &dyn Host) {
    let store = host.open("batch").await.expect("the store opens");
    let server = TestServer::start(store, &packs::guarded(), Clock::System, Channels::default()).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let abe = server.user("abe", &["agent"], &["a"]).await;
    let ben = server.user("ben", &["agent"], &["b"]).await;
    for (client, queue) in [(&ann, "a"), (&ann, "a"), (&ann, "a"), (&ben, "b")] {
        let ticket = json!({"subject": format!("In {queue}"), "queue": queue});
        let (status, body) = client.call(Method::POST, "/api/records/ticket", ticket).await;
        assert_eq!(status, 201, "{body}");
    }
    let tasks = box_of(&ann, "claimable").await;
    let [one, two, three] = tasks.as_slice() else { panic!("three tasks: {tasks:?}") };
    let foreign = box_of(&ben, "claimable").await.remove(0);
    assert_eq!(batch(&abe, json!({"tasks": [two], "verb": "claim"})).await, [(200, two.clone())]);

    // One of another's, one of another queue, one that never was: the others are claimed.
    let wanted = json!({"tasks": [one, two, &foreign, NOBODYS, three, one], "verb": "claim"});
    let expected = [(200, one), (409, two), (404, &foreign), (404, &NOBODYS.to_owned()), (200, three)];
    let came = batch(&ann, wanted).await;
    assert_eq!(came, expected.map(|(status, id)| (status, id.clone())), "in the order they were named, each once");
    assert_eq!(box_of(&ann, "mine").await.len(), 2);
    assert_eq!(box_of(&ben, "claimable").await, std::slice::from_ref(&foreign));

    assert_eq!(batch(&ann, json!({"tasks": [one, three], "verb": "transfer", "queue": "b"})).await.len(), 2);
    assert_eq!(box_of(&ben, "claimable").await.len(), 3);
    for wrong in [json!({"tasks": [], "verb": "claim"}), json!({"tasks": [two], "verb": "complete"})] {
        let (status, body) = ann.call(Method::POST, "/api/tasks/batch", wrong).await;
        assert_eq!(status, 400, "{body}");
    }
    assert_eq!(
        server.anonymous().call(Method::POST, "/api/tasks/batch", json!({"tasks": [two], "verb": "claim"})).await.0,
        401
    );

    // The page says what came of each.
    let post = |client: &Client, body: String| {
        let sent = client.request(Method::POST, "/inbox/many").header("origin", format!("http://{}", client.host()));
        let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(body);
        async move {
            let answer = sent.send().await.expect("the server answers");
            (answer.status().as_u16(), answer.text().await.expect("text"))
        }
    };
    let (status, page) = post(&ben, format!("_act=claim&_id={one}&_id={two}&_return=/inbox")).await;
    assert!(status == 422 && page.contains("1 tasks were refused") && page.contains("1 tasks claimed"), "{page}");
    assert_eq!(box_of(&ben, "mine").await, std::slice::from_ref(one));
    assert_eq!(post(&ben, format!("_act=release&_id={one}&_return=/inbox")).await.0, 303);
    assert!(box_of(&ben, "mine").await.is_empty());
    let inbox =
        ben.request(Method::GET, "/inbox?box=claimable").send().await.expect("an answer").text().await.expect("text");
    assert_eq!(inbox.matches("form=\"bulk\" name=\"_id\"").count(), 3, "{inbox}");
    assert!(inbox.contains("name=\"_act\" value=\"claim\"") && !inbox.contains("value=\"release\""), "{inbox}");
}

on_both_stores!(each_task_has_its_own_result,);
