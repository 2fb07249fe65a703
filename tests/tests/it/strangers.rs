//! People who are not logged in: they send a form, keep its reference, and follow it; on both stores.

use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use formwork_runtime::cases::Host;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::made;
use formwork_tests::server::{Client, TestServer};

/// Requests that strangers send and follow: read, perhaps asked back, answered.
fn followed() -> Bundle {
    made(
        "followed",
        &[
            (
                "pack.json",
                r#"{"version": "1.0.0", "title": "Town hall", "languages": ["en"], "timezone": "UTC",
                    "roles": {"clerk": {"title": "Clerk"}}, "queues": {"desk": {"title": "Desk"}}}"#,
            ),
            (
                "forms/request.json",
                r#"{"label": "Request", "title": "what",
                    "fields": {"no": {"type": "series", "pattern": "R{seq:4}", "label": "Number"},
                               "what": {"type": "text", "required": true, "label": "What"},
                               "phone": {"type": "phone", "region": "CN", "required": true, "label": "Phone"},
                               "more": {"type": "text", "label": "More"},
                               "verdict": {"type": "text", "label": "Verdict"}, "secret": {"type": "text"}},
                    "access": {"clerk": {"read": true, "update": true, "fields": {"*": "write"}},
                               "public": {"create": true, "fields": {"what": "write", "phone": "write"}}},
                    "public": {"form": true, "thanks": "We answer within two days.", "limit": "8/h per address",
                               "track": {"by": ["no", "last(phone, 4)"], "show": ["no", "verdict"], "lock": "3/h"}}}"#,
            ),
            (
                "forms/note.json",
                r#"{"label": "Note", "title": "text", "fields": {"text": {"type": "text"}},
                    "access": {"clerk": {"read": true, "create": true, "fields": {"*": "write"}}}}"#,
            ),
            (
                "workflows/answering.json",
                r#"{"label": "Answering", "for": "request",
                    "stages": {"received": "Received", "reading": "Reading", "answered": "Answered"},
                    "start": {"filed": {"on": "created", "next": "take"}},
                    "steps": {
                      "take": {"type": "set", "stage": "received", "set": {"secret": "none of their business"}, "next": "read"},
                      "read": {"type": "user", "stage": "reading", "assign": {"queue": "desk"}, "outcomes": {"ask": "wait", "done": "close"}},
                      "wait": {"type": "wait", "events": {"said": {"comment": "public", "by": "public", "set": {"more": "=event.text"}, "next": "read"}}},
                      "close": {"type": "set", "stage": "answered", "set": {"verdict": "granted"}, "next": "end"}}}"#,
            ),
        ],
    )
}

async fn town_hall(host: &dyn Host) -> TestServer {
    let store = host.open("strangers").await.expect("the store opens");
    TestServer::start(store, &followed(), Clock::System, Channels::default()).await
}

async fn page(client: &Client, path: &str) -> (u16, Html) {
    let answer = client.request(Method::GET, path).send().await.expect("an answer");
    (answer.status().as_u16(), Html::parse_document(&answer.text().await.expect("text")))
}

async fn post(client: &Client, path: &str, pairs: &[(&str, &str)]) -> (u16, String, String) {
    let body = form_urlencoded(pairs);
    let request = client.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.expect("an answer");
    let location = answer.headers().get("location").map(|place| place.to_str().expect("ASCII").to_owned());
    (answer.status().as_u16(), location.unwrap_or_default(), answer.text().await.expect("text"))
}

fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn all<'h>(html: &'h Html, selector: &str) -> Vec<scraper::ElementRef<'h>> {
    html.select(&Selector::parse(selector).expect("a selector")).collect()
}

fn words(html: &Html) -> String {
    html.root_element().text().collect::<Vec<_>>().join(" ")
}

const SENT: [(&str, &str); 4] =
    [("/what", "A new lamp"), ("_shown", "/what"), ("/phone", "13800138000"), ("_shown", "/phone")];

/// Fills in the page as a browser without JavaScript does; the reference.
async fn send(client: &Client) -> String {
    let (status, location, text) = post(client, "/p/request", &SENT).await;
    assert_eq!(status, 303, "{text}");
    let (status, html) = page(client, &location).await;
    assert_eq!(status, 200);
    assert!(words(&html).contains("We answer within two days."));
    all(&html, "#reference")[0].text().collect()
}

