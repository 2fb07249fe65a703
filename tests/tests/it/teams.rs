//! Teams as administrators look after them, and what they are good for: work, its lead, and what one may read.

use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_runtime::cases::Host;
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::on_both_stores;
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

async fn crews(host: &dyn Host) -> TestServer {
    let store = host.open("teams").await.expect("the store opens");
    let clock = Clock::standing_at(chrono::Utc::now());
    TestServer::start(store, &packs::shipped("tests/packs/crews"), clock, Channels::default()).await
}

async fn id_of(client: &Client) -> String {
    let (_, me) = client.get("/api/session").await;
    me["user"]["id"].as_str().expect("an id").to_owned()
}

async fn titles(client: &Client, which: &str) -> Vec<String> {
    let (status, tasks) = client.get(&format!("/api/tasks?box={which}")).await;
    assert_eq!(status, 200, "{tasks}");
    let items = tasks["items"].as_array().expect("items");
    items.iter().map(|task| task["record"]["title"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn a_team_does_its_work_and_its_lead_looks_after_it(host: &dyn Host) {
    let server = crews(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let (ann, ben) = (server.user("ann", &["worker"], &[]).await, server.user("ben", &["worker"], &[]).await);
    let lea = server.user("lea", &["worker"], &[]).await;
    for (key, name) in [("north", "北组"), ("south", "South")] {
        let (status, told) = admin.call(Method::POST, "/api/admin/teams", json!({"key": key, "name": name})).await;
        assert_eq!((status, &told["key"]), (201, &json!(key)), "{told}");
    }
    let member = |team: &str, user: &str| format!("/api/admin/teams/{team}/members/{user}");
    let (ann_id, ben_id, lea_id) = (id_of(&ann).await, id_of(&ben).await, id_of(&lea).await);
    for (team, user, is) in [
        ("north", &ann_id, json!({})),
        ("south", &ben_id, json!({"member": true})),
        ("north", &lea_id, json!({"member": false, "lead": true})),
    ] {
        assert_eq!(admin.call(Method::PUT, &member(team, user), is).await.0, 204);
    }
    let (_, me) = lea.get("/api/session").await;
    assert_eq!((&me["user"]["team"], &me["user"]["leads"]), (&Json::Null, &json!(["north"])));

    let (status, dig) = lea.call(Method::POST, "/api/records/job", json!({"what": "Dig", "crew": "north"})).await;
    assert_eq!(status, 201, "{dig}");
    let record = format!("/api/records/job/{}", dig["id"].as_str().expect("an id"));
    // The team may claim it; its lead sees it and does not do it; another team knows nothing of it.
    assert_eq!(titles(&ann, "claimable").await, ["Dig"]);
    assert_eq!(titles(&lea, "claimable").await, Vec::<String>::new());
    assert_eq!(titles(&lea, "team").await, ["Dig"]);
    assert_eq!(titles(&ann, "team").await, Vec::<String>::new());
    assert_eq!((titles(&ben, "claimable").await.len(), titles(&ben, "team").await.len()), (0, 0));
    assert_eq!((ann.get(&record).await.0, lea.get(&record).await.0, ben.get(&record).await.0), (200, 200, 404));
    let (_, tasks) = ann.get("/api/tasks?box=claimable").await;
    let task = &tasks["items"][0];
    assert_eq!(task["team"], json!({"key": "north", "name": "北组"}));
    let verb = |verb: &str| format!("/api/tasks/{}/{verb}", task["id"].as_str().expect("an id"));
    assert_eq!(ben.call(Method::POST, &verb("claim"), json!({})).await.0, 404);
    let (status, refused) = lea.call(Method::POST, &verb("claim"), json!({})).await;
    assert_eq!((status, &refused["code"]), (403, &json!("not_candidate")));
    let here = format!("/inbox?box=claimable&task={}", task["id"].as_str().expect("an id"));
    let page = ann.request(Method::GET, &here).send().await.expect("a page").text().await;
    assert!(page.expect("text").contains("For team 北组"), "why it is there");

    // Who is moved takes nothing along: what they could do and read is their new team's.
    assert_eq!(admin.call(Method::PUT, &member("south", &ann_id), json!({})).await.0, 204);
    assert_eq!((titles(&ann, "claimable").await.len(), ann.get(&record).await.0), (0, 404));
    assert_eq!(ann.call(Method::POST, &verb("claim"), json!({})).await.0, 404);
    let (_, teams) = admin.get("/api/admin/teams").await;
    let logins = |place: usize| -> Vec<String> {
        let members = teams["items"][place]["members"].as_array().expect("members");
        members.iter().map(|user| format!("{} {} {}", user["login"], user["member"], user["lead"])).collect()
    };
    assert_eq!(logins(0), [r#""lea" false true"#]);
    assert_eq!(logins(1), [r#""ann" true false"#, r#""ben" true false"#]);
    assert_eq!(admin.call(Method::PUT, &member("north", &ann_id), json!({})).await.0, 204);

    // A lead gives it to somebody of the team, and to nobody else.
    let (status, refused) = lea.call(Method::POST, &verb("transfer"), json!({"user": ben_id})).await;
    assert_eq!((status, &refused["code"]), (403, &json!("not_eligible")), "{refused}");
    assert_eq!(lea.call(Method::POST, &verb("transfer"), json!({"user": ann_id})).await.0, 200);
    // Somebody is of it and a task waits: it cannot go. First the people, then the task.
    let gone = async |team: &str| admin.call(Method::DELETE, &format!("/api/admin/teams/{team}"), Json::Null).await;
    assert_eq!(gone("north").await.1["code"], "team_in_use");
    for user in [&ann_id, &lea_id] {
        assert_eq!(admin.call(Method::DELETE, &member("north", user), Json::Null).await.0, 204);
    }
    assert_eq!(gone("north").await.1["code"], "team_in_use", "the task is open");
    assert_eq!(ann.call(Method::POST, &verb("complete"), json!({"outcome": "done"})).await.0, 200, "she holds it");
    assert_eq!(gone("north").await.0, 204);
    assert_eq!(gone("north").await.0, 404);
    // Where there is no such team it is nobody's, and the rule of last resort holds.
    let act = json!({"what": "Paint", "crew": "north"});
    let cat = server.user("cat", &["worker"], &["office"]).await;
    assert_eq!(lea.call(Method::POST, "/api/records/job", act).await.0, 201);
    assert_eq!(titles(&cat, "claimable").await.len(), 1);
}

async fn what_is_done_to_teams_is_checked_and_told(host: &dyn Host) {
    let server = crews(host).await;
    let admin = server.user("root", &["admin"], &[]).await;
    let (auditor, ann) = (server.user("aud", &["auditor"], &[]).await, server.user("ann", &["worker"], &[]).await);
    let add = async |key: &str, name: &str| {
        let (status, told) = admin.call(Method::POST, "/api/admin/teams", json!({"key": key, "name": name})).await;
        let codes = told["errors"].as_array().into_iter().flatten().map(|error| error["code"].clone());
        (status, codes.collect::<Vec<_>>())
    };
    assert_eq!(add("", " ").await, (422, vec![json!("required"), json!("required")]));
    for key in ["North", "1st", "a b", "王"] {
        assert_eq!(add(key, "N").await, (422, vec![json!("key_letters")]), "{key}");
    }
    assert_eq!(add("north", "N").await.0, 201);
    assert_eq!(add("north", "Again").await, (422, vec![json!("key_taken")]));
    let (team, id) = ("/api/admin/teams/north", id_of(&ann).await);
    assert_eq!(admin.call(Method::PATCH, team, json!({"name": "Northern crew"})).await.0, 200);
    assert_eq!(admin.call(Method::PATCH, "/api/admin/teams/west", json!({"name": "W"})).await.0, 404);
    let member = format!("{team}/members/{id}");
    assert_eq!(admin.call(Method::PUT, &member, json!({"lead": true})).await.0, 204);
    assert_eq!(admin.call(Method::PUT, &member, json!({"boss": true})).await.0, 422);
    let (_, user) = admin.get(&format!("/api/admin/users/{id}")).await;
    assert_eq!((&user["team"], &user["leads"]), (&json!("north"), &json!(["north"])));
    let (_, found) = admin.get("/api/admin/users?team=north").await;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");

    // Nobody else looks after teams.
    for other in [&auditor, &ann, &server.anonymous()] {
        let expected = if other.cookie.is_some() { 403 } else { 401 };
        for (method, path) in [
            (Method::GET, "/api/admin/teams"),
            (Method::POST, "/api/admin/teams"),
            (Method::PATCH, team),
            (Method::DELETE, team),
            (Method::PUT, &member),
            (Method::DELETE, &member),
        ] {
            let body = match method {
                Method::POST => json!({"key": "own", "name": "Own"}),
                Method::PATCH => json!({"name": "Own"}),
                _ => json!({}),
            };
            assert_eq!(other.call(method.clone(), path, body).await.0, expected, "{method} {path}");
        }
    }
    for page in ["/admin/teams", "/admin/teams/north"] {
        assert_eq!(ann.get(page).await.0, 403);
        let drawn = admin.request(Method::GET, page).send().await.expect("a page");
        assert_eq!(drawn.status(), 200);
        assert!(drawn.text().await.expect("text").contains("Northern crew"), "{page}");
    }
    // The page does what the API does.
    let post = async |path: &str, form: &[(&str, &str)]| {
        let body = form.iter().map(|(name, value)| format!("{name}={}", value.replace('?', "%3F")));
        let request = admin.request(Method::POST, path).header("origin", format!("http://{}", admin.host()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let sent = request.body(body.collect::<Vec<_>>().join("&")).send().await;
        sent.expect("an answer").status().as_u16()
    };
    assert_eq!(post("/admin/teams/north", &[("_unlead", &id)]).await, 303);
    assert_eq!(post("/admin/teams/north", &[("_act", "remove")]).await, 422, "ann is of it");
    assert_eq!(post("/admin/teams/north", &[("_remove", &id)]).await, 303);
    assert_eq!(post("/admin/teams/north", &[("_act", "save"), ("name", "")]).await, 422);
    assert_eq!(post("/admin/teams/north", &[("_act", "remove")]).await, 303);
    assert_eq!(post("/admin/teams", &[("key", "?"), ("name", "Q")]).await, 422);

    let (_, log) = auditor.get("/api/admin/audit?limit=100").await;
    let told: Vec<(&str, &str)> = log["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| Some((row["kind"].as_str()?, row["subject"].as_str()?)))
        .filter(|(kind, subject)| kind.starts_with("team.") || *subject == "ann")
        .collect();
    let expected = [
        ("team.removed", "north"),
        ("user.changed", "ann"),
        ("user.changed", "ann"),
        ("user.changed", "ann"),
        ("team.changed", "north"),
        ("team.added", "north"),
    ];
    assert_eq!(told, expected, "{log}");
}

on_both_stores!(a_team_does_its_work_and_its_lead_looks_after_it, what_is_done_to_teams_is_checked_and_told);
