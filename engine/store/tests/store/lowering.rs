//! Lowering: what an expression selects in the database is what it is true for in memory, to the last null.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{NaiveDate, TimeZone, Utc};
use formwork_core::access::shapes;
use formwork_core::eval::{Environment, EvalError, RowView, evaluate};
use formwork_core::{Facts, Record, Viewer};
use formwork_model::expr::{Expr, Scope, TableRef, Type, check};
use formwork_model::value::Row;
use formwork_model::{Key, Pack, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use uuid::Uuid;

use crate::forms::everything;
use crate::world::{World, at, new_record, text};

crate::on_both!(super::everything();
    lowered_and_evaluated_agree_on_known_corners,
    lowered_and_evaluated_agree_on_anything,
    an_overflow_is_a_fault_and_never_a_float,
);

/// Records whose values meet every corner: nulls, signs, places, text that looks like a pattern.
fn things(pack: &Pack) -> (Vec<Record>, Vec<Record>, Vec<Record>) {
    let site = |id: u128, name: Option<&str>, rank: Option<i64>| {
        let values = [("name", name.map_or(Value::Null, text)), ("rank", rank.map_or(Value::Null, Value::Integer))];
        new_record(pack, "site", id, &values)
    };
    let sites = vec![site(1, Some("a"), Some(3)), site(2, None, None), site(3, Some("名"), Some(-1))];
    let things: Vec<Record> = (0..48).map(|number| thing(pack, number)).collect();
    let visit = |number: u128| {
        let thing = if number.is_multiple_of(4) { Value::Null } else { Value::Id(Uuid::from_u128(100 + number % 9)) };
        let minutes =
            if number.is_multiple_of(5) { Value::Null } else { Value::Integer(i64::try_from(number).unwrap() - 6) };
        new_record(pack, "visit", 300 + number, &[("thing", thing), ("minutes", minutes)])
    };
    (sites, things, (0..20).map(visit).collect())
}

fn thing(pack: &Pack, number: usize) -> Record {
    fn pick<T: Clone>(number: usize, stride: usize, list: &[T]) -> T {
        list[(number / stride + number * stride) % list.len()].clone()
    }
    let maybe = |text: Option<&str>| text.map_or(Value::Null, crate::world::text);
    let decimal = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Decimal(text.parse().unwrap()));
    let date = |day: Option<&str>| day.map_or(Value::Null, |day| Value::Date(day.parse::<NaiveDate>().unwrap()));
    let row = |id: usize| {
        let amount = pick(number + id, 3, &[Some("1.00"), None, Some("-2.50"), Some("0.01")]);
        let flag = pick(number + id, 2, &[Value::Null, Value::Boolean(true), Value::Boolean(false)]);
        let label = pick(number + id, 5, &[Some("a"), None, Some("b")]);
        let id = Uuid::from_u128(10_000 + (number * 10 + id) as u128);
        Row { id, values: vec![maybe(label), decimal(amount), flag] }
    };
    let names =
        [Some("a"), Some("A"), Some(""), None, Some("a.c"), Some("abc"), Some("名称😀"), Some("%"), Some("\u{10FFFF}")];
    let counts = [Some(0), None, Some(3), Some(-3), Some(1 << 53), Some(-(1 << 53)), Some(10)];
    let seen = [Some(0), None, Some(1_767_225_600_000_001), Some(-1)];
    let values = [
        ("name", maybe(pick(number, 1, &names))),
        ("count", pick(number, 2, &counts).map_or(Value::Null, Value::Integer)),
        (
            "ratio",
            decimal(pick(number, 3, &[Some("0.125"), None, Some("-1.500"), Some("3"), Some("10"), Some("1.501")])),
        ),
        ("coarse", decimal(pick(number, 5, &[Some("1.5"), None, Some("-1.5"), Some("3"), Some("0")]))),
        (
            "price",
            decimal(pick(number, 7, &[Some("1.50"), Some("0"), None, Some("9999999999999999.99"), Some("-0.01")])),
        ),
        ("open", pick(number, 1, &[Value::Boolean(true), Value::Null, Value::Boolean(false)])),
        ("day", date(pick(number, 2, &[Some("2026-01-01"), None, Some("1969-12-31"), Some("2024-02-29")]))),
        ("due", date(pick(number, 3, &[Some("2026-01-01"), Some("2026-03-01"), None]))),
        ("seen", pick(number, 4, &seen).map_or(Value::Null, |at| Value::DateTime(Utc.timestamp_micros(at).unwrap()))),
        ("state", maybe(pick(number, 3, &[Some("new"), None, Some("done")]))),
        (
            "site",
            pick(number, 2, &[1, 0, 2, 3].map(|id| if id == 0 { Value::Null } else { Value::Id(Uuid::from_u128(id)) })),
        ),
        ("queue", maybe(pick(number, 5, &[Some("north"), Some("south"), None]))),
        ("total", decimal(pick(number, 2, &[Some("1.00"), None, Some("7")]))),
        ("items", Value::Rows((0..number % 4).map(row).collect())),
        ("order", text(&format!("order {number}"))),
    ];
    let mut record = new_record(pack, "thing", 100 + number as u128, &values);
    record.created_by = (number.is_multiple_of(3)).then(|| Uuid::from_u128(7));
    record
}

