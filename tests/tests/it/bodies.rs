//! The bodies of the API, key for key as `api.md` gives them by example, and what is answered when something is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

async fn guarded(host: &dyn Host) -> TestServer {
    let store = host.open("bodies").await.expect("the store opens");
    TestServer::start(store, &packs::guarded(), Clock::System, Channels::default()).await
}

/// Status and body.
async fn told(request: RequestBuilder) -> (u16, Json) {
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Json::Null))
}

async fn file(client: &Client, values: Json) -> Json {
    let (status, body) = client.call(Method::POST, "/api/records/ticket", values).await;
    assert_eq!(status, 201, "{body}");
    body
}

fn path(record: &Json) -> String {
    format!("/api/records/ticket/{}", record["id"].as_str().expect("an id"))
}

#[track_caller]
fn assert_keys(body: &Json, expected: &[&str]) {
    let mut keys: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut expected = expected.to_vec();
    keys.sort_unstable();
    expected.sort_unstable();
    assert_eq!(keys, expected, "{body}");
}

const PROBLEM: [&str; 6] = ["type", "title", "status", "code", "trace_id", "errors"];
/// What an agent may know of a ticket, and what every record has.
const TICKET: [&str; 13] = [
    "id",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "subject",
    "person",
    "tier",
    "queue",
    "amount",
    "items",
    "title",
];
const TASK: [&str; 25] = [
    "id",
    "pack",
    "workflow",
    "workflow_label",
    "step",
    "label",
    "record",
    "queue",
    "role",
    "team",
    "assignee",
    "state",
    "created_at",
    "due_at",
    "closed_at",
    "outcome",
    "outcomes",
    "verbs",
    "return_to",
    "resume",
    "copies",
    "reminders",
    "signer",
    "owner",
    "clock",
];

async fn bodies_have_the_keys_of_their_examples(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let (_, me) = ann.get("/api/session").await;
    assert_keys(&me, &["user"]);
    assert_keys(
        &me["user"],
        &["id", "login", "name", "roles", "team", "leads", "queues", "language", "theme", "must_change_password"],
    );

    let filed = file(&ann, json!({"subject": "Lost", "items": [{"what": "bag", "price": "6.00"}]})).await;
    assert_keys(&filed, &[&TICKET[..], &["_may", "seq"]].concat());
    assert_keys(&filed["items"][0], &["id", "what", "price"]);
    assert_eq!((&filed["version"], &filed["items"][0]["price"]), (&json!(1), &json!("6.00")));
    let (_, page) = ann.get("/api/records/ticket?limit=2").await;
    assert_keys(&page, &["items", "next", "total"]);
    assert_keys(&page["items"][0], &TICKET);
    assert_keys(&page["total"], &["value", "exact"]);
    let (_, one) = ann.get(&path(&filed)).await;
    assert_keys(&one, &[&TICKET[..], &["_may"]].concat());

    let (_, tasks) = ann.get("/api/tasks?box=claimable").await;
    assert_keys(&tasks, &["items", "next"]);
    let task = tasks["items"][0].clone();
    assert_keys(&task, &TASK);
    assert_keys(&task["record"], &["form", "id", "title"]);
    assert_keys(&task["outcomes"][0], &["key", "label", "confirm"]);
    let verb = |verb: &str| format!("/api/tasks/{}/{verb}", task["id"].as_str().expect("an id"));
    let (_, claimed) = ann.call(Method::POST, &verb("claim"), json!({})).await;
    assert_keys(&claimed, &["task", "seq"]);
    let (_, done) =
        ann.call(Method::POST, &verb("complete"), json!({"outcome": "done", "fields": {}, "inputs": {}})).await;
    assert_keys(&done, &["task", "seq"]);
    assert_eq!(done["task"]["state"], "done");
    for seq in [&claimed["seq"], &done["seq"]] {
        assert!(seq.as_i64() >= filed["seq"].as_i64(), "a number a reader can wait for: {seq}, {filed}");
    }

    let (_, metric) = ann.get("/api/metrics/tickets?range=2026-01-01/2026-02-01").await;
    for key in ["metric", "state", "value", "n", "previous", "as_of", "as_of_seq"] {
        assert!(metric.get(key).is_some(), "{key}: {metric}");
    }
    assert_eq!(metric["range"], "2026-01-01..2026-01-31", "the second day is left out");
    let (_, report) = ann.get("/api/reports/by_tier").await;
    for key in ["columns", "rows", "truncated", "as_of", "as_of_seq"] {
        assert!(report.get(key).is_some(), "{key}: {report}");
    }
    let (status, refused) = ann.call(Method::POST, "/api/records/ticket", json!({"nothing": 1})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("FW1004")));
    assert_keys(&refused, &PROBLEM);
    assert_keys(&refused["errors"][0], &["code", "pointer", "message", "hint"]);
    let (_, evaluated) = ann
        .call(
            Method::POST,
            "/api/forms/ticket/evaluate",
            json!({"values": {"subject": "x"}, "changed": "/subject", "seq": 3, "id": filed["id"], "version": 1}),
        )
        .await;
    assert_keys(&evaluated, &["fields", "seq", "stale"]);
    assert_eq!((&evaluated["seq"], &evaluated["stale"]), (&json!(3), &json!(false)));
}

