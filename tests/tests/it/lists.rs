//! Lists: exports, saved views, columns, what is done to many rows, and taking it back.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs::shipped;
use formwork_tests::server::{Client, TestServer};

async fn server(host: &dyn Host) -> TestServer {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("lists").await.expect("the store opens");
    TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::default()).await
}

async fn text(client: &Client, path: &str) -> (u16, String) {
    let answer = client.request(Method::GET, path).send().await.expect("the server answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// Posts a form as a browser does: the status, where it leads, and the notice that goes with it.
async fn post(client: &Client, path: &str, pairs: &[(&str, &str)]) -> (u16, String, String) {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let request = client.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body.join("&")).send().await.expect("the server answers");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let notice = header("set-cookie").strip_prefix("fw_notice=").and_then(|text| text.split(';').next());
    let (place, notice) = (header("location").to_owned(), notice.unwrap_or_default().to_owned());
    (answer.status().as_u16(), place, notice)
}

async fn file(client: &Client, subject: &str, category: &str) -> String {
    let ticket = json!({"subject": subject, "category": category, "flight_no": "FW1881", "channel": "call",
                        "items": [{"bag_tag": "0123456789", "claimed": "60.00"}]});
    let (status, body) = client.call(Method::POST, "/api/records/ticket", ticket).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

async fn value(client: &Client, id: &str, field: &str) -> Json {
    client.get(&format!("/api/records/ticket/{id}")).await.1[field].clone()
}

async fn an_export_holds_every_row_of_the_list_and_nothing_else(host: &dyn Host) {
    let server = server(host).await;
    let lead = server.user("lea", &["team_lead"], &["baggage_desk"]).await;
    // More than one page of the store, the newest first.
    let items: Vec<Json> = (0..205)
        .map(|n| {
            json!({"subject": format!("=1+{n}, \"x\""), "category": "baggage", "flight_no": "FW1881", "channel": "call",
                        "items": [{"bag_tag": "0123456789", "claimed": "60.00"}]})
        })
        .collect();
    let (status, body) = lead.call(Method::POST, "/api/records/ticket/bulk", json!({"items": items})).await;
    assert_eq!(status, 200, "{body}");
    file(&lead, "另一件", "baggage").await;
    let (status, csv) = text(&lead, "/api/exports/ticket?fields=subject,category&q=%3D1%2B&sort=no").await;
    assert_eq!(status, 200, "{csv}");
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines.len(), 1 + 205 + 1, "a head, every row, and the end");
    assert!(lines[0].starts_with('\u{feff}'), "{}", lines[0]);
    assert!(lines[1].starts_with("\"'=1+") && lines[1].contains(", \"\"x\"\"\","), "guarded and quoted: {}", lines[1]);
    let (_, bare) = text(&lead, "/api/exports/ticket?fields=subject&q=%3D1%2B4%2C&bom=0&guard=0").await;
    assert_eq!(bare.split("\r\n").nth(1), Some("\"=1+4, \"\"x\"\"\""));
    assert!(!bare.starts_with('\u{feff}'));
    for (refused, expected) in [("fields=nonsense", 400), ("format=pdf", 400), ("filter=nonsense%20%3D%3D%201", 400)] {
        assert_eq!(text(&lead, &format!("/api/exports/ticket?{refused}")).await.0, expected, "{refused}");
    }
    assert_eq!(text(&server.anonymous(), "/api/exports/ticket").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_on_sqlite() {
    an_export_holds_every_row_of_the_list_and_nothing_else(&Sqlite::default()).await;
}

async fn what_was_done_to_many_is_undone_at_once(host: &dyn Host) {
    let server = server(host).await;
    let lead = server.user("lea", &["team_lead"], &["baggage_desk"]).await;
    let (one, two) = (file(&lead, "one", "baggage").await, file(&lead, "two", "baggage").await);
    let stranger = "00000000-0000-7000-8000-000000000000";
    let change = json!({"ids": [one, two, stranger], "patch": {"subject": "both"}});
    let (status, body) = lead.call(Method::POST, "/api/records/ticket/bulk", change).await;
    assert_eq!(status, 200, "{body}");
    let statuses: Vec<_> =
        body["items"].as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 404]);
    // One of them moves on: it stays as it is, the other goes back.
    lead.call(Method::PATCH, &format!("/api/records/ticket/{two}"), json!({"subject": "later"})).await;
    let token = body["undo"].as_str().expect("an undo").to_owned();
    let other = server.user("ben", &["team_lead"], &["baggage_desk"]).await;
    assert_eq!(other.call(Method::POST, &format!("/api/undo/{token}"), json!({})).await.0, 404, "one's own only");
    let (_, undone) = lead.call(Method::POST, &format!("/api/undo/{token}"), json!({})).await;
    assert_eq!((&undone["items"][0]["status"], &undone["items"][1]["status"]), (&json!(200), &json!(412)), "{undone}");
    assert_eq!(value(&lead, &one, "subject").await, "one");
    assert_eq!(value(&lead, &two, "subject").await, "later");
    assert_eq!(lead.call(Method::POST, &format!("/api/undo/{token}"), json!({})).await.0, 404, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_and_undo_on_sqlite() {
    what_was_done_to_many_is_undone_at_once(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_and_undo_on_postgres() {
    what_was_done_to_many_is_undone_at_once(&Postgres::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_arranged_and_its_rows_are_changed_without_a_script() {
    let host = Sqlite::default();
    let server = server(&host).await;
    let lead = server.user("lea", &["team_lead"], &["baggage_desk"]).await;
    let (one, two) = (file(&lead, "one", "baggage").await, file(&lead, "two", "baggage").await);
    // Columns: chosen, in order, for this person and this view only.
    let chosen = [
        ("_view", "all"),
        ("_query", "view=all"),
        ("_column", "subject"),
        ("_column", "category"),
        ("_up", "category"),
    ];
    let (status, place, _) = post(&lead, "/records/ticket/columns", &chosen).await;
    assert_eq!((status, place.as_str()), (303, "/records/ticket?view=all&_open=columns"));
    let heads = |html: &str| -> Vec<String> {
        let html = scraper::Html::parse_document(html);
        let heads = scraper::Selector::parse("#list thead th:not(.tick)").expect("a selector");
        html.select(&heads).map(|head| head.text().collect::<String>().trim().to_owned()).collect()
    };
    let (_, html) = text(&lead, "/records/ticket?view=all").await;
    assert_eq!(heads(&html), ["Category", "Subject"]);
    assert!(html.contains("fields=category%2Csubject"), "what is exported is what is shown");
    let other = server.user("ben", &["team_lead"], &["baggage_desk"]).await;
    assert_ne!(heads(&text(&other, "/records/ticket?view=all").await.1).len(), 2);
    // A view: saved with its query, shown to those who have a role it is shared with.
    let view = [("_name", "Baggage"), ("_query", "view=all&f.category=baggage&after=x"), ("_role", "team_lead")];
    let (status, place, notice) = post(&lead, "/records/ticket/views", &view).await;
    assert_eq!((status, notice.as_str()), (303, "view_saved"));
    let start = "/records/ticket?view=all&f.category=baggage&saved=";
    assert!(place.starts_with(start), "{place}");
    let (_, html) = text(&other, "/records/ticket").await;
    assert!(html.contains("Baggage</a>"), "shared with a lead");
    let (_, html) = text(&lead, &format!("{place}&f.priority=P1")).await;
    assert!(html.contains("Modified") && html.contains(">Reset</a>"), "changed since it was saved");
    assert!(!text(&lead, &place).await.1.contains("Modified"));
    let agent = server.user("ann", &["agent"], &["baggage_desk"]).await;
    assert!(!text(&agent, "/records/ticket").await.1.contains("Baggage</a>"));
    let foreign = json!({"name": "x", "query": "", "roles": ["team_lead"]});
    assert_eq!(agent.call(Method::POST, "/api/me/views?form=ticket", foreign).await.0, 422, "a role one has not");
    // Ticked rows: which fields, then all of them at once; one button takes it back.
    let (status, _, _) = post(&lead, "/records/ticket/bulk", &[("_id", &one), ("_id", &two), ("_act", "edit")]).await;
    assert_eq!(status, 200);
    let change = [
        ("_id", one.as_str()),
        ("_id", &two),
        ("_act", "update"),
        ("_key", "k1"),
        ("_set", "/subject"),
        ("/subject", "both"),
    ];
    let (status, place, notice) = post(&lead, "/records/ticket/bulk", &change).await;
    assert_eq!((status, place.as_str()), (303, "/records/ticket"));
    let token = notice.strip_prefix("bulk_changed:2:").expect("an undo");
    assert_eq!(value(&lead, &two, "subject").await, "both");
    let (_, place, notice) = post(&lead, &format!("/undo/{token}"), &[("_return", "/records/ticket")]).await;
    assert_eq!((place.as_str(), notice.as_str()), ("/records/ticket", "undone:2"));
    assert_eq!(value(&lead, &one, "subject").await, "one");
    // What is refused is told record by record.
    let change = [("_id", one.as_str()), ("_act", "update"), ("_set", "/category"), ("/category", "nonsense")];
    assert_eq!(post(&lead, "/records/ticket/bulk", &change).await.0, 422);
    // A row knows the list it was opened from.
    let (_, html) = text(&lead, &format!("/records/ticket/{one}?list=view%3Dall%26sort%3Dsubject")).await;
    assert!(html.contains("1 of 2") && html.contains(&format!("{two}?list=")), "the way to the next");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_waits_for_its_owner_alone() {
    let host = Sqlite::default();
    let server = server(&host).await;
    let (lead, other) = (server.user("lea", &["team_lead"], &[]).await, server.user("ben", &["team_lead"], &[]).await);
    let pairs = json!({"pairs": [["/subject", "half a sent"], ["_shown", "/subject"]]});
    let (status, body) = lead.call(Method::PUT, "/api/records/ticket/new/draft", pairs.clone()).await;
    assert_eq!(status, 200, "{body}");
    assert!(text(&lead, "/records/ticket/new").await.1.contains("half a sent"));
    assert_eq!(other.get("/api/records/ticket/new/draft").await.0, 404);
    assert!(!text(&other, "/records/ticket/new").await.1.contains("half a sent"));
    let (status, place, _) = post(&lead, "/records/ticket/new", &[("_discard", "1")]).await;
    assert_eq!((status, place.as_str()), (303, "/records/ticket/new"));
    assert_eq!(lead.get("/api/records/ticket/new/draft").await.0, 404);
    // Of a record that moved on: what is sent later still tells what changed since the draft was begun.
    let id = file(&lead, "one", "baggage").await;
    let begun = value(&lead, &id, "version").await.to_string();
    let pairs = json!({"pairs": [["/subject", "mine"], ["_shown", "/subject"], ["_version", begun]]});
    lead.call(Method::PUT, &format!("/api/records/ticket/{id}/draft"), pairs).await;
    lead.call(Method::PATCH, &format!("/api/records/ticket/{id}"), json!({"subject": "theirs"})).await;
    let (_, html) = text(&lead, &format!("/records/ticket/{id}/edit")).await;
    assert!(html.contains(&format!("name=\"_version\" value=\"{begun}\"")), "the version it was begun with");
    let sent = [("/subject", "mine"), ("_shown", "/subject"), ("_version", begun.as_str())];
    assert_eq!(post(&lead, &format!("/records/ticket/{id}/edit"), &sent).await.0, 412);
    let strange = "00000000-0000-7000-8000-000000000000";
    assert_eq!(
        lead.call(Method::PUT, &format!("/api/records/ticket/{strange}/draft"), json!({"pairs": []})).await.0,
        404
    );
    assert_eq!(server.anonymous().get("/api/records/ticket/new/draft").await.0, 401);
}

async fn what_one_does_not_read_neither_matches_nor_counts(host: &dyn Host) {
    let server = server(host).await;
    let lead = server.user("lea", &["team_lead"], &["baggage_desk"]).await;
    let id = file(&lead, "丢失的紫色行李箱", "baggage").await;
    let hits = async |client: &Client, q: &str| {
        let (status, body) = client.get(&format!("/api/search?q={q}")).await;
        assert_eq!(status, 200, "{body}");
        body["items"].as_array().unwrap().iter().map(|group| group["items"].as_array().unwrap().len()).sum::<usize>()
    };
    assert_eq!((hits(&lead, "紫色").await, hits(&lead, "紫红").await, hits(&lead, "").await), (1, 0, 0));
    let no = value(&lead, &id, "no").await.as_str().unwrap().to_owned();
    let answer = lead.request(Method::GET, &format!("/search?q={no}")).send().await.unwrap();
    assert_eq!(answer.headers()["location"], format!("/records/ticket/{id}").as_str(), "a number leads to its record");
    // An agent of another queue: nothing by list, search, export, bulk, history, undo, draft or the text of a refusal.
    let agent = server.user("ann", &["agent"], &["refund_desk"]).await;
    assert_eq!((hits(&agent, "紫色").await, hits(&agent, &no).await, hits(&agent, &id).await), (0, 0, 0));
    let strange = "00000000-0000-7000-8000-000000000000";
    for path in [
        "/records/ticket?view=all",
        "/records/ticket?view=all&q=紫色",
        "/api/exports/ticket",
        "/api/records/ticket",
        "/search?q=紫色",
    ] {
        let (status, body) = text(&agent, path).await;
        assert!(status == 200 && !body.contains("丢失的") && !body.contains(&id), "{path}");
    }
    for (method, path, body) in [
        (Method::GET, "", Json::Null),
        (Method::GET, "/history", Json::Null),
        (Method::GET, "/comments", Json::Null),
        (Method::GET, "/draft", Json::Null),
        (Method::PUT, "/draft", json!({"pairs": []})),
        (Method::POST, "/undo", json!({})),
        (Method::PATCH, "", json!({"subject": "x"})),
    ] {
        let of = |id: &str| format!("/api/records/ticket/{id}{path}");
        let (hidden, mut told) = agent.call(method.clone(), &of(&id), body.clone()).await;
        let (unknown, mut none) = agent.call(method.clone(), &of(strange), body).await;
        for one in [&mut told, &mut none] {
            one.as_object_mut().map(|one| one.remove("trace_id"));
        }
        assert_eq!((hidden, &told), (unknown, &none), "{method} {path}: hidden is like unknown");
        assert_eq!(hidden, 404, "{method} {path}");
    }
    let change = json!({"ids": [id, strange], "patch": {"subject": "x"}});
    let (_, done) = agent.call(Method::POST, "/api/records/ticket/bulk", change).await;
    let without = |at: usize| {
        let mut one = done["items"][at].clone();
        for key in ["id", "trace_id"] {
            one.as_object_mut().map(|one| one.remove(key));
        }
        one
    };
    assert_eq!((without(0), &done["undo"]), (without(1), &Json::Null), "{done}");
    let (_, done) =
        agent.call(Method::POST, "/api/records/ticket/bulk", json!({"matching": {}, "patch": {"subject": "x"}})).await;
    assert_eq!(done["items"], json!([]), "all that match are all one reads");
    assert_eq!(value(&lead, &id, "subject").await, "丢失的紫色行李箱");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_on_sqlite() {
    what_one_does_not_read_neither_matches_nor_counts(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_on_postgres() {
    what_one_does_not_read_neither_matches_nor_counts(&Postgres::default()).await;
}