/// The world filled, and everything at hand for evaluating.
struct Bench {
    world: Arc<World>,
    pack: Arc<Pack>,
    things: Vec<Record>,
    facts: Facts,
    viewer: Viewer,
}

impl Bench {
    async fn new(world: Arc<World>) -> Self {
        let pack = world.pack();
        let (sites, mut things, visits) = things(&pack);
        // The unique of open ones is not what is tested here.
        let (name, site, state) =
            (0, pack.form("thing").field("site").unwrap().0, pack.form("thing").field("state").unwrap().0);
        let mut seen = Vec::new();
        things.retain(|thing| {
            let key = (thing.values[name].clone(), thing.values[site].clone());
            let counted = thing.values[state] != text("done") && !key.0.is_null() && !key.1.is_null();
            let free = !counted || !seen.contains(&key);
            seen.push(key);
            free
        });
        let known: Vec<Uuid> = things.iter().map(|thing| thing.id).collect();
        let visits: Vec<Record> =
            visits.into_iter().filter(|visit| visit.values[0].as_id().is_none_or(|id| known.contains(&id))).collect();
        for (form, records) in [("site", &sites), ("thing", &things), ("visit", &visits)] {
            world.create(form, records.clone()).await;
        }
        let mut facts = Facts::default();
        for site in sites {
            facts.add_record("site".into(), site.id, Some(site));
        }
        for thing in &things {
            let linked = visits.iter().filter(|visit| visit.values[0].as_id() == Some(thing.id));
            let linked = linked.cloned().map(Arc::new).collect();
            facts.backlinks.insert(("visit".into(), "thing".into(), thing.id), linked);
        }
        Self { world, pack, things, facts, viewer: Viewer::system("en") }
    }

    /// Checked as a filter: everything must lower.
    fn checked(&self, source: &str) -> Option<Expr> {
        let shapes = shapes(&self.pack);
        let mut scope = Scope::new(&shapes, vec![TableRef::form(&Key::from("thing"))]);
        (scope.user, scope.must_lower) = (true, true);
        check(source, &scope, Some(&Type::Boolean)).ok()
    }

    /// The ids for which the expression is true in memory.
    fn evaluated(&self, expr: &Expr) -> Result<Vec<Uuid>, EvalError> {
        let environment = Environment::new(at(0), *self.pack.timezone(), &self.viewer, &*self.pack, &self.facts);
        let mut ids = Vec::new();
        for thing in &self.things {
            let rows = [RowView::from(thing)];
            if evaluate(&expr.ir, &environment.with_rows(&rows))?.is_true() {
                ids.push(thing.id);
            }
        }
        Ok(ids)
    }

    async fn selected(&self, expr: &Expr) -> Result<Vec<Uuid>, formwork_store::Fault> {
        self.world.store.ids(&self.pack, "thing", Some(&expr.ir), at(0), None, 1_000).await
    }
}

