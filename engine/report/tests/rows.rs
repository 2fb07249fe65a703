//! Fields without a column are computed when a record is touched: from each other, over links and back.

mod shop;

use formwork_core::{Record, Viewer};
use formwork_model::expr::ir::{FieldPath, FieldRef, Root, Slot};
use formwork_model::expr::{Ir, TableRef};
use formwork_model::value::Row;
use formwork_model::{Key, Pack, Value};
use formwork_report::Fault;
use formwork_report::reads::Reads;
use formwork_report::rows::Rows;
use formwork_report::virtuals::virtuals;

use shop::{at, decimal, id};

/// `form.field`, the links before it in between.
fn path(pack: &Pack, links: &[(&str, &str)], form: &str, field: &str) -> Ir {
    let reference = |form: &str, field: &str| {
        let (position, _) = pack.form(form).field(field).expect("a field");
        FieldRef { table: TableRef::form(&Key::from(form)), key: field.into(), slot: Slot::Field(position) }
    };
    let ty = pack.form(form).field(field).expect("a field").1.ty().clone();
    let hops = links.iter().map(|(form, field)| reference(form, field)).collect();
    Ir::Field(FieldPath { root: Root::Frame(0), hops, field: reference(form, field), ty })
}

fn sale(pack: &Pack, number: u128, customer: u128, lines: &[(&str, i64)]) -> Record {
    let row = |(index, (price, count)): (usize, &(&str, i64))| Row {
        id: id(index as u128),
        values: vec![decimal(price), Value::Integer(*count), Value::Null],
    };
    let rows = Value::Rows(lines.iter().enumerate().map(row).collect());
    shop::record(
        pack,
        "sale",
        number,
        "2026-01-05T00:00:00Z",
        &[("customer", Value::Id(id(customer))), ("items", rows)],
    )
}

#[test]
fn computed_fields_follow_each_other_across_records() {
    let pack = shop::pack();
    let viewer = Viewer::system("en");
    // Customer 1 bought for 10.50 + 19.50 and for 10.00: 40.00 in all.
    let first = sale(&pack, 101, 1, &[("10.50", 2), ("19.50", 1)]);
    let records = shop::interpreter(&pack, vec![first.clone(), sale(&pack, 102, 1, &[("10.00", 3)])]);
    let part = path(&pack, &[], "sale", "part");
    let tier = path(&pack, &[], "sale", "tier");
    let known = path(&pack, &[("sale", "customer")], "customer", "known");
    let volume = path(&pack, &[("sale", "customer")], "customer", "volume");
    let items = path(&pack, &[], "sale", "items");
    let expressions = [part, tier, known, volume, items.clone()];
    let as_of = at("2026-01-05T01:00:00Z");
    let mut asked = expressions.to_vec();
    // `line` is read inside the rows only.
    let line = FieldRef {
        table: TableRef { form: "sale".into(), table: Some("items".into()) },
        key: "line".into(),
        slot: Slot::Field(2),
    };
    asked.push(Ir::Field(FieldPath {
        root: Root::Frame(0),
        hops: vec![],
        field: line,
        ty: formwork_model::expr::Type::Money,
    }));
    let rows = Rows::new(&pack, &viewer, as_of, &records, asked.iter());
    let record = rows.completed(&"sale".into(), first).expect("it computes");
    let values: Vec<Value> = expressions.iter().map(|ir| rows.value(ir, &record).expect("a value")).collect();
    // 30.00 / 40.00
    assert_eq!(values[..4], [decimal("0.75"), shop::text("gold"), Value::Boolean(true), decimal("40")]);
    let lines: Vec<&Value> = values[4].rows().iter().map(|row| &row.values[2]).collect();
    assert_eq!(lines, [&decimal("21"), &decimal("19.5")]);
}

#[test]
fn the_order_puts_each_field_after_those_it_reads() {
    let pack = shop::pack();
    let part = path(&pack, &[], "sale", "part");
    let order = virtuals(&pack, std::iter::once(&part));
    let keys: Vec<&str> = order.iter().map(|field| &*pack.form(&field.table.form).fields[field.position].key).collect();
    assert_eq!(keys, ["items_total", "volume", "part"]);
}

#[test]
fn rights_are_asked_for_what_shows_through_and_frames_for_what_is_touched() {
    let pack = shop::pack();
    let names = |reads: Reads| {
        let mut names: Vec<String> = reads.fields.iter().map(|field| field.key.to_string()).collect();
        names.sort();
        names.join(" ")
    };
    let gathered = |mut reads: Reads, field| {
        reads.add(&pack, &path(&pack, &[], "sale", field));
        names(reads)
    };
    // `margin` is stored: nothing else is touched, but amount and rate show through.
    assert_eq!(gathered(Reads::shown(), "margin"), "amount margin rate");
    assert_eq!(gathered(Reads::touched(), "margin"), "margin");
    assert_eq!(gathered(Reads::touched(), "tier"), "tier tier");
    assert_eq!(gathered(Reads::shown(), "part"), "customer items items_total part price volume");
}

#[test]
fn a_form_that_is_not_loaded_is_a_fault() {
    let pack = shop::pack();
    let viewer = Viewer::system("en");
    let first = sale(&pack, 101, 1, &[]);
    let records = formwork_report::Interpreter::new([("sale".into(), vec![first.clone()])].into_iter().collect());
    let tier = path(&pack, &[], "sale", "tier");
    let rows = Rows::new(&pack, &viewer, at("2026-01-05T01:00:00Z"), &records, std::iter::once(&tier));
    let fault = rows.completed(&"sale".into(), first).expect_err("customers are missing");
    assert!(matches!(fault, Fault::NotLoaded(form) if &*form == "customer"));
}
