//! The tabs of a record's page: addresses that work without scripts, each with its part and no other.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::json;

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

/// What a selector finds: texts, with what is inside in one line, or an attribute of each.
struct Found(Vec<String>);

async fn found(client: &Client, path: &str, selector: &str, attribute: Option<&str>) -> Found {
    let answer = client.request(Method::GET, path).send().await.expect("the server answers");
    assert_eq!(answer.status(), 200, "{path}");
    let html = Html::parse_document(&answer.text().await.expect("text"));
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let selector = Selector::parse(selector).expect("a selector");
    let each = html.select(&selector).map(|one| match attribute {
        Some(name) => one.attr(name).unwrap_or_default().to_owned(),
        None => words(one.text().collect()),
    });
    Found(each.collect())
}

async fn posted(client: &Client, path: &str, body: &str) -> (u16, String) {
    let sent = client.request(Method::POST, path).header("origin", format!("http://{}", client.host()));
    let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
    let answer = sent.send().await.expect("the server answers");
    let location = answer.headers().get("location").and_then(|text| text.to_str().ok()).unwrap_or_default().to_owned();
    (answer.status().as_u16(), location)
}

async fn a_tab_shows_its_part(host: &dyn Host) {
    let store = host.open("tabs").await.expect("the store opens");
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let pack = shipped("definitions/crm");
    let server = TestServer::start(store, &pack, Clock::standing_at(start), Channels::default()).await;
    let lea = server.user("lea", &["team_lead"], &["baggage_desk", "refund_desk"]).await;
    let customer = json!({"name_zh": "王芳", "phone": "13800138000"});
    let (status, customer) = lea.call(Method::POST, "/api/records/customer", customer).await;
    assert_eq!(status, 201, "{customer}");
    let id = customer["id"].as_str().expect("an id");
    for (subject, category, flight) in [("行李未到", "baggage", "FW1881"), ("退票", "refund", "FW1882")] {
        let ticket =
            json!({"subject": subject, "category": category, "flight_no": flight, "channel": "call", "customer": id});
        let (status, ticket) = lea.call(Method::POST, "/api/records/ticket", ticket).await;
        assert_eq!(status, 201, "{ticket}");
    }
    let changed = lea.call(Method::PATCH, &format!("/api/records/customer/{id}"), json!({"name_zh": "王方"})).await;
    assert_eq!(changed.0, 200, "{changed:?}");
    let fields = format!("/records/customer/{id}?page=fields");

    // Tabs keep what else the address says, and the first one is where one is.
    let hrefs = found(&lea, &fields, "nav.tabs a", Some("href")).await.0;
    let expected = ["", "&tab=related", "&tab=timeline", "&tab=history"].map(|end| format!("{fields}{end}"));
    assert_eq!(hrefs, expected);
    let [_, related, timeline, history] = expected;
    assert_eq!(found(&lea, &fields, "nav.tabs a[aria-current]", None).await.0, ["Details"]);
    assert!(found(&lea, &fields, ".related", None).await.0.is_empty(), "what links here stands in its tab");
    assert!(!found(&lea, &fields, "[id^='section-']", None).await.0.is_empty());

    // What links here, counted as far as its reader reads it.
    assert_eq!(found(&lea, &related, "nav.tabs a[aria-current]", None).await.0, ["Related 2"]);
    let titles = found(&lea, &related, ".related td:first-child", None).await.0.join(" ");
    assert!(titles.contains("ST20260105-000001") && titles.contains("ST20260105-000002"), "{titles}");
    assert!(found(&lea, &related, "[id^='section-']", None).await.0.is_empty());
    let ana = server.user("ana", &["agent"], &["baggage_desk"]).await;
    assert_eq!(found(&ana, &related, "nav.tabs a[aria-current]", None).await.0, ["Related 1"]);
    assert!(!found(&ana, &related, "main", None).await.0.join("").contains("000002"));

    // A comment stays in the tab it was written in, and can be looked at alone.
    let back = timeline.replace('?', "%3F").replace('=', "%3D").replace('&', "%26");
    let said = format!("%2Ftext=to+be+called&_return={back}");
    assert_eq!(posted(&lea, &format!("/records/customer/{id}/comments"), &said).await, (303, timeline.clone()));
    let all = found(&lea, &timeline, "#activity .events > li", None).await.0;
    assert_eq!(all.len(), 5, "filed, changed, commented, and two tickets: {all:?}");
    let chips = found(&lea, &timeline, "#activity nav.chips a", Some("href")).await.0;
    assert!(chips.contains(&format!("{timeline}&kind=comment")), "{chips:?}");
    let alone = found(&lea, &format!("{timeline}&kind=comment"), "#activity .events > li", None).await.0;
    assert!(alone.len() == 1 && alone[0].contains("to be called"), "{alone:?}");

    // Changes field by field, and nothing else.
    let events = found(&lea, &history, "#activity .events > li", None).await.0;
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(found(&lea, &history, "#activity del", None).await.0, ["王芳"]);
    assert_eq!(found(&lea, &history, "#activity ins", None).await.0, ["王方"]);
    assert!(found(&lea, &history, "#activity textarea", None).await.0.is_empty());

    let (status, _) = lea.get(&format!("/records/customer/{id}?page=fields&tab=nothing")).await;
    assert_eq!(status, 404);
}

on_both_stores!(a_tab_shows_its_part,);
