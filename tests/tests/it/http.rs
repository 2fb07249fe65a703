//! The JSON API as an integrator meets it, on both stores: bodies as `api.md` fixes them.

use chrono::{TimeZone, Utc};
use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs::{self, shipped};
use formwork_tests::server::{Client, TestServer};

async fn crm(host: &dyn Host) -> TestServer {
    let start = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).single().expect("an instant");
    let store = host.open("http").await.expect("the store opens");
    TestServer::start(store, &shipped("definitions/crm"), Clock::standing_at(start), Channels::default()).await
}

fn lost_bag() -> Json {
    json!({"subject": "行李未到", "category": "baggage", "flight_no": "FW1881",
           "items": [{"bag_tag": "0123456789", "claimed": "6000.00"}]})
}

/// Files the lost bag and gives its id.
async fn file(client: &Client) -> String {
    let (status, body) = client.call(Method::POST, "/api/records/ticket", lost_bag()).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

async fn a_record_goes_its_way(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lea", &["team_lead"], &["bag_claims"]).await;

    let sent = lead.send(Method::POST, "/api/records/ticket", lost_bag()).await;
    assert_eq!(sent.status(), 201);
    assert_eq!(sent.headers()["etag"], "\"1\"");
    let location = sent.headers()["location"].to_str().expect("ASCII").to_owned();
    let body: Json = sent.json().await.expect("JSON");
    assert_eq!(location, format!("/api/records/ticket/{}", body["id"].as_str().expect("an id")));
    assert_eq!(body["no"], "ST20260105-000001");
    assert_eq!(body["created_at"], "2026-01-05T01:00:00Z");
    assert_eq!(body["customer"], Json::Null);
    assert_eq!(body["items"][0]["claimed"], "6000.00");
    assert_eq!(body["items"][0]["approved"], Json::Null);
    assert_eq!(body["claimed_total"], "6000.00");
    assert!(body["items"][0]["id"].is_string() && body["seq"].is_number(), "{body}");
    assert_eq!(
        (&body["queue"], &body["state"]),
        (&json!("bag_claims"), &json!("routed")),
        "routed in the same transaction"
    );

    let (status, page) = lead.get("/api/records/ticket?filter=state%20!%3D%20'closed'&sort=-created_at&limit=2").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["total"], json!({"value": 1, "exact": true}));
    assert_eq!(page["next"], Json::Null);

    let (status, problem) = lead.get("/api/records/ticket?filter=stat%20%3D%3D%20'closed'").await;
    assert_eq!(status, 400, "{problem}");
    let (status, _) = lead.get("/api/records/ticket?fliter=true").await;
    assert_eq!(status, 400, "a misspelt parameter is refused, never ignored");
}

async fn a_stale_change_shows_both_sides(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lea", &["team_lead"], &["bag_claims"]).await;
    let path = format!("/api/records/ticket/{}", file(&lead).await);
    let patch = |priority: &str, version: &str| {
        lead.request(Method::PATCH, &path).header("if-match", version.to_owned()).json(&json!({"priority": priority}))
    };
    let (_, body) = lead.get(&path).await;
    let version = format!("\"{}\"", body["version"]);
    let first = patch("P3", &version).send().await.expect("an answer");
    let (first_status, first): (u16, Json) = (first.status().as_u16(), first.json().await.expect("JSON"));
    let second = patch("P4", &version).send().await.expect("an answer");
    assert_eq!(first_status, 200, "{first}");
    assert_eq!(second.status(), 412);
    let body: Json = second.json().await.expect("JSON");
    assert_eq!(body["code"], "conflict");
    assert_eq!(body["current"]["priority"], "P3");
    assert!(body["changed"].as_array().is_some_and(|changed| changed.contains(&json!("/priority"))), "{body}");
    let (_, now) = lead.get(&path).await;
    assert_eq!(now["priority"], "P3", "the stale change left nothing");
}

async fn refusals_say_where_and_what(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lea", &["team_lead"], &["bag_claims"]).await;
    let wrong = json!({"subject": "", "category": "delay", "flight_no": "航班1", "wrong": 1});
    let sent = lead.send(Method::POST, "/api/records/ticket", wrong).await;
    assert_eq!(sent.status(), 422);
    assert_eq!(sent.headers()["content-type"], "application/problem+json");
    let body: Json = sent.json().await.expect("JSON");
    let codes: Vec<_> =
        body["errors"].as_array().into_iter().flatten().map(|error| (&error["pointer"], &error["code"])).collect();
    for expected in [("/subject", "required"), ("/flight_no", "pattern"), ("/wrong", "unknown_field")] {
        assert!(codes.contains(&(&json!(expected.0), &json!(expected.1))), "{expected:?} is missing: {body}");
    }
    assert!(body["trace_id"].is_string() && body["type"].is_string(), "{body}");

    let (status, _) = server.anonymous().get("/api/records/ticket").await;
    assert!(status == 401 || status == 403, "the public lists nothing: {status}");
    let (_, page) = lead.get("/api/records/ticket").await;
    assert_eq!(page["items"], json!([]), "nothing was written");
}

