//! Plan and deploy, as a publisher does it, on both stores: what is shown is what is done, and what cannot be is refused.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value as Json, json};

use formwork_core::{Act, Viewer, stimulus::Effects};
use formwork_runtime::cases::Host;
use formwork_runtime::deploy::{Bundle, DeployError};
use formwork_runtime::{Channels, Clock};
use formwork_tests::hosts::{Postgres, Sqlite};
use formwork_tests::packs;
use formwork_tests::server::{Client, TestServer};

async fn served(host: &dyn Host, name: &str) -> (TestServer, Client) {
    let store = host.open(name).await.expect("the store opens");
    let server = TestServer::start(store, &packs::waiting(), Clock::System, Channels::default()).await;
    let publisher = server.user("pub", &["publisher"], &[]).await;
    (server, publisher)
}

/// The pack with its form changed.
fn changed(from: &str, to: &str) -> Bundle {
    let mut bundle = packs::waiting();
    for (_, text) in &mut bundle.files {
        *text = text.replace(from, to);
    }
    assert_ne!(bundle.files, packs::waiting().files, "`{from}` is in the pack");
    bundle
}

fn files(bundle: &Bundle) -> Json {
    let files: serde_json::Map<_, _> = bundle.files.iter().map(|(path, text)| (path.clone(), json!(text))).collect();
    json!({"files": files})
}

async fn plan(publisher: &Client, bundle: &Bundle) -> Json {
    let (status, plan) = publisher.call(Method::POST, "/api/packs/waiting/plan", files(bundle)).await;
    assert_eq!(status, 200, "{plan}");
    plan
}

async fn deploy(publisher: &Client, plan: &Json) -> (u16, Json) {
    publisher.call(Method::POST, "/api/packs/waiting/deploy", json!({"plan": plan["hash"]})).await
}

/// `class at rows` of each change.
fn told(plan: &Json) -> Vec<String> {
    let words = |change: &Json| {
        format!("{} {} {}", change["class"].as_str().unwrap(), change["at"].as_str().unwrap(), change["rows"])
    };
    plan["changes"].as_array().expect("changes").iter().map(words).collect()
}

async fn file(server: &TestServer, what: &str) {
    let pack = server.engine.deployed().packs[0].clone();
    let values = json!({"what": what, "number": 7}).as_object().cloned().expect("an object");
    let act = Act::Create { form: "request".into(), values, effects: Effects::ALL };
    server.engine.submit(&pack, Viewer::system("en"), act, None).await.expect("committed");
}