async fn whatever_is_refused_is_a_problem(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    // Just over the limit: where much is left unread when the server answers, the answer itself may be lost on its way.
    let long = format!("{{\"items\": [\"{}\"]}}", "x".repeat(4 << 20));
    let json_of = |text: &str| (text.to_owned(), "application/json");
    for (method, path, (body, ty), status, code) in [
        (Method::GET, "/api/records/ticket/no-id", json_of(""), 400, "FW1000"),
        (Method::GET, "/api/records/ticket?fliter=true", json_of(""), 400, "FW1000"),
        (Method::GET, "/api/records/ticket?limit=many", json_of(""), 400, "FW1000"),
        (Method::GET, "/api/nothing", json_of(""), 404, "FW1001"),
        (Method::PUT, "/api/records/ticket", json_of("{}"), 405, "method_not_allowed"),
        (Method::POST, "/api/records/ticket/bulk", json_of("{\"itms\": []}"), 422, "FW1000"),
        (Method::POST, "/api/records/ticket/bulk", json_of("{"), 400, "FW1000"),
        (Method::POST, "/api/records/ticket/bulk", ("{}".to_owned(), "text/plain"), 415, "unsupported_media_type"),
        (Method::POST, "/api/records/ticket/bulk", json_of(&long), 413, "too_large"),
        (Method::POST, "/api/records/ticket", json_of("[]"), 400, "FW1000"),
    ] {
        let request = ann.request(method.clone(), path).header("content-type", ty).body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405, "{method} {path}");
        let is_closed = answer.headers().get("connection").is_some_and(|value| value == "close");
        assert_eq!(is_closed, status == 413, "{method} {path}: what is left of the body is not read");
        let body: Json = answer.json().await.expect("JSON");
        assert_keys(&body, &PROBLEM);
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{method} {path}: {body}");
    }
}

