//! The forms and records that random expressions stand on.
//!
//! `item` has a field of every type, a child table `rows`, a link `owner` to `party` (which links to its `boss`), and a
//! backlink `marks` to the records of `mark` whose `item` is it.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use formwork_core::{Facts, Record, Viewer, ViewerKind};
use formwork_model::expr::{Names, Position, Scope, Shapes, TableRef};
use formwork_model::value::Row;
use formwork_model::{Key, Pack, SourceMap, Value, compile};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use uuid::Uuid;

/// The forms. Some numbers have limits, as a database wants them for arithmetic; the others reach as far as they can.
pub const FORMS: [(&str, &str); 3] = [
    (
        "item",
        r#"{"label": "Item", "fields": {
            "a": {"type": "text"}, "b": {"type": "text"}, "n": {"type": "integer"},
            "m": {"type": "integer", "min": -100000, "max": 100000},
            "d": {"type": "decimal", "scale": 4, "min": -100000000, "max": 100000000}, "e": {"type": "decimal", "scale": 2},
            "price": {"type": "money"}, "cost": {"type": "money", "min": -100000000, "max": 100000000},
            "flag": {"type": "boolean"}, "mark": {"type": "boolean"}, "day": {"type": "date"}, "until": {"type": "date"},
            "at": {"type": "datetime"}, "then": {"type": "datetime"},
            "kind": {"type": "choice",
                "options": {"red": {"label": "R"}, "green": {"label": "G"}, "blue": {"label": "B"}}},
            "owner": {"type": "link", "to": "party", "onDelete": "clear"}, "queue": {"type": "queue"},
            "rows": {"type": "table", "fields": {"t": {"type": "text"}, "q": {"type": "integer", "min": -100000, "max": 100000},
                "sum": {"type": "money", "min": -100000000, "max": 100000000}, "ok": {"type": "boolean"}}},
            "marks": {"type": "backlink", "from": "mark.item"}}}"#,
    ),
    (
        "party",
        r#"{"label": "Party", "fields": {"name": {"type": "text"}, "level": {"type": "integer", "min": -100000, "max": 100000},
            "since": {"type": "date"}, "boss": {"type": "link", "to": "party", "onDelete": "clear"}}}"#,
    ),
    (
        "mark",
        r#"{"label": "Mark", "fields": {"item": {"type": "link", "to": "item", "onDelete": "clear"},
            "points": {"type": "integer", "min": -100000, "max": 100000}, "note": {"type": "text"}}}"#,
    ),
];

/// Fields of `item`, in the order of its values.
pub const ITEM: [&str; 19] = [
    "a", "b", "n", "m", "d", "e", "price", "cost", "flag", "mark", "day", "until", "at", "then", "kind", "owner",
    "queue", "rows", "marks",
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

/// The greatest decimal that is stored, in units of its last place.
const DECIMAL_UNITS_MAX: i64 = 1_000_000_000_000_000_000;

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

/// The pack, in that zone. Its calendar `desk` is open from Monday to Friday, 9 to 17 in UTC.
pub fn pack(zone: Tz) -> Pack {
    let mut sources = SourceMap::new();
    let pack = r#"{"version": "1.0.0", "title": "Expressions", "languages": ["en"], "timezone": "ZONE",
        "roles": {"clerk": {"title": "Clerk"}, "lead": {"title": "Lead"}},
        "queues": {"desk": {"title": "Desk"}, "back": {"title": "Back"}}}"#;
    sources.insert("pack.json", pack.replace("ZONE", zone.name()));
    let desk = r#"{"label": "Desk", "timezone": "UTC", "week": {"mon": ["09:00-17:00"], "tue": ["09:00-17:00"],
        "wed": ["09:00-17:00"], "thu": ["09:00-17:00"], "fri": ["09:00-17:00"], "sat": [], "sun": []}}"#;
    sources.insert("calendars/desk.json", desk);
    for (form, definition) in FORMS {
        sources.insert(format!("forms/{form}.json"), definition);
    }
    let (pack, diagnostics) = compile("lab", &sources);
    pack.unwrap_or_else(|| panic!("the pack of the fixture is broken: {diagnostics:#?}"))
}

/// What the checker needs to know of the forms; no zone matters to it.
pub fn shapes() -> &'static Shapes {
    static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
        formwork_core::access::shapes(&std::sync::Arc::new(pack(Tz::UTC)), &formwork_core::Viewer::system("en"))
    });
    &SHAPES
}