async fn one_key_is_one_request(host: &dyn Host) {
    let server = crm(host).await;
    let lead = server.user("lea", &["team_lead"], &["bag_claims"]).await;
    let send = |body: Json| {
        lead.request(Method::POST, "/api/records/ticket").header("idempotency-key", "k-1").json(&body).send()
    };
    let first: Json = send(lost_bag()).await.expect("an answer").json().await.expect("JSON");
    let again: Json = send(lost_bag()).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(first["id"], again["id"]);
    let other = send(json!({"subject": "other", "category": "praise"})).await.expect("an answer");
    assert_eq!(other.status(), 422, "the same key with another body");
    let (_, page) = lead.get("/api/records/ticket").await;
    assert_eq!(page["total"]["value"], 1);
}

async fn a_task_is_claimed_and_done(host: &dyn Host) {
    let server = crm(host).await;
    let ana = server.user("ana", &["agent"], &["bag_claims"]).await;
    let ben = server.user("ben", &["agent"], &["delay_desk"]).await;
    let id = file(&ana).await;

    let (_, page) = ben.get("/api/tasks?box=claimable").await;
    assert_eq!(page["items"], json!([]), "another queue's task is not shown");
    let (status, page) = ana.get("/api/tasks?box=claimable").await;
    assert_eq!(status, 200, "{page}");
    let task = &page["items"][0];
    assert_eq!(task["step"], "handle");
    assert_eq!(task["record"]["id"], json!(id));
    assert_eq!(task["queue"], "bag_claims");
    assert_eq!(task["assignee"], Json::Null);
    assert!(task["verbs"].as_array().is_some_and(|verbs| verbs.contains(&json!("claim"))), "{task}");
    assert!(
        task["outcomes"].as_array().is_some_and(|outcomes| outcomes.iter().any(|outcome| outcome["key"] == "ask")),
        "{task}"
    );

    let path = |verb: &str| format!("/api/tasks/{}/{verb}", task["id"].as_str().expect("an id"));
    let (status, refused) = ben.call(Method::POST, &path("claim"), json!({})).await;
    assert_eq!((status, &refused["code"]), (404, &json!("task_not_found")));
    let (status, _) = ana.call(Method::POST, &path("claim"), json!({})).await;
    assert_eq!(status, 200);
    let (status, refused) = ana.call(Method::POST, &path("claim"), json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("already_claimed")));
    let (status, done) =
        ana.call(Method::POST, &path("complete"), json!({"outcome": "ask", "fields": {}, "inputs": {}})).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(done["task"]["state"], "done");
    assert!(done["seq"].is_number());
    let (status, refused) = ana.call(Method::POST, &path("complete"), json!({"outcome": "ask"})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("task_closed")));
    let (_, record) = ana.get(&format!("/api/records/ticket/{id}")).await;
    assert_eq!(record["state"], "waiting");
}

async fn numbers_are_those_the_viewer_may_see(host: &dyn Host) {
    let server = crm(host).await;
    let ana = server.user("ana", &["agent"], &["bag_claims"]).await;
    let ben = server.user("ben", &["agent"], &["delay_desk"]).await;
    file(&server.anonymous()).await;
    let (status, metric) = ana.get("/api/metrics/tickets").await;
    assert_eq!(status, 200, "{metric}");
    assert_eq!((&metric["state"], &metric["value"], &metric["n"]), (&json!("ok"), &json!("1"), &json!(1)));
    assert!(metric["as_of_seq"].is_number(), "{metric}");
    let (_, metric) = ben.get("/api/metrics/tickets").await;
    assert_eq!(metric["value"], "0", "another queue's record is not counted");
    let (status, board) = ana.get("/api/boards/service_desk").await;
    assert_eq!(status, 200, "{board}");
    assert_eq!(board["board"], "service_desk");
    for (key, tile) in board["tiles"].as_object().expect("tiles") {
        assert!(
            ["ok", "no_data", "provisional", "hidden"].iter().any(|state| tile["state"] == *state),
            "{key}: {tile}"
        );
    }
    let (status, report) = ana.get("/api/reports/tickets_by_queue?range=all").await;
    assert_eq!(status, 200, "{report}");
    assert!(
        report["rows"].as_array().is_some_and(|rows| rows.iter().any(|row| row[0] == "bag_claims" && row[1] == "1")),
        "{report}"
    );
}

