//! Columns against the naive evaluator, on random worlds in one frame, and the table of functions against what is lowered.

#[allow(unreachable_pub, dead_code, reason = "the module of the tests crate, included by path")]
#[path = "../../../../tests/src/expressions/mod.rs"]
mod expressions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use formwork_core::Record;
use formwork_model::expr::check;
use formwork_model::{Key, Pack, Value};
use formwork_report::rows::Rows;
use polars::prelude::IntoSeries;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::{Left, Lowered, Lowering, Shape, data_type};
use crate::column::id_of_units;
use crate::executor::Columnar;
use crate::frame::Frame;
use crate::layout::ID;
use crate::working::Working;
use expressions::fixture::{World, ZONES, pack, scope, shapes, viewer, worlds};
use expressions::generate::{Backend, expressions as sources};
use expressions::matrix::samples;
use expressions::naive::{Thing, evaluate as naive};
use expressions::ratio::Ratio;

/// What the rows of a frame come to.
enum Outcome {
    /// By columns.
    Columns(Vec<(Uuid, Thing)>),
    /// By the core, row by row: the engine has nothing that means the same.
    Rows(Vec<(Uuid, Thing)>),
    /// By the core, because the numbers at hand are large; none where they are too large for it, too.
    Wide(Option<Vec<(Uuid, Thing)>>),
}

/// The worlds as one: in one zone at one instant, with ids of their own.
fn together(worlds: Vec<World>) -> Vec<World> {
    let (zone, now) = (worlds[0].zone, worlds[0].now);
    worlds.into_iter().enumerate().map(|(number, world)| World { zone, now, ..world }.apart(number)).collect()
}

fn run(source: &str, worlds: &[World]) -> Outcome {
    static PACKS: LazyLock<Vec<Arc<Pack>>> = LazyLock::new(|| ZONES.map(|zone| Arc::new(pack(zone))).into());
    let pack = PACKS.iter().find(|pack| *pack.timezone() == worlds[0].zone).expect("one of the zones");
    let items: Vec<Record> = worlds.iter().map(|world| world.item.clone()).collect();
    let parties: Vec<Record> = worlds.iter().flat_map(|world| world.parties.clone()).collect();
    let marks: Vec<Record> = worlds.iter().flat_map(|world| world.marks.clone()).collect();
    let frame = |form: &str, records: &[Record]| Frame::new(pack.form(form).clone(), records).expect("values fit");
    let frames = [frame("item", &items), frame("party", &parties), frame("mark", &marks)];
    let source_of_rows = Columnar::new(frames.clone(), None);
    let frames: HashMap<Key, Frame> = frames.into_iter().map(|frame| (frame.form().clone(), frame)).collect();

    let expr =
        check(source, &scope(shapes()), None).unwrap_or_else(|problems| panic!("{}", problems[0].render(source)));
    let viewer = viewer();
    let rows = Rows::new(pack, &viewer, worlds[0].now, &source_of_rows, std::iter::once(&expr.ir));
    let names: Vec<String> = frames["item"].layout().columns.iter().map(|column| column.name.clone()).collect();
    let mut working = Working::new(&frames, &Key::from("item"), &names, &rows).expect("the frame is there");
    let lowered = rows
        .bound(&expr.ir)
        .map_err(Left::from)
        .and_then(|bound| Lowering { rows: &rows, working: &mut working, pack }.lower(&bound));
    match lowered {
        Ok(lowered) => Outcome::Columns(computed(lowered, &mut working)),
        Err(Left::Unknown) => Outcome::Rows(by_the_core(&expr.ir, &working).unwrap_or_default()),
        Err(Left::Wide | Left::Fault(_)) => Outcome::Wide(by_the_core(&expr.ir, &working)),
    }
}

fn by_the_core(ir: &formwork_model::expr::Ir, working: &Working) -> Option<Vec<(Uuid, Thing)>> {
    let values = working.values(ir).ok()?;
    Some(ids(working).into_iter().zip(values.iter().map(Thing::of)).collect())
}

fn ids(working: &Working) -> Vec<Uuid> {
    working.series(ID).unwrap().i128().unwrap().iter().flatten().map(id_of_units).collect()
}

