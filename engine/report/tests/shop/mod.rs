//! A small pack and its records, for tests: sales of a shop in Shanghai.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::Arc;

use chrono::{DateTime, Utc};
use formwork_core::{Record, Viewer};
use formwork_model::{Key, Pack, SourceMap, Value, compile};
use formwork_report::Interpreter;
use indexmap::IndexMap;
use rust_decimal::Decimal;
use uuid::Uuid;

/// The checked pack.
pub(crate) fn pack() -> Arc<Pack> {
    pack_with("Asia/Shanghai", &[])
}

/// The pack in another zone, with more reports.
pub(crate) fn pack_with(zone: &str, reports: &[(&str, String)]) -> Arc<Pack> {
    let mut sources = SourceMap::new();
    sources.insert("pack.json", include_str!("pack.json").replace("Asia/Shanghai", zone));
    for (key, document) in reports {
        sources.insert(format!("reports/{key}.json"), document.as_str());
    }
    sources.insert("forms/customer.json", include_str!("customer.json"));
    sources.insert("forms/sale.json", include_str!("sale.json"));
    sources.insert("workflows/sale.json", include_str!("workflow.json"));
    for (folder, entries) in [
        ("datasets", include_str!("datasets.json")),
        ("metrics", include_str!("metrics.json")),
        ("reports", include_str!("reports.json")),
    ] {
        let entries: IndexMap<String, serde_json::Value> = serde_json::from_str(entries).expect("valid JSON");
        for (key, document) in entries {
            sources.insert(format!("{folder}/{key}.json"), document.to_string());
        }
    }
    let (pack, diagnostics) = compile("shop", &sources);
    Arc::new(pack.unwrap_or_else(|| panic!("the pack is checked: {diagnostics:#?}")))
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("an instant").with_timezone(&Utc)
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse::<Decimal>().expect("a decimal"))
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A record of a form; fields that are not named are null.
pub(crate) fn record(pack: &Pack, form: &str, number: u128, created_at: &str, values: &[(&str, Value)]) -> Record {
    let form = pack.form(form);
    let mut record = Record {
        id: id(number),
        version: 1,
        created_at: at(created_at),
        created_by: None,
        updated_at: at(created_at),
        updated_by: None,
        values: vec![Value::Null; form.fields.len()],
    };
    for (key, value) in values {
        let (position, _) = form.field(key).unwrap_or_else(|| panic!("a field `{key}`"));
        record.values[position] = value.clone();
    }
    record
}

pub(crate) fn viewer(pack: &Pack, role: &str, queues: &[&str]) -> Viewer {
    Viewer::person(pack, id(9_000), &[role.into()], queues.iter().map(|queue| Key::from(*queue)).collect(), "en")
}

/// An interpreter over these sales, and two customers: 1 is gold with a credit of 50.00, 2 has neither.
pub(crate) fn interpreter(pack: &Pack, sales: Vec<Record>) -> Interpreter {
    let customers = vec![
        record(
            pack,
            "customer",
            1,
            "2025-12-01T00:00:00Z",
            &[("name", text("王芳")), ("tier", text("gold")), ("credit", decimal("50"))],
        ),
        record(pack, "customer", 2, "2025-12-02T00:00:00Z", &[("name", text("Ann"))]),
    ];
    Interpreter::new([("customer".into(), customers), ("sale".into(), sales)].into_iter().collect())
}

/// Eight sales around the new year 2026, worked out by hand in the tests.
pub(crate) fn sales(pack: &Pack) -> Vec<Record> {
    let sale = |number, sold: &str, values: &[(&str, Value)]| {
        let mut all = values.to_vec();
        if !sold.is_empty() {
            all.push(("sold_at", Value::DateTime(at(sold))));
        }
        record(pack, "sale", number, "2026-01-10T00:00:00Z", &all)
    };
    let customer = |number| ("customer", Value::Id(id(number)));
    vec![
        // Monday 22 December, 00:00 in Shanghai: the first instant of a week.
        sale(
            101,
            "2025-12-21T16:00:00Z",
            &[
                customer(1),
                ("state", text("paid")),
                ("queue", text("front")),
                ("amount", decimal("10.00")),
                ("rate", decimal("0.125")),
                ("margin", decimal("1.25")),
                ("pieces", Value::Integer(2)),
            ],
        ),
        // One microsecond before that: the week before.
        sale(
            102,
            "2025-12-21T15:59:59.999999Z",
            &[customer(1), ("state", text("open")), ("queue", text("back")), ("amount", decimal("99.99"))],
        ),
        sale(
            103,
            "2025-12-24T03:00:00Z",
            &[
                customer(2),
                ("state", text("paid")),
                ("queue", text("front")),
                ("amount", decimal("0.05")),
                ("gift", Value::Boolean(true)),
            ],
        ),
        sale(
            104,
            "2025-12-24T03:00:00Z",
            &[
                customer(2),
                ("state", text("void")),
                ("queue", text("back")),
                ("amount", decimal("-20.00")),
                ("gift", Value::Boolean(false)),
            ],
        ),
        // No amount, no customer, no state.
        sale(105, "2026-01-01T00:00:00Z", &[("queue", text("front"))]),
        // This week, and never sold.
        sale(
            106,
            "2026-01-05T00:30:00Z",
            &[customer(1), ("state", text("open")), ("queue", text("front")), ("amount", decimal("7.00"))],
        ),
        sale(
            107,
            "",
            &[customer(1), ("state", text("paid")), ("queue", text("front")), ("amount", decimal("1000.00"))],
        ),
        // A link to a customer who is gone.
        sale(
            108,
            "2025-12-30T12:00:00Z",
            &[customer(77), ("state", text("paid")), ("queue", text("back")), ("amount", decimal("100.00"))],
        ),
    ]
}
