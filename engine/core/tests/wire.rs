//! JSON ↔ values: nothing is lost on the way, nothing passes through a float.

mod support;

use formwork_core::wire::{Input, parse, render};
use serde_json::{Value as Json, json};
use support::pack;

#[test]
fn values_come_back_as_they_are_stored() {
    let pack = pack(&[
        (
            "pack.json",
            json!({"version": "1.0.0", "title": "T", "languages": ["en"], "timezone": "Asia/Shanghai", "queues": {"desk": {"title": "D"}}}),
        ),
        (
            "forms/thing.json",
            json!({"label": "Thing", "fields": {
                "text": {"type": "text"}, "integer": {"type": "integer"}, "decimal": {"type": "decimal", "scale": 3},
                "money": {"type": "money"}, "boolean": {"type": "boolean"}, "date": {"type": "date"},
                "datetime": {"type": "datetime"}, "phone": {"type": "phone"}, "email": {"type": "email"},
                "queue": {"type": "queue"}, "holder": {"type": "user"}}}),
        ),
    ]);
    let id = "0199b1a2-0000-7000-8000-000000000001";
    let cases: &[(&str, Json, Result<Json, &str>)] = &[
        ("text", json!("a"), Ok(json!("a"))),
        ("text", json!(""), Ok(Json::Null)),
        ("text", json!(1), Err("wrong_type")),
        ("integer", json!(9_007_199_254_740_993_i64), Ok(json!(9_007_199_254_740_993_i64))),
        ("integer", json!("１２"), Ok(json!(12))),
        ("integer", json!(2.0), Ok(json!(2))),
        ("integer", json!("1,000"), Err("wrong_type")),
        ("decimal", json!("0.125"), Ok(json!("0.125"))),
        ("decimal", json!(0.1), Ok(json!("0.100"))),
        ("decimal", json!(0.1234567890123456), Err("wrong_type")),
        ("decimal", json!("-1.5"), Ok(json!("-1.500"))),
        ("money", json!(6000), Ok(json!("6000.00"))),
        ("money", json!("0.005"), Err("too_precise")),
        ("money", json!("10000000000000000"), Err("too_large")),
        ("money", json!("9999999999999999.99"), Ok(json!("9999999999999999.99"))),
        ("boolean", json!("true"), Ok(json!(true))),
        ("boolean", json!(1), Err("wrong_type")),
        ("date", json!("2026-02-28"), Ok(json!("2026-02-28"))),
        ("date", json!("2026-02-29"), Err("wrong_type")),
        ("date", json!("28.02.2026"), Err("wrong_type")),
        ("datetime", json!("2026-01-05T09:00:00+08:00"), Ok(json!("2026-01-05T01:00:00Z"))),
        // Without an offset: a local time of the pack's zone.
        ("datetime", json!("2026-01-05T09:00"), Ok(json!("2026-01-05T01:00:00Z"))),
        ("datetime", json!("2026-01-05T01:00:00.123456789Z"), Ok(json!("2026-01-05T01:00:00.123456Z"))),
        ("phone", json!("138-1234-5678"), Ok(json!("+8613812345678"))),
        ("phone", json!("0086 13812345678"), Ok(json!("+8613812345678"))),
        ("phone", json!("+49 151 12345678"), Ok(json!("+4915112345678"))),
        ("phone", json!("23812345678"), Err("phone")),
        ("phone", json!("+8612345"), Err("phone")),
        ("email", json!(" Ann@Example.org "), Ok(json!("ann@example.org"))),
        ("email", json!("a@b@c.org"), Err("email")),
        ("email", json!("a@localhost"), Err("email")),
        ("queue", json!("desk"), Ok(json!("desk"))),
        ("queue", json!("none"), Err("unknown_option")),
        ("holder", json!({"id": id}), Ok(json!(id))),
        ("holder", json!("ann"), Err("wrong_type")),
        ("text", json!("a\u{0}"), Err("null_character")),
        ("text", Json::Null, Ok(Json::Null)),
    ];
    for (key, written, expected) in cases {
        let (_, field) = pack.form("thing").field(key).unwrap();
        let found = match parse(&pack, field, written) {
            Ok(Input::Value(value)) => Ok(render(&value, field.ty())),
            Ok(other) => panic!("{other:?}"),
            Err(misfit) => Err(misfit.code),
        };
        assert_eq!(found, *expected, "{key} {written}");
    }
}
