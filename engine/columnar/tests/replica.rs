//! The frames follow the store: loaded once, kept up by the change log, dropped when memory runs out, never beyond the
//! viewer's rights.

#[path = "../../report/tests/shop/mod.rs"]
mod shop;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use formwork_columnar::{FeedChange, FeedError, Frames, ReplicaFeed};
use formwork_core::{Record, Viewer};
use formwork_model::{Key, Pack};
use formwork_report::plan::Policed;
use formwork_report::{Budget, Executor, Fault, Interpreter, Plan, Refusal, api, finish};
use serde_json::Value as Json;
use uuid::Uuid;

use shop::{at, decimal, id, sales, text, viewer};

const AS_OF: &str = "2026-01-05T01:00:00Z";

/// A store in memory that counts what is asked of it.
#[derive(Default)]
struct Store {
    records: RefCell<BTreeMap<(Key, Uuid), Record>>,
    log: RefCell<Vec<FeedChange>>,
    scans: RefCell<Vec<Key>>,
    fetched: RefCell<usize>,
}

impl Store {
    fn filled(pack: &Pack) -> Self {
        let store = Self::default();
        sales(pack).into_iter().for_each(|record| store.put("sale", record));
        let customer = shop::record(pack, "customer", 1, AS_OF, &[("tier", text("gold")), ("name", text("王芳"))]);
        store.put("customer", customer);
        store
    }

    fn put(&self, form: &str, record: Record) {
        self.note(form, record.id);
        self.records.borrow_mut().insert((form.into(), record.id), record);
    }

    fn delete(&self, form: &str, id: Uuid) {
        self.note(form, id);
        self.records.borrow_mut().remove(&(form.into(), id));
    }

    fn note(&self, form: &str, id: Uuid) {
        let seq = self.seq() + 1;
        self.log.borrow_mut().push(FeedChange { seq, pack: "shop".into(), form: form.into(), id });
    }

    fn seq(&self) -> i64 {
        self.log.borrow().last().map_or(0, |change| change.seq)
    }

    fn of_form(&self, form: &Key) -> Vec<Record> {
        let records = self.records.borrow();
        records.iter().filter(|((of, _), _)| of == form).map(|(_, record)| record.clone()).collect()
    }

    /// The same records for the reference interpreter.
    fn interpreter(&self) -> Interpreter {
        let forms = ["customer", "sale"].map(|form| (Key::from(form), self.of_form(&form.into())));
        Interpreter::new(forms.into_iter().collect())
    }
}

