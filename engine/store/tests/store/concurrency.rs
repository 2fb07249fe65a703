//! Several at once: nothing is lost, nothing is seen that was not committed, and the store outlives a defect.

use std::sync::Arc;

use formwork_core::access::ListRequest;
use formwork_core::change::ChangeSet;
use formwork_core::facts::{Need, UserFacts};
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Facts, Rejection, RejectionKind, Stop, Viewer, questions};
use formwork_model::Value;
use formwork_store::{Failure, People, User};
use serde_json::Map;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, changes, created, new_record, record, text};

crate::on_both!(super::everything();
    two_that_read_each_other_do_not_both_write,
    increments_are_not_lost,
    a_cap_on_linked_records_holds,
    one_of_many_equal_requests_does_the_work,
    a_panic_is_a_fault_and_the_store_lives_on,
    a_change_is_read_once_and_in_order,
);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn rank(facts: &Facts, site: u128) -> Result<(formwork_core::Record, i64), Stop> {
    let found = record(facts, "site", id(site))?.expect("the site is there");
    let rank = match found.values[1] {
        Value::Integer(rank) => rank,
        _ => 0,
    };
    Ok((found, rank))
}

async fn sites(world: &World) {
    let pack = world.pack();
    let site = |number| new_record(&pack, "site", number, &[("rank", Value::Integer(0))]);
    world.create("site", vec![site(1), site(2)]).await;
}

/// The rule: the ranks of both together are at most 1. Each submission reads both and raises one.
async fn two_that_read_each_other_do_not_both_write(world: Arc<World>) {
    for _ in 0..10 {
        sites(&world).await;
        let raise = |own: u128| {
            world.run(move |facts| {
                let ((one, first), (other, second)) = (rank(facts, 1)?, rank(facts, 2)?);
                if first + second >= 1 {
                    return Err(Stop::Reject(Box::new(Rejection::new(RejectionKind::Conflict, "cap", "full"))));
                }
                let before = if own == 1 { one } else { other };
                let mut after = before.clone();
                (after.version, after.values[1]) = (before.version + 1, Value::Integer(1));
                Ok(changes("site", Some(before), Some(after)))
            })
        };
        let (one, other) = tokio::join!(raise(1), raise(2));
        let refused = |result: &Result<_, Failure>| matches!(result, Err(Failure::Rejected(rejection)) if rejection.code == "cap");
        assert!(one.is_ok() != other.is_ok() && (refused(&one) || refused(&other)), "{one:?} {other:?}");
        world.delete("site", id(1)).await.unwrap();
        world.delete("site", id(2)).await.unwrap();
    }
}