async fn lowered_and_evaluated_agree_on_known_corners(world: Arc<World>) {
    let bench = Bench::new(world).await;
    let sources = [
        "name == null",
        "name != 'a'",
        "not (name == 'a')",
        "not (name in ['a', null])",
        "name in ['a', null]",
        "state in []",
        "not (count > 3)",
        "count > 3 or open",
        "ratio == coarse",
        "ratio != coarse",
        "coarse < ratio",
        "ratio <= coarse",
        "coarse >= ratio",
        "price == count",
        "count < ratio",
        "price > 1.505",
        "price >= 1.505",
        "price < 1.505",
        "price == 1.505",
        "price != 1.505",
        "price < 100000000000000000000",
        "ratio < 100000000000000000000",
        "coarse >= -100000000000000000000",
        "count == 3.5",
        "contains(name, 'a.c')",
        "contains(name, '')",
        "contains(name, '%')",
        "starts_with(name, 'a')",
        "starts_with(name, '')",
        "starts_with(name, '名')",
        "starts_with(name, '\u{10FFFF}')",
        "ends_with(name, 'c')",
        "ends_with(name, '')",
        "ends_with(name, '😀')",
        "ends_with(name, 'abcabcabc')",
        "len(name) == 3",
        "name > 'A'",
        "name + 'x' == 'ax'",
        "day < due",
        "days_between(day, due) > 0",
        "day == today",
        "seen < now",
        "seen == null",
        "site.name == null",
        "site.name != 'a'",
        "site.rank + 1 > 3",
        "site == null",
        "site.rank == count",
        "sum(items, amount) == 0",
        "sum(items, amount) < 0",
        "count(items) > 1",
        "count(items, flag) == 0",
        "any(items, flag)",
        "all(items, flag)",
        "all(items, amount > 0)",
        "max(items, amount) == 1",
        "min(items, amount) == null",
        "count(visits) > 1",
        "sum(visits, minutes) > 3",
        "any(visits, minutes == null)",
        "max(visits, minutes) > count",
        "open",
        "not open",
        "open == null",
        "open == true",
        "(open ?? false) == false",
        "when(open, count, ratio) > 0",
        "coalesce(ratio, coarse, count) < 0",
        "abs(price) > 1",
        "-count > 2",
        "created_by == null",
        "version == 1",
        "created_at < now",
        "price + 1 > price",
        "ratio - coarse + 0.0001 > 0",
        "count + count > 5",
        "count in [3, 10.0, null]",
        "ratio in [3, 0.1251]",
        "count <= settings.limit",
        "queue in user.queues",
        "has_role('agent') or open",
        "null",
    ];
    let mut no_filters = Vec::new();
    for source in sources {
        let Some(expr) = bench.checked(source) else {
            no_filters.push(source);
            continue;
        };
        let evaluated = bench.evaluated(&expr).unwrap_or_else(|error| panic!("`{source}`: {error:?}"));
        let selected =
            bench.selected(&expr).await.unwrap_or_else(|fault| panic!("`{source}`: {fault} {:?}", fault.source));
        assert_eq!(selected, evaluated, "`{source}`");
    }
    assert!(no_filters.is_empty(), "{no_filters:?}");
    for (source, expected) in [("name == null", "name"), ("site == null", "site")] {
        let position = bench.pack.form("thing").field(expected).unwrap().0;
        let by_hand: Vec<Uuid> =
            bench.things.iter().filter(|thing| thing.values[position].is_null()).map(|thing| thing.id).collect();
        assert!(!by_hand.is_empty());
        assert_eq!(bench.selected(&bench.checked(source).unwrap()).await.unwrap(), by_hand);
    }
}

async fn an_overflow_is_a_fault_and_never_a_float(world: Arc<World>) {
    let bench = Bench::new(world).await;
    let max = i64::MAX;
    for source in
        [format!("count + {max} > 0"), format!("-({max} - count) - {max} < 0"), format!("abs(count + {max}) > 1")]
    {
        let expr = bench.checked(&source).unwrap_or_else(|| panic!("`{source}` is no filter"));
        assert_eq!(bench.evaluated(&expr), Err(EvalError::Overflow), "`{source}`");
        assert!(bench.selected(&expr).await.is_err(), "`{source}`");
    }
}