async fn a_repeated_request_gets_the_answer_it_got(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    server.user("ben", &["agent"], &["b"]).await;
    let send = async |method: Method, path: &str, key: &str, version: Option<&str>, body: Json| {
        let mut request = ann.request(method, path).header("idempotency-key", key).json(&body);
        if let Some(version) = version {
            request = request.header("if-match", version);
        }
        let answer = request.send().await.expect("an answer");
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
        let headers = ["etag", "location", "content-type"].map(header);
        (answer.status().as_u16(), headers, answer.text().await.expect("text"))
    };
    let filed = json!({"subject": "Lost"});
    let create = async || send(Method::POST, "/api/records/ticket", "k1", None, filed.clone()).await;
    let first = create().await;
    assert_eq!(first.0, 201, "{first:?}");
    let record: Json = serde_json::from_str(&first.2).expect("JSON");
    let path = path(&record);
    let change = |subject: &str| json!({"subject": subject});
    let patched = send(Method::PATCH, &path, "k2", Some("\"1\""), change("Found")).await;
    assert_eq!(patched.0, 200, "{patched:?}");
    assert_eq!(create().await, first, "as it was then, not as it is now");
    assert_eq!(send(Method::PATCH, &path, "k2", Some("\"1\""), change("Found")).await, patched);
    let other = send(Method::PATCH, &path, "k2", Some("\"2\""), change("Found")).await;
    assert_eq!(other.0, 422, "another version is another request: {other:?}");
    let deleted = send(Method::DELETE, &path, "k3", None, Json::Null).await;
    assert_eq!(deleted.0, 204, "{deleted:?}");
    assert_eq!(send(Method::DELETE, &path, "k3", None, Json::Null).await, deleted);
    assert_eq!(create().await, first, "even after it was deleted");

    // A try that was refused is not kept.
    let refused = send(Method::POST, "/api/records/ticket", "k4", None, json!({"subject": null})).await;
    assert_eq!(refused.0, 422, "{refused:?}");
    let second = send(Method::POST, "/api/records/ticket", "k4", None, filed.clone()).await;
    assert_eq!(second.0, 201, "{second:?}");

    // Every verb that writes knows keys.
    let record: Json = serde_json::from_str(&second.2).expect("JSON");
    let comments = format!("{}/comments", self::path(&record));
    let said = send(Method::POST, &comments, "k5", None, json!({"text": "hello"})).await;
    assert_eq!(send(Method::POST, &comments, "k5", None, json!({"text": "hello"})).await, said);
    let (_, page) = ann.get(&comments).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    assert_keys(&page["items"][0], &["seq", "at", "actor", "text", "public"]);
    let many = json!({"items": [{"subject": "1"}, {"nothing": 2}, {"subject": "3"}]});
    let filed = send(Method::POST, "/api/records/ticket/bulk", "k6", None, many.clone()).await;
    assert_eq!(send(Method::POST, "/api/records/ticket/bulk", "k6", None, many).await, filed);
    let (_, list) = ann.get("/api/records/ticket").await;
    assert_eq!(list["total"]["value"], 3, "one, and two of the three");
    let results: Json = serde_json::from_str(&filed.2).expect("JSON");
    let statuses: Vec<_> =
        results["items"].as_array().expect("results").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [201, 422, 201], "in order");

    // A task that is given away is out of sight; that it was is told again all the same.
    let (_, tasks) = ann.get("/api/tasks?box=claimable").await;
    let verb = |verb: &str| format!("/api/tasks/{}/{verb}", tasks["items"][0]["id"].as_str().expect("an id"));
    ann.call(Method::POST, &verb("claim"), json!({})).await;
    let given = send(Method::POST, &verb("transfer"), "k7", None, json!({"queue": "b"})).await;
    assert_eq!(given.0, 200, "{given:?}");
    assert_eq!(send(Method::POST, &verb("transfer"), "k7", None, json!({"queue": "b"})).await, given);
}

async fn a_json_patch_is_applied_or_refused(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let items = json!([{"what": "bag", "price": "6.00"}, {"what": "coat", "price": "1.00"}]);
    let record = file(&ann, json!({"subject": "Lost", "items": items})).await;
    let patch = |operations: Json| {
        let request = ann.request(Method::PATCH, &path(&record)).header("content-type", "application/json-patch+json");
        told(request.body(operations.to_string()))
    };
    let (status, body) = patch(json!([
        {"op": "test", "path": "/subject", "value": "Lost"},
        {"op": "replace", "path": "/subject", "value": "Found"},
        {"op": "replace", "path": "/items/0/price", "value": "7.00"},
        {"op": "remove", "path": "/items/1"},
        {"op": "add", "path": "/items/-", "value": {"what": "hat", "price": "2.00"}}
    ]))
    .await;
    assert_eq!((status, &body["subject"], &body["version"]), (200, &json!("Found"), &json!(2)), "{body}");
    let rows: Vec<_> =
        body["items"].as_array().expect("rows").iter().map(|row| (&row["what"], &row["price"])).collect();
    assert_eq!(rows, [(&json!("bag"), &json!("7.00")), (&json!("hat"), &json!("2.00"))]);
    assert_eq!(body["items"][0]["id"], record["items"][0]["id"], "a row keeps its id");
    let replace = json!({"op": "replace", "path": "/subject", "value": "x"});
    for (operations, expected, code) in [
        (json!([{"op": "test", "path": "/subject", "value": "Lost"}, replace]), 409, "test_failed"),
        (json!([{"op": "replace", "path": "/items/9/what", "value": "x"}]), 422, "invalid_path"),
        (json!([{"op": "replace", "path": "/secret", "value": "x"}]), 422, "invalid_path"),
        (json!([{"op": "replace", "path": "/tier", "value": "x"}]), 422, "FW1004"),
        (json!([{"op": "conjure"}]), 400, "FW1000"),
    ] {
        let (status, body) = patch(operations.clone()).await;
        assert_eq!((status, &body["code"]), (expected, &json!(code)), "{operations}: {body}");
    }
    assert_eq!(ann.get(&path(&record)).await.1["version"], 2, "nothing else was written");
}