async fn increments_are_not_lost(world: Arc<World>) {
    sites(&world).await;
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let world = world.clone();
        under_way.spawn(async move {
            loop {
                let raised = world.run(|facts| {
                    let (before, rank) = rank(facts, 1)?;
                    let mut after = before.clone();
                    (after.version, after.values[1]) = (before.version + 1, Value::Integer(rank + 1));
                    Ok(changes("site", Some(before), Some(after)))
                });
                match raised.await {
                    Ok(_) => return,
                    // Too many met: the caller is told to come back.
                    Err(Failure::Busy(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
    let site = world.get("site", id(1)).await.unwrap();
    assert_eq!((&site.values[1], site.version), (&Value::Integer(40), 41));
}

/// The rule: at most three visits to a thing. Nobody writes what another one reads: they all add.
async fn a_cap_on_linked_records_holds(world: Arc<World>) {
    let pack = world.pack();
    world.create("thing", vec![new_record(&pack, "thing", 1, &[])]).await;
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (world, visit) = (world.clone(), new_record(&pack, "visit", 100 + number, &[("thing", Value::Id(id(1)))]));
        under_way.spawn(async move {
            let plan = move |facts: &Facts| match facts.backlinks.get(&("visit".into(), "thing".into(), id(1))) {
                None => {
                    let (form, link) = ("visit".into(), "thing".into());
                    Err(Stop::Need(vec![Need::Backlinks { form, link, to: id(1) }]))
                }
                Some(visits) if visits.len() >= 3 => {
                    Err(Stop::Reject(Box::new(Rejection::new(RejectionKind::Conflict, "cap", "full"))))
                }
                Some(_) => Ok(created("visit", std::slice::from_ref(&visit))),
            };
            world.run(plan).await.is_ok()
        });
    }
    let made = under_way.join_all().await.into_iter().filter(|made| *made).count();
    assert_eq!((made, world.store.scan(&pack, "visit").await.unwrap().1.len()), (3, 3));
}

async fn one_of_many_equal_requests_does_the_work(world: Arc<World>) {
    let pack = world.pack();
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (world, site) = (world.clone(), new_record(&pack, "site", 100 + number, &[("name", text("s"))]));
        under_way.spawn(async move {
            let plan = move |_: &Facts| Ok(created("site", std::slice::from_ref(&site)));
            world.run_as(Some(("same", "hash")), plan).await.unwrap().replayed
        });
    }
    let replayed = under_way.join_all().await.into_iter().filter(|replayed| *replayed).count();
    assert_eq!(replayed, 7);
    assert_eq!(world.store.scan(&pack, "site").await.unwrap().1.len(), 1);
}

async fn a_panic_is_a_fault_and_the_store_lives_on(world: Arc<World>) {
    if world.url.is_some() {
        // There a panic ends the caller's own task; nothing is shared with others.
        return;
    }
    let panicked = world.run(|_| panic!("a defect")).await;
    assert!(matches!(panicked, Err(Failure::Fault(_))), "{panicked:?}");
    sites(&world).await;
    assert!(world.get("site", id(1)).await.is_some());
}

async fn a_change_is_read_once_and_in_order(world: Arc<World>) {
    let pack = world.pack();
    let mut expected = Vec::new();
    for number in 1..=5_u128 {
        let pair = [number * 2, number * 2 + 1].map(|id| new_record(&pack, "site", id, &[]));
        expected.extend(pair.iter().map(|record| record.id));
        let committed = world.create("site", pair.to_vec()).await;
        world.seen(committed.seq).await;
    }
    for limit in [1, 3, 4, 100] {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let changes = world.store.changes(after, limit).await.unwrap();
            let Some(last) = changes.last() else { break };
            assert!(last.seq > after);
            after = last.seq;
            found.extend(changes.iter().map(|change| change.id));
        }
        assert_eq!(found, expected, "{limit} at a time");
        assert_eq!(after, world.store.seq().await.unwrap());
    }
}

/// A transaction that began first commits last: its change must not be missed by whoever read the other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_commits_late_is_not_missed() {
    let world = World::postgres(everything()).await;
    let pack = world.pack();
    let mut slow = PgConnection::connect(world.url.as_ref().unwrap()).await.unwrap();
    let mut transaction = slow.begin().await.unwrap();
    let late =
        "INSERT INTO fw_change (pack, form, record) VALUES ('lab', 'site', '00000000-0000-0000-0000-000000000063')";
    sqlx::query(late).execute(&mut *transaction).await.unwrap();

    let committed = world.run(move |_| Ok(created("site", &[new_record(&pack, "site", 1, &[])]))).await.unwrap();
    assert_eq!(world.store.changes(0, 9).await.unwrap(), [], "an older transaction still runs");
    assert!(world.store.seq().await.unwrap() < committed.seq);

    transaction.commit().await.unwrap();
    world.seen(committed.seq).await;
    let changes = world.store.changes(0, 9).await.unwrap();
    assert_eq!(changes.iter().map(|change| change.id).collect::<Vec<_>>(), [id(0x63), id(1)]);
    assert_eq!(changes[1].seq, committed.seq);
}

/// Two servers never write one data folder.
#[tokio::test]
async fn a_data_folder_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = || formwork_store::SqliteStore::open(folder.path(), formwork_store::sqlite::Options::default());
    let first = open().unwrap();
    assert!(open().is_err());
    drop(first);
    let again = open().unwrap();
    formwork_store::Store::close(&again).await;
    let written = People::end_sessions(&again, id(1), None, None, &crate::records::audit()).await;
    assert!(written.is_err(), "closed");
}

/// The queue is bounded: who comes when it is full is told so at once, and those in it are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so() {
    let world = World::sqlite(everything()).await;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let (stands, stands_still) = std::sync::mpsc::channel::<()>();
    let first = tokio::spawn({
        let world = world.clone();
        async move {
            world
                .run(move |_| {
                    // The writer stands still until the test lets it go on.
                    stands.send(()).unwrap();
                    let _ = gate.lock().unwrap().recv();
                    Ok(ChangeSet::default())
                })
                .await
        }
    });
    tokio::task::spawn_blocking(move || stands_still.recv().unwrap()).await.unwrap();
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..5_000 {
        let world = world.clone();
        under_way.spawn(async move { world.run(|_| Ok(ChangeSet::default())).await });
    }
    let refused = under_way.join_next().await.unwrap().unwrap();
    assert!(matches!(refused, Err(Failure::Busy(_))), "only a refusal can come while the writer stands still");
    drop(open);
    let answers = under_way.join_all().await;
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 4_096);
    first.await.unwrap().unwrap();
}

/// The same on PostgreSQL, for submissions and for what a log-in does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_is_told_so() {
    let options = formwork_store::postgres::Options { writers: 1, queue_max: 2, ..Default::default() };
    let world = World::postgres_with(options, everything()).await;
    // Whoever reads a site stands still, with the only connection.
    let mut other = PgConnection::connect(world.url.as_ref().unwrap()).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE lab_site").execute(&mut *transaction).await.unwrap();
    let plan = |facts: &Facts| record(facts, "site", id(1)).map(|_| ChangeSet::default());
    let mut two = Box::pin(async { tokio::join!(world.run(plan), world.run(plan)) });
    let wait = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, &mut two).await.is_err(), "one stands still, the other waits for it");
    let third = tokio::time::timeout(wait, world.run(plan)).await.expect("at once");
    assert!(matches!(third, Err(Failure::Busy(_))), "{third:?}");
    let audit = crate::records::audit();
    let log_in = tokio::time::timeout(wait, world.store.end_sessions(id(1), None, None, &audit));
    let log_in = log_in.await.expect("at once").map_err(Failure::from);
    assert!(matches!(log_in, Err(Failure::Busy(_))), "{log_in:?}");
    transaction.rollback().await.unwrap();
    let (one, other) = two.await;
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
}

