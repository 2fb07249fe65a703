//! The columnar executor against the reference interpreter: exactly the same, on generated records and plans.

#[path = "../../report/tests/shop/mod.rs"]
mod shop;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use formwork_columnar::{Columnar, Frame};
use formwork_core::{Record, Viewer};
use formwork_model::value::Row;
use formwork_model::{Pack, Value};
use formwork_report::{Budget, Executor, Interpreter, api, finish};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use shop::{at, id, text};

const ZONES: [&str; 5] = ["Asia/Shanghai", "UTC", "America/New_York", "Asia/Beirut", "America/Havana"];

/// Instants around which records and runs lie: clock changes of Shanghai 1986 and 1991, a missing midnight in Beirut, a
/// repeated one in Havana, both New York changes, 29 February, ISO week 53, and an ordinary Monday.
const MOMENTS: [&str; 9] = [
    "1986-05-03T18:00:00Z",
    "1991-09-14T17:00:00Z",
    "2026-03-28T22:00:00Z",
    "2026-11-01T05:00:00Z",
    "2026-03-08T07:00:00Z",
    "2024-02-29T12:00:00Z",
    "2020-12-31T23:59:59Z",
    "2026-01-04T16:00:00Z",
    "2026-01-05T01:00:00Z",
];

const METRICS: [&str; 24] = [
    "sales",
    "paid",
    "revenue",
    "pieces",
    "mean",
    "paid_share",
    "margin",
    "in_items",
    "credit",
    "due",
    "weighted",
    "least",
    "greatest",
    "buyers",
    "notes",
    "prices",
    "days",
    "median",
    "p29",
    "p999",
    "per_buyer",
    "spread",
    "few",
    "of_few",
];

const DIMENSIONS: [&str; 26] = [
    "state", "queue", "customer", "gift", "tier", "note", "due", "size", "pieces", "rate", "items", "large", "old",
    "not_paid", "same", "starts", "literal", "length", "named", "three", "logic", "credit", "positive", "days",
    "state", "tier",
];

const NOTES: [&str; 10] = ["", "a", "A", "a.c", "abc", "É", "é", "中文订单", "ß", "a\u{301}"];

/// A question: a report made for the case, who asks, when, where.
#[derive(Debug, Clone)]
struct Question {
    metrics: Vec<&'static str>,
    grain: Option<&'static str>,
    dimensions: Vec<&'static str>,
    range: String,
    role: &'static str,
    zone: &'static str,
    as_of: DateTime<Utc>,
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    let offset = prop_oneof![
        Just(0_i64),
        Just(1),
        Just(-1),
        -7_200_000_000_i64..7_200_000_000,
        -86_400_000_000_i64 * 40..86_400_000_000 * 40,
    ];
    (prop::sample::select(&MOMENTS[..]), offset)
        .prop_map(|(near, offset)| at(near) + chrono::Duration::microseconds(offset))
}

fn question() -> impl Strategy<Value = Question> {
    let grain = prop::option::of(prop::sample::select(&["hour", "day", "week", "month", "quarter", "year"][..]));
    let dimensions = prop::sample::subsequence(&DIMENSIONS[..24], 0..3);
    let range = prop_oneof![
        (1_u32..5, prop::sample::select(&["day", "week", "month", "quarter", "year"][..]))
            .prop_map(|(count, unit)| format!("last {count} {unit}s")),
        prop::sample::select(&["day", "week", "month", "year"][..]).prop_map(|unit| format!("this {unit}")),
        (1_u32..60).prop_map(|hours| format!("past {hours} hours")),
        (1_u32..9).prop_map(|days| format!("past {days} days")),
        Just("2026-01-01..2026-01-31".to_owned()),
        Just("1986-05-01..1986-05-10".to_owned()),
        Just("all".to_owned()),
    ];
    let metrics = prop::sample::subsequence(&METRICS[..], 1..4);
    let role = prop::sample::select(&["owner", "clerk", "intern", "keeper"][..]);
    let zone = prop::sample::select(&ZONES[..]);
    (metrics, grain, dimensions, range, role, zone, moment()).prop_map(
        |(metrics, grain, dimensions, range, role, zone, as_of)| Question {
            metrics,
            grain,
            dimensions,
            range,
            role,
            zone,
            as_of,
        },
    )
}

