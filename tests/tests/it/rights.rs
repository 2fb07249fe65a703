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
    let clock = Clock::standing_at(chrono::Utc::now());
    TestServer::start(store, &packs::guarded(), clock, Channels::default()).await
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

/// The status of a request with a token.
async fn by(server: &TestServer, token: &str, method: Method, path: &str, body: Json) -> u16 {
    let request = server.anonymous().request(method, path).bearer_auth(token).json(&body);
    request.send().await.expect("an answer").status().as_u16()
}

async fn tokens_do_what_their_scopes_say(host: &dyn Host) {
    let server = guarded(host).await;
    server.user("ann", &["agent", "publisher"], &["a"]).await;
    let token = async |scope: &str| server.token("ann", &[scope], None).await;
    let ticket = json!({"subject": "Lost"});
    let requests = [
        (Method::GET, "/api/records/ticket", Json::Null, "records:read"),
        (Method::GET, "/api/forms", Json::Null, "records:read"),
        (Method::POST, "/api/forms/ticket/evaluate", json!({"values": {}}), "records:read"),
        (Method::POST, "/api/records/ticket", ticket, "records:write"),
        (Method::GET, "/api/tasks", Json::Null, "tasks"),
        (Method::POST, "/api/workflows/handling/start", json!({}), "tasks"),
        (Method::GET, "/api/metrics/tickets", Json::Null, "reports"),
        (Method::POST, "/api/packs/guarded/check", json!({"files": {}}), "packs"),
        (Method::GET, "/api/session", Json::Null, ""),
        (Method::GET, "/", Json::Null, "none"),
    ];
    for held in ["records:read", "records:write", "tasks", "reports", "packs", "imports"] {
        let token = token(held).await;
        for (method, path, body, needed) in &requests {
            let status = by(&server, &token, method.clone(), path, body.clone()).await;
            let is_allowed = needed.is_empty() || *needed == held;
            assert_eq!(status != 403, is_allowed, "{held}: {method} {path} gives {status}");
        }
    }
    let soon = server.engine.clock().now() + chrono::Duration::hours(1);
    let short = server.token("ann", &["records:read"], Some(soon)).await;
    assert_eq!(by(&server, &short, Method::GET, "/api/records/ticket", Json::Null).await, 200);
    assert!(server.engine.clock().move_to(soon));
    assert_eq!(by(&server, &short, Method::GET, "/api/records/ticket", Json::Null).await, 401);
}

async fn who_is_not_active_is_nobody(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let mut user = server.engine.store().user_by_login("ann").await.expect("users").expect("Ann");
    let token = server.token("ann", &["records:read"], None).await;
    assert_eq!(ann.get("/api/session").await.0, 200);
    user.facts.active = false;
    server.engine.store().put_user(&user).await.expect("a user is changed");
    assert_eq!(ann.get("/api/session").await.0, 401);
    assert_eq!(by(&server, &token, Method::GET, "/api/records/ticket", Json::Null).await, 401);
    let again = json!({"login": "ann", "password": formwork_tests::server::PASSWORD});
    assert_eq!(server.anonymous().call(Method::POST, "/api/session", again).await.0, 401);
}

async fn no_role_stands_in_for_another(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let designer = server.user("dee", &["designer"], &[]).await;
    for (client, verb, expected) in
        [(&admin, "check", 403), (&admin, "deploy", 403), (&designer, "check", 200), (&designer, "deploy", 403)]
    {
        let body = json!({"files": {}, "plan": "x"});
        let body = if verb == "check" { json!({"files": {}}) } else { body };
        let (status, told) = client.call(Method::POST, &format!("/api/packs/guarded/{verb}"), body).await;
        assert_eq!(status, expected, "{verb}: {told}");
    }
}

async fn guessing_passwords_is_slow(host: &dyn Host) {
    let server = guarded(host).await;
    server.user("ann", &["agent"], &["a"]).await;
    let client = server.anonymous();
    let guess = |login: &str| json!({"login": login, "password": "wrong"});
    // All at once, so that it does not matter how long a guess takes.
    let guesses = (0..30).map(|_| client.send(Method::POST, "/api/session", guess("ann")));
    let (refused, wrong): (Vec<_>, Vec<_>) =
        futures_util::future::join_all(guesses).await.into_iter().partition(|answer| answer.status() == 429);
    assert!(wrong.iter().all(|answer| answer.status() == 401), "{wrong:?}");
    assert!((1..=12).contains(&wrong.len()), "{} guesses", wrong.len());
    // Longer than for a turn to hash, which is a second.
    let wait = |answer: &reqwest::Response| answer.headers()["retry-after"].to_str().map(|text| text.parse::<u32>());
    let mut held_up = refused.into_iter().filter(|answer| matches!(wait(answer), Ok(Ok(2..))));
    let refused = held_up.next().expect("somebody who guesses on is told to wait");
    let body: Json = refused.json().await.expect("JSON");
    assert_eq!(body["code"], "busy");
    assert_eq!(client.call(Method::POST, "/api/session", guess("ben")).await.0, 401, "others are not held up");
}

async fn a_session_cookie_leaves_this_machine_encrypted_only(host: &dyn Host) {
    let server = guarded(host).await;
    server.user("ann", &["agent"], &["a"]).await;
    let body = json!({"login": "ann", "password": formwork_tests::server::PASSWORD});
    for (host, expected) in [("crm.example", true), ("localhost:8080", false)] {
        let request = server.anonymous().request(Method::POST, "/api/session").header("host", host).json(&body);
        let answer = request.send().await.expect("an answer");
        let cookie = answer.headers()["set-cookie"].to_str().expect("ASCII");
        assert_eq!(cookie.contains("; Secure"), expected, "{host}: {cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    }
}

async fn a_key_is_each_users_own(host: &dyn Host) {
    let server = guarded(host).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let ben = server.user("ben", &["agent"], &["a"]).await;
    let start = async |client: &Client, key: &str, body: Json| {
        let request = client.request(Method::POST, "/api/workflows/handling/start").header("idempotency-key", key);
        let answer = request.json(&body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Json>().await.expect("JSON"))
    };
    let ticket = file(&ann, "ticket", json!({"subject": "Lost"})).await;
    let body = json!({"record": ticket});
    let (status, first) = start(&ann, "k", body.clone()).await;
    assert_eq!(status, 200, "{first}");
    let (status, others) = start(&ben, "k", body.clone()).await;
    assert_eq!(status, 200, "{others}");
    assert_ne!(first["instance"]["id"], others["instance"]["id"], "nobody takes the place of another");
    assert_eq!(start(&ann, "k", body.clone()).await.1, first);
    let (status, told) = start(&server.anonymous(), "k", body).await;
    assert_eq!((status, &told["code"]), (400, &json!("FW1000")), "the public has no keys: {told}");
}

on_both_stores!(
    nothing_shows_through_links,
    tokens_do_what_their_scopes_say,
    who_is_not_active_is_nobody,
    no_role_stands_in_for_another,
    guessing_passwords_is_slow,
    a_session_cookie_leaves_this_machine_encrypted_only,
    a_key_is_each_users_own,
);