async fn what_moved_on_shows_both_sides(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let record = file(&ann, json!({"subject": "Lost"})).await;
    let path = path(&record);
    let change = async |version: &str, amount: &str| {
        told(ann.request(Method::PATCH, &path).header("if-match", version).json(&json!({"amount": amount}))).await
    };
    assert_eq!(change("\"1\"", "1.00").await.0, 200);
    assert_eq!(change("*", "2.00").await.0, 200, "any version will do");
    assert_eq!(change("3", "3.00").await.0, 400, "a version stands in quotes");
    // More events than one page of the history holds.
    for number in 0..101 {
        let text = json!({"text": format!("{number}")});
        assert_eq!(ann.call(Method::POST, &format!("{path}/comments"), text).await.0, 201);
    }
    let conflict = |(status, body): (u16, Json)| {
        assert_eq!((status, &body["code"]), (412, &json!("conflict")), "{body}");
        assert_keys(&body, &[&PROBLEM[..], &["current", "changed"]].concat());
        assert_eq!((&body["current"]["amount"], &body["changed"]), (&json!("2.00"), &json!(["/amount"])), "{body}");
    };
    conflict(change("\"1\"", "4.00").await);
    conflict(told(ann.request(Method::DELETE, &path).header("if-match", "\"1\"")).await);
    let (_, tasks) = ann.get("/api/tasks?box=claimable").await;
    let verb = |verb: &str| format!("/api/tasks/{}/{verb}", tasks["items"][0]["id"].as_str().expect("an id"));
    ann.call(Method::POST, &verb("claim"), json!({})).await;
    let complete = ann.request(Method::POST, &verb("complete")).header("if-match", "\"1\"");
    conflict(told(complete.json(&json!({"outcome": "done", "fields": {"amount": "5.00"}}))).await);
    let (_, comments) = ann.get(&format!("{path}/comments")).await;
    assert!(comments["items"].as_array().is_some_and(|items| items.len() >= 50), "{comments}");
    assert_eq!(comments["items"][0]["text"], "100", "the newest first");
    let long = json!({"text": "x".repeat(10_001)});
    let (status, refused) = ann.call(Method::POST, &format!("{path}/comments"), long).await;
    assert_eq!((status, &refused["code"]), (422, &json!("comment_too_long")));
    let evaluate = json!({"values": {}, "id": record["id"], "version": 1});
    assert_eq!(ann.call(Method::POST, "/api/forms/ticket/evaluate", evaluate).await.1["stale"], true);
}

async fn pages_and_fields_are_checked(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let record = file(&ann, json!({"subject": "One", "amount": "1.00"})).await;
    file(&ann, json!({"subject": "Two", "amount": "2.00"})).await;
    let list = async |query: &str| ann.get(&format!("/api/records/ticket?{query}")).await;
    let (_, page) = list("sort=subject&limit=1").await;
    let next = page["next"].as_str().expect("a second page");
    assert_eq!(list(&format!("sort=subject&limit=1&after={next}")).await.1["items"][0]["subject"], "Two");
    // Of another order, made up, or with a value of another type, of another scale, or none.
    let mut crafted = vec![next.to_owned(), "%21".to_owned(), URL_SAFE_NO_PAD.encode("{}")];
    let written: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(next).expect("base64")).expect("JSON");
    for value in
        [written["v"][0].clone(), json!({"Decimal": "0.000000000001"}), json!({"Integer": 1}), json!("x"), json!(7)]
    {
        let mut written = written.clone();
        (written["s"], written["v"]) = (json!("-amount"), json!([value]));
        crafted.push(URL_SAFE_NO_PAD.encode(written.to_string()));
    }
    for after in crafted {
        let (status, body) = list(&format!("sort=-amount&limit=1&after={after}")).await;
        assert_eq!(status, 400, "{after}: {body}");
    }
    for fields in ["nothing", "secret", "subject,amoun"] {
        assert_eq!(list(&format!("fields={fields}")).await.0, 400, "{fields}");
        assert_eq!(ann.get(&format!("{}?fields={fields}", path(&record))).await.0, 400, "{fields}");
    }
    let (_, body) = ann.get(&format!("{}?fields=subject", path(&record))).await;
    assert_keys(&body, &["id", "version", "subject", "title", "_may"]);
    for (query, expected) in [("q=one", 1), ("q=ONE", 1), ("q=on%20e", 0)] {
        assert_eq!(list(query).await.1["total"]["value"], expected, "{query}");
    }
    // Reading one's own writes: what has arrived is answered at once, what has not is said to be late.
    let seq = record["seq"].as_i64().expect("a number");
    for path in ["/api/records/ticket", "/api/metrics/tickets", "/api/reports/by_tier"] {
        assert_eq!(ann.get(&format!("{path}?min_seq={seq}")).await.0, 200, "{path}");
    }
    let (status, late) = ann.get(&format!("/api/metrics/tickets?min_seq={}", i64::MAX)).await;
    assert_eq!((status, &late["code"]), (503, &json!("incomplete")));
}