/// Cents: mostly small and often equal, sometimes at the ends of 64 bits.
fn cents() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -2_000_i64..20_000, 4 => prop::sample::select(&[0_i64, 500, 1_000, 10_000][..]), 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -5_i64..5, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => any::<i64>()]
}

fn nullable<T: std::fmt::Debug>(
    of: impl Strategy<Value = T>,
    value: impl Fn(T) -> Value + 'static,
) -> impl Strategy<Value = Value> {
    let value = std::rc::Rc::new(value);
    prop::option::weighted(0.8, of).prop_map(move |held| held.map_or(Value::Null, |held| value(held)))
}

fn money(cents: i64) -> Value {
    Value::Decimal(Decimal::new(cents, 2))
}

/// What a sale holds, by key.
fn sale_values() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let choice = |keys: &'static [&'static str]| nullable(prop::sample::select(keys), text);
    let row = (cents(), -3_i64..4).prop_map(|(price, count)| vec![money(price), Value::Integer(count), Value::Null]);
    let rows = prop::collection::vec(row, 0..3).prop_map(|rows| {
        let row = |(index, values): (usize, Vec<Value>)| Row { id: id(70_000 + index as u128), values };
        Value::Rows(rows.into_iter().enumerate().map(row).collect())
    });
    let first = (
        nullable(prop::sample::select(&[1_u128, 2, 3, 77][..]), |number| Value::Id(id(number))),
        choice(&["open", "paid", "void"]),
        choice(&["front", "back"]),
        nullable(cents(), money),
        nullable(integer(), Value::Integer),
        nullable(-2_000_i64..2_000, |rate| Value::Decimal(Decimal::new(rate, 3))),
    );
    let second = (
        nullable(any::<bool>(), Value::Boolean),
        nullable(prop::sample::select(&NOTES[..]), text),
        nullable(moment(), Value::DateTime),
        nullable(moment(), |at| Value::Date(at.date_naive())),
        nullable(cents(), money),
        rows,
    );
    (first, second).prop_map(|(first, second)| {
        vec![
            ("customer", first.0),
            ("state", first.1),
            ("queue", first.2),
            ("amount", first.3),
            ("pieces", first.4),
            ("rate", first.5),
            ("gift", second.0),
            ("note", second.1),
            ("sold_at", second.2),
            ("due_on", second.3),
            ("margin", second.4),
            ("items", second.5),
        ]
    })
}

fn customers(pack: &Pack) -> Vec<Record> {
    let customer =
        |number, values: &[(&str, Value)]| shop::record(pack, "customer", number, "2025-12-01T00:00:00Z", values);
    vec![
        customer(1, &[("tier", text("gold")), ("credit", money(5_000))]),
        customer(2, &[]),
        customer(3, &[("tier", text("plain")), ("credit", money(-1))]),
    ]
}

fn generated(question: &Question) -> Arc<Pack> {
    let mut by = serde_json::Map::new();
    for dimension in &question.dimensions {
        by.insert((*dimension).to_owned(), json!({"dimension": dimension}));
    }
    if let Some(grain) = question.grain {
        by.insert("time".to_owned(), json!({"grain": grain}));
    }
    let report = json!({
        "label": "Generated", "metrics": question.metrics, "by": by, "totals": ["grand"], "limit": 100_000,
        "params": {"range": {"type": "range", "default": question.range}},
    });
    shop::pack_with(question.zone, &[("generated", report.to_string())])
}

