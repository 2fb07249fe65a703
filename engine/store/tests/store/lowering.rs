//! Lowering: what an expression selects in the database is what the naive evaluator says it selects, to the last null.
//!
//! Many random worlds stand in one database. A value is compared by asking for it: the records for which `(expression)
//! == value` holds are those of the worlds for which the naive evaluator finds that value.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use formwork_core::eval::{Environment, Nothing, bind};
use formwork_model::expr::ir::{FieldPath, FieldRef, Function, Root, Slot};
use formwork_model::expr::{Ir, TableRef, Type, check};
use formwork_model::{Pack, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use uuid::Uuid;

use crate::expressions::fixture::{self, CLOCK_CHANGES, World as Case, viewer, worlds};
use crate::expressions::generate::{Backend, expressions};
use crate::expressions::matrix::samples;
use crate::expressions::naive::{Thing, evaluate as naive, is_large_somewhere};
use crate::world::World;

crate::on_both!(crate::expressions::fixture::pack(chrono_tz::Tz::America__Havana);
    known_corners_agree_with_the_naive_evaluator,
    anything_agrees_with_the_naive_evaluator,
    an_overflow_is_a_fault_and_never_a_float,
    the_table_says_what_lowers,
);

/// How many worlds stand in the database.
const WORLDS: usize = 32;
/// How many values of an expression are asked for.
const PROBES: usize = 4;

/// The worlds in the database, and everything at hand for asking.
struct Bench {
    world: Arc<World>,
    pack: Arc<Pack>,
    cases: Vec<Case>,
    /// Conditions compared, counted once per record.
    compared: AtomicUsize,
    /// Records selected by them.
    selected: AtomicUsize,
    /// Expressions that the checker refuses, because nothing bounds their numbers.
    unbounded: AtomicUsize,
}

impl Bench {
    async fn new(world: Arc<World>, mut runner: TestRunner) -> Self {
        let pack = world.pack();
        let cases = (0..WORLDS).map(|number| worlds().new_tree(&mut runner).unwrap().current().apart(number));
        let cases: Vec<Case> = cases.collect();
        world.create("party", cases.iter().flat_map(|case| case.parties.clone()).collect()).await;
        world.create("item", cases.iter().map(|case| case.item.clone()).collect()).await;
        world.create("mark", cases.iter().flat_map(|case| case.marks.clone()).collect()).await;
        let (compared, selected, unbounded) = Default::default();
        Self { world, pack, cases, compared, selected, unbounded }
    }

    /// The worlds at that instant, in the zone of the database's pack.
    fn at(&self, now: DateTime<Utc>) -> Vec<Case> {
        let case = |case: &Case| Case { now, zone: Tz::America__Havana, ..case.clone() };
        self.cases.iter().map(case).collect()
    }

    /// Compares the expression's truth and some of its values.
    async fn agree(&self, source: &str, now: DateTime<Utc>) -> Result<(), TestCaseError> {
        let cases = self.at(now);
        let mut values: Vec<Thing> = vec![Thing::Null];
        for value in cases.iter().filter_map(|case| naive(source, case).ok()) {
            if values.len() < PROBES && !values.contains(&value) {
                values.push(value);
            }
        }
        if values.iter().any(|value| matches!(value, Thing::Truth(_))) {
            self.compare(source, &cases).await?;
        }
        for value in values.iter().filter_map(Thing::literal) {
            self.compare(&format!("({source}) == {value}"), &cases).await?;
        }
        Ok(())
    }

    async fn compare(&self, source: &str, cases: &[Case]) -> Result<(), TestCaseError> {
        let truths: Vec<_> = cases.iter().map(|case| naive(source, case)).collect();
        let known = |id: &Uuid| cases.iter().zip(&truths).any(|(case, truth)| case.item.id == *id && truth.is_ok());
        let expected: Vec<Uuid> = cases
            .iter()
            .zip(&truths)
            .filter(|(_, truth)| truth.as_ref().is_ok_and(Thing::is_true))
            .map(|(case, _)| case.item.id)
            .collect();
        let Some(ir) = self.bound(source, cases[0].now) else {
            self.unbounded.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let small: Vec<Uuid> =
            cases.iter().filter(|case| !is_large_somewhere(source, case)).map(|case| case.item.id).collect();
        let selected = match self.select(&ir, cases[0].now).await {
            Ok(selected) => selected.into_iter().filter(known).collect(),
            // A row with a number that is too large may spoil the whole question, but not one that leaves it out.
            Err(_) if small.len() < cases.len() => match self.select(&among(&small, ir), cases[0].now).await {
                Ok(mut selected) => {
                    selected.extend(expected.iter().filter(|id| !small.contains(id)));
                    selected.sort();
                    selected
                }
                Err(fault) => return Err(failure(source, &fault)),
            },
            Err(fault) => return Err(failure(source, &fault)),
        };
        self.compared.fetch_add(small.len(), Ordering::Relaxed);
        self.selected.fetch_add(selected.len(), Ordering::Relaxed);
        let wrong = cases.iter().find(|case| expected.contains(&case.item.id) != selected.contains(&case.item.id));
        prop_assert_eq!(&selected, &expected, "`{}` at {} of {:#?}", source, cases[0].now, wrong);
        Ok(())
    }

    /// Checked as a filter and bound: everything must lower, but for numbers that might be too large.
    fn bound(&self, source: &str, now: DateTime<Utc>) -> Option<Ir> {
        let scope = fixture::filter_scope(fixture::shapes());
        let expr = match check(source, &scope, Some(&Type::Boolean)) {
            Ok(expr) => expr,
            Err(problems) => {
                let other = problems.iter().find(|problem| !problem.message.ends_with("too large for the database"));
                assert!(other.is_none(), "{}", problems[0].render(source));
                return None;
            }
        };
        let viewer = viewer();
        let environment = Environment::new(now, *self.pack.timezone(), &viewer, &*self.pack, &Nothing);
        Some(bind(&expr.ir, &environment).unwrap_or(expr.ir))
    }

    async fn select(&self, ir: &Ir, now: DateTime<Utc>) -> Result<Vec<Uuid>, formwork_store::Fault> {
        self.world.store.ids(&self.pack, "item", Some(ir), now, None, 1_000).await
    }
}

fn failure(source: &str, fault: &formwork_store::Fault) -> TestCaseError {
    TestCaseError::fail(format!("`{source}`: {fault} {:?}", fault.source))
}

/// The condition, asked for these records only.
fn among(ids: &[Uuid], condition: Ir) -> Ir {
    let table = TableRef::form(&"item".into());
    let ty = Type::Link("item".into());
    let field = FieldRef { table, key: "id".into(), slot: Slot::Id };
    let id = Ir::Field(FieldPath { root: Root::Frame(0), hops: Vec::new(), field, ty });
    let ids = ids.iter().map(|id| Ir::Literal(Value::Id(*id))).collect();
    Ir::Call(Function::When, vec![Ir::In(Box::new(id), ids), condition, Ir::Literal(Value::Boolean(false))])
}

async fn known_corners_agree_with_the_naive_evaluator(world: Arc<World>) {
    let bench = Bench::new(world, TestRunner::deterministic()).await;
    let now = DateTime::from_timestamp(CLOCK_CHANGES[2], 0).unwrap();
    for source in CORNERS {
        bench.agree(source, now).await.unwrap();
    }
    assert!(bench.selected.into_inner() > CORNERS.len() * 20);
}

async fn anything_agrees_with_the_naive_evaluator(world: Arc<World>) {
    let bench = Arc::new(Bench::new(world, TestRunner::default()).await);
    let runtime = tokio::runtime::Handle::current();
    let asked = bench.clone();
    let run = move || {
        let nows = (prop::sample::select(CLOCK_CHANGES.to_vec()), -100_000_i64..100_000)
            .prop_map(|(change, seconds)| DateTime::UNIX_EPOCH + TimeDelta::seconds(change + seconds));
        let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&(expressions(Backend::Sql, 3), nows), |((_, source), now)| {
            runtime.block_on(asked.agree(&source, now))
        })
    };
    tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let (compared, selected) = (bench.compared.load(Ordering::Relaxed), bench.selected.load(Ordering::Relaxed));
    let unbounded = bench.unbounded.load(Ordering::Relaxed);
    let said = format!("{compared} compared, {selected} selected, {unbounded} expressions unbounded");
    assert!(compared > 400 * WORLDS && selected > 100 * WORLDS && unbounded * 3 < compared / WORLDS, "{said}");
}

async fn an_overflow_is_a_fault_and_never_a_float(world: Arc<World>) {
    let mut bench = Bench::new(world.clone(), TestRunner::deterministic()).await;
    let mut large = bench.cases[0].clone().apart(WORLDS);
    (large.item.values[2], large.marks) = (Value::Integer(i64::MAX), Vec::new());
    world.create("party", large.parties.clone()).await;
    world.create("item", vec![large.item.clone()]).await;
    bench.cases = vec![large];
    let max = i64::MAX / 2;
    for source in ["n + 1 > 0".to_owned(), format!("-({max} - n) - {max} - n < 0"), "abs(n * n) > 1".to_owned()] {
        assert!(naive(&source, &bench.cases[0]).is_err(), "`{source}`");
        assert!(bench.bound(&source, bench.cases[0].now).is_none(), "`{source}`");
        // What was stored before the field got its limits is not held to them.
        let ir = check(&source, &fixture::scope(fixture::shapes()), None).unwrap().ir;
        assert!(bench.select(&ir, bench.cases[0].now).await.is_err(), "`{source}`");
    }
}

/// The table of functions and operators, the checker and the lowering say the same.
async fn the_table_says_what_lowers(world: Arc<World>) {
    let bench = Bench::new(world, TestRunner::deterministic()).await;
    let now = bench.cases[0].now;
    let viewer = viewer();
    let environment = Environment::new(now, *bench.pack.timezone(), &viewer, &*bench.pack, &Nothing);
    let scopes = (fixture::scope(fixture::shapes()), fixture::filter_scope(fixture::shapes()));
    for sample in samples() {
        let source = format!("({}) == null", sample.source);
        let expr = check(&source, &scopes.0, None).unwrap_or_else(|problems| panic!("{}", problems[0].render(&source)));
        let lowered = bench.select(&bind(&expr.ir, &environment).unwrap(), now).await;
        let accepted = check(&source, &scopes.1, None);
        assert_eq!((lowered.is_ok(), accepted.is_ok()), (sample.sql, sample.sql), "`{source}`: {lowered:?}");
    }
}

/// What the checker lets through without a bound, the database would have to refuse.
#[test]
fn numbers_without_bounds_are_refused() {
    let scope = fixture::filter_scope(fixture::shapes());
    for (source, accepted) in [
        ("m + 1 > 0", true),
        ("n + 1 > 0", false),
        ("price + 99999999999999999999 > 0", false),
        ("price > 99999999999999999999", true),
        ("price + cost > 0", true),
        ("price + price + price + price + price + price + price + price + price > 0", true),
        ("price + price + price + price + price + price + price + price + price + price > 0", false),
        ("price * 9 > 0", true),
        ("price * 10 > 0", false),
        ("cost * m > 0", true),
        ("cost * cost * m > 0", false),
        ("price * 1.06 > 0", false),
        ("cost * 1.06 > 0", true),
        ("(n ?? 0) > 0", true),
        ("(n ?? d) > 0", false),
        ("(m ?? d) > 0", true),
        ("min(n, 99999999999999999999) > 0", false),
        ("max(d, 1.00000000001) > 0", false),
        ("sum(rows, sum) - cost > 0", true),
    ] {
        assert_eq!(check(source, &scope, None).is_ok(), accepted, "`{source}`");
    }
}

const CORNERS: [&str; 62] = [
    "a == null",
    "a != 'a'",
    "not (a == 'a')",
    "not (a in ['a', null])",
    "a in ['a', null]",
    "kind in []",
    "not (n > 3)",
    "n > 3 or flag",
    "d == e",
    "d != e",
    "e < d",
    "d <= e",
    "e >= d",
    "price == n",
    "n < d",
    "price > 1.505",
    "price >= 1.505",
    "price < 1.505",
    "price == 1.505",
    "price != 1.505",
    "price < 100000000000000000000",
    "d < 100000000000000000000",
    "e >= -100000000000000000000",
    "n == 3.5",
    "contains(a, 'a.c')",
    "contains(a, '')",
    "contains(a, '%')",
    "starts_with(a, 'a')",
    "starts_with(a, '')",
    "starts_with(a, '王')",
    "starts_with(a, '\u{10FFFF}')",
    "ends_with(a, 'c')",
    "ends_with(a, '')",
    "ends_with(a, '😀')",
    "ends_with(a, 'abcabcabc')",
    "len(a) == 3",
    "a > 'A'",
    "a + 'x' == 'ax'",
    "day < until",
    "days_between(day, until) > 0",
    "at < now",
    "owner.name == null",
    "owner.name != 'a'",
    "owner.level + 1 > 3",
    "owner.boss.level == n",
    "sum(rows, sum) == 0",
    "count(rows, ok) == 0",
    "any(rows, ok)",
    "all(rows, ok)",
    "all(rows, sum > 0)",
    "min(rows, sum) == null",
    "count(marks) > 1",
    "any(marks, points == null)",
    "max(marks, points) > n",
    "flag == true",
    "when(flag, m, d) > 0",
    "coalesce(d, cost, m) < 0",
    "n in [3, 10.0, null]",
    "d in [3, 0.1251]",
    "queue in user.queues",
    "has_role('clerk') or flag",
    "null",
];