async fn a_request_is_sent_and_followed(host: &dyn Host) {
    let server = town_hall(host).await;
    let stranger = server.anonymous();
    let (status, html) = page(&stranger, "/p/request").await;
    assert_eq!(status, 200);
    let inputs = all(&html, "form.fill [name^='/']").into_iter().filter_map(|input| input.attr("name"));
    assert_eq!(inputs.collect::<Vec<_>>(), ["/what", "/phone"], "only what strangers may write");
    assert_eq!(page(&stranger, "/p/note").await.0, 404, "a form that is not public");
    let (status, _, text) =
        post(&stranger, "/p/request", &[("/what", "A lamp"), ("_shown", "/what"), ("_shown", "/phone")]).await;
    assert!(status == 422 && text.contains("Phone is required") && text.contains("A lamp"), "{status} {text}");
    let trapped = [SENT.as_slice(), &[("_website", "http://buy.example")]].concat();
    assert_eq!(post(&stranger, "/p/request", &trapped).await.0, 422, "only programs fill in what is not seen");
    let reference = send(&stranger).await;
    assert_eq!(reference, "R0001");

    // The clerk asks back; the answer goes on where the workflow waits.
    let clerk = server.user("cleo", &["clerk"], &["desk"]).await;
    let (_, tasks) = clerk.get("/api/tasks?box=claimable").await;
    let (task, record) = (text_at(&tasks, "/items/0/id"), text_at(&tasks, "/items/0/record/id"));
    clerk.call(Method::POST, &format!("/api/tasks/{task}/claim"), json!({})).await;
    let comments = format!("/api/records/request/{record}/comments");
    clerk.call(Method::POST, &comments, json!({"text": "a fool, if you ask me"})).await;
    let (status, _) = clerk.call(Method::POST, &comments, json!({"text": "Which lamp?", "public": true})).await;
    assert_eq!(status, 201);
    let note = clerk.call(Method::POST, "/api/records/note", json!({"text": "x"})).await.1;
    let path = format!("/api/records/note/{}/comments", note["id"].as_str().expect("an id"));
    let (status, refused) = clerk.call(Method::POST, &path, json!({"text": "?", "public": true})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("comment_not_public")));
    let done = clerk.call(Method::POST, &format!("/api/tasks/{task}/complete"), json!({"outcome": "ask"})).await;
    assert_eq!(done.0, 200, "{}", done.1);

    let proofs = [("/no", reference.as_str()), ("/phone", "8000")];
    let (status, _, text) = post(&stranger, "/p/track?form=request", &proofs).await;
    assert_eq!(status, 200, "{text}");
    let html = Html::parse_document(&text);
    let stages = all(&html, ".stages li").into_iter().map(|stage| stage.attr("class").unwrap_or_default());
    assert_eq!(stages.collect::<Vec<_>>(), ["done", "now", "ahead"]);
    let said = words(&html);
    assert!(said.contains("Which lamp?") && said.contains("R0001"), "{said}");
    for hidden in ["a fool", "none of their business", "A new lamp", "13800138000", "cleo"] {
        assert!(!text.contains(hidden), "`{hidden}` is not for strangers");
    }
    let answer = [proofs.as_slice(), &[("/text", "The one at the gate"), ("_key", "answer-1")]].concat();
    let (status, _, text) = post(&stranger, "/p/track?form=request", &answer).await;
    assert!(status == 200 && text.contains("The one at the gate"), "{status} {text}");
    let (_, body) = clerk.get(&format!("/api/records/request/{record}")).await;
    assert_eq!(body["more"], "The one at the gate", "the workflow heard it");
    let (_, tasks) = clerk.get("/api/tasks?box=claimable").await;
    let task = text_at(&tasks, "/items/0/id");
    clerk.call(Method::POST, &format!("/api/tasks/{task}/claim"), json!({})).await;
    clerk.call(Method::POST, &format!("/api/tasks/{task}/complete"), json!({"outcome": "done"})).await;

    let (status, told) = stranger.get("/api/public/track?form=request&no=R0001&phone=8000").await;
    assert_eq!((status, &told["values"]), (200, &json!({"no": "R0001", "verdict": "granted"})));
    let states: Vec<&Json> = told["stages"].as_array().expect("stages").iter().map(|stage| &stage["state"]).collect();
    assert_eq!(states, ["done", "done", "now"]);
    let from: Vec<&Json> = told["messages"].as_array().expect("messages").iter().map(|said| &said["from"]).collect();
    assert_eq!(from, ["public", "staff"], "newest first");
    // What follows from nothing is not told: neither the table nor who works on it.
    assert_eq!(told.as_object().expect("an object").len(), 4, "{told}");
}

