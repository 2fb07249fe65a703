//! PostgreSQL under many who work on the same few records at once: nobody waits crosswise, and nothing is lost.

use std::sync::Arc;
use std::time::Duration as Wait;

use serde_json::{Map, Value as Json, json};
use sqlx::{Connection, PgConnection, Row as _};
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use formwork_core::facts::UserFacts;
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, Viewer};
use formwork_model::Pack;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::{Failure, PostgresStore, User, postgres};
use formwork_tests::hosts::database;
use formwork_tests::packs;

const CLIENTS: usize = 16;
const ROUNDS: usize = 25;
const RECORDS: usize = 3;

/// A customer counts its tickets' pokes; a ticket looks its customer up, and is handled for ever.
fn desk() -> Bundle {
    packs::made(
        "desk",
        &[
            (
                "pack.json",
                r#"{"version": "1.0.0", "title": "Desk", "languages": ["en"], "timezone": "UTC",
                    "roles": {"agent": {"title": "Agent"}}, "messages": {"poked": {"from": ["agent"]}}}"#,
            ),
            (
                "forms/customer.json",
                r#"{"label": "Customer", "naturalKey": ["code"],
                    "fields": {"code": {"type": "text", "required": true}, "visits": {"type": "integer"},
                               "tickets": {"type": "backlink", "from": "ticket.customer"},
                               "pokes": {"type": "integer", "compute": "sum(tickets, pokes)", "stored": true}},
                    "access": {"agent": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}"#,
            ),
            (
                "forms/ticket.json",
                r#"{"label": "Ticket",
                    "fields": {"customer": {"type": "link", "to": "customer"}, "note": {"type": "text"},
                               "visits": {"type": "integer", "compute": "customer.visits", "stored": true},
                               "pokes": {"type": "integer", "default": 0}, "turns": {"type": "integer", "default": 0}},
                    "access": {"agent": {"read": true, "create": true, "update": true, "fields": {"*": "write"}}}}"#,
            ),
            (
                "workflows/handling.json",
                r#"{"label": "Handling", "for": "ticket",
                    "start": {"filed": {"on": "created", "next": "look"}},
                    "steps": {"look": {"type": "user", "assign": {"role": "agent"},
                      "boundary": {"poked": {"message": "poked", "key": "record.id", "interrupt": false,
                                             "set": {"pokes": "=record.pokes + 1"}, "next": "end"}},
                      "outcomes": {"again": {"set": {"turns": "=record.turns + 1"}, "next": "look"}, "done": {"next": "end"}}}}}"#,
            ),
        ],
    )
}

async fn node(url: &str, folder: &TempDir, options: postgres::Options) -> Arc<Engine> {
    let store = Arc::new(PostgresStore::open(url, options).await.expect("the store opens"));
    let environment = Environment {
        clock: Clock::System,
        channels: Channels::default(),
        message_file: folder.path().join("messages.jsonl"),
        seeds: Seeds::Random,
        replica_bytes_max: 16 << 20,
    };
    Engine::start(store, environment).await.expect("a node starts")
}

fn values(json: Json) -> Map<String, Json> {
    json.as_object().cloned().expect("an object")
}

/// Does it until it is done; whether it was: what somebody was faster with is no failure.
async fn does(engine: &Engine, pack: &Arc<Pack>, actor: Viewer, act: Act) -> bool {
    loop {
        match engine.submit(pack, actor.clone(), act.clone(), None).await {
            Ok(_) => return true,
            Err(Failure::Busy(_)) => {}
            Err(Failure::Rejected(_)) => return false,
            Err(other) => panic!("{act:?}: {other:?}"),
        }
    }
}

async fn file(engine: &Engine, pack: &Arc<Pack>, form: &str, json: Json) -> Uuid {
    let act = Act::Create { form: form.into(), values: values(json), effects: Effects::ALL };
    assert!(does(engine, pack, Viewer::system("en"), act).await);
    let (_, records) = engine.store().scan(pack, form).await.expect("records");
    records.iter().map(|record| record.id).max().expect("one was filed")
}

async fn user(engine: &Engine, client: usize) {
    let facts = UserFacts {
        name: "Ana".to_owned(),
        active: true,
        roles: vec!["agent".into()],
        queues: Vec::new(),
        ..UserFacts::default()
    };
    let (login, language, theme) = (format!("agent{client}"), "en".to_owned(), "system".to_owned());
    let id = Uuid::from_u128(client as u128 + 1);
    let password_hash = "x".to_owned();
    let user = User { id, login, password_hash, facts, language, theme, password_until: None, revision: 0 };
    engine.store().put_user(&user).await.expect("a user");
}

async fn open_tasks(asking: &mut PgConnection, record: Uuid) -> Vec<Uuid> {
    let tasks = sqlx::query("SELECT id FROM fw_task WHERE record = $1 AND status = 'open'").bind(record);
    tasks.fetch_all(asking).await.expect("tasks").iter().map(|row| row.get(0)).collect()
}

