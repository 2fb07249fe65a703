//! Who may see and do what, over HTTP and on both stores.

use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

async fn guarded(host: &dyn Host) -> TestServer {
    let store = host.open("rights").await.expect("the store opens");
    TestServer::start(store, &packs::guarded(), Clock::System, Channels::default()).await
}

async fn file(client: &Client, form: &str, values: Json) -> String {
    let (status, body) = client.call(Method::POST, &format!("/api/records/{form}"), values).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

async fn count(client: &Client, form: &str, filter: &str) -> Json {
    let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (status, body) = client.get(&format!("/api/records/{form}?filter={filter}")).await;
    assert_eq!(status, 200, "{body}");
    body["total"]["value"].clone()
}

async fn nothing_shows_through_links(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let ben = server.user("ben", &["agent"], &["a", "b"]).await;
    let person = file(&ann, "person", json!({"name": "Wang", "tier": "gold"})).await;
    let ticket = file(&ann, "ticket", json!({"subject": "Lost", "person": person, "amount": "1.00"})).await;
    let other = file(&ben, "ticket", json!({"subject": "Late", "queue": "b", "amount": "2.00"})).await;
    // Ben cannot link to a person he does not read; the row is his all the same.
    let (status, refused) =
        ben.call(Method::PATCH, &format!("/api/records/ticket/{other}"), json!({"person": person})).await;
    assert_eq!((status, &refused["errors"][0]["code"]), (422, &json!("not_found")), "{refused}");

    for (filter, of_ann, of_ben) in [
        ("person.tier == 'gold'", 1, 0),
        ("starts_with(person.tier, 'g')", 1, 0),
        ("person.tier == null", 0, 2),
        ("person.created_at != null", 1, 0),
        ("person != null", 1, 1),
    ] {
        assert_eq!(count(&ann, "ticket", filter).await, of_ann, "{filter}");
        assert_eq!(count(&ben, "ticket", filter).await, of_ben, "{filter}");
    }
    for (filter, expected) in [
        ("any(tickets, amount == 1)", 1),
        ("count(tickets) == 1", 1),
        ("sum(tickets, amount) == 1", 1),
        ("all(tickets, amount == 1)", 1),
    ] {
        assert_eq!(count(&ann, "person", filter).await, expected, "{filter}");
    }
    let path = format!("/api/records/ticket/{ticket}");
    assert_eq!(ann.get(&path).await.1["tier"], "gold");
    let (_, seen) = ben.get(&path).await;
    assert_eq!((&seen["tier"], &seen["person"]["title"]), (&Json::Null, &Json::Null));

    // Numbers: what follows the link is hidden, a mere count is not.
    let report = async |tier: &str| {
        let path = format!("/api/records/person/{person}");
        ann.call(Method::PATCH, &path, json!({"tier": tier})).await;
        let (status, mut report) = ben.get("/api/reports/by_tier?range=all").await;
        assert_eq!(status, 200, "{report}");
        for key in ["as_of", "as_of_seq"] {
            report[key] = Json::Null;
        }
        report.to_string()
    };
    assert_eq!(report("gold").await, report("tin").await);
    assert_eq!(ben.get("/api/metrics/tickets").await.1["value"], "2");
}

on_both_stores!(nothing_shows_through_links);