/// Whoever decides by what a user may do waits for a change of it that is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_read_is_locked() {
    let world = World::postgres(everything()).await;
    let facts = UserFacts {
        name: "Ana".to_owned(),
        active: true,
        roles: Vec::new(),
        queues: Vec::new(),
        ..UserFacts::default()
    };
    let (login, language, theme) = ("ana".to_owned(), "en".to_owned(), "system".to_owned());
    let password_hash = "x".to_owned();
    let user = User { id: id(7), login, password_hash, facts, language, theme, password_until: None, revision: 0 };
    world.store.put_user(&user).await.unwrap();
    let mut other = PgConnection::connect(world.url.as_ref().unwrap()).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    sqlx::query("UPDATE fw_user SET active = FALSE").execute(&mut *transaction).await.unwrap();
    let mut decided = Box::pin(world.run(|facts| match facts.users.get(&id(7)) {
        None => Err(Stop::Need(vec![Need::User(id(7))])),
        Some(Some(user)) if user.active => Ok(ChangeSet::default()),
        Some(_) => Err(Stop::Reject(Box::new(Rejection::new(RejectionKind::Forbidden, "inactive", "no more")))),
    }));
    let wait = std::time::Duration::from_millis(200);
    assert!(tokio::time::timeout(wait, &mut decided).await.is_err(), "the change is not decided yet");
    transaction.commit().await.unwrap();
    let decided = decided.await;
    assert!(matches!(&decided, Err(Failure::Rejected(rejection)) if rejection.code == "inactive"), "{decided:?}");
}

/// A question that takes too long is given up, and the next one is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_question_is_given_up() {
    let question_max = std::time::Duration::from_millis(1);
    let sqlite = formwork_store::sqlite::Options { question_max, readers: 1, ..Default::default() };
    let postgres = formwork_store::postgres::Options { question_max, readers: 1, ..Default::default() };
    let worlds = [
        World::sqlite_in(tempfile::tempdir().unwrap(), sqlite, everything()).await,
        World::postgres_with(postgres, everything()).await,
    ];
    for world in worlds {
        let pack = world.pack();
        let sites = (1..=15_000).map(|number| new_record(&pack, "site", number, &[("name", text("a name"))]));
        world.create("site", sites.collect()).await;
        let ask = async |filter: &str| {
            let request = ListRequest { filter: Some(filter.to_owned()), limit: 1, ..Default::default() };
            let asked = pack.clone();
            let list = move |facts: &Facts| {
                questions::list(&asked, &Viewer::system("en"), &"site".into(), &request, crate::world::at(0), facts)
            };
            world.store.ask(&pack, Box::new(list)).await
        };
        let slow = ask("contains(name, 'nowhere') or contains(name, 'elsewhere')").await;
        let Err(Failure::Rejected(rejection)) = slow else { panic!("{slow:?}") };
        assert_eq!(rejection.code, "too_slow");
        assert!(world.get("site", id(1)).await.is_some(), "the reader is free again");
    }
}

/// What a key finds is not locked yet; meanwhile the record may be given another key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_moved_is_looked_up_again() {
    let world = World::postgres(everything()).await;
    let pack = world.pack();
    world.create("thing", vec![new_record(&pack, "thing", 1, &[("order", text("A"))])]).await;
    let mut other = PgConnection::connect(world.url.as_ref().unwrap()).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    sqlx::query("UPDATE lab_thing SET \"order\" = 'B'").execute(&mut *transaction).await.unwrap();

    let position = pack.form("thing").field("order").unwrap().0;
    let need = Need::Unique { form: "thing".into(), fields: vec![position], values: vec![text("A")], unique: None };
    let made = new_record(&pack, "thing", 2, &[("order", text("A"))]);
    let act = Act::Upsert { form: "thing".into(), by: vec![position], values: Map::new(), effects: Effects::NONE };
    let mut upsert = Box::pin(world.run_of(act, move |facts| match facts.unique(&need) {
        None => Err(Stop::Need(vec![need.clone()])),
        Some(None) => Ok(created("thing", std::slice::from_ref(&made))),
        Some(Some(found)) => {
            let before = record(facts, "thing", found)?.expect("it is there");
            let mut after = before.clone();
            (after.version, after.values[position]) = (before.version + 1, text("A"));
            Ok(changes("thing", Some(before), Some(after)))
        }
    }));
    let wait = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, &mut upsert).await.is_err(), "it waits for the record it has found");
    transaction.commit().await.unwrap();
    upsert.await.unwrap();
    let order = |record: Option<formwork_core::Record>| record.unwrap().values[position].clone();
    assert_eq!(order(world.get("thing", id(1)).await), text("B"), "the record that moved is left alone");
    assert_eq!(order(world.get("thing", id(2)).await), text("A"), "and another one holds the key");
}