/// The scope of a rule of `item`.
pub fn scope(shapes: &Shapes) -> Scope<'_> {
    Scope::new(Position::Rule, shapes).row(Names::Fields, table("item", None))
}

/// The scope of a condition on rows of `item`: everything must lower.
pub fn filter_scope(shapes: &Shapes) -> Scope<'_> {
    Scope::new(Position::Rows, shapes).row(Names::Fields, table("item", None))
}

/// Who acts: nobody in particular, serving one queue.
pub fn viewer() -> Viewer {
    Viewer {
        user: Some(Uuid::from_u128(900)),
        kind: ViewerKind::Person,
        roles: vec!["clerk".into()],
        queues: vec!["desk".into()],
        team: None,
        leads: Vec::new(),
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

impl World {
    /// The same with ids that no other world has, so that several can stand in one database. Links that lead to nothing
    /// are cleared, as a database would, and those that do not lead to a record created before.
    pub fn apart(mut self, number: usize) -> Self {
        let ids = 1_000 * (number as u128 + 1);
        let moved = |id: Uuid| Uuid::from_u128(id.as_u128() + ids);
        let known: Vec<Uuid> = self.parties.iter().map(|party| party.id).chain([self.item.id]).collect();
        for record in self.parties.iter_mut().chain(&mut self.marks).chain([&mut self.item]) {
            let own = record.id;
            record.id = moved(own);
            for value in &mut record.values {
                match value {
                    Value::Id(id) if known.contains(id) && *id != own && (own.as_u128() == 1 || *id < own) => {
                        *id = moved(*id)
                    }
                    Value::Id(_) => *value = Value::Null,
                    Value::Rows(rows) => rows.iter_mut().for_each(|row| row.id = moved(row.id)),
                    _ => {}
                }
            }
        }
        self
    }
}

/// Random worlds: nulls, scales, the edges of calendars and clocks, Chinese text, emoji.
pub fn worlds() -> impl Strategy<Value = World> {
    (items(), vec(parties(), 3), vec((small_integers(), texts()), 0..4), zones(), instants()).prop_map(
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
    let numbers = (integers(), small_integers(), small_decimals(4), decimals(2), decimals(2), small_decimals(2));
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
            vec![a, b, n, m, d, e, price, cost, flag, mark, day, until, at, then, kind, owner, queue, rows, Value::Null]
        },
    )
}

fn rows() -> impl Strategy<Value = Vec<Value>> {
    (texts(), small_integers(), small_decimals(2), booleans()).prop_map(|(t, q, sum, ok)| vec![t, q, sum, ok])
}

fn parties() -> impl Strategy<Value = Vec<Value>> {
    (texts(), small_integers(), dates(), links()).prop_map(|(name, level, since, boss)| vec![name, level, since, boss])
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
    let texts = [
        "",
        "a",
        "A",
        "ab",
        " a b ",
        "王芳",
        "航班 MU5",
        "😀",
        "é",
        "ß",
        "it's",
        "12.5",
        "-3",
        "2026-01-31",
        "%_",
        "a.c",
        "abc",
        "\u{10FFFF}",
    ];
    nullable(select(texts.to_vec()).prop_map(|text| Value::Text(text.to_owned())))
}

fn integers() -> BoxedStrategy<Value> {
    let extremes = select(vec![i64::MAX, i64::MIN, i64::MAX - 1, 1 << 53]);
    prop_oneof![25 => small_integers(), 1 => extremes.prop_map(Value::Integer)].boxed()
}

/// Within the limits of the fields that have any.
fn small_integers() -> BoxedStrategy<Value> {
    nullable(prop_oneof![4 => -12_i64..13, 1 => -100_000_i64..100_000].prop_map(Value::Integer))
}

/// At the field's scale or coarser, as they are stored.
fn decimals(scale: u32) -> BoxedStrategy<Value> {
    // The greatest that a store holds.
    let extreme = select(vec![DECIMAL_UNITS_MAX, -DECIMAL_UNITS_MAX]).prop_map(move |units| (units, scale));
    let extreme = extreme.prop_map(|(mantissa, scale)| Value::Decimal(Decimal::new(mantissa, scale)));
    prop_oneof![24 => small_decimals(scale), 1 => extreme].boxed()
}

/// Within the limits of the fields that have any.
fn small_decimals(scale: u32) -> BoxedStrategy<Value> {
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

/// A form, or a table in it.
pub fn table(form: &str, table: Option<&str>) -> TableRef {
    TableRef { form: form.into(), table: table.map(Key::from) }
}