async fn a_pack_is_checked_planned_and_deployed(host: &dyn Host) {
    let store = host.open("packs").await.expect("the store opens");
    let server = TestServer::start(store, &packs::waiting(), Clock::System, Channels::default()).await;
    let publisher = server.user("pub", &["publisher"], &[]).await;
    let agent = server.user("ana", &["agent"], &["desk"]).await;
    let (_, filed) = agent.call(Method::POST, "/api/records/request", json!({"what": "keep me", "number": 7})).await;
    let files = |change: &dyn Fn(&str) -> String| -> Json {
        let files = packs::waiting().files;
        files
            .iter()
            .map(|(path, text)| {
                (path.clone(), json!(if path == "forms/request.json" { change(text) } else { text.clone() }))
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    };

    let broken = json!({"files": files(&|text| text.replace("\"required\": true", "\"requierd\": true"))});
    let (status, checked) = publisher.call(Method::POST, "/api/packs/waiting/check", broken).await;
    assert_eq!((status, &checked["ok"]), (200, &json!(false)));
    let diagnostic = &checked["diagnostics"][0];
    assert_eq!(diagnostic["file"], "forms/request.json");
    assert!(diagnostic["hint"].as_str().is_some_and(|hint| hint.contains("required")), "{diagnostic}");

    // A field is renamed, one is added, one is removed.
    let changed = files(&|text| {
        text.replace(
            "\"number\": {\"type\": \"integer\"}",
            "\"count\": {\"type\": \"integer\", \"was\": [\"number\"]}, \"note\": {\"type\": \"text\"}",
        )
    });
    let mut wanted = json!({"files": changed});
    for (path, text) in wanted["files"].as_object_mut().expect("files") {
        if path == "imports/bulk.json" {
            *text = json!(text.as_str().expect("text").replace("\"number\"", "\"count\""));
        }
    }
    let (status, plan) = publisher.call(Method::POST, "/api/packs/waiting/plan", wanted.clone()).await;
    assert_eq!(status, 200, "{plan}");
    let classes: Vec<_> = plan["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|change| (change["class"].clone(), change["at"].clone()))
        .collect();
    assert!(classes.contains(&(json!("rename"), json!("forms/request/fields/count"))), "{classes:?}");
    assert!(classes.contains(&(json!("add"), json!("forms/request/fields/note"))), "{classes:?}");
    assert!(
        plan["access"]
            .as_array()
            .is_some_and(|access| access.iter().any(|entry| entry["field"] == "note" && entry["to"] == "write")),
        "{plan}"
    );

    wanted["plan"] = json!("another hash");
    let (status, stale) = publisher.call(Method::POST, "/api/packs/waiting/deploy", wanted.clone()).await;
    assert_eq!((status, &stale["code"]), (409, &json!("plan_stale")));
    let (status, refused) = agent.call(Method::POST, "/api/packs/waiting/deploy", wanted.clone()).await;
    assert_eq!(status, 403, "{refused}");

    // The same by a token, as a build server does it.
    let token = server.token("pub", &["packs"], None).await;
    wanted["plan"] = plan["hash"].clone();
    let request = server.anonymous().request(Method::POST, "/api/packs/waiting/deploy").bearer_auth(token);
    let deployed = request.json(&wanted).send().await.expect("an answer");
    let (status, deployed): (u16, Json) = (deployed.status().as_u16(), deployed.json().await.expect("JSON"));
    assert_eq!((status, &deployed["pack"]), (200, &json!("waiting")), "{deployed}");
    let (_, record) = agent.get(&format!("/api/records/request/{}", filed["id"].as_str().expect("an id"))).await;
    assert_eq!(record["count"], 7, "the renamed field kept its value: {record}");
    assert_eq!(record["note"], Json::Null);
}

async fn the_document_describes_the_deployment(host: &dyn Host) {
    let server = crm(host).await;
    let ana = server.user("ana", &["agent"], &["bag_claims"]).await;
    let answer = ana.request(Method::GET, "/api/openapi.json").send().await.expect("an answer");
    assert!(
        answer.headers()["content-security-policy"]
            .to_str()
            .is_ok_and(|policy| policy.starts_with("default-src 'self'"))
    );
    let document: Json = answer.json().await.expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let post =
        &document["paths"]["/api/records/ticket"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert!(post["properties"]["subject"].is_object(), "{post}");
    assert!(post["properties"].get("claimed_total").is_none(), "a computed field is never sent: {post}");
    let keys = |path: &str| {
        let item = document["paths"][path].as_object().unwrap_or_else(|| panic!("no path {path}"));
        let methods = ["get", "post", "patch", "put", "delete"].into_iter().filter(|method| item.contains_key(*method));
        methods.collect::<Vec<_>>()
    };
    assert_eq!(keys("/api/records/ticket"), ["get", "post"]);
    assert_eq!(keys("/api/records/ticket/{id}"), ["get", "patch"], "an agent deletes no tickets");
    for path in ["/api/session", "/api/forms/{form}/evaluate", "/api/tasks/{id}/{verb}", "/api/packs/{pack}/plan"] {
        assert!(!keys(path).is_empty(), "{path}");
    }
    let (status, ready) = ana.get("/readyz").await;
    assert_eq!((status, &ready["packs"]), (200, &json!(["crm"])));
}

on_both_stores!(
    a_record_goes_its_way,
    a_stale_change_shows_both_sides,
    refusals_say_where_and_what,
    one_key_is_one_request,
    a_task_is_claimed_and_done,
    numbers_are_those_the_viewer_may_see,
    a_pack_is_checked_planned_and_deployed,
    the_document_describes_the_deployment,
);