impl ReplicaFeed for Store {
    fn scan(&self, _: &Arc<Pack>, form: &Key) -> Result<(i64, Vec<Record>), FeedError> {
        self.scans.borrow_mut().push(form.clone());
        Ok((self.seq(), self.of_form(form)))
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<FeedChange>, FeedError> {
        let log = self.log.borrow();
        Ok(log.iter().filter(|change| change.seq > after).take(limit as usize).cloned().collect())
    }

    fn records(&self, _: &Arc<Pack>, form: &Key, ids: &[Uuid]) -> Result<Vec<Record>, FeedError> {
        *self.fetched.borrow_mut() += ids.len();
        let records = self.records.borrow();
        Ok(ids.iter().filter_map(|id| records.get(&(form.clone(), *id)).cloned()).collect())
    }
}

fn plan(pack: &Arc<Pack>, report: &str, viewer: &Viewer) -> Plan<Policed> {
    formwork_report::report(pack, report, None).expect("a report").police(viewer).expect("may ask")
}

fn body(plan: &Plan<Policed>, executor: &dyn Executor) -> Json {
    let mut partials = executor.run(plan, at(AS_OF), &Budget::default()).expect("it runs");
    // The interpreter knows no change number.
    partials.as_of_seq = None;
    api::report(&finish(plan, &partials).expect("it finishes"), "en", &Default::default()).expect("it is written")
}

#[test]
fn changes_are_followed_without_a_second_scan() {
    let pack = shop::pack();
    let store = Store::filled(&pack);
    let owner = viewer(&pack, "owner", &[]);
    let plan = plan(&pack, "by_tier_month", &owner);
    let mut frames = Frames::new(usize::MAX);
    let check = |frames: &mut Frames, what: &str| {
        let columnar = frames.ready(&plan, &store).expect("it loads");
        assert_eq!(body(&plan, &columnar), body(&plan, &store.interpreter()), "{what}");
        assert_eq!(frames.watermark(), store.seq(), "{what}");
    };
    check(&mut frames, "loaded");
    // 108's customer appears, 103 changes, 101 is deleted, 109 is new and changes at once, 102 is deleted and put back.
    store.put("customer", shop::record(&pack, "customer", 77, AS_OF, &[("tier", text("plain"))]));
    check(&mut frames, "a linked record appears");
    let mut changed = sales(&pack)[2].clone();
    changed.values[pack.form("sale").field("state").expect("a field").0] = text("void");
    store.put("sale", changed);
    store.delete("sale", id(101));
    check(&mut frames, "changed and deleted");
    let new = shop::record(
        &pack,
        "sale",
        109,
        AS_OF,
        &[("sold_at", formwork_model::Value::DateTime(at("2025-12-31T00:00:00Z")))],
    );
    store.put("sale", new.clone());
    store.delete("sale", id(102));
    check(&mut frames, "new, and one fewer");
    store.put("sale", sales(&pack)[1].clone());
    store.delete("customer", id(1));
    check(&mut frames, "put back, and a linked record is gone");
    let scans: Vec<String> = store.scans.borrow().iter().map(ToString::to_string).collect();
    assert_eq!(scans, ["customer", "sale"]);
    assert_eq!(*store.fetched.borrow(), 7);
}

#[test]
fn many_changes_are_compacted() {
    let pack = shop::pack();
    let store = Store::filled(&pack);
    let plan = plan(&pack, "by_state", &viewer(&pack, "keeper", &[]));
    let mut frames = Frames::new(usize::MAX);
    frames.ready(&plan, &store).expect("it loads");
    let sold = formwork_model::Value::DateTime(at("2025-12-31T00:00:00Z"));
    for number in 0..4_200_u128 {
        let state = text(if number % 3 == 0 { "paid" } else { "open" });
        let lines = vec![formwork_model::value::Row {
            id: id(1),
            values: vec![
                decimal(if number % 2 == 0 { "6" } else { "5" }),
                formwork_model::Value::Null,
                formwork_model::Value::Null,
            ],
        }];
        let rows = ("items", formwork_model::Value::Rows(lines));
        let values = [("sold_at", sold.clone()), ("state", state), ("amount", decimal("0.01")), rows];
        store.put("sale", shop::record(&pack, "sale", 10_000 + number, AS_OF, &values));
    }
    let columnar = frames.ready(&plan, &store).expect("it follows");
    let found = body(&plan, &columnar);
    assert_eq!(found, body(&plan, &store.interpreter()));
    // A keeper reads sales with a line above 5, half of these: 700 paid and 1,400 open at 0.01; and 101, of a gold
    // customer, paid with 10.00.
    assert_eq!(found["rows"], serde_json::json!([["paid", "701", "17.00"], ["open", "1400", "14.00"]]));
}

#[test]
fn a_frame_that_is_not_used_makes_room() {
    let pack = shop::pack();
    let store = Store::filled(&pack);
    let owner = viewer(&pack, "owner", &[]);
    let metric = |key: &str| {
        let plan = formwork_report::metric(&pack, key, formwork_model::pack::analytics::Range::All).expect("a metric");
        plan.police(&owner).expect("may ask")
    };
    let mut frames = Frames::new(usize::MAX);
    frames.ready(&metric("sales"), &store).expect("it loads");
    let of_sales = frames.bytes();
    let mut frames = Frames::new(of_sales);
    frames.ready(&metric("customers"), &store).expect("it loads");
    frames.ready(&metric("sales"), &store).expect("it makes room");
    assert_eq!(frames.bytes(), of_sales);
    // Both at once do not fit: refused, not attempted.
    let refused = frames.ready(&plan(&pack, "by_tier_month", &owner), &store).expect_err("too large");
    assert!(matches!(refused, Fault::Refused(Refusal::TooLarge(forms)) if forms.len() == 2));
}

#[test]
fn another_version_of_the_pack_has_frames_of_its_own() {
    let old = shop::pack();
    let store = Store::filled(&old);
    let mut frames = Frames::new(usize::MAX);
    frames.ready(&plan(&old, "by_state", &viewer(&old, "owner", &[])), &store).expect("it loads");
    let new = shop::pack_with("UTC", &[]);
    frames.ready(&plan(&new, "by_state", &viewer(&new, "owner", &[])), &store).expect("it loads");
    assert_eq!(store.scans.borrow().len(), 2);
}

#[test]
fn what_is_outside_the_predicate_changes_no_byte() {
    let pack = shop::pack();
    let place = |key: &str| pack.form("sale").field(key).expect("a field").0;
    let (queue, state, amount, sold_at) = (place("queue"), place("state"), place("amount"), place("sold_at"));
    let clerk = viewer(&pack, "clerk", &["front"]);
    for report in ["by_week", "by_state", "by_tier_month", "by_customer", "by_size", "by_note"] {
        let plan = plan(&pack, report, &clerk);
        let answer = |store: &Store| {
            let columnar = Frames::new(usize::MAX).ready(&plan, store).expect("it loads");
            body(&plan, &columnar).to_string()
        };
        let before = answer(&Store::filled(&pack));
        let changed = Store::filled(&pack);
        for mut record in sales(&pack).into_iter().filter(|record| record.values[queue] == text("back")) {
            record.values[amount] = decimal("123456.78");
            record.values[state] = text("paid");
            // Far outside the range of every other sale: an open range must not grow by it.
            record.values[sold_at] = formwork_model::Value::DateTime(at("1999-01-01T00:00:00Z"));
            changed.put("sale", record);
        }
        assert_eq!(before, answer(&changed), "changed rows, {report}");
        let fewer = Store::filled(&pack);
        sales(&pack)
            .iter()
            .filter(|record| record.values[queue] == text("back"))
            .for_each(|record| fewer.delete("sale", record.id));
        assert_eq!(before, answer(&fewer), "deleted rows, {report}");
        let seen = Store::filled(&pack);
        seen.delete("sale", id(103));
        assert_ne!(before, answer(&seen), "a visible row, {report}");
    }
}

#[test]
fn the_account_names_what_ran_row_by_row() {
    let pack = shop::pack();
    let store = Store::filled(&pack);
    let explain = |role: &str, metric: &str| {
        let plan =
            formwork_report::metric(&pack, metric, formwork_model::pack::analytics::Range::All).expect("a metric");
        let plan = plan.police(&viewer(&pack, role, &["front"])).expect("may ask");
        let columnar = Frames::new(usize::MAX).ready(&plan, &store).expect("it loads");
        columnar.explain(&plan, at(AS_OF), &Budget::default()).expect("it runs")["branches"][0].clone()
    };
    // The clerk's predicate and the money are the engine's.
    let lowered = explain("clerk", "revenue");
    assert_eq!(lowered["row_by_row"], serde_json::json!([]));
    assert_eq!((&lowered["rows_scanned"], &lowered["rows_kept"]), (&8.into(), &5.into()));
    // A fold over child rows is the core's, in the keeper's predicate and in what is summed.
    assert_eq!(explain("keeper", "sales")["row_by_row"].as_array().map(Vec::len), Some(1));
    assert_eq!(explain("owner", "in_items")["row_by_row"], serde_json::json!(["number over items, price"]));
    assert_eq!(explain("clerk", "margin")["hidden"], true);
}