fn columnar(pack: &Pack, sales: &[Record], customers: &[Record]) -> Columnar {
    let frame = |form: &str, records: &[Record]| Frame::new(pack.form(form).clone(), records).expect("values fit");
    Columnar::new([frame("sale", sales), frame("customer", customers)], None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn both_give_the_same(question in question(), sales in prop::collection::vec(sale_values(), 0..24)) {
        let pack = generated(&question);
        let mut records = Vec::new();
        for (index, values) in sales.iter().enumerate() {
            let mut record = shop::record(&pack, "sale", 100 + index as u128, "2026-01-01T00:00:00Z", values);
            record.created_by = (index % 3 == 0).then(|| id(9_000));
            records.push(record);
        }
        let viewer: Viewer = shop::viewer(&pack, question.role, &["front"]);
        let plan = formwork_report::report(&pack, "generated", None).expect("a report").police(&viewer).expect("may ask");
        let customers = customers(&pack);
        let columnar = columnar(&pack, &records, &customers);
        let forms = [("customer".into(), customers), ("sale".into(), records)];
        let reference = Interpreter::new(forms.into_iter().collect());
        let budget = Budget::default();
        let expected = reference.run(&plan, question.as_of, &budget);
        let actual = columnar.run(&plan, question.as_of, &budget);
        match (expected, actual) {
            (Ok(expected), Ok(actual)) => {
                prop_assert_eq!(&expected, &actual);
                let body = |partials| finish(&plan, partials).and_then(|table| api::report(&table, "en", &Default::default()));
                match (body(&expected), body(&actual)) {
                    (Ok(expected), Ok(actual)) => prop_assert_eq!(expected, actual),
                    (expected, actual) => prop_assert_eq!(format!("{expected:?}"), format!("{actual:?}")),
                }
            }
            (expected, actual) => prop_assert_eq!(
                expected.map_err(|fault| fault.to_string()),
                actual.map_err(|fault| fault.to_string())
            ),
        }
    }

    #[test]
    fn the_first_values_and_what_is_left_over(
        question in question(),
        top in 1_u32..3,
        other in any::<bool>(),
        sales in prop::collection::vec(sale_values(), 0..24),
    ) {
        let Some(first) = question.dimensions.first() else { return Ok(()) };
        let mut by = serde_json::Map::new();
        for dimension in &question.dimensions {
            by.insert((*dimension).to_owned(), json!({"dimension": dimension}));
        }
        by[*first] = json!({"dimension": first, "top": top, "rank": "sales", "other": other});
        let report = json!({
            "label": "Generated", "metrics": ["sales", "median", "buyers"], "by": by, "totals": ["grand"],
            "limit": 100_000, "params": {"range": {"type": "range", "default": "all"}},
        });
        let pack = shop::pack_with(question.zone, &[("generated", report.to_string())]);
        let records: Vec<Record> = sales.iter().enumerate().map(|(index, values)| {
            shop::record(&pack, "sale", 100 + index as u128, "2026-01-01T00:00:00Z", values)
        }).collect();
        let viewer: Viewer = shop::viewer(&pack, "owner", &["front"]);
        let plan = formwork_report::report(&pack, "generated", None).expect("a report").police(&viewer).expect("may ask");
        let customers = customers(&pack);
        let columnar = columnar(&pack, &records, &customers);
        let forms = [("customer".into(), customers), ("sale".into(), records)];
        let reference = Interpreter::new(forms.into_iter().collect());
        let of = |executor: &dyn Executor| {
            let table = formwork_report::answer(executor, plan.clone(), question.as_of, &Budget::default());
            table.and_then(|table| api::report(&table, "en", &Default::default())).map_err(|fault| fault.to_string())
        };
        let (expected, actual) = (of(&reference), of(&columnar));
        prop_assert_eq!(&expected, &actual);
        let Ok(body) = expected else { return Ok(()) };
        let rows = body["rows"].as_array().expect("rows");
        let counted: u64 = body["n"].as_array().expect("counts").iter().filter_map(|row| row[0].as_u64()).sum();
        let values: std::collections::HashSet<String> = rows.iter().map(|row| row[0].to_string()).collect();
        let told = values.iter().filter(|value| !value.contains("other\":true")).count();
        prop_assert!(told <= top as usize, "{} of {}", told, top);
        match other {
            // Nothing is lost: the parts are the whole.
            true => prop_assert_eq!(counted, body["total"]["n"][0].as_u64().expect("a count")),
            false => prop_assert_eq!(told, values.len()),
        }
    }
}
