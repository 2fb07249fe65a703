//! Look-ups on both engines: the right records are found, and what was decided by them still holds when it is written.

use std::sync::Arc;

use formwork_core::change::ChangeSet;
use formwork_core::eval::{Environment, evaluate};
use formwork_core::{Facts, Rejection, RejectionKind, Stop, Viewer};
use formwork_model::expr::{Position, Scope, check};
use formwork_model::{Pack, Value};
use formwork_store::Failure;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, at, changes, created, new_record, record, text};

crate::on_both!(super::everything();
    the_records_that_fit_are_found,
    a_cap_on_what_is_found_holds,
    two_that_look_into_what_the_other_writes_do_not_both_write,
    a_sum_that_was_read_is_the_sum_that_was_written_by,
    looking_into_the_same_form_keeps_nobody_away,
);

/// The value of an expression, or what it needs.
fn look(pack: &Arc<Pack>, source: &str, facts: &Facts) -> Result<Value, Stop> {
    let viewer = Viewer::system("en");
    let shapes = formwork_core::access::shapes(pack, &viewer);
    let scope = Scope::new(Position::Output, &shapes);
    let expr = check(source, &scope, None).unwrap_or_else(|problems| panic!("{}", problems[0].render(source)));
    Ok(evaluate(&expr.ir, &Environment::new(at(2), *pack.timezone(), &viewer, &**pack, facts))?)
}

fn full() -> Stop {
    Stop::Reject(Box::new(Rejection::new(RejectionKind::Conflict, "cap", "full")))
}