async fn an_index_and_a_unique_are_dropped_and_a_lossy_type_is_refused(host: &dyn Host) {
    let (server, publisher) = served(host, "gate").await;
    file(&server, "one").await;
    let one = r#""one": {"fields": ["what"]}"#;
    let with = changed(one, &format!(r#"{one}, "two": {{"fields": ["number"]}}"#));
    server.engine.deploy_if_safe(&with).await.expect("no two are alike yet");
    let dropped = plan(&publisher, &changed(r#""unique":"#, r#""indexes": [["-number"]], "unique":"#)).await;
    assert_eq!(dropped["blocked"], json!([]));
    assert_eq!(told(&dropped), ["drop forms/request/unique/two 0", "add forms/request/indexes/-number 0"]);
    for (change, word) in [(0, "DROP INDEX"), (1, "CREATE INDEX")] {
        assert!(dropped["changes"][change]["sql"][0].as_str().unwrap().starts_with(word), "{dropped}");
    }
    let (status, done) = deploy(&publisher, &dropped).await;
    assert_eq!((status, &done["deployment"]), (200, &json!(3)), "{done}");
    file(&server, "another").await;

    let mut lossy = changed(r#""number": {"type": "integer"}"#, r#""number": {"type": "date"}"#);
    lossy.files.retain(|(path, _)| path != "imports/bulk.json");
    let lossy = plan(&publisher, &lossy).await;
    let blocked = &lossy["blocked"][0];
    assert_eq!(blocked["at"], "forms/request/fields/number");
    assert!(blocked["hint"].as_str().is_some_and(|hint| hint.contains("another key")), "{blocked}");
    let (status, refused) = deploy(&publisher, &lossy).await;
    assert_eq!((status, &refused["code"], &refused["blocked"][0]), (409, &json!("plan_blocked"), blocked));
    assert!(refused["trace_id"].is_string(), "{refused}");

    // The unique comes back while two records hold the same.
    let twins = plan(&publisher, &with).await;
    assert_eq!(twins["blocked"][0]["message"], "records hold what another one holds, too (2)");
}

async fn a_plan_shows_every_statement_the_rows_and_what_runs(host: &dyn Host) {
    let (server, publisher) = served(host, "shown").await;
    file(&server, "one").await;
    file(&server, "two").await;
    let wanted = changed(
        r#""number": {"type": "integer"},"#,
        r#""number": {"type": "decimal", "scale": 1}, "level": {"type": "integer", "required": true, "default": 3},
           "day": {"type": "date", "compute": "today", "stored": true},"#,
    );
    let plan = plan(&publisher, &wanted).await;
    let expected = [
        "convert forms/request/fields/number 2",
        "add forms/request/fields/level 2",
        "add forms/request/fields/day 2",
        "backfill forms/request/fields/day 0",
    ];
    assert_eq!(told(&plan), expected, "{plan}");
    let sql = |change: usize| -> Vec<&str> {
        let sql = plan["changes"][change]["sql"].as_array().into_iter().flatten();
        sql.map(|sql| sql.as_str().unwrap().split_once(" \"").unwrap().0).collect()
    };
    assert_eq!(plan["changes"][0]["detail"], "integer → decimal of 1 places");
    assert_eq!((sql(0), sql(1)), (vec!["ALTER TABLE", "UPDATE"], vec!["ALTER TABLE", "UPDATE"]));
    assert_eq!((sql(2), sql(3)), (vec!["ALTER TABLE"], vec![]));
    assert!(plan["catalogue"].as_array().is_some_and(|books| !books.is_empty()), "the books are shown apart");
    let stay = json!([{"workflow": "handling", "instances": 2, "effect": "stay on their version"}]);
    assert_eq!(plan["running"], stay);
    assert_eq!(plan["warnings"][0]["at"], "forms/request/fields/day", "nothing is promised that does not happen");
    let (status, done) = deploy(&publisher, &plan).await;
    assert_eq!(status, 200, "{done}");
    let (status, unknown) = deploy(&publisher, &json!({"hash": "never seen"})).await;
    assert_eq!((status, &unknown["code"]), (409, &json!("plan_unknown")));
}

fn with_seeds(rows: &str) -> Bundle {
    let mut bundle = changed(
        r#""label": "Request", "title": "what","#,
        r#""label": "Request", "title": "what", "naturalKey": ["what"],"#,
    );
    for (_, text) in &mut bundle.files {
        *text = text.replace(r#""type": "integer"}"#, r#""type": "integer", "max": 9}"#);
    }
    bundle.files.push(("data/request.json".to_owned(), rows.to_owned()));
    bundle
}

async fn seeds_are_of_the_deployment(host: &dyn Host) {
    let (server, publisher) = served(host, "seeds").await;
    let rows = async || {
        let agent = server.user("ana", &["agent"], &[]).await;
        let (_, page) = agent.get("/api/records/request?sort=what").await;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|row| format!("{} {}", row["what"], row["number"])).collect::<Vec<_>>()
    };
    let bad = plan(&publisher, &with_seeds(r#"[{"what": "a", "number": 1}, {"what": "b", "number": 10}]"#)).await;
    let (status, refused) = deploy(&publisher, &bad).await;
    assert_eq!((status, &refused["code"]), (422, &json!("seed_refused")), "{refused}");
    assert_eq!(refused["errors"][0]["pointer"], "/files/data~1request.json/1/number");
    assert_eq!(rows().await, Vec::<String>::new(), "nothing was deployed");
    let (_, deployed) = publisher.get("/api/packs").await;
    assert_eq!(deployed["items"][0]["deployment"], 1);

    let good = plan(&publisher, &with_seeds(r#"[{"what": "a", "number": 1}, {"what": "b", "number": 2}]"#)).await;
    let (status, done) = deploy(&publisher, &good).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(rows().await, [r#""a" 1"#, r#""b" 2"#]);
    let other = plan(&publisher, &with_seeds(r#"[{"what": "b", "number": 3}]"#)).await;
    assert_eq!(deploy(&publisher, &other).await.0, 200);
    assert_eq!(rows().await, [r#""a" 1"#, r#""b" 3"#], "found again by their natural key");
    assert!(server.engine.store().messages(9).await.expect("messages").is_empty(), "seeds set nothing off");
}

async fn a_plan_goes_stale_when_somebody_is_faster(host: &dyn Host) {
    let (server, _) = served(host, "race").await;
    let (one, other) = (changed("\"Request\"", "\"One\""), changed("\"Request\"", "\"Other\""));
    let engine = &server.engine;
    let hash = async |bundle: &Bundle| engine.plan(bundle).await.expect("a plan").hash().to_owned();
    let (hash_of_one, hash_of_other) = (hash(&one).await, hash(&other).await);
    let by = formwork_runtime::people::By::command_line();
    let (first, second) = tokio::join!(
        engine.deploy("waiting", Some(one.files.clone()), &hash_of_one, &by),
        engine.deploy("waiting", Some(other.files.clone()), &hash_of_other, &by)
    );
    let stale = |result: &Result<_, DeployError>| matches!(result, Err(DeployError::PlanStale(_)));
    assert!(first.is_ok() != second.is_ok() && (stale(&first) || stale(&second)), "{first:?} {second:?}");
}

/// What a caller decided with the old pack in hand is decided again with the new one, not lost and not refused.
async fn a_stimulus_meets_the_pack_that_is_deployed(host: &dyn Host) {
    let (server, _) = served(host, "meets").await;
    let old = server.engine.deployed().packs[0].clone();
    let renamed = changed(r#""number": {"type": "integer"}"#, r#""count": {"type": "integer", "was": ["number"]}"#);
    let renamed = Bundle {
        files: renamed
            .files
            .into_iter()
            .map(|(path, text)| (path, text.replace("\"number\": \"floor", "\"count\": \"floor")))
            .collect(),
        ..renamed
    };
    server.engine.deploy_if_safe(&renamed).await.expect("deployed");
    let submit = async |values: Json| {
        let values = values.as_object().cloned().expect("an object");
        let act = Act::Create { form: "request".into(), values, effects: Effects::NONE };
        server.engine.submit(&old, Viewer::system("en"), act, None).await
    };
    submit(json!({"what": "new words", "count": 3})).await.expect("the new pack knows `count`");
    assert!(submit(json!({"what": "old words", "number": 3})).await.is_err(), "and no `number`");
    let pack = server.engine.deployed().packs[0].clone();
    let (_, records) = server.engine.store().scan(&pack, "request").await.expect("records");
    assert_eq!(records.len(), 1);
    assert!(Arc::ptr_eq(&pack, &server.engine.deployed().packs[0]));
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(&super::Sqlite::default()).await })+ }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(&super::Postgres::default()).await })+ }
    };
}

on_both!(
    an_index_and_a_unique_are_dropped_and_a_lossy_type_is_refused,
    a_plan_shows_every_statement_the_rows_and_what_runs,
    seeds_are_of_the_deployment,
    a_plan_goes_stale_when_somebody_is_faster,
    a_stimulus_meets_the_pack_that_is_deployed,
);
