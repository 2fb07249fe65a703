//! Users, roles and queues as administrators look after them, over HTTP and on both stores.

use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::people::By;
use formwork_runtime::people::admin::PersonChange;
use formwork_runtime::{Channels, Clock};
use formwork_store::{Failure, User};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, PASSWORD, TestServer};

/// A password somebody may choose.
const OWN: &str = "three green parrots";

async fn guarded(host: &dyn Host) -> TestServer {
    let store = host.open("people").await.expect("the store opens");
    let clock = Clock::standing_at(chrono::Utc::now());
    TestServer::start(store, &packs::guarded(), clock, Channels::default()).await
}

/// Adds a user through the API: their id and the password told once.
async fn add(admin: &Client, body: Json) -> (String, String) {
    let (status, told) = admin.call(Method::POST, "/api/admin/users", body).await;
    assert_eq!(status, 201, "{told}");
    let text = |value: &Json| value.as_str().expect("text").to_owned();
    (text(&told["user"]["id"]), text(&told["password"]))
}

fn codes(refused: &Json) -> Vec<(&str, &str)> {
    let text = |error: &'_ Json, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let errors = refused["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|error| {
            assert!(!text(error, "message").is_empty());
            (error["pointer"].as_str().unwrap_or_default(), error["code"].as_str().unwrap_or_default())
        })
        .collect()
}

async fn a_given_password_opens_one_door_only(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let new = json!({"login": " Ann ", "name": "王芳", "roles": ["agent"], "queues": ["a"], "language": "en"});
    let (id, given) = add(&admin, new).await;
    assert!(server.log_in("ann", "a guess of mine").await.is_none());

    let ann = server.log_in("ann", &given).await.expect("the password that was given");
    let (_, me) = ann.get("/api/session").await;
    assert_eq!((&me["user"]["name"], &me["user"]["must_change_password"]), (&json!("王芳"), &json!(true)));
    for path in ["/api/records/ticket", "/api/forms", "/api/me", "/api/me/tokens", "/api/search?q=x"] {
        let (status, refused) = ann.get(path).await;
        assert_eq!((status, &refused["code"]), (403, &json!("password_change_required")), "{path}");
    }
    let page = ann.request(Method::GET, "/home").send().await.expect("an answer");
    assert_eq!((page.status().as_u16(), page.headers()["location"].to_str().ok()), (303, Some("/me/password")));

    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    for (old, new, expected) in [
        ("wrong", OWN, ("/old", "password_wrong")),
        (given.as_str(), "short", ("/new", "password_short")),
        (given.as_str(), "aaaaaaaaaaaaaaaa", ("/new", "password_easy")),
        (given.as_str(), given.as_str(), ("/new", "password_same")),
    ] {
        let (status, refused) = ann.call(Method::PUT, "/api/me/password", change(old, new)).await;
        assert_eq!((status, codes(&refused)), (422, vec![expected]), "{new}");
    }
    let second = server.log_in("ann", &given).await.expect("the same password from elsewhere");
    assert_eq!(ann.call(Method::PUT, "/api/me/password", change(&given, OWN)).await.0, 204);
    assert_eq!(ann.get("/api/records/ticket").await.0, 200, "the session goes on");
    assert_eq!(second.get("/api/session").await.0, 401, "the others do not");
    assert!(server.log_in("ann", &given).await.is_none(), "it is good no more");
    assert!(server.log_in("ann", OWN).await.is_some());

    // Another one is given: everybody is logged out, and it ends by itself after a week.
    let (status, told) = admin.call(Method::POST, &format!("/api/admin/users/{id}/password"), json!({})).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(ann.get("/api/session").await.0, 401);
    assert!(server.log_in("ann", OWN).await.is_none());
    let given = told["password"].as_str().expect("a password");
    assert!(server.log_in("ann", given).await.is_some());
    server.engine.clock().move_to(server.engine.clock().now() + chrono::Duration::days(7));
    assert!(server.log_in("ann", given).await.is_none(), "after a week it is over");
}

async fn who_is_disabled_is_out_at_once(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let (_, found) = admin.get("/api/admin/users?q=ANN").await;
    let path = format!("/api/admin/users/{}", found["items"][0]["id"].as_str().expect("an id"));
    let (status, told) = admin.call(Method::PATCH, &path, json!({"active": false})).await;
    assert_eq!((status, &told["active"]), (200, &json!(false)), "{told}");
    assert_eq!(ann.get("/api/session").await.0, 401);
    assert!(server.log_in("ann", PASSWORD).await.is_none());
    let (_, page) = admin.get("/api/admin/users?active=false").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(admin.call(Method::PATCH, &path, json!({"active": true})).await.0, 200);
    assert_eq!(ann.get("/api/session").await.0, 401, "what was open stays closed");
    assert!(server.log_in("ann", PASSWORD).await.is_some());
}

