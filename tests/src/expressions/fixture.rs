//! The forms and records that random expressions stand on.
//!
//! `item` has a field of every type, a child table `rows`, a link `owner` to `party` (which links to its `boss`), and a
//! backlink `marks` to the records of `mark` whose `item` is it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use formwork_core::{Facts, Record, Viewer, ViewerKind};
use formwork_model::expr::ir::Slot;
use formwork_model::expr::scope::{FieldShape, TableShape};
use formwork_model::expr::{Scope, Shapes, TableRef, Type};
use formwork_model::value::Row;
use formwork_model::{Key, Value};
use indexmap::IndexMap;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use uuid::Uuid;

/// Fields of `item`, in the order of its values.
pub const ITEM: [&str; 18] = [
    "a", "b", "n", "m", "d", "e", "price", "cost", "flag", "mark", "day", "until", "at", "then", "kind", "owner",
    "queue", "rows",
];
/// Fields of a row of `item.rows`.
pub const ROW: [&str; 4] = ["t", "q", "sum", "ok"];
/// Fields of `party`.
pub const PARTY: [&str; 4] = ["name", "level", "since", "boss"];
/// Fields of `mark`.
pub const MARK: [&str; 3] = ["item", "points", "note"];

/// The zones worlds stand in.
pub const ZONES: [Tz; 5] = [Tz::Asia__Shanghai, Tz::Europe__Berlin, Tz::America__Havana, Tz::Asia__Kathmandu, Tz::UTC];
/// Changes of the clock, in seconds since 1970: Berlin 2026-03-29 and 2026-10-25, Havana 2025-03-09 and 2025-11-02 (at
/// midnight), Shanghai 1986-05-04 and 1991-09-15.
pub const CLOCK_CHANGES: [i64; 6] =
    [1_774_746_000, 1_792_890_000, 1_741_496_400, 1_762_059_600, 515_527_200, 684_867_600];

/// An item and all that it leads to.
#[derive(Debug, Clone)]
pub struct World {
    /// The record expressions stand in.
    pub item: Record,
    /// The records links may lead to; the third is linked to by nobody, one id leads nowhere.
    pub parties: Vec<Record>,
    /// The records linking to the item.
    pub marks: Vec<Record>,
    /// The zone.
    pub zone: Tz,
    /// The instant.
    pub now: DateTime<Utc>,
}

/// What the checker needs to know of the forms.
pub fn shapes() -> Shapes {
    let (decimal, rows) = (|scale| Type::Decimal { scale }, table("item", Some("rows")));
    let kind = Type::Choice(["red", "green", "blue"].map(Key::from).into());
    let mut shapes = Shapes { queues: vec!["desk".into(), "back".into()], ..Shapes::default() };
    let types = [
        Type::Text,
        Type::Text,
        Type::Integer,
        Type::Integer,
        decimal(4),
        decimal(2),
        Type::Money,
        Type::Money,
        Type::Boolean,
        Type::Boolean,
        Type::Date,
        Type::Date,
        Type::DateTime,
        Type::DateTime,
        kind,
        Type::Link("party".into()),
        Type::Queue,
        Type::Rows(rows.clone()),
    ];
    let mut item = fields(&ITEM, types.to_vec());
    item.insert(
        "marks".into(),
        FieldShape {
            slot: Slot::Field(ITEM.len()),
            ty: Type::Rows(table("mark", None)),
            backlink: Some("item".into()),
            stored: false,
        },
    );
    let party = vec![Type::Text, Type::Integer, Type::Date, Type::Link("party".into())];
    for (table, fields) in [
        (table("item", None), item),
        (rows, fields(&ROW, vec![Type::Text, Type::Integer, Type::Money, Type::Boolean])),
        (table("party", None), fields(&PARTY, party)),
        (table("mark", None), fields(&MARK, vec![Type::Link("item".into()), Type::Integer, Type::Text])),
    ] {
        shapes.tables.insert(table, TableShape { fields });
    }
    shapes
}

/// The scope of a rule of `item`.
pub fn scope(shapes: &Shapes) -> Scope<'_> {
    let mut scope = Scope::new(shapes, vec![table("item", None)]);
    scope.user = true;
    scope
}

/// Who acts: nobody in particular, serving one queue.
pub fn viewer() -> Viewer {
    Viewer {
        user: Some(Uuid::from_u128(900)),
        kind: ViewerKind::Person,
        roles: vec!["clerk".into()],
        queues: vec!["desk".into()],
        language: "en".to_owned(),
    }
}

impl World {
    /// The world as loaded facts.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for party in &self.parties {
            facts.add_record("party".into(), party.id, Some(party.clone()));
        }
        facts.add_record("party".into(), Uuid::from_u128(404), None);
        facts.add_record("item".into(), self.item.id, Some(self.item.clone()));
        let marks = self.marks.iter().cloned().map(Arc::new).collect();
        facts.backlinks.insert(("mark".into(), "item".into(), self.item.id), marks);
        facts
    }
}

/// Random worlds: nulls, scales, the edges of calendars and clocks, Chinese text, emoji.
pub fn worlds() -> impl Strategy<Value = World> {
    (items(), vec(parties(), 3), vec((integers(), texts()), 0..4), zones(), instants()).prop_map(
        |(values, parties, marks, zone, now)| {
            let id = Uuid::from_u128(1);
            let parties =
                parties.into_iter().enumerate().map(|(index, values)| record(10 + index as u128, values)).collect();
            let marks = marks
                .into_iter()
                .enumerate()
                .map(|(index, (points, note))| record(100 + index as u128, vec![Value::Id(id), points, note]))
                .collect();
            World { item: record(1, values), parties, marks, zone, now }
        },
    )
}