async fn lowered_and_evaluated_agree_on_anything(world: Arc<World>) {
    let bench = Arc::new(Bench::new(world).await);
    let runtime = tokio::runtime::Handle::current();
    let (tried, checked) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counts = (tried.clone(), checked.clone());
    let run = move || {
        let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&truth(), |source| {
            tried.fetch_add(1, Ordering::Relaxed);
            let Some(expr) = bench.checked(&source) else { return Ok(()) };
            let Ok(evaluated) = bench.evaluated(&expr) else { return Ok(()) };
            checked.fetch_add(1, Ordering::Relaxed);
            let selected = runtime.block_on(bench.selected(&expr));
            // SQLite counts to 2^63 units of the last place; what does not fit is an error, never approximated.
            let beyond = |fault: &formwork_store::Fault| {
                let why = fault.source.as_ref().map(ToString::to_string).unwrap_or_default();
                why.starts_with("the number ") || why == "integer overflow"
            };
            if selected.as_ref().is_err_and(beyond) {
                return Ok(());
            }
            let selected =
                selected.map_err(|fault| TestCaseError::fail(format!("`{source}`: {fault} {:?}", fault.source)))?;
            prop_assert_eq!(selected, evaluated, "`{}`", source);
            Ok(())
        })
    };
    tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let (tried, checked) = (counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed));
    assert!(checked * 10 > tried * 7, "only {checked} of {tried} expressions were filters");
}

/// A condition over a thing.
fn truth() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("open".to_owned()),
        (number(), comparison(), number()).prop_map(|(one, op, other)| format!("{one} {op} {other}")),
        (words(), comparison(), words()).prop_map(|(one, op, other)| format!("{one} {op} {other}")),
        (date(), comparison(), date()).prop_map(|(one, op, other)| format!("{one} {op} {other}")),
        (words(), prop::sample::select(vec!["contains", "starts_with", "ends_with"]), words())
            .prop_map(|(text, function, part)| format!("{function}({text}, {part})")),
        (number(), prop::collection::vec(literal(), 0..4))
            .prop_map(|(item, list)| format!("{item} in [{}]", list.join(", "))),
        (comparison(), literal()).prop_map(|(op, number)| format!("any(items, amount {op} {number} or flag)")),
        Just("state in ['new', null]".to_owned()),
        Just("state == 'done'".to_owned()),
        Just("all(items, flag ?? true)".to_owned()),
        Just("seen >= created_at".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} and {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} or {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("(({one}) == ({other}))")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("when({a}, {b}, {c})")),
            inner.clone().prop_map(|one| format!("(not ({one}))")),
            inner.prop_map(|one| format!("(({one}) ?? false)")),
        ]
    })
    .boxed()
}

fn comparison() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="])
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "0",
        "3",
        "-1",
        "1.5",
        "0.125",
        "-1.5001",
        "9007199254740992",
        "99999999999999999999",
        "null",
    ])
    .prop_map(str::to_owned)
}

fn number() -> BoxedStrategy<String> {
    let fields = ["count", "ratio", "coarse", "len(name)", "site.rank", "days_between(day, due)", "version"];
    let folds = [
        "count(items)",
        "count(visits, minutes > 3)",
        "sum(visits, minutes)",
        "max(visits, minutes)",
        "count(items, flag)",
    ];
    let leaf =
        prop_oneof![prop::sample::select([fields.as_slice(), &folds].concat()).prop_map(str::to_owned), literal()];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} + {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} - {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} ?? {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("when(open, {one}, {other})")),
            inner.clone().prop_map(|one| format!("(-{one})")),
            inner.prop_map(|one| format!("abs({one})")),
        ]
    })
    .boxed()
}

fn words() -> BoxedStrategy<String> {
    let words = [
        "name",
        "site.name",
        "name + 'c'",
        "(site.name ?? name)",
        "''",
        "'a'",
        "'a.c'",
        "'%'",
        "'名'",
        "'\u{10FFFF}'",
        "max(items, label)",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned).boxed()
}

fn date() -> BoxedStrategy<String> {
    prop::sample::select(vec!["day", "due", "today", "(day ?? due)", "date('2026-03-01')"])
        .prop_map(str::to_owned)
        .boxed()
}