async fn users_are_what_was_said_and_nothing_else(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let wrong = json!({"login": "a b", "roles": ["agent", "emperor"], "queues": ["nowhere"], "language": "xx"});
    let (status, refused) = admin.call(Method::POST, "/api/admin/users", wrong).await;
    let expected = vec![
        ("/login", "login_letters"),
        ("/roles/1", "unknown_role"),
        ("/queues/0", "unknown_queue"),
        ("/language", "unknown_language"),
    ];
    assert_eq!((status, codes(&refused)), (422, expected));
    let (id, _) = add(&admin, json!({"login": "ben"})).await;
    let (status, refused) = admin.call(Method::POST, "/api/admin/users", json!({"login": "BEN"})).await;
    assert_eq!((status, codes(&refused)), (422, vec![("/login", "login_taken")]));

    let path = format!("/api/admin/users/{id}");
    let patch = |version: &str, body: Json| admin.request(Method::PATCH, &path).header("if-match", version).json(&body);
    let changed = patch("\"0\"", json!({"name": "Ben", "roles": ["agent"]})).send().await.expect("an answer");
    assert_eq!((changed.status().as_u16(), changed.headers()["etag"].to_str().ok()), (200, Some("\"1\"")));
    let stale = patch("\"0\"", json!({"name": "Benno"})).send().await.expect("an answer");
    assert_eq!(stale.status(), 412, "somebody changed it meanwhile");
    let (_, now) = admin.get(&path).await;
    assert_eq!((&now["name"], &now["roles"]), (&json!("Ben"), &json!(["agent"])));

    // Nobody is left without an administrator.
    let (_, found) = admin.get("/api/admin/users?role=admin").await;
    let root = format!("/api/admin/users/{}", found["items"][0]["id"].as_str().expect("an id"));
    for body in [json!({"active": false}), json!({"roles": ["agent"]})] {
        let (status, refused) = admin.call(Method::PATCH, &root, body).await;
        assert_eq!((status, &refused["code"]), (409, &json!("last_admin")));
    }
    assert_eq!(admin.call(Method::PATCH, &path, json!({"roles": ["agent", "admin"]})).await.0, 200);
    assert_eq!(admin.call(Method::PATCH, &root, json!({"roles": ["agent"]})).await.0, 200);
    assert_eq!(admin.get("/api/admin/users").await.0, 403, "from now on");
}

async fn a_queue_is_served_by_its_members(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let ann = server.user("ann", &["agent"], &[]).await;
    let ben = server.user("ben", &["agent"], &["b"]).await;
    let (status, filed) = ben.call(Method::POST, "/api/records/ticket", json!({"subject": "Late", "queue": "b"})).await;
    assert_eq!(status, 201, "{filed}");
    let path = format!("/api/records/ticket/{}", filed["id"].as_str().expect("an id"));
    assert_eq!(ann.get(&path).await.0, 404);

    let (_, me) = ann.get("/api/session").await;
    let member = |queue: &str| format!("/api/admin/queues/{queue}/members/{}", me["user"]["id"].as_str().expect("id"));
    assert_eq!(admin.call(Method::PUT, &member("b"), Json::Null).await.0, 204);
    assert_eq!(admin.call(Method::PUT, &member("b"), Json::Null).await.0, 204, "twice is once");
    assert_eq!(ann.get(&path).await.0, 200, "at once");
    let (_, queues) = admin.get("/api/admin/queues").await;
    let of_b = queues["items"].as_array().into_iter().flatten().find(|queue| queue["key"] == "b").expect("the queue");
    let logins: Vec<&Json> = of_b["members"].as_array().into_iter().flatten().map(|user| &user["login"]).collect();
    assert_eq!(logins, [&json!("ann"), &json!("ben")]);
    assert_eq!(admin.call(Method::DELETE, &member("b"), Json::Null).await.0, 204);
    assert_eq!(ann.get(&path).await.0, 404);
    assert_eq!(admin.call(Method::PUT, &member("nowhere"), Json::Null).await.0, 404);
}

