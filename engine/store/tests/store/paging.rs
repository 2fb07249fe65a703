//! Pages: every row once, in order, with nulls last, however the page is cut.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::NaiveDate;
use formwork_core::access::ListRequest;
use formwork_core::questions;
use formwork_core::{Record, Viewer};
use formwork_model::Value;
use formwork_model::expr::ir::Slot;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, at, new_record, text};

crate::on_both!(super::everything(); pages_hold_every_row_once_in_order, totals_are_exact_until_ten_thousand);

/// Things with ties, nulls and text whose order depends on the collation.
fn things(world: &World) -> Vec<Record> {
    let names = [Some("b"), Some("B"), Some("ä"), None, Some("龘"), Some(""), Some("😀"), Some("b")];
    let prices = [Some("1.10"), None, Some("-3"), Some("1.10"), None, Some("1.09")];
    let days = [Some(3), None, Some(1)];
    let thing = |number: u128| {
        let at = number as usize;
        let name = names[at % names.len()].map_or(Value::Null, text);
        let price = prices[at % prices.len()].map_or(Value::Null, |price| Value::Decimal(price.parse().unwrap()));
        let day = days[at % days.len()]
            .map_or(Value::Null, |day| Value::Date(NaiveDate::from_ymd_opt(2026, 1, day).unwrap()));
        let open = if at.is_multiple_of(5) { Value::Null } else { Value::Boolean(at.is_multiple_of(2)) };
        let values = [("name", name), ("price", price), ("day", day), ("open", open)];
        let mut record = new_record(&world.pack(), "thing", 1000 - number, &values);
        record.created_at = crate::world::at(i64::from(at as u32 / 4));
        record
    };
    (0..30).map(thing).collect()
}

async fn pages_hold_every_row_once_in_order(world: Arc<World>) {
    let pack = world.pack();
    let things = things(&world);
    world.create("thing", things.clone()).await;
    let sorts: [&[&str]; 9] = [
        &[],
        &["name"],
        &["-name"],
        &["-price", "name"],
        &["day", "-open", "-price"],
        &["open", "day"],
        &["-created_at"],
        &["updated_by", "-id"],
        &["-version", "created_at"],
    ];
    for sort in sorts {
        let expected = sorted(&world, &things, if sort.is_empty() { &["-created_at"] } else { sort });
        for limit in [1, 7, 200] {
            let mut found: Vec<Uuid> = Vec::new();
            let mut after = None;
            loop {
                let sort = (!sort.is_empty()).then(|| sort.iter().map(|key| (*key).to_owned()).collect());
                let page = page(&world, ListRequest { sort, limit, after, ..Default::default() }).await;
                let items = page["items"].as_array().unwrap();
                assert!(items.len() <= limit as usize);
                found.extend(items.iter().map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap()));
                match page["next"].as_str() {
                    Some(next) => after = Some(next.to_owned()),
                    None => break,
                }
            }
            assert_eq!(found, expected, "sorted by {sort:?}, {limit} a page");
        }
    }
    let filtered = ListRequest { filter: Some("price < 1.1 and name != 'b'".to_owned()), ..Default::default() };
    let page = page(&world, filtered).await;
    let price = pack.form("thing").field("price").unwrap().0;
    let low = |record: &&Record| match &record.values[price] {
        Value::Decimal(price) => *price < "1.1".parse().unwrap() && record.values[0] != text("b"),
        _ => false,
    };
    assert_eq!(page["total"]["value"], things.iter().filter(low).count());
}

async fn totals_are_exact_until_ten_thousand(world: Arc<World>) {
    let pack = world.pack();
    let sites: Vec<Record> =
        (1..=10_001).map(|id| new_record(&pack, "site", id, &[("rank", Value::Integer(1))])).collect();
    world.create("site", sites).await;
    let things = (1..=3).map(|id| new_record(&pack, "thing", id, &[("site", Value::Id(Uuid::from_u128(id)))]));
    world.create("thing", things.collect()).await;
    let first = page(&world, ListRequest { limit: 1, ..Default::default() }).await;
    assert_eq!((&first["total"]["value"], &first["total"]["exact"]), (&Json::from(3), &Json::from(true)));
    let ids = world.store.ids(&pack, "site", None, at(0), None, 20_000).await.unwrap();
    assert_eq!(ids.len(), 10_001);
    let rest = world.store.ids(&pack, "site", None, at(0), Some(Uuid::from_u128(9_999)), 20_000).await.unwrap();
    assert_eq!(rest, [Uuid::from_u128(10_000), Uuid::from_u128(10_001)]);
}

async fn page(world: &World, request: ListRequest) -> Json {
    let pack = world.pack();
    let viewer = Viewer::person(&pack, Uuid::from_u128(7), &["agent".into()], Vec::new(), "en");
    let asked = pack.clone();
    let question = Box::new(move |facts: &formwork_core::Facts| {
        questions::list(&asked, &viewer, &"thing".into(), &request, at(0), facts)
    });
    world.store.ask(&pack, question).await.unwrap()
}

fn sorted(world: &World, things: &[Record], sort: &[&str]) -> Vec<Uuid> {
    let pack = world.pack();
    let slot = |key: &str| match key {
        "id" => Slot::Id,
        "version" => Slot::Version,
        "created_at" => Slot::CreatedAt,
        "updated_by" => Slot::UpdatedBy,
        field => Slot::Field(pack.form("thing").field(field).unwrap().0),
    };
    let mut sorted: Vec<&Record> = things.iter().collect();
    sorted.sort_by(|one, other| {
        let keys = sort.iter().map(|key| match key.strip_prefix('-') {
            Some(key) => compare(&one.get(slot(key)), &other.get(slot(key)), true),
            None => compare(&one.get(slot(key)), &other.get(slot(key)), false),
        });
        keys.fold(Ordering::Equal, Ordering::then).then(one.id.cmp(&other.id))
    });
    sorted.iter().map(|record| record.id).collect()
}

/// Null last in both directions.
fn compare(one: &Value, other: &Value, descending: bool) -> Ordering {
    let order = match (one, other) {
        (Value::Null, Value::Null) => return Ordering::Equal,
        (Value::Null, _) => return Ordering::Greater,
        (_, Value::Null) => return Ordering::Less,
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Decimal(one), Value::Decimal(other)) => one.cmp(other),
        (Value::Date(one), Value::Date(other)) => one.cmp(other),
        (Value::DateTime(one), Value::DateTime(other)) => one.cmp(other),
        (Value::Boolean(one), Value::Boolean(other)) => one.cmp(other),
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Id(one), Value::Id(other)) => one.cmp(other),
        other => panic!("{other:?}"),
    };
    if descending { order.reverse() } else { order }
}
