//! Evaluation against the naive evaluator, over random expressions and random records.

#[allow(unreachable_pub, dead_code, reason = "the module of the tests crate, included by path")]
#[path = "../../../tests/src/expressions/mod.rs"]
mod expressions;

use std::sync::LazyLock;

use chrono::{DateTime, Offset};
use expressions::fixture::{CLOCK_CHANGES, ITEM, World, ZONES, filter_scope, pack, scope, shapes, viewer, worlds};
use expressions::generate::{Backend, conditions, expressions};
use expressions::naive::{Thing, TooLarge, evaluate as naive};
use formwork_core::eval::{Environment, EvalError, Missing, Nothing, RowView, bind, evaluate};
use formwork_core::{Facts, Record};
use formwork_model::expr::{Ir, Problem, check};
use formwork_model::{Pack, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Where calendars come from; its zone is of no matter.
static PACK: LazyLock<Pack> = LazyLock::new(|| pack(chrono_tz::Tz::UTC));

/// What the engine makes of a source; the source must be accepted for that back end.
fn engine(source: &str, world: &World, backend: Backend, bound: bool) -> Result<Thing, EvalError> {
    let (shapes, viewer, mut facts, pack) = (shapes(), viewer(), world.facts(), &*PACK);
    let scope = if backend == Backend::Sql { filter_scope(shapes) } else { scope(shapes) };
    let expr = check(source, &scope, None);
    // A number that nothing bounds is refused for the database by design.
    let refused = |problems: &[Problem]| problems.iter().all(|problem| problem.message.ends_with("for the database"));
    let expr = match expr {
        Err(problems) if refused(&problems) => return Err(EvalError::Overflow),
        expr => expr.unwrap_or_else(|problems| panic!("{}", problems[0].render(source))),
    };
    let rows = [RowView::from(&world.item)];
    let known = Environment::new(world.now, world.zone, &viewer, pack, &facts).with_rows(&rows);
    let ir = if bound { bind(&expr.ir, &known)? } else { expr.ir };
    if bound {
        ir.walk(&mut |node| assert!(!matches!(node, Ir::Name(_)), "{source}: a name is left: {node:?}"));
    }
    loop {
        let known = Environment::new(world.now, world.zone, &viewer, pack, &facts).with_rows(&rows);
        match evaluate(&ir, &known) {
            Err(EvalError::Missing(missing)) => {
                missing.into_iter().for_each(|missing| find(missing, world, &mut facts));
            }
            found => return found.map(|value| Thing::of(&value)),
        }
    }
}

/// What a store would answer: the parties for which the condition holds.
fn find(missing: Missing, world: &World, facts: &mut Facts) {
    let Missing::Found(find) = missing else { panic!("everything else is at hand: {missing:?}") };
    find.condition.walk(&mut |node| assert!(!matches!(node, Ir::Name(_)), "{node:?} is not bound"));
    let viewer = viewer();
    let holds = |party: &&Record| {
        let rows = [RowView::from(*party)];
        let environment = Environment::new(world.now, world.zone, &viewer, &Nothing, facts).with_rows(&rows);
        evaluate(&find.condition, &environment).is_ok_and(|value| value.is_true())
    };
    let found = world.parties.iter().filter(holds).cloned().collect();
    facts.add_found(find, found);
}

fn agree(source: &str, world: &World, backend: Backend, bound: bool) -> Result<(), TestCaseError> {
    match (engine(source, world, backend, bound), naive(source, world)) {
        (Err(EvalError::Defect(defect)), _) => Err(TestCaseError::fail(format!("{source}: {defect}"))),
        (_, Err(TooLarge)) => Ok(()),
        // Computing before what the row may never reach can overflow where walking the row does not.
        (Err(EvalError::Overflow), Ok(_)) if bound || backend == Backend::Sql || source.contains("lookup") => Ok(()),
        (found, expected) => {
            prop_assert_eq!(found.as_ref().ok(), expected.as_ref().ok(), "{}: {:?}", source, found);
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn evaluation_agrees_with_the_naive_evaluator((_, source) in expressions(Backend::Rust, 3), world in worlds()) {
        agree(&source, &world, Backend::Rust, false)?;
    }

    #[test]
    fn binding_changes_nothing((_, source) in expressions(Backend::Rust, 3), world in worlds()) {
        agree(&source, &world, Backend::Rust, true)?;
    }

    #[test]
    fn what_is_generated_for_a_back_end_is_accepted_for_it(sql in conditions(Backend::Sql, 3),
            (_, columnar) in expressions(Backend::Polars, 3), world in worlds()) {
        agree(&sql, &world, Backend::Sql, false)?;
        agree(&columnar, &world, Backend::Polars, false)?;
    }
}

/// Every half hour of the days around every change of the clock, in every zone.
#[test]
fn clocks_agree_around_every_change() {
    let mut runner = TestRunner::deterministic();
    let mut world = worlds().new_tree(&mut runner).unwrap().current();
    let at = ITEM.iter().position(|field| *field == "at").unwrap();
    let sources = ["at + days(1)", "at - days(1)", "at + months(1)", "start_of('day', at)", "start_of('hour', at)"];
    let mut changes_met = 0;
    for (zone, change) in ZONES.iter().flat_map(|zone| CLOCK_CHANGES.map(|change| (*zone, change))) {
        let moment = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap();
        let offset = |seconds| moment(seconds).with_timezone(&zone).offset().fix();
        changes_met += usize::from(offset(change - 1) != offset(change));
        for half_hours in -54..=54 {
            (world.zone, world.item.values[at]) = (zone, Value::DateTime(moment(change + half_hours * 1_800)));
            for source in sources {
                let found = engine(source, &world, Backend::Rust, false).unwrap();
                assert_eq!(found, naive(source, &world).unwrap(), "{source} in {zone}, {half_hours} after {change}");
            }
        }
    }
    assert_eq!(changes_met, CLOCK_CHANGES.len(), "each is a change in one of the zones");
}

#[test]
fn the_comparison_says_something() {
    // Most random cases must be small enough to be compared and must not be null.
    let mut runner = TestRunner::deterministic();
    let (mut compared, mut telling) = (0, 0);
    for _ in 0..1_000 {
        let source = expressions(Backend::Rust, 3).new_tree(&mut runner).unwrap().current().1;
        let world = worlds().new_tree(&mut runner).unwrap().current();
        match naive(&source, &world) {
            Err(TooLarge) => {}
            Ok(Thing::Null) => compared += 1,
            Ok(_) => (compared, telling) = (compared + 1, telling + 1),
        }
    }
    assert!(compared > 900 && telling > 500, "{compared} compared, {telling} not null");
}