async fn only_administrators_look_after_users(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let (id, _) = add(&admin, json!({"login": "ann", "roles": ["agent"], "queues": ["a"]})).await;
    let user = format!("/api/admin/users/{id}");
    let requests = [
        (Method::GET, "/api/admin/users".to_owned(), Json::Null),
        (Method::POST, "/api/admin/users".to_owned(), json!({"login": "eve"})),
        (Method::GET, user.clone(), Json::Null),
        (Method::PATCH, user.clone(), json!({"roles": ["admin"]})),
        (Method::POST, format!("{user}/password"), json!({})),
        (Method::GET, format!("{user}/sessions"), Json::Null),
        (Method::DELETE, format!("{user}/sessions"), Json::Null),
        (Method::GET, format!("{user}/tokens"), Json::Null),
        (Method::DELETE, format!("{user}/tokens/x"), Json::Null),
        (Method::GET, "/api/admin/roles".to_owned(), Json::Null),
        (Method::GET, "/api/admin/queues".to_owned(), Json::Null),
        (Method::PUT, format!("/api/admin/queues/b/members/{id}"), Json::Null),
        (Method::DELETE, format!("/api/admin/queues/a/members/{id}"), Json::Null),
    ];
    let pages = ["/admin/users", "/admin/users/new", "/admin/queues", "/admin/queues/a"];
    for role in ["agent", "designer", "publisher", "auditor"] {
        let other = server.user(role, &[role], &["a"]).await;
        for (method, path, body) in &requests {
            assert_eq!(other.call(method.clone(), path, body.clone()).await.0, 403, "{role}: {method} {path}");
        }
        for page in pages.into_iter().map(str::to_owned).chain([format!("/admin/users/{id}")]) {
            assert_eq!(other.get(&page).await.0, 403, "{role}: {page}");
        }
        let home = other.request(Method::GET, "/home").send().await.expect("an answer").text().await.expect("text");
        assert!(!home.contains("/admin/users"), "{role} is not led there");
    }
    for (method, path, body) in &requests {
        let status = server.anonymous().call(method.clone(), path, body.clone()).await.0;
        assert_eq!(status, 401, "nobody: {method} {path}");
    }
    let (_, seen) = admin.get(&user).await;
    assert_eq!((&seen["roles"], &seen["queues"], &seen["version"]), (&json!(["agent"]), &json!(["a"]), &json!(0)));

    // A token does it with the scope for it only, and changes nobody's password or tokens at all.
    let people = server.token("root", &["people"], None).await;
    let other = server.token("root", &["admin"], None).await;
    let by = async |token: &str, method: Method, path: &str| {
        let request = server.anonymous().request(method, path).bearer_auth(token).json(&json!({}));
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(by(&people, Method::GET, "/api/admin/users").await, 200);
    assert_eq!(by(&other, Method::GET, "/api/admin/users").await, 403);
    for (method, path) in [
        (Method::PUT, "/api/me/password"),
        (Method::POST, "/api/me/tokens"),
        (Method::GET, "/api/me/tokens"),
        (Method::DELETE, "/api/me/sessions"),
    ] {
        let all = server.token("root", &["people", "records:read", "records:write", "admin"], None).await;
        assert_eq!(by(&all, method.clone(), path).await, 403, "{method} {path}");
    }
}

/// Two administrators who demote or disable each other at one moment: one of them remains, however often they try.
async fn somebody_stays_administrator(host: &dyn Host) {
    let server = guarded(host).await;
    server.user("ann", &["admin"], &[]).await;
    server.user("ben", &["admin"], &[]).await;
    let engine = &server.engine;
    let user = async |login: &str| engine.store().user_by_login(login).await.expect("users").expect("the user");
    let (ann, ben) = (user("ann").await, user("ben").await);
    let is_admin = |user: &User| user.facts.active && user.facts.roles.iter().any(|role| &**role == "admin");
    let by = By::command_line();
    let demoted = PersonChange { roles: Some(Vec::new()), ..PersonChange::default() };
    let disabled = PersonChange { active: Some(false), ..PersonChange::default() };
    let restored =
        PersonChange { roles: Some(vec!["admin".to_owned()]), active: Some(true), ..PersonChange::default() };
    for round in 0..20 {
        let change = if round % 2 == 0 { &demoted } else { &disabled };
        let (first, second) = tokio::join!(
            engine.change_person(&by, ann.id, change, None),
            engine.change_person(&by, ben.id, change, None)
        );
        let left = [user("ann").await, user("ben").await].iter().filter(|user| is_admin(user)).count();
        assert_eq!(left, 1, "round {round}: {first:?} {second:?}");
        let refused = first.err().or(second.err()).expect("one is refused");
        let Failure::Rejected(rejection) = refused else { panic!("{refused:?}") };
        assert_eq!(rejection.code, "last_admin", "round {round}");
        for one in [ann.id, ben.id] {
            engine.change_person(&by, one, &restored, None).await.expect("restored");
        }
    }
}

async fn sessions_are_told_and_ended(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let (second, third) =
        (server.log_in("ann", PASSWORD).await.unwrap(), server.log_in("ann", PASSWORD).await.unwrap());
    let (_, told) = ann.get("/api/me/sessions").await;
    let sessions = told["items"].as_array().expect("sessions").clone();
    assert_eq!(sessions.len(), 3, "{told}");
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    let (_, told) = second.get("/api/me/sessions").await;
    let own = told["items"].as_array().into_iter().flatten().find(|session| session["current"] == true);
    let own = own.and_then(|session| session["id"].as_str()).expect("its own").to_owned();

    // One of them, then all others; nobody ends those of somebody else.
    let ben = server.user("ben", &["agent"], &["a"]).await;
    let path = format!("/api/me/sessions/{own}");
    assert_eq!(ben.call(Method::DELETE, &path, Json::Null).await.0, 404);
    assert_eq!(second.get("/api/session").await.0, 200);
    assert_eq!(ann.call(Method::DELETE, &path, Json::Null).await.0, 204);
    assert_eq!(second.get("/api/session").await.0, 401);
    assert_eq!(ann.call(Method::DELETE, "/api/me/sessions", Json::Null).await.1, json!({"ended": 1}));
    assert_eq!((third.get("/api/session").await.0, ann.get("/api/session").await.0), (401, 200));

    let (_, me) = ann.get("/api/session").await;
    let path = format!("/api/admin/users/{}/sessions", me["user"]["id"].as_str().expect("an id"));
    assert_eq!(admin.call(Method::DELETE, &path, Json::Null).await, (200, json!({"ended": 1})));
    assert_eq!(ann.get("/api/session").await.0, 401);
    assert_eq!(ben.get("/api/session").await.0, 200, "others are not logged out");
}

async fn tokens_are_shown_once_and_revoked(host: &dyn Host) {
    let server = guarded(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let ann = server.user("ann", &["agent"], &["a"]).await;
    let wrong = json!({"name": " ", "scopes": ["records:read", "everything"], "until": "2020-01-01T00:00:00Z"});
    let (status, refused) = ann.call(Method::POST, "/api/me/tokens", wrong).await;
    let expected = vec![("/name", "required"), ("/scopes/1", "unknown_scope"), ("/until", "past")];
    assert_eq!((status, codes(&refused)), (422, expected));
    let (status, made) =
        ann.call(Method::POST, "/api/me/tokens", json!({"name": "nightly", "scopes": ["records:read"]})).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let read = async || {
        let request = server.anonymous().request(Method::GET, "/api/records/ticket").bearer_auth(&secret);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(read().await, 200);
    let (_, listed) = ann.get("/api/me/tokens").await;
    assert_eq!(listed["items"][0]["name"], "nightly");
    assert!(!listed.to_string().contains(&secret), "{listed}");
    let path = format!("/api/me/tokens/{}", made["id"].as_str().expect("an id"));
    let ben = server.user("ben", &["agent"], &["a"]).await;
    assert_eq!(ben.call(Method::DELETE, &path, Json::Null).await.0, 404, "somebody else's");
    assert_eq!(read().await, 200);
    assert_eq!(ann.call(Method::DELETE, &path, Json::Null).await.0, 204);
    assert_eq!(read().await, 401);

    // An administrator sees and revokes, and makes none for others.
    let secret = server.token("ann", &["records:read"], None).await;
    let (_, me) = ann.get("/api/session").await;
    let path = format!("/api/admin/users/{}/tokens", me["user"]["id"].as_str().expect("an id"));
    let (_, listed) = admin.get(&path).await;
    let id = listed["items"][0]["id"].as_str().expect("an id");
    assert_eq!(admin.call(Method::POST, &path, json!({"name": "x", "scopes": []})).await.0, 405);
    assert_eq!(admin.call(Method::DELETE, &format!("{path}/{id}"), Json::Null).await.0, 204);
    let request = server.anonymous().request(Method::GET, "/api/records/ticket").bearer_auth(&secret);
    assert_eq!(request.send().await.expect("an answer").status(), 401);
}

on_both_stores!(
    a_given_password_opens_one_door_only,
    who_is_disabled_is_out_at_once,
    users_are_what_was_said_and_nothing_else,
    a_queue_is_served_by_its_members,
    only_administrators_look_after_users,
    somebody_stays_administrator,
    sessions_are_told_and_ended,
    tokens_are_shown_once_and_revoked,
);