fn text_at(json: &Json, pointer: &str) -> String {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("{pointer} of {json}")).to_owned()
}

async fn wrong_proofs_are_all_alike(host: &dyn Host) {
    let server = town_hall(host).await;
    let stranger = server.anonymous();
    send(&stranger).await;
    let second = send(&stranger).await;
    let ask = |query: &'static str| {
        let stranger = stranger.clone();
        async move {
            let since = std::time::Instant::now();
            let (status, mut told) = stranger.get(&format!("/api/public/track?{query}")).await;
            if let Some(told) = told.as_object_mut() {
                told.remove("trace_id");
            }
            (status, told, since.elapsed().as_millis())
        }
    };
    let (status, wrong, took) = ask("form=request&no=R0001&phone=1234").await;
    assert_eq!((status, took >= 300), (404, true), "{wrong}");
    for query in [
        "form=request&no=R9999&phone=8000",
        "form=request&no=R0001",
        "form=request",
        "form=note&no=R0001&phone=8000",
        "form=nothing&no=R0001&phone=8000",
        "no=R0001&phone=8000",
    ] {
        let (status, told, took) = ask(query).await;
        assert_eq!((status, &told), (404, &wrong), "{query}");
        assert!(took >= 300, "{query} took {took} ms");
    }
    // Two more wrong tries close the reference, for whoever knows it, too; another one stays open.
    for _ in 0..2 {
        assert_eq!(ask("form=request&no=R0001&phone=0000").await.0, 404);
    }
    assert_eq!(ask("form=request&no=R0001&phone=8000").await.1, wrong, "closed, and not told apart");
    assert_eq!(second, "R0002");
    assert_eq!(ask("form=request&no=R0002&phone=8000").await.0, 200);
    // Full-width digits are what they look like.
    assert_eq!(ask("form=request&no=R0002&phone=%EF%BC%98%EF%BC%90%EF%BC%90%EF%BC%90").await.0, 200);

    let page = |pairs: &'static [(&'static str, &'static str)], path: &'static str| {
        let stranger = stranger.clone();
        async move { post(&stranger, path, pairs).await }
    };
    let wrong = page(&[("/no", "R0002"), ("/phone", "1111")], "/p/track?form=request").await;
    assert_eq!(wrong.0, 422);
    assert_eq!(page(&[("/no", "R0002"), ("/phone", "1111")], "/p/track?form=note").await, wrong);
}

/// A number that makes the challenge's hash begin with fourteen zero bits, found by trying.
fn work(challenge: &str) -> String {
    let fits = |nonce: &String| {
        let hash = Sha256::digest(format!("{challenge}:{nonce}"));
        hash[0] == 0 && hash[1] < 4
    };
    (0_u32..).map(|nonce| nonce.to_string()).find(fits).expect("some number fits")
}

async fn an_address_sends_so_much_and_a_browser_more(host: &dyn Host) {
    let server = town_hall(host).await;
    let stranger = server.anonymous();
    // Eight an hour, a quarter of it without work.
    for _ in 0..2 {
        send(&stranger).await;
    }
    let (status, _, text) = post(&stranger, "/p/request", &SENT).await;
    assert!(status == 429 && text.contains("try again in 60 min") && text.contains("A new lamp"), "{status} {text}");
    let (status, refused) =
        stranger.call(Method::POST, "/api/records/request", json!({"what": "x", "phone": "13800138000"})).await;
    assert_eq!(status, 429, "the API is no way around: {refused}");
    for number in 0..7 {
        let (_, html) = page(&stranger, "/p/request").await;
        let value = |name: &str| {
            all(&html, &format!("form.fill input[name='{name}']"))[0].attr("value").expect("a value").to_owned()
        };
        let (key, challenge) = (value("_key"), value("_work"));
        let proof = work(&challenge);
        let own = [("_key", key.as_str()), ("_work", challenge.as_str()), ("_proof", proof.as_str())];
        let (status, ..) = post(&stranger, "/p/request", &[SENT.as_slice(), &own].concat()).await;
        assert_eq!(status, if number < 6 { 303 } else { 429 }, "{number} with work");
    }
}

on_both_stores!(
    a_request_is_sent_and_followed,
    wrong_proofs_are_all_alike,
    an_address_sends_so_much_and_a_browser_more,
);