/// How often the database had to end a deadlock. Its backends tell when they end.
async fn deadlocks(url: &str) -> i64 {
    let mut asking = PgConnection::connect(url).await.expect("a connection");
    loop {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        let left: i64 = sqlx::query(others).fetch_one(&mut asking).await.expect("a count").get(0);
        if left == 0 {
            break;
        }
        tokio::time::sleep(Wait::from_millis(20)).await;
    }
    let told = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query(told).fetch_one(&mut asking).await.expect("statistics").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_crosswise() {
    let (folder, url) = (TempDir::new().expect("a scratch folder"), database().await);
    let engine = node(&url, &folder, postgres::Options { writers: CLIENTS as u32, ..Default::default() }).await;
    engine.deploy_if_safe(&desk()).await.expect("the pack is deployed");
    let pack = engine.deployed().packs[0].clone();
    let (mut customers, mut tickets) = (Vec::new(), Vec::new());
    for number in 0..RECORDS {
        customers.push(file(&engine, &pack, "customer", json!({"code": format!("c{number}")})).await);
        tickets.push(file(&engine, &pack, "ticket", json!({"customer": customers[number]})).await);
    }
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        user(&engine, client).await;
        let (engine, pack, customers, tickets) = (engine.clone(), pack.clone(), customers.clone(), tickets.clone());
        let url = url.clone();
        clients.spawn(async move {
            let agent = Viewer::person(&pack, Uuid::from_u128(client as u128 + 1), &["agent".into()], Vec::new(), "en");
            let mut asking = PgConnection::connect(&url).await.expect("a connection");
            let (mut poked, mut turned) = (0, 0);
            for round in 0..ROUNDS {
                let (ticket, customer) = (tickets[(client + round) % RECORDS], customers[round % RECORDS]);
                let update = |form: &str, id, patch| Act::Update {
                    form: form.into(),
                    id,
                    expected_version: None,
                    patch: values(patch),
                };
                match (client + round) % 4 {
                    0 => {
                        for id in open_tasks(&mut asking, ticket).await {
                            let verb = |verb| Act::Task { id, verb };
                            does(&engine, &pack, agent.clone(), verb(Verb::Claim)).await;
                            let (outcome, fields) = ("again".to_owned(), Map::new());
                            let again = Verb::Complete { outcome, fields, expected_version: None };
                            turned += usize::from(does(&engine, &pack, agent.clone(), verb(again)).await);
                        }
                    }
                    1 => {
                        let note = json!({"note": format!("{client} {round}")});
                        assert!(does(&engine, &pack, agent.clone(), update("ticket", ticket, note)).await);
                    }
                    2 => {
                        let visits = json!({"visits": client * ROUNDS + round});
                        assert!(does(&engine, &pack, agent.clone(), update("customer", customer, visits)).await);
                    }
                    _ => {
                        let (name, key) = ("poked".into(), ticket.to_string());
                        let act = Act::Message { name, key, id: None, data: Map::new() };
                        poked += usize::from(does(&engine, &pack, agent.clone(), act).await);
                    }
                }
            }
            (poked, turned)
        });
    }
    let done = clients.join_all().await;
    let (_, records) = engine.store().scan(&pack, "ticket").await.expect("records");
    let sum = |field: &str| {
        let position = pack.form("ticket").field(field).expect("a field").0;
        records.iter().map(|record| record.values[position].clone()).map(integer).sum::<usize>()
    };
    assert_eq!(sum("pokes"), done.iter().map(|(poked, _)| poked).sum::<usize>(), "no message is lost");
    assert_eq!(sum("turns"), done.iter().map(|(_, turned)| turned).sum::<usize>(), "no outcome is lost");
    assert!(sum("pokes") > 0 && sum("turns") > 0, "all kinds of work were done");
    engine.store().close().await;
    assert_eq!(deadlocks(&url).await, 0);
}

fn integer(value: formwork_model::Value) -> usize {
    match value {
        formwork_model::Value::Integer(number) => usize::try_from(number).expect("a count"),
        other => panic!("{other:?}"),
    }
}

/// Two nodes import the same rows at once: each key is one record, and each row one version of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_upsert_one_key() {
    let (folder, url) = (TempDir::new().expect("a scratch folder"), database().await);
    let one = node(&url, &folder, postgres::Options::default()).await;
    one.deploy_if_safe(&desk()).await.expect("the pack is deployed");
    let two = node(&url, &folder, postgres::Options::default()).await;
    let pack = one.deployed().packs[0].clone();
    let mut rows = JoinSet::new();
    for number in 0..40 {
        let (engine, pack) = (if number % 2 == 0 { one.clone() } else { two.clone() }, pack.clone());
        rows.spawn(async move {
            let row = values(json!({"code": format!("c{}", number / 8), "visits": number}));
            let by = pack.form("customer").natural_key.clone();
            let act = Act::Upsert { form: "customer".into(), by, values: row, effects: Effects::NONE };
            assert!(does(&engine, &pack, Viewer::system("en"), act).await);
        });
    }
    rows.join_all().await;
    let (_, records) = one.store().scan(&pack, "customer").await.expect("records");
    let versions: Vec<i64> = records.iter().map(|record| record.version).collect();
    assert_eq!(versions, [8; 5], "five keys, eight rows for each");
}
