//! The pages as HTML, without a browser: every page in every language, its blocks, and what must not be in it.

use std::collections::BTreeSet;

use chrono::{TimeZone, Utc};
use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::json;

use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::Sqlite;
use formwork_tests::packs::{self, shipped};
use formwork_tests::server::{Client, TestServer};

async fn page(client: &Client, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request =
        headers.iter().fold(client.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.expect("the server answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

fn each<'h>(html: &'h Html, selector: &str) -> Vec<scraper::ElementRef<'h>> {
    html.select(&Selector::parse(selector).expect("a selector")).collect()
}

/// The desk of the shipped pack, with somebody who sees most of it and a ticket in their hands.
async fn desk(host: &dyn Host) -> (TestServer, Client, Vec<String>) {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("pages").await.expect("the store opens");
    let server =
        TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::default()).await;
    let lead = server.user("lea", &["team_lead"], &["baggage_desk", "bag_claims"]).await;
    let ticket = json!({"subject": "行李未到", "category": "baggage", "flight_no": "FW1881", "channel": "call",
                        "items": [{"bag_tag": "0123456789", "claimed": "60.00"}]});
    let (status, body) = lead.call(Method::POST, "/api/records/ticket", ticket).await;
    assert_eq!(status, 201, "{body}");
    let id = body["id"].as_str().expect("an id").to_owned();
    let (_, tasks) = lead.get("/api/tasks?box=claimable").await;
    let task = tasks["items"][0]["id"].as_str().expect("a task").to_owned();
    let (status, body) = lead.call(Method::POST, &format!("/api/tasks/{task}/claim"), json!({})).await;
    assert!(status < 300, "{body}");
    let mut paths: Vec<String> = [
        "/home",
        "/inbox",
        "/notices",
        "/inbox?box=team",
        "/boards/service_desk",
        "/boards/agent_desk",
        "/nothing-here",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    for form in ["ticket", "customer", "member"] {
        paths.extend([format!("/records/{form}"), format!("/records/{form}/new")]);
    }
    for report in ["tickets_by_week", "tickets_by_queue", "tickets_by_category", "sentiment_by_week"] {
        paths.push(format!("/reports/{report}"));
    }
    paths.extend([
        format!("/records/ticket/{id}"),
        format!("/records/ticket/{id}?tab=related"),
        format!("/records/ticket/{id}?tab=timeline&kind=change"),
        format!("/records/ticket/{id}?tab=history"),
        format!("/records/ticket/{id}/edit"),
        format!("/inbox?box=mine&task={task}"),
    ]);
    (server, lead, paths)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_speaks_both_languages() {
    let host = Sqlite::default();
    let (server, lead, paths) = desk(&host).await;
    let catalogue: BTreeSet<String> = formwork::i18n::catalogue("en").keys().cloned().collect();
    for language in ["zh-CN", "en"] {
        let mut user = server.engine.store().user_by_login("lea").await.expect("the store").expect("lea");
        user.language = language.to_owned();
        server.engine.store().put_user(&user).await.expect("a user can be changed");
        for path in &paths {
            let (status, text) = page(&lead, path, &[]).await;
            let expected = if path == "/nothing-here" { 404 } else { 200 };
            assert_eq!(status, expected, "{language} {path}");
            let html = Html::parse_document(&text);
            assert_eq!(each(&html, "html")[0].attr("lang"), Some(language), "{path}");
            assert_eq!(each(&html, "h1").len(), 1, "{language} {path}: one heading");
            // A key of the catalogue on the page is a text that is missing.
            let words = html.root_element().text().flat_map(str::split_whitespace);
            let keys: Vec<&str> = words.filter(|word| catalogue.contains(*word)).collect();
            assert!(keys.is_empty(), "{language} {path} shows keys: {keys:?}");
            let mut ids = BTreeSet::new();
            for element in each(&html, "[id]") {
                let id = element.attr("id").unwrap_or_default();
                assert!(ids.insert(id.to_owned()), "{language} {path}: `{id}` twice");
            }
            for opener in each(&html, "[popovertarget]") {
                let target = opener.attr("popovertarget").unwrap_or_default();
                assert!(ids.contains(target), "{language} {path}: `{target}` is opened and is not there");
            }
            for link in each(&html, "nav a[href^='/'], aside a[href^='/']") {
                let href = link.attr("href").unwrap_or_default();
                let (status, _) = page(&lead, href, &[]).await;
                assert!(status < 400, "{language} {path} leads to {href}, which answers {status}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_a_part_of_its_page() {
    let host = Sqlite::default();
    let (_server, lead, paths) = desk(&host).await;
    let mut compared = 0;
    for path in paths.iter().filter(|path| *path != "/nothing-here") {
        for block in ["main", "list", "tiles", "form", "lines", "task", "tasks", "activity", "report"] {
            let (_, whole) = page(&lead, path, &[]).await;
            if each(&Html::parse_document(&whole), &format!("#{block}")).is_empty() {
                continue;
            }
            let target = format!("section#{block}");
            let headers = [("hx-request-type", "partial"), ("hx-target", target.as_str())];
            let (status, part) = page(&lead, path, &headers).await;
            assert_eq!(status, 200, "{path} {block}");
            assert!(!part.contains("<html"), "{path} {block} is a whole page");
            // Keys and the age of things differ from one drawing to the next; elements do not.
            let whole = elements(&each(&Html::parse_document(&whole), &format!("#{block}"))[0]);
            let part = Html::parse_fragment(&part);
            let drawn = each(&part, &format!("#{block}"));
            assert_eq!(drawn.len(), 1, "{path} {block} is in the answer");
            assert_eq!(elements(&drawn[0]), whole, "{path} {block}");
            compared += 1;
        }
    }
    assert!(compared > paths.len(), "{compared} blocks compared");
}

/// Names and classes of the elements inside.
fn elements(element: &scraper::ElementRef<'_>) -> Vec<String> {
    let all = Selector::parse("*").expect("a selector");
    element
        .select(&all)
        .map(|one| format!("{}.{}", one.value().name(), one.attr("class").unwrap_or_default()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_holds_the_words_of_its_table() {
    let host = Sqlite::default();
    let (_server, lead, _) = desk(&host).await;
    let (_, text) = page(&lead, "/reports/tickets_by_week?range=last+4+weeks", &[]).await;
    let html = Html::parse_document(&text);
    let chart = each(&html, "fw-chart")[0];
    assert_eq!(chart.attr("role"), Some("img"));
    assert!(chart.attr("aria-label").unwrap_or_default().contains("Tickets by week"), "{text}");
    let picture = each(&html, "fw-chart > script[type='application/json']")[0].text().collect::<String>();
    let picture: serde_json::Value = serde_json::from_str(&picture).expect("JSON");
    assert_eq!(picture["mark"], "combo");
    assert_eq!(picture["series"].as_array().map(Vec::len), Some(3), "{picture}");
    let words = |element: &scraper::ElementRef<'_>| element.text().collect::<String>().trim().to_owned();
    let rows = each(&html, "details.data[open] tbody tr");
    assert_eq!(rows.len(), 4);
    let cell = Selector::parse("td").expect("a selector");
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.select(&cell).map(|cell| words(&cell)).collect();
        assert_eq!(picture["x"][index], cells[0]);
        // Tickets, those open are not drawn, then two shares.
        for (series, column) in [(0, 1), (1, 3), (2, 4)] {
            assert_eq!(picture["series"][series]["texts"][index], cells[column], "{picture}");
        }
    }
    // The API tells how it is drawn, too.
    let (_, body) = lead.get("/api/reports/tickets_by_week").await;
    assert_eq!(
        body["visual"],
        json!({"mark": "combo", "x": "week", "y": ["tickets", "closed_share", "negative_share"]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_asks_first() {
    let host = Sqlite::default();
    let store = host.open("pages").await.expect("the store opens");
    let mut bundle = packs::waiting();
    for (_, text) in &mut bundle.files {
        *text = text.replace(r#""update": true"#, r#""update": true, "delete": true"#);
    }
    let server = TestServer::start(store, &bundle, Clock::System, Channels::default()).await;
    let agent = server.user("ana", &["agent"], &["desk"]).await;
    let pack = server.engine.deployed().packs[0].clone();
    let values = json!({"what": "to go"}).as_object().cloned().expect("an object");
    let act = Act::Create { form: "request".into(), values, effects: Effects { starts: false, notify: false } };
    server.engine.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");
    let (_, listed) = agent.get("/api/records/request").await;
    let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
    let (status, text) = page(&agent, &format!("/records/request/{id}"), &[]).await;
    assert_eq!(status, 200);
    let html = Html::parse_document(&text);
    let form = each(&html, "form[popover][action$='/delete']");
    assert_eq!(form.len(), 1, "the question is drawn");
    let words: String = form[0].text().collect();
    assert!(words.contains("Delete “to go”?"), "{words}");
    let outside = each(&html, "form:not([popover])[action$='/delete']");
    assert!(outside.is_empty(), "nothing deletes without being asked");
}

/// Posts a form of a page as a browser does.
async fn post(client: &Client, path: &str, fields: &[(&str, &str)]) -> u16 {
    let fields = fields.iter().map(|(name, value)| format!("{}={value}", name.replace('/', "%2F")));
    let body = fields.collect::<Vec<_>>().join("&");
    let sent = client.request(Method::POST, path).header("origin", format!("http://{}", client.host()));
    let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(body);
    sent.send().await.expect("the server answers").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_goes_out_and_comes_back_with_what_was_filled_in() {
    let host = Sqlite::default();
    let (server, lead, paths) = desk(&host).await;
    let own = paths.last().expect("the task's page").clone();
    let task = own.rsplit('=').next().expect("an id").to_owned();
    let ana = server.user("ana", &["agent"], &["baggage_desk"]).await;
    let (_, me) = ana.get("/api/session").await;
    let ana_id = me["user"]["id"].as_str().expect("an id").to_owned();
    let html = Html::parse_document(&page(&lead, &own, &[]).await.1);
    let option = format!("form[action='/tasks/{task}/delegate'] select[name='/user'] option[value='{ana_id}']");
    assert_eq!(each(&html, &option).len(), 1, "the menu offers to delegate, and whom");
    assert_eq!(post(&lead, &format!("/tasks/{task}/delegate"), &[("/user", &ana_id)]).await, 303);

    let html = Html::parse_document(&page(&lead, &own, &[]).await.1);
    assert!(each(&html, "form.fill").is_empty(), "its owner waits");
    let html = Html::parse_document(&page(&ana, &own, &[]).await.1);
    let form = each(&html, "form.fill");
    assert_eq!(form.len(), 1, "the delegate has the form");
    let action = form[0].attr("action").expect("an address").to_owned();
    assert_eq!(action, format!("/tasks/{task}/resolve"));
    let text: String = html.root_element().text().collect();
    assert!(text.contains("Delegated to you by lea"), "{text}");
    let customer = json!({"name_zh": "王芳", "phone": "13800138000"});
    let (status, customer) = lead.call(Method::POST, "/api/records/customer", customer).await;
    assert_eq!(status, 201, "{customer}");
    let customer = customer["id"].as_str().expect("an id");
    let fields = [("/fields/compensation", "12.50"), ("/fields/customer", customer), ("_outcome", "resolve")];
    assert_eq!(post(&ana, &action, &fields).await, 303);
    let (_, told) = lead.get(&format!("/api/tasks/{task}")).await;
    assert_eq!(
        (&told["record"]["values"]["compensation"], &told["assignee"]["title"]),
        (&json!("12.50"), &json!("lea"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_read_by_a_colleague_who_reminds() {
    let host = Sqlite::default();
    let (server, lead, paths) = desk(&host).await;
    let own = paths.last().expect("the task's page").clone();
    let task = own.rsplit('=').next().expect("an id").to_owned();
    let ana = server.user("ana", &["agent"], &["delay_desk"]).await;
    let (status, hidden) = page(&ana, &own, &[]).await;
    assert!(status != 200 || !hidden.contains(&format!("/tasks/{task}/")), "another queue's task");
    let (_, me) = ana.get("/api/session").await;
    let ana_id = me["user"]["id"].as_str().expect("an id").to_owned();
    let html = Html::parse_document(&page(&lead, &own, &[]).await.1);
    let option = format!("form[action='/tasks/{task}/cc'] select[name='/user'] option[value='{ana_id}']");
    assert_eq!(each(&html, &option).len(), 1, "the menu offers a copy, and to whom");
    assert_eq!(post(&lead, &format!("/tasks/{task}/cc"), &[("/user", &ana_id)]).await, 303);

    let html = Html::parse_document(&page(&ana, "/inbox?box=cc", &[]).await.1);
    assert_eq!(each(&html, &format!("a.line[href*='{task}']")).len(), 1, "it stands in the box of copies");
    let html = Html::parse_document(&page(&ana, &format!("/inbox?box=cc&task={task}"), &[]).await.1);
    assert!(each(&html, "form.fill").is_empty(), "a copy is read");
    assert_eq!(each(&html, &format!("form[action='/tasks/{task}/remind']")).len(), 1);
    assert_eq!(post(&ana, &format!("/tasks/{task}/remind"), &[]).await, 303);
    assert_eq!(post(&ana, &format!("/tasks/{task}/remind"), &[]).await, 409, "once an hour");

    let html = Html::parse_document(&page(&lead, &own, &[]).await.1);
    let text: String = html.root_element().text().collect();
    assert!(text.contains("ana asks you to hurry") && text.contains("Copies: ana"), "{text}");
    assert_eq!(each(&html, "a.line .pill.warn").len(), 1, "the line says that somebody waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_saving_empties_is_told() {
    let host = Sqlite::default();
    let (_server, lead, _) = desk(&host).await;
    let ticket = json!({"subject": "晚点", "category": "delay", "flight_no": "FW1882", "channel": "call"});
    let (status, filed) = lead.call(Method::POST, "/api/records/ticket", ticket).await;
    assert_eq!(status, 201, "{filed}");
    let path = format!("/records/ticket/{}", filed["id"].as_str().expect("an id"));
    let notice_after = |fields: &'static str| {
        let (lead, path) = (lead.clone(), path.clone());
        async move {
            let version = lead.get(&format!("/api{path}")).await.1["version"].clone();
            let sent = lead.request(Method::POST, &format!("{path}/edit"));
            let sent = sent.header("origin", format!("http://{}", lead.host()));
            let sent = sent.header("content-type", "application/x-www-form-urlencoded");
            let answer = sent.body(format!("{fields}&_version={version}")).send().await.expect("the server answers");
            assert_eq!(answer.status(), 303);
            let cookie = answer.headers()["set-cookie"].to_str().expect("ASCII").split(';').next().unwrap_or_default();
            let both = format!("{}; {cookie}", lead.cookie.clone().unwrap_or_default());
            let mut told = lead.clone();
            told.cookie = Some(both);
            let html = Html::parse_document(&page(&told, &path, &[]).await.1);
            each(&html, "#notice .notice p").iter().map(|one| one.text().collect::<String>()).collect::<Vec<_>>()
        }
    };
    // Nothing that shows is emptied, and nothing that held nothing is told of.
    assert_eq!(notice_after("%2Fsubject=still+late&_shown=%2Fsubject").await, ["Saved"]);
    let changed = "%2Fcategory=refund&%2Fflight_no=FW1882&_shown=%2Fcategory&_shown=%2Fflight_no";
    assert_eq!(notice_after(changed).await, ["Saved. Emptied, because it no longer applies: Flight number"]);
}