fn is_full(result: &Result<impl Sized, Failure>) -> bool {
    matches!(result, Err(Failure::Rejected(rejection)) if rejection.code == "cap")
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Deletes those that are there.
async fn cleared(world: &World, records: &[(&'static str, u128)]) {
    for (form, number) in records {
        if world.get(form, id(*number)).await.is_some() {
            world.delete(form, id(*number)).await.unwrap();
        }
    }
}

async fn the_records_that_fit_are_found(world: Arc<World>) {
    let pack = world.pack();
    let site = |number, name: &str, rank| {
        new_record(&pack, "site", number, &[("name", text(name)), ("rank", Value::Integer(rank))])
    };
    world.create("site", vec![site(1, "a", 1), site(2, "b", 2), site(3, "b", 3)]).await;
    let rows = Value::Rows(vec![formwork_model::value::Row {
        id: id(90),
        values: vec![text("x"), Value::Decimal("2.50".parse().unwrap()), Value::Boolean(true)],
    }]);
    let things = [
        new_record(&pack, "thing", 10, &[("name", text("t")), ("site", Value::Id(id(1))), ("items", rows)]),
        new_record(&pack, "thing", 11, &[("name", text("u")), ("site", Value::Id(id(3)))]),
    ];
    world.create("thing", things.to_vec()).await;
    for (source, expected) in [
        ("lookup(site, it.rank, it.name == 'a')", Value::Integer(1)),
        ("lookup(site, it.rank, it.name == 'c')", Value::Null),
        ("lookup_all(site, it.rank, it.name != 'a')", Value::List(vec![Value::Integer(2), Value::Integer(3)])),
        ("sum(lookup_all(site, it.rank, it.rank > settings.limit * 0 + 1))", Value::Integer(5)),
        ("lookup(thing, it.name, it.site.rank > 1)", text("u")),
        ("lookup(thing, it.site.name, it.site.name == 'a')", text("a")),
        ("lookup(thing, sum(it.items, amount), any(it.items, flag))", Value::Decimal("2.50".parse().unwrap())),
        ("count(lookup_all(thing, it.id, count(it.visits) == 0))", Value::Integer(2)),
        ("count(lookup_all(thing, it.id, it.created_at < now + days(1)))", Value::Integer(2)),
    ] {
        let (found, pack) = (Arc::new(std::sync::Mutex::new(None)), pack.clone());
        let told = found.clone();
        let plan = move |facts: &Facts| {
            *told.lock().unwrap() = Some(look(&pack, source, facts)?);
            Ok(ChangeSet::default())
        };
        world.run(plan).await.unwrap_or_else(|failure| panic!("{source}: {failure:?}"));
        assert_eq!(*found.lock().unwrap(), Some(expected), "{source}");
    }
}

/// At most three of a rank: nobody else's record may join between the count and the commit.
async fn a_cap_on_what_is_found_holds(world: Arc<World>) {
    let pack = world.pack();
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (world, pack) = (world.clone(), pack.clone());
        under_way.spawn(async move {
            let site = new_record(&pack, "site", 100 + number, &[("name", text("s")), ("rank", Value::Integer(7))]);
            let plan =
                move |facts: &Facts| match look(&pack, "count(lookup_all(site, it.id, it.rank == 7)) < 3", facts)? {
                    Value::Boolean(true) => Ok(created("site", std::slice::from_ref(&site))),
                    _ => Err(full()),
                };
            loop {
                match world.run(plan.clone()).await {
                    Err(Failure::Busy(_)) => {}
                    result => break result,
                }
            }
        });
    }
    let results = under_way.join_all().await;
    let made = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((made, results.iter().filter(|result| is_full(result)).count()), (3, 7), "{results:?}");
    assert_eq!(world.store.scan(&pack, "site").await.unwrap().1.len(), 3);
}

/// Each looks whether the other's record is there and files its own where it is not.
async fn two_that_look_into_what_the_other_writes_do_not_both_write(world: Arc<World>) {
    let pack = world.pack();
    for round in 0..10 {
        let file = |form: &'static str, number: u128, other: &'static str| {
            let made = new_record(&pack, form, number + round, &[("name", text("skew"))]);
            let pack = pack.clone();
            let source = format!("count(lookup_all({other}, it.id, it.name == 'skew')) == 0");
            world.run(move |facts| match look(&pack, &source, facts)? {
                Value::Boolean(true) => Ok(created(form, std::slice::from_ref(&made))),
                _ => Err(full()),
            })
        };
        let (one, other) = tokio::join!(file("site", 100, "thing"), file("thing", 200, "site"));
        assert!(one.is_ok() != other.is_ok() && (is_full(&one) || is_full(&other)), "{one:?} {other:?}");
        cleared(&world, &[("site", 100 + round), ("thing", 200 + round)]).await;
    }
}

/// Each raises its own record by one where all together are below five: rows change, none is added.
async fn a_sum_that_was_read_is_the_sum_that_was_written_by(world: Arc<World>) {
    let pack = world.pack();
    let sites =
        (1..=8).map(|number| new_record(&pack, "site", number, &[("name", text("s")), ("rank", Value::Integer(0))]));
    world.create("site", sites.collect()).await;
    let mut under_way = tokio::task::JoinSet::new();
    for number in 1..=8 {
        let (world, pack) = (world.clone(), pack.clone());
        under_way.spawn(async move {
            let plan = move |facts: &Facts| {
                let before = record(facts, "site", id(number))?.expect("the site is there");
                if look(&pack, "sum(lookup_all(site, it.rank, it.name == 's')) < 5", facts)? != Value::Boolean(true) {
                    return Err(full());
                }
                let mut after = before.clone();
                (after.version, after.values[1]) = (before.version + 1, Value::Integer(1));
                Ok(changes("site", Some(before), Some(after)))
            };
            loop {
                match world.run(plan.clone()).await {
                    Err(Failure::Busy(_)) => {}
                    result => break result.is_ok(),
                }
            }
        });
    }
    let raised = under_way.join_all().await.into_iter().filter(|raised| *raised).count();
    assert_eq!(raised, 5);
}

/// Sixteen that look into the same tariff and write elsewhere: none of them is turned away or played in vain.
async fn looking_into_the_same_form_keeps_nobody_away(world: Arc<World>) {
    let pack = world.pack();
    let site = new_record(&pack, "site", 1, &[("name", text("tariff")), ("rank", Value::Integer(3))]);
    world.create("site", vec![site]).await;
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (world, pack) = (world.clone(), pack.clone());
        under_way.spawn(async move {
            world
                .run(move |facts| {
                    let rank = look(&pack, "lookup(site, it.rank, it.name == 'tariff')", facts)?;
                    Ok(created("thing", &[new_record(&pack, "thing", 100 + number, &[("count", rank)])]))
                })
                .await
        });
    }
    for result in under_way.join_all().await {
        result.unwrap();
    }
}

/// A transaction under way changes what is found, in the form looked into or in one the condition leads to: it is waited
/// for, and what it did counts.
#[tokio::test]
async fn what_is_being_written_is_waited_for() {
    let world = World::postgres(everything()).await;
    let pack = world.pack();
    let zero = [("name", text("s")), ("rank", Value::Integer(0))];
    world.create("site", vec![new_record(&pack, "site", 1, &zero)]).await;
    world.create("thing", vec![new_record(&pack, "thing", 2, &[("site", Value::Id(id(1)))])]).await;
    for (number, source) in
        [(3, "count(lookup_all(site, it.id, it.rank > 0))"), (4, "count(lookup_all(thing, it.id, it.site.rank > 0))")]
    {
        let mut other = PgConnection::connect(world.url.as_ref().unwrap()).await.unwrap();
        let mut transaction = other.begin().await.unwrap();
        let raised = "UPDATE lab_site SET rank = 1, version = version + 1";
        sqlx::query(raised).execute(&mut *transaction).await.unwrap();
        let (pack, visit) = (pack.clone(), new_record(&pack, "visit", number, &[]));
        let mut decided = Box::pin(world.run(move |facts| match look(&pack, source, facts)? {
            Value::Integer(0) => Ok(created("visit", std::slice::from_ref(&visit))),
            _ => Err(full()),
        }));
        let wait = std::time::Duration::from_millis(300);
        assert!(tokio::time::timeout(wait, &mut decided).await.is_err(), "{source}: the change is not decided yet");
        transaction.commit().await.unwrap();
        let decided = decided.await;
        assert!(is_full(&decided), "{source}: {decided:?}");
        let mut plain = PgConnection::connect(world.url.as_ref().unwrap()).await.unwrap();
        sqlx::query("UPDATE lab_site SET rank = 0").execute(&mut plain).await.unwrap();
    }
}