async fn several_packs_have_one_inbox_and_one_document(host: &dyn Host) {
    let server = guarded(host).await;
    let second = Bundle { pack: "second".to_owned(), ..packs::guarded() };
    server.engine.deploy_if_safe(&second).await.expect("a second pack");
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let lea = server.user("lea", &["lead"], &[]).await;
    for number in 0..7 {
        let pack = ["guarded", "second"][number % 2];
        let (status, body) = ann
            .call(Method::POST, &format!("/api/records/{pack}.ticket"), json!({"subject": format!("{number}")}))
            .await;
        assert_eq!(status, 201, "{body}");
    }
    let all = async |client: &Client, tasks: &str| {
        let (mut titles, mut after) = (Vec::new(), String::new());
        loop {
            let (status, page) = client.get(&format!("/api/tasks?box={tasks}&limit=2{after}")).await;
            assert_eq!(status, 200, "{page}");
            let items = page["items"].as_array().expect("items");
            assert!(items.len() <= 2, "{page}");
            titles.extend(items.iter().map(|task| task["record"]["title"].as_str().expect("a title").to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return titles,
            }
        }
    };
    let expected: Vec<String> = (0..7).map(|number| number.to_string()).collect();
    assert_eq!(all(&ann, "claimable").await, expected, "none twice, none left out, the oldest first");
    for (narrowed, count) in [("queue=a", 7), ("queue=b", 0), ("workflow=handling", 7), ("workflow=other", 0)] {
        assert_eq!(all(&ann, &format!("claimable&{narrowed}")).await.len(), count, "{narrowed}");
    }
    // `team` is what one leads, not what one serves.
    assert_eq!(all(&ann, "team").await, Vec::<String>::new());
    assert_eq!(all(&lea, "team").await, expected);

    let (_, document) = ann.get("/api/openapi.json").await;
    let paths = document["paths"].as_object().expect("paths");
    for pack in ["guarded", "second"] {
        let one = &paths[&format!("/api/records/{pack}.ticket/{{id}}")];
        assert!(one["delete"].is_object(), "{one}");
        assert!(one["patch"]["responses"]["412"].is_object(), "{one}");
        let headers: Vec<_> =
            one["patch"]["parameters"].as_array().into_iter().flatten().map(|one| &one["name"]).collect();
        assert_eq!(headers, ["If-Match", "Idempotency-Key"]);
        assert_eq!(one["patch"]["security"][1], json!({"token": ["records:write"]}));
        assert!(
            paths[&format!("/api/records/{pack}.person/{{id}}")].get("delete").is_none(),
            "nobody may delete people"
        );
    }
    assert!(!paths.contains_key("/api/records/ticket"), "the name alone is that of two forms");
}

on_both_stores!(
    bodies_have_the_keys_of_their_examples,
    whatever_is_refused_is_a_problem,
    a_repeated_request_gets_the_answer_it_got,
    a_json_patch_is_applied_or_refused,
    what_moved_on_shows_both_sides,
    pages_and_fields_are_checked,
    several_packs_have_one_inbox_and_one_document,
);
