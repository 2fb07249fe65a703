//! Clocks as rows of datasets: both executors give the same, and only clocks of records the viewer reads are counted.

#[path = "../../report/tests/shop/mod.rs"]
mod shop;

use std::sync::Arc;

use chrono::Duration;
use formwork_columnar::{Columnar, Frame};
use formwork_core::Record;
use formwork_core::clock::{Clock, ClockState, Edge};
use formwork_model::pack::analytics::Range;
use formwork_model::{Pack, Value};
use formwork_report::{Budget, Executor, Fault, Interpreter, Table, api, clocks, finish};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use shop::{at, id, text};

const AS_OF: &str = "2026-01-05T01:00:00Z";
const STATES: [ClockState; 6] = [
    ClockState::Unbound,
    ClockState::Running,
    ClockState::Paused,
    ClockState::Met,
    ClockState::Breached,
    ClockState::Cancelled,
];

/// A clock of a sale that ran for so many minutes.
fn clock(number: u128, sale: u128, state: ClockState, minutes: i64) -> Clock {
    let started = at("2026-01-01T00:00:00Z");
    let end = started + Duration::minutes(minutes);
    let is_over = matches!(state, ClockState::Met | ClockState::Cancelled) || minutes % 2 == 0;
    Clock {
        id: id(50_000 + number),
        instance: id(60_000 + number),
        workflow: "sale".into(),
        record: ("sale".into(), id(sale)),
        sla: "answer".into(),
        cycle: 1,
        state,
        budget_text: None,
        budget_ms: 3_600_000,
        edge: Edge::Closing,
        calendar: None,
        calendar_version: String::new(),
        consumed_ms: minutes * 60_000,
        paused_ms: 0,
        closed_ms: 0,
        started_at: started,
        since: end,
        runs: !is_over,
        due_at: None,
        next_rung_at: None,
        stopped_at: is_over.then_some(end),
        breached_at: (state == ClockState::Breached).then(|| started + Duration::minutes(60)),
        detected_at: None,
        fired: Vec::new(),
        armed: false,
        split: None,
        provisional: false,
        segments: 1,
    }
}

fn sale(pack: &Pack, number: u128, queue: &str) -> Record {
    shop::record(pack, "sale", number, "2026-01-01T00:00:00Z", &[("queue", text(queue)), ("state", text("open"))])
}

/// The answer of both executors, which must be one.
fn answer(pack: &Arc<Pack>, role: &str, report: &str, sales: &[Record], clocks: &[Clock]) -> Result<Table, Fault> {
    let plan = formwork_report::report(pack, report, Some(Range::All)).expect("a report");
    let plan = plan.police(&shop::viewer(pack, role, &["front"])).expect("may ask");
    let table = pack.table("sale:clocks").expect("sales have clocks");
    let rows: Vec<Record> = clocks.iter().map(|clock| clocks::row(table, clock)).collect();
    let forms = [("sale", sales.to_vec()), ("sale:clocks", rows), ("customer", Vec::new())];
    let frame = |(form, records): &(&str, Vec<Record>)| {
        Frame::new(pack.table(form).expect("a table").clone(), records).expect("values fit")
    };
    let columnar = Columnar::new(forms.iter().map(frame), None);
    let reference = Interpreter::new(forms.into_iter().map(|(form, records)| (form.into(), records)).collect());
    let run = |executor: &dyn Executor| executor.run(&plan, at(AS_OF), &Budget::default());
    let (expected, actual) = (run(&reference)?, run(&columnar)?);
    assert_eq!(expected.branches, actual.branches, "{role} {report}");
    finish(&plan, &expected)
}

fn body(table: &Table) -> Json {
    api::report(table, "zh-CN", &Default::default()).expect("it is written")
}