fn items() -> impl Strategy<Value = Vec<Value>> {
    let numbers = (integers(), integers(), decimals(4), decimals(2), decimals(2), decimals(2));
    let times = (dates(), dates(), moments(), moments());
    let rest = (keys(&["red", "green", "blue"]), links(), keys(&["desk", "back"]), vec(rows(), 0..5));
    (texts(), texts(), numbers, booleans(), booleans(), times, rest).prop_map(
        |(a, b, numbers, flag, mark, times, rest)| {
            let (n, m, d, e, price, cost) = numbers;
            let (day, until, at, then) = times;
            let (kind, owner, queue, rows) = rest;
            let rows = rows
                .into_iter()
                .enumerate()
                .map(|(index, values)| Row { id: Uuid::from_u128(50 + index as u128), values });
            let rows = Value::Rows(rows.collect());
            vec![a, b, n, m, d, e, price, cost, flag, mark, day, until, at, then, kind, owner, queue, rows]
        },
    )
}

fn rows() -> impl Strategy<Value = Vec<Value>> {
    (texts(), integers(), decimals(2), booleans()).prop_map(|(t, q, sum, ok)| vec![t, q, sum, ok])
}

fn parties() -> impl Strategy<Value = Vec<Value>> {
    (texts(), integers(), dates(), links()).prop_map(|(name, level, since, boss)| vec![name, level, since, boss])
}

fn record(id: u128, values: Vec<Value>) -> Record {
    let created = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    Record {
        id: Uuid::from_u128(id),
        version: 3,
        created_at: created,
        created_by: Some(Uuid::from_u128(900)),
        updated_at: created + TimeDelta::days(40),
        updated_by: None,
        values,
    }
}

fn nullable(values: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 5 => values].boxed()
}

fn texts() -> BoxedStrategy<Value> {
    let texts =
        ["", "a", "A", "ab", " a b ", "王芳", "航班 MU5", "😀", "é", "ß", "it's", "12.5", "-3", "2026-01-31", "%_"];
    nullable(select(texts.to_vec()).prop_map(|text| Value::Text(text.to_owned())))
}

fn integers() -> BoxedStrategy<Value> {
    let extremes = select(vec![i64::MAX, i64::MIN, i64::MAX - 1, 1 << 53]);
    nullable(prop_oneof![20 => -12_i64..13, 5 => -100_000_i64..100_000, 1 => extremes].prop_map(Value::Integer))
}

/// At the field's scale or coarser, as they are stored.
fn decimals(scale: u32) -> BoxedStrategy<Value> {
    let number = (prop_oneof![4 => -500_i64..500, 1 => -99_999_999_i64..99_999_999], 0..=scale);
    nullable(number.prop_map(|(mantissa, scale)| Value::Decimal(Decimal::new(mantissa, scale))))
}

fn booleans() -> BoxedStrategy<Value> {
    nullable(any::<bool>().prop_map(Value::Boolean))
}

fn dates() -> BoxedStrategy<Value> {
    let edges = ["2024-02-29", "2026-01-31", "2026-12-31", "2020-12-31", "2025-03-09", "1986-05-04", "2000-02-29"];
    let edges = select(edges.map(|text| text.parse::<NaiveDate>().unwrap_or_default()).to_vec());
    let any = (0_i64..25_000).prop_map(|days| NaiveDate::default() + TimeDelta::days(days));
    nullable(prop_oneof![edges, any].prop_map(Value::Date))
}

fn moments() -> BoxedStrategy<Value> {
    nullable(instants().prop_map(Value::DateTime))
}

/// Around changes of the clock, and anywhere between 1986 and 2036.
fn instants() -> BoxedStrategy<DateTime<Utc>> {
    let near = (select(CLOCK_CHANGES.to_vec()), -100_000_i64..100_000).prop_map(|(change, seconds)| change + seconds);
    let any = prop_oneof![2 => near, 1 => 504_921_600_i64..2_082_758_400];
    (any, prop_oneof![3 => Just(0_i64), 1 => 0_i64..1_000_000])
        .prop_map(|(seconds, micros)| DateTime::from_timestamp_micros(seconds * 1_000_000 + micros).unwrap_or_default())
        .boxed()
}

fn zones() -> impl Strategy<Value = Tz> {
    select(ZONES.to_vec())
}

fn keys(keys: &'static [&'static str]) -> BoxedStrategy<Value> {
    nullable(select(keys.to_vec()).prop_map(|key| Value::Text(key.to_owned())))
}

/// To one of the parties, or to a record that is gone.
fn links() -> BoxedStrategy<Value> {
    nullable(select(vec![10_u128, 11, 404]).prop_map(|id| Value::Id(Uuid::from_u128(id))))
}

fn fields(keys: &[&str], types: Vec<Type>) -> IndexMap<Key, FieldShape> {
    let shape = |index, ty| FieldShape { slot: Slot::Field(index), ty, backlink: None, stored: true };
    keys.iter().zip(types).enumerate().map(|(index, (key, ty))| (Key::from(*key), shape(index, ty))).collect()
}

fn table(form: &str, table: Option<&str>) -> TableRef {
    TableRef { form: form.into(), table: table.map(Key::from) }
}