fn computed(lowered: Lowered, working: &mut Working) -> Vec<(Uuid, Thing)> {
    let shape = lowered.shape;
    working.compute(vec![lowered.expr.cast(data_type(shape)).alias("found")]).expect("it runs");
    let found = working.series("found").unwrap().clone().into_series();
    let thing = |row: usize| match shape {
        Shape::Null => None,
        Shape::Boolean => found.bool().unwrap().get(row).map(Thing::Truth),
        Shape::Number { places, bits, .. } => found.i128().unwrap().get(row).map(|units| {
            assert!(128 - units.unsigned_abs().leading_zeros() <= bits, "{units} has more than {bits} bits");
            Thing::Number(Ratio::new(units, 10_i128.pow(places.into())).unwrap())
        }),
        Shape::Text => found.str().unwrap().get(row).map(|text| Thing::Text(text.to_owned())),
        Shape::Date => found.i32().unwrap().get(row).map(|days| Thing::Day(days.into())),
        Shape::Instant => found.i64().unwrap().get(row).map(Thing::Moment),
        Shape::Id => found.i128().unwrap().get(row).map(|units| Thing::Id(id_of_units(units).as_u128())),
    };
    ids(working).into_iter().enumerate().map(|(row, id)| (id, thing(row).unwrap_or(Thing::Null))).collect()
}

/// How many rows were compared.
fn agree(source: &str, worlds: &[World], found: &[(Uuid, Thing)]) -> Result<usize, TestCaseError> {
    let mut compared = 0;
    for world in worlds {
        let Ok(expected) = naive(source, world) else { continue };
        let found = found.iter().find(|(id, _)| *id == world.item.id).map(|(_, thing)| thing);
        prop_assert_eq!(found, Some(&expected), "{}", source);
        compared += 1;
    }
    Ok(compared)
}

#[test]
fn columns_agree_with_the_naive_evaluator() {
    let (rows, wide, cases) = (AtomicUsize::new(0), AtomicUsize::new(0), 600);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = (sources(Backend::Polars, 3), prop::collection::vec(worlds(), 1..6));
    let result = TestRunner::new(config).run(&strategy, |((_, source), worlds)| {
        let worlds = together(worlds);
        let compared = match run(&source, &worlds) {
            Outcome::Columns(found) => agree(&source, &worlds, &found)?,
            Outcome::Rows(_) => return Err(TestCaseError::fail(format!("`{source}` ran row by row"))),
            Outcome::Wide(found) => {
                wide.fetch_add(1, Ordering::Relaxed);
                match found {
                    Some(found) => agree(&source, &worlds, &found)?,
                    None => 0,
                }
            }
        };
        rows.fetch_add(compared, Ordering::Relaxed);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (rows, wide) = (rows.into_inner(), wide.into_inner());
    assert!(rows > cases as usize * 2, "only {rows} rows were compared");
    assert!(wide < cases as usize / 4, "{wide} of {cases} were too wide for columns");
}

/// What the engine cannot do is done by the core on records made of the columns.
#[test]
fn rows_agree_with_the_naive_evaluator() {
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = (sources(Backend::Rows, 3), prop::collection::vec(worlds(), 1..4));
    let result = TestRunner::new(config).run(&strategy, |((_, source), worlds)| {
        let worlds = together(worlds);
        match run(&source, &worlds) {
            Outcome::Columns(found) => agree(&source, &worlds, &found)?,
            // Where one is too large, there may be nothing to compare.
            Outcome::Rows(found) | Outcome::Wide(Some(found)) if !found.is_empty() => agree(&source, &worlds, &found)?,
            _ => {
                prop_assert!(worlds.iter().any(|world| naive(&source, world).is_err()), "{}", source);
                0
            }
        };
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_table_says_what_runs_on_columns() {
    let mut runner = TestRunner::deterministic();
    let mut world = worlds().new_tree(&mut runner).unwrap().current();
    // Small numbers: what is asked is whether it is lowered at all.
    for place in 2..8 {
        let small = if place < 4 { Value::Integer(7) } else { Value::Decimal(7.into()) };
        world.item.values[place] = small;
    }
    let worlds = together(vec![world]);
    for sample in samples() {
        let on_columns = matches!(run(&sample.source, &worlds), Outcome::Columns(_));
        assert_eq!(on_columns, sample.polars, "`{}`", sample.source);
    }
}