#[test]
fn promises_kept_and_how_long_answers_took() {
    let pack = shop::pack();
    let sales = [sale(&pack, 1, "front"), sale(&pack, 2, "back")];
    let clocks = [
        clock(1, 1, ClockState::Met, 20),
        clock(2, 1, ClockState::Met, 40),
        clock(3, 2, ClockState::Breached, 90),
        clock(4, 2, ClockState::Unbound, 10),
        clock(5, 2, ClockState::Running, 11),
        // Its record is gone: nobody reads it.
        clock(6, 99, ClockState::Met, 1),
    ];
    let table = answer(&pack, "owner", "promises", &sales, &clocks).expect("an answer");
    let shown = body(&table);
    // Met 2 of 3; the slower of 20 and 40 minutes at 90 % is 38; all three: 40 + (90 − 40) × 0.8 = 80 minutes.
    assert_eq!(
        shown["rows"],
        json!([["front", "1.000", "2280000", "2"], ["back", "0.000", "5400000", "1"]]),
        "{shown:#}"
    );
    assert_eq!(shown["total"]["values"], json!(["0.667", "4800000", "3"]));
    let text = formwork_report::format::shown(table.rows[0].cells[1].value.expect("a time"), table.metrics[1].format);
    assert_eq!(text.expect("it is written"), "0:38:00");
    assert_eq!(shown["columns"][2]["format"], "duration");
    // The words of the states come with the table.
    let states = body(&answer(&pack, "owner", "by_clock_state", &sales, &clocks).expect("an answer"));
    assert_eq!(states["columns"][0]["options"]["breached"], "已超时");
    // A clerk reads the sales of the front desk.
    let front = body(&answer(&pack, "clerk", "promises", &sales, &clocks).expect("an answer"));
    assert_eq!(front["rows"], json!([["front", "1.000", "2280000", "2"]]));
    // The rule of a keeper looks at the rows of a sale, which cannot be asked from a clock: told as hidden, not as 0.
    let hidden = body(&answer(&pack, "keeper", "promises", &sales, &clocks).expect("an answer"));
    assert_eq!((&hidden["rows"], &hidden["total"]["states"]), (&json!([]), &json!(["hidden", "hidden", "hidden"])));
}

proptest! {
    #[test]
    fn clocks_of_unread_records_change_nothing(
        seen in prop::collection::vec((0_usize..6, 1_i64..200), 0..12),
        before in prop::collection::vec((0_usize..6, 1_i64..200), 0..6),
        after in prop::collection::vec((0_usize..6, 1_i64..200), 0..6),
    ) {
        let pack = shop::pack();
        let sales = [sale(&pack, 1, "front"), sale(&pack, 2, "back")];
        let told = |unread: &[(usize, i64)]| {
            let of = |from: u128, sale: u128, clocks: &[(usize, i64)]| -> Vec<Clock> {
                let one = |(index, (state, minutes)): (usize, &(usize, i64))| {
                    clock(from + index as u128, sale, STATES[*state], *minutes)
                };
                clocks.iter().enumerate().map(one).collect()
            };
            let clocks = [of(0, 1, &seen), of(1_000, 2, unread)].concat();
            ["promises", "by_clock_state"].map(|report| {
                let role = "clerk";
                body(&answer(&pack, role, report, &sales, &clocks).expect("an answer")).to_string()
            })
        };
        prop_assert_eq!(told(&before), told(&after));
        // What is read does change the number: met clocks are counted.
        let met = seen.iter().filter(|(state, _)| STATES[*state] == ClockState::Met).count();
        let breached = seen.iter().filter(|(state, _)| STATES[*state] == ClockState::Breached).count();
        let shown: Json = serde_json::from_str(&told(&before)[0]).expect("JSON");
        prop_assert_eq!(&shown["total"]["n"][2], &json!(met + breached));
    }
}

#[test]
fn a_clock_that_is_not_stopped_has_used_nothing_yet() {
    let pack = shop::pack();
    let table = pack.table("sale:clocks").expect("sales have clocks");
    let value = |state, key: &str| {
        let row = clocks::row(table, &clock(1, 1, state, 11));
        row.values[table.field(key).expect("a field").0].clone()
    };
    assert_eq!(value(ClockState::Running, "consumed"), Value::Null);
    assert_eq!(value(ClockState::Running, "settled"), Value::Null);
    assert_eq!(value(ClockState::Met, "consumed"), Value::Integer(660_000));
    assert_eq!(value(ClockState::Met, "wall"), Value::Integer(660_000));
    assert_eq!(value(ClockState::Met, "settled"), Value::DateTime(at("2026-01-01T00:11:00Z")));
    assert_eq!(value(ClockState::Breached, "settled"), Value::DateTime(at("2026-01-01T01:00:00Z")));
    assert_eq!(value(ClockState::Unbound, "budget"), Value::Null);
}
