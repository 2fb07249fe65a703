//! What expressions give, worked out by hand: null, the edges of functions, what is missing, what is refused.

#[allow(unreachable_pub, dead_code, reason = "the module of the tests crate, included by path")]
#[path = "../../../tests/src/expressions/mod.rs"]
mod expressions;

use chrono::{DateTime, Utc};
use expressions::fixture::{filter_scope, scope, shapes, table, viewer};
use formwork_core::eval::{
    Environment, EvalError, Missing, Names, Nothing, Records, RowView, bind, evaluate, evaluate_expr, holds,
};
use formwork_core::{Facts, Record};
use formwork_model::expr::ir::Name;
use formwork_model::expr::{Expr, Ir, Position, Scope, Type, check, check_cell};
use formwork_model::value::Row;
use formwork_model::{Key, Value};
use indexmap::IndexMap;
use rust_decimal::Decimal;
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    "2026-01-05T01:00:00Z".parse().unwrap()
}

/// An item: texts `王芳` and null, 7 and null, 1.25 and null, 12.50 and null, true and null; three rows.
fn item() -> Record {
    let text = |text: &str| Value::Text(text.to_owned());
    let decimal = |text: &str| Value::Decimal(Decimal::from_str_exact(text).unwrap());
    let row = |id: u128, t: Value, q: Value, sum: Value, ok: Value| Row {
        id: Uuid::from_u128(id),
        values: vec![t, q, sum, ok],
    };
    let (yes, no) = (Value::Boolean(true), Value::Boolean(false));
    let rows = vec![
        row(51, text("x"), Value::Integer(2), decimal("10.00"), yes.clone()),
        row(52, Value::Null, Value::Null, Value::Null, Value::Null),
        row(53, text("y"), Value::Integer(5), decimal("2.50"), no),
    ];
    let values = vec![
        text("王芳"),
        Value::Null,
        Value::Integer(7),
        Value::Null,
        decimal("1.25"),
        Value::Null,
        decimal("12.50"),
        Value::Null,
        yes,
        Value::Null,
        Value::Date("2024-02-29".parse().unwrap()),
        Value::Null,
        Value::DateTime("2026-01-04T17:00:00Z".parse().unwrap()),
        Value::Null,
        text("red"),
        Value::Id(Uuid::from_u128(10)),
        text("desk"),
        Value::Rows(rows),
    ];
    record(1, values)
}

fn record(id: u128, values: Vec<Value>) -> Record {
    Record {
        id: Uuid::from_u128(id),
        version: 1,
        created_at: now(),
        created_by: None,
        updated_at: now(),
        updated_by: None,
        values,
    }
}

/// The engine in Shanghai, over `item` and what `facts` hold.
fn run(source: &str, facts: &Facts) -> Result<Value, EvalError> {
    let (shapes, viewer, item) = (shapes(), viewer(), item());
    let scope = scope(shapes).old(table("item", None));
    let expr = check(source, &scope, None).unwrap_or_else(|problems| panic!("{}", problems[0].render(source)));
    let rows = [RowView::from(&item)];
    evaluate(&expr.ir, &environment(&viewer, &Nothing, facts).with_rows(&rows))
}

fn environment<'a>(
    viewer: &'a formwork_core::Viewer,
    names: &'a dyn Names,
    records: &'a dyn Records,
) -> Environment<'a> {
    Environment::new(now(), chrono_tz::Asia::Shanghai, viewer, names, records)
}

fn shown(found: Result<Value, EvalError>) -> String {
    match found {
        Ok(Value::Null) => "null".to_owned(),
        Ok(Value::Text(text)) => format!("'{text}'"),
        Ok(Value::Integer(number)) => number.to_string(),
        Ok(Value::Decimal(number)) => number.to_string(),
        Ok(Value::Boolean(value)) => value.to_string(),
        Ok(Value::Date(date)) => date.to_string(),
        Ok(Value::DateTime(at)) => at.to_rfc3339(),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// `b`, `m`, `e`, `cost`, `mark`, `until`, `then` are null.
#[test]
fn null_is_what_the_definition_says() {
    for (source, expected) in [
        ("b == null", "true"),
        ("b != 'x'", "true"),
        ("m == m", "true"),
        ("m in [1, null]", "true"),
        ("m not in [1]", "true"),
        ("a in ['x', b]", "false"),
        ("m < 1", "null"),
        ("m + 1", "null"),
        ("-m", "null"),
        ("a + b", "null"),
        ("not mark", "null"),
        ("mark and false", "false"),
        ("mark and true", "null"),
        ("mark or true", "true"),
        ("mark or false", "null"),
        ("m ?? 3", "3"),
        ("when(mark, 1, 2)", "2"),
        ("coalesce(m, m, 4)", "4"),
        ("min(m, 4, n)", "4"),
        ("max(m, m)", "null"),
        ("len(b)", "null"),
        ("n / 0", "null"),
        ("n % 0", "null"),
        ("owner.name", "null"),
        ("old.n", "null"),
        ("old.n == null", "true"),
        ("old.owner.name", "null"),
    ] {
        let mut facts = Facts::default();
        facts.add_record("party".into(), Uuid::from_u128(10), None);
        assert_eq!(shown(run(source, &facts)), expected, "{source}");
    }
}

#[test]
fn functions_give_what_is_documented() {
    for (source, expected) in [
        ("7 / 2", "3.500000000000"),
        ("-7 % 3", "2"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(-0.4)", "0"),
        ("round(d, 1)", "1.3"),
        ("floor(-d)", "-2"),
        ("ceil(-d)", "-1"),
        ("clamp(n, 10, 3)", "10"),
        ("len(a)", "2"),
        ("upper('straße')", "'STRASSE'"),
        ("trim('　 a\u{a0}')", "'a'"),
        ("contains('abc', 'a.c')", "false"),
        ("starts_with('ABC', 'ab')", "false"),
        ("matches('abc', 'a.c')", "true"),
        ("matches(a, '^.{2}$')", "true"),
        ("replace('aXbX', 'X', '')", "'ab'"),
        ("replace('ab', '', 'X')", "'ab'"),
        ("substr('编号 MU5', 3, 99)", "'MU5'"),
        ("substr('abc', -1, 2)", "'a'"),
        ("substr('abc', 1, -1)", "''"),
        ("last('13800001234', 4)", "'1234'"),
        ("last('ab', 5)", "'ab'"),
        ("text(price)", "'12.5'"),
        ("text(-0.0)", "'0'"),
        ("text(at)", "'2026-01-04T17:00:00Z'"),
        ("text(days(1) + hours(30))", "'P1DT30H'"),
        ("number(' -12.50 ')", "-12.50"),
        ("number('1e5')", "null"),
        ("number('1_000')", "null"),
        ("number('')", "null"),
        ("date('31/01/2026', '%d/%m/%Y')", "2026-01-31"),
        ("date('x' + a)", "null"),
        ("date(at)", "2026-01-05"),
        ("datetime('2026-01-05 09:00')", "2026-01-05T01:00:00+00:00"),
        ("datetime('2015-02-24 11:35:52 -0800', '%Y-%m-%d %H:%M:%S %z')", "2015-02-24T19:35:52+00:00"),
        ("datetime(a)", "null"),
        ("day + months(12)", "2025-02-28"),
        ("at + days(1) - hours(1)", "2026-01-05T16:00:00+00:00"),
        ("start_of('day', at)", "2026-01-04T16:00:00+00:00"),
        ("weekday(at)", "1"),
        ("today", "2026-01-05"),
        ("local_date(at, 'UTC')", "2026-01-04"),
        ("days_between(day, date('2024-03-01'))", "1"),
        ("hours_between(at, now)", "8.000000000000"),
        ("years_between(day, date('2026-02-28'))", "2"),
        ("has_role('public')", "false"),
        ("queue in user.queues", "true"),
        // Of the empty text: e3b0c44298fc1c14…; 0xe3b0c44298fc1c14 modulo 100 is 52.
        ("hash('')", "'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"),
        ("bucket('', 100)", "52"),
        ("bucket('', 0)", "null"),
        ("count(rows)", "3"),
        ("count(rows, ok)", "1"),
        ("sum(rows, sum)", "12.50"),
        ("sum(rows, q * outer.n)", "49"),
        ("avg(rows, q)", "3.500000000000"),
        ("min(rows, t)", "'x'"),
        ("any(rows, q > 4)", "true"),
        ("all(rows, q > 1)", "false"),
        ("all(rows, q == null or q > 1)", "true"),
    ] {
        assert_eq!(shown(run(source, &Facts::default())), expected, "{source}");
    }
}

#[test]
fn what_is_not_loaded_is_named_all_at_once() {
    let record = |id: u128| Missing::Record { form: "party".into(), id: Uuid::from_u128(id) };
    let marks = Missing::Backlink { form: "mark".into(), link: "item".into(), to: Uuid::from_u128(1) };
    let facts = Facts::default();
    assert_eq!(run("owner == null", &facts), Ok(Value::Boolean(false)));
    assert_eq!(run("owner.level", &facts), Err(EvalError::Missing(vec![record(10)])));
    assert_eq!(run("owner.level + count(marks)", &facts), Err(EvalError::Missing(vec![record(10), marks.clone()])));
    // What the left side decides needs nothing of the right one.
    assert_eq!(run("flag or owner.level > 3", &facts), Ok(Value::Boolean(true)));
    assert_eq!(run("n ?? owner.level", &facts), Ok(Value::Integer(7)));

    let mut facts = Facts::default();
    let party = |id, boss: Value| self::record(id, vec![Value::Null, Value::Integer(4), Value::Null, boss]);
    facts.add_record("party".into(), Uuid::from_u128(10), Some(party(10, Value::Id(Uuid::from_u128(11)))));
    assert_eq!(run("owner.level", &facts), Ok(Value::Integer(4)));
    assert_eq!(run("owner.boss.level", &facts), Err(EvalError::Missing(vec![record(11)])));
    // Both links of the rows that link here, in one answer.
    let mark = |id: u128, item: u128| std::sync::Arc::new(self::record(id, vec![Value::Id(Uuid::from_u128(item))]));
    facts.backlinks.insert(("mark".into(), "item".into(), Uuid::from_u128(1)), vec![mark(100, 2), mark(101, 3)]);
    let item = |id: u128| Missing::Record { form: "item".into(), id: Uuid::from_u128(id) };
    assert_eq!(run("any(marks, item.n > 1)", &facts), Err(EvalError::Missing(vec![item(2), item(3)])));
}

#[test]
fn numbers_times_and_costs_have_bounds() {
    let facts = Facts::default();
    for source in [
        "9223372036854775807 + n",
        "-9223372036854775807 - n",
        "9223372036854775807 * 2",
        "floor(9223372036854775807 * 1.5)",
        "day + days(2147483647)",
        "days(3000000000)",
        "at + months(2000000000)",
    ] {
        assert_eq!(run(source, &facts), Err(EvalError::Overflow), "{source}");
    }
    // Sums are refused for their result, not for the way to it.
    assert_eq!(
        run("sum(rows, when(q == 2, 9223372036854775807, q == 5, -1, 0))", &facts),
        Ok(Value::Integer(i64::MAX - 1))
    );

    let (shapes, viewer) = (shapes(), viewer());
    let expr = check("count(rows, q + q + q + q + q > 3)", &scope(shapes), None).unwrap();
    let mut item = item();
    let row = item.values[17].rows()[0].clone();
    item.values[17] = Value::Rows(vec![row; 120_000]);
    let rows = [RowView::from(&item)];
    let found = evaluate(&expr.ir, &environment(&viewer, &Nothing, &Nothing).with_rows(&rows));
    assert_eq!(found, Err(EvalError::Cost));
}

/// Settings, inputs, columns, and the numbers and records of a demo.
struct Given;

impl Names for Given {
    fn value(&self, name: &Name) -> Option<Value> {
        match name {
            Name::Column(column) if column == "in" => Some(Value::Text("1".to_owned())),
            Name::Column(_) => Some(Value::Null),
            Name::Input(_) => Some(Value::Integer(40)),
            Name::Index => Some(Value::Integer(5)),
            _ => None,
        }
    }

    fn random(&self, place: i64, below: i64) -> Option<i64> {
        Some((place + 8) % below)
    }

    fn reference(&self, form: &str, which: &Value) -> Option<Value> {
        let which = which.as_text().map_or_else(|| format!("{which:?}"), str::to_owned);
        Some(Value::Text(format!("{form} {which}")))
    }
}

#[test]
fn names_come_from_outside() {
    let (shapes, viewer) = (shapes(), viewer());
    let inputs = IndexMap::from([("claim".into(), Type::Integer)]);
    for (position, source, expected) in [
        (Position::Column, "row.in", "'1'"),
        (Position::Column, "row['no such'] ?? 'x'", "'x'"),
        (Position::Output, "claim + 2", "42"),
        (Position::Recipe, "rng(10) * 10 + rng(10)", "89"),
        (Position::Recipe, "rng(0)", "null"),
        (Position::Recipe, "pick(['a', 'b', 'c'], i)", "'c'"),
        (Position::Recipe, "pick(['a', 'b', 'c'], -1)", "'c'"),
        (Position::Recipe, "text(ref('party', i))", "'party Integer(5)'"),
        (Position::Recipe, "text(ref('party', 'a' + 'b'))", "'party ab'"),
    ] {
        let scope = Scope::new(position, shapes).inputs(inputs.clone());
        let expr = check(source, &scope, None).unwrap_or_else(|problems| panic!("{}", problems[0].render(source)));
        assert_eq!(shown(evaluate(&expr.ir, &environment(&viewer, &Given, &Nothing))), expected, "{source}");
    }
}

#[test]
fn cells_test_the_input() {
    let (shapes, viewer) = (shapes(), viewer());
    let scope = Scope::new(Position::Cell, shapes);
    for (cell, matching, others) in [
        ("1, 7", vec![Some(1), Some(7)], vec![Some(2), None]),
        (">= 5", vec![Some(5)], vec![Some(4), None]),
        ("[1..5)", vec![Some(1), Some(4)], vec![Some(0), Some(5), None]),
        ("not(1)", vec![Some(2), None], vec![Some(1)]),
        ("null", vec![None], vec![Some(0)]),
        ("? % 2 == 0", vec![Some(4)], vec![Some(3), None]),
    ] {
        let expr = check_cell(cell, &scope, &Type::Integer).unwrap().unwrap();
        let matches = |input: &Option<i64>| {
            let input = input.map_or(Value::Null, Value::Integer);
            holds(&expr, &environment(&viewer, &Nothing, &Nothing).with_cell(&input)).unwrap()
        };
        assert!(matching.iter().all(matches), "{cell}");
        assert!(!others.iter().any(matches), "{cell}");
    }
}

#[test]
fn an_expression_gives_its_type() {
    let (shapes, viewer, item) = (shapes(), viewer(), item());
    let rows = [RowView::from(&item)];
    let environment = environment(&viewer, &Nothing, &Nothing).with_rows(&rows);
    let typed = |source: &str, ty: &Type| {
        let expr: Expr = check(source, &scope(shapes), Some(ty)).unwrap();
        evaluate_expr(&expr, &environment).unwrap()
    };
    assert_eq!(typed("when(flag, n, 2.5)", &Type::Money), Value::Decimal(Decimal::from(7)));
    assert_eq!(typed("sum(rows, when(false, sum, null))", &Type::Money), Value::Decimal(Decimal::ZERO));
}

#[test]
fn binding_leaves_fields_and_literals() {
    let (shapes, viewer) = (shapes(), viewer());
    let scope = filter_scope(shapes);
    let environment = environment(&viewer, &Nothing, &Nothing);
    let bound = |source: &str| bind(&check(source, &scope, None).unwrap().ir, &environment).unwrap();
    let same = |a: &str, b: &str| assert_eq!(bound(a), bound(b), "{a}");
    same("day > today - days(5)", "day > date('2025-12-31')");
    same("a == lower('A') + text(3)", "a == 'a3'");
    same("has_role('public') and flag", "false");
    same("not has_role('public') and flag", "flag");
    same("not has_role('public') or flag", "true");
    let Ir::InList(_, queues) = bound("queue in user.queues") else { panic!("no list") };
    assert_eq!(*queues, Ir::Literal(Value::List(vec![Value::Text("desk".to_owned())])));
    let key: Key = "desk".into();
    assert_eq!(viewer.queues, [key]);
}
