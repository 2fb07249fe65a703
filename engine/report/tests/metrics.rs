//! Metrics and reports end to end on the reference interpreter, with numbers worked out by hand.

mod shop;

use std::sync::Arc;

use formwork_core::Viewer;
use formwork_model::{Pack, Value};
use formwork_report::plan::Open;
use formwork_report::{Budget, Executor, Plan, Table, api, csv, finish};
use serde_json::{Value as Json, json};

use shop::{at, id, sales, viewer};

/// Monday 5 January 2026, 09:00 in Shanghai.
const AS_OF: &str = "2026-01-05T01:00:00Z";

fn run(pack: &Arc<Pack>, plan: Plan<Open>, viewer: &Viewer) -> Table {
    let plan = plan.police(viewer).expect("the viewer may ask");
    let partials = shop::interpreter(pack, sales(pack)).run(&plan, at(AS_OF), &Budget::default()).expect("it runs");
    finish(&plan, &partials).expect("it finishes")
}

fn metric(key: &str, range: &str, role: &str) -> Json {
    let pack = shop::pack();
    let plan =
        formwork_report::metric(&pack, key, formwork_model::pack::analytics::Range::parse(range).expect("a range"))
            .expect("a metric");
    let table = run(&pack, plan, &viewer(&pack, role, &["front"]));
    api::metric(&table, "en").expect("it is written")
}

fn report(key: &str, range: Option<&str>, role: &str) -> Table {
    let pack = shop::pack();
    let range = range.map(|range| formwork_model::pack::analytics::Range::parse(range).expect("a range"));
    let plan = formwork_report::report(&pack, key, range).expect("a report");
    run(&pack, plan, &viewer(&pack, role, &["front"]))
}

fn body(table: &Table) -> Json {
    let titles = [(id(1), "王芳".to_owned())].into_iter().collect();
    api::report(table, "en", &titles).expect("it is written")
}

#[test]
fn a_metric_has_value_basis_and_comparison() {
    // December in Shanghai: 101 to 104 and 108 (30 December); 105 is 1 January, 08:00. None in November.
    assert_eq!(
        metric("sales", "2025-12-01..2025-12-31", "owner"),
        json!({
            "metric": "sales", "label": "Sales", "format": "integer", "state": "ok", "value": "5", "text": "5", "n": 5,
            "previous": {"state": "ok", "value": "0", "text": "0", "n": 0, "delta": "5", "relative": null, "verdict": "better"},
            "range": "2025-12-01..2025-12-31", "from": "2025-11-30T16:00:00Z", "to": "2025-12-31T16:00:00Z",
            "zone": "Asia/Shanghai", "as_of": "2026-01-05T01:00:00Z", "as_of_seq": null
        })
    );
}

#[test]
fn each_kind_of_metric_by_hand() {
    for (key, range, value, state, n) in [
        // 10.00 + 99.99 + 0.05 − 20.00 + 100.00
        ("revenue", "last 1 month", json!("190.04"), "ok", 5),
        // / 5 = 38.008
        ("mean", "last 1 month", json!("38.008"), "ok", 5),
        // paid 101 103 108 over paid and open (with 102): 3/4
        ("paid_share", "last 1 month", json!("0.750"), "ok", 4),
        ("pieces", "last 1 month", json!("2"), "ok", 1),
        // 10.00 × 0.125 = 1.25; all others have no rate.
        ("margin", "last 1 month", json!("1.25"), "ok", 1),
        // paid 20.00, open 98.49, gift 0, void not a gift: −20 − 1.5, gone customer's paid 200
        ("weighted", "last 1 month", json!("296.9900"), "ok", 5),
        // −20.00 is void. 101 has its rate of 0.125, 103 is a gift: 1, all others have no rows: 0.
        ("least", "last 1 month", json!("0.05"), "ok", 4),
        ("greatest", "last 1 month", json!("1.000"), "ok", 5),
        // Customers 1, 2 and the one who is gone.
        ("buyers", "last 1 month", json!("3"), "ok", 3),
        ("notes", "last 1 month", json!("0"), "ok", 0),
        // −20.00 0.05 10.00 99.99 100.00: the third of five.
        ("median", "last 1 month", json!("10.000"), "ok", 5),
        ("p29", "last 1 month", json!("2.000"), "ok", 1),
        // 190.04 / 3, and 2 × (63.34666… − 38.008) + 10.
        ("per_buyer", "last 1 month", json!("63.35"), "ok", 3),
        ("spread", "last 1 month", json!("60.6773"), "ok", 3),
        // Five amounts are enough, the four of December without the last are not.
        ("few", "last 1 month", json!("38.008"), "ok", 5),
        ("few", "2025-12-01..2025-12-29", json!(null), "suppressed", 4),
        ("of_few", "last 1 month", json!("19.004"), "ok", 5),
        ("of_few", "2025-12-01..2025-12-29", json!(null), "suppressed", 4),
        // Without buyers there is nothing to divide by; the running month is a running number.
        ("per_buyer", "2024-01-01..2024-01-31", json!(null), "no_data", 0),
        ("per_buyer", "this month", json!("7.00"), "provisional", 1),
        // Two sales of customer 1 in December, one in January; customer 2 has no credit.
        ("credit", "last 1 month", json!("100.00"), "ok", 2),
        // Empty: zero for what adds up, nothing for means and ratios.
        ("sales", "2024-01-01..2024-01-31", json!("0"), "ok", 0),
        ("revenue", "2024-01-01..2024-01-31", json!("0.00"), "ok", 0),
        ("mean", "2024-01-01..2024-01-31", json!(null), "no_data", 0),
        ("paid_share", "2024-01-01..2024-01-31", json!(null), "no_data", 0),
        ("least", "2024-01-01..2024-01-31", json!(null), "no_data", 0),
        ("buyers", "2024-01-01..2024-01-31", json!("0"), "ok", 0),
        ("median", "2024-01-01..2024-01-31", json!(null), "no_data", 0),
        // The running month: 105 and 106.
        ("sales", "this month", json!("2"), "provisional", 2),
        ("revenue", "this month", json!("7.00"), "provisional", 1),
        // 107 was never sold: no range holds it, `all` neither.
        ("sales", "all", json!("7"), "ok", 7),
        ("valid", "all", json!("6"), "ok", 6),
    ] {
        let body = metric(key, range, "owner");
        assert_eq!(
            (&body["value"], body["state"].as_str(), body["n"].as_u64()),
            (&value, Some(state), Some(n)),
            "{key} over {range}"
        );
    }
}

#[test]
fn a_running_period_is_compared_with_the_same_length_before() {
    // Four days and nine hours of January against the same of December: none there.
    let body = metric("sales", "this month", "owner");
    assert_eq!(body["previous"]["value"], "0");
    // Last week (29 December to 4 January): 105 and 108. The week before: 101, 103 and 104.
    let body = metric("sales", "last 1 week", "owner");
    assert_eq!((&body["value"], &body["previous"]["value"]), (&json!("2"), &json!("3")));
    assert_eq!((&body["previous"]["delta"], &body["previous"]["relative"]), (&json!("-1"), &json!("-0.3333")));
    assert_eq!(body["previous"]["verdict"], "worse");
    // There is nothing before everything.
    assert_eq!(metric("sales", "all", "owner").get("previous"), None);
}

#[test]
fn a_report_by_week_has_every_week_and_a_total_of_its_own() {
    let body = body(&report("by_week", None, "owner"));
    assert_eq!(
        body["rows"],
        json!([
            ["2025-12-08", "0", "0.00", null, null],
            // 102, the last microsecond of the week.
            ["2025-12-15", "1", "99.99", "99.990", "0.000"],
            // 101, 103, 104: 10.00 + 0.05 − 20.00 = −9.95; / 3 = −3.31666…
            ["2025-12-22", "3", "-9.95", "-3.317", "1.000"],
            // 105 has no amount; 108.
            ["2025-12-29", "2", "100.00", "100.000", "1.000"]
        ])
    );
    assert_eq!(body["states"][0], json!(["ok", "ok", "no_data", "no_data"]));
    // Not the mean of means: 190.04 / 5.
    assert_eq!(body["total"]["values"], json!(["6", "190.04", "38.008", "0.750"]));
    assert_eq!(body["columns"][0], json!({"key": "week", "type": "date", "label": "Week", "grain": "week"}));
    assert_eq!(
        body["columns"][4],
        json!({"key": "paid_share", "type": "percent", "label": "Paid share", "format": "percent:1"})
    );
}

#[test]
fn dimensions_sort_null_last_and_carry_labels() {
    let body = body(&report("by_state", None, "owner"));
    // paid 101 103 108 = 110.05; open 102 106 = 106.99; nothing (105) sums to 0 of nothing; void −20.00.
    assert_eq!(
        body["rows"],
        json!([["paid", "3", "110.05"], ["open", "2", "106.99"], [null, "1", "0.00"], ["void", "1", "-20.00"]])
    );
    assert_eq!(body["columns"][0]["options"], json!({"open": "Open", "paid": "Paid", "void": "Void"}));
    assert_eq!(body["total"]["values"], json!(["7", "197.04"]));
}

#[test]
fn a_link_is_followed_and_two_datasets_are_aligned() {
    let body = body(&report("by_tier_month", None, "owner"));
    // Without a tier: customer 2 has none, 108's is gone. Void 104 is no valid sale.
    assert_eq!(
        body["rows"],
        json!([
            ["gold", "2025-11-01", "0", "0"],
            ["gold", "2025-12-01", "2", "2"],
            [null, "2025-11-01", "0", "0"],
            [null, "2025-12-01", "3", "2"]
        ])
    );
}

#[test]
fn a_limit_says_so() {
    let table = report("by_customer", None, "owner");
    let body = body(&table);
    // Customer 1: 10.00 + 99.99 + 7.00; the one who is gone: 100.00.
    assert_eq!(
        body["rows"],
        json!([[{"id": id(1), "title": "王芳"}, "116.99"], [{"id": id(77), "title": null}, "100.00"]])
    );
    assert_eq!((&body["truncated"], &body["row_count"]), (&json!(true), &json!(4)));
    assert_eq!(table.links(), [("customer".into(), id(1)), ("customer".into(), id(77))]);
    let file = csv::write(&table, "en", &Default::default(), csv::Options::default()).expect("it is written");
    assert!(file.ends_with("truncated: 2 of 4 rows\r\n"), "{file}");
}

#[test]
fn what_is_not_among_the_first_is_counted_as_one() {
    let pack = shop::pack();
    let plan = formwork_report::report(&pack, "best", None).expect("a report");
    let plan = plan.police(&viewer(&pack, "owner", &["front"])).expect("the viewer may ask");
    let interpreter = shop::interpreter(&pack, sales(&pack));
    let table = formwork_report::answer(&interpreter, plan, at(AS_OF), &Budget::default()).expect("an answer");
    // Customer 1: 10.00, 99.99, 7.00. All others: 0.05, −20.00, 100.00, and 105 without an amount. Their median is that of
    // all three amounts, 0.05; the row of the others is last, whatever it comes to.
    assert_eq!(
        body(&table)["rows"],
        json!([
            [{"id": id(1), "title": "王芳"}, "116.99", "3", "10.000"],
            [{"other": true}, "80.05", "4", "0.050"]
        ])
    );
    assert_eq!(body(&table)["total"]["values"], json!(["197.04", "7", "8.500"]));
    let file = csv::write(&table, "zh-CN", &Default::default(), csv::Options::default()).expect("it is written");
    assert!(file.contains("其他,80.05,4,0.050"), "{file}");
}

#[test]
fn classes_are_half_open() {
    let body = body(&report("by_size", None, "owner"));
    // −20 | 0.05, 7 | 10, 99.99 | 100 | no amount
    assert_eq!(body["rows"], json!([["..0", "1"], ["0..10", "2"], ["10..100", "2"], ["100..", "1"], [null, "1"]]));
}

#[test]
fn the_viewers_rows_and_fields_are_in_the_plan() {
    // A clerk of the front desk sees 101, 103, 105, 106.
    assert_eq!(metric("sales", "all", "clerk")["value"], "4");
    assert_eq!(metric("revenue", "all", "clerk")["value"], "17.05");
    // The margin is `none` to a clerk; a customer's credit too: hidden, with no number anywhere.
    // So is what is made of it.
    for key in ["margin", "credit", "fee"] {
        let body = metric(key, "last 1 month", "clerk");
        assert_eq!((&body["state"], &body["value"], &body["n"]), (&json!("hidden"), &json!(null), &json!(0)), "{key}");
        assert_eq!(body["previous"]["state"], "hidden", "{key}");
    }
    // An intern sees no void sale, and amounts masked: what reads them is hidden, a mere count is not.
    assert_eq!(metric("sales", "all", "intern")["value"], "6");
    assert_eq!(metric("revenue", "all", "intern")["state"], "hidden");
    assert_eq!(metric("margin", "all", "intern")["state"], "hidden");
    let by_state = body(&report("by_state", None, "intern"));
    assert_eq!(by_state["rows"], json!([["open", "2", null], ["paid", "3", null], [null, "1", null]]));
    assert_eq!(by_state["columns"][2]["state"], "hidden");
    // A dimension that may not be seen hides every metric, and no key appears.
    let by_tier = body(&report("by_tier_month", None, "intern"));
    assert_eq!(by_tier["rows"], json!([]));
    assert_eq!(body(&report("by_size", None, "intern"))["rows"], json!([]));
}

#[test]
fn who_may_read_nothing_is_denied() {
    let pack = shop::pack();
    for viewer in [viewer(&pack, "guest", &["front"]), Viewer::public("en")] {
        let plan = formwork_report::report(&pack, "by_week", None).expect("a report");
        let denied = plan.police(&viewer).expect_err("no role reads sales");
        assert_eq!(denied.forms, ["sale".into()]);
    }
}

#[test]
fn what_is_outside_the_predicate_changes_nothing() {
    let pack = shop::pack();
    let clerk = viewer(&pack, "clerk", &["front"]);
    let answer = |records: Vec<formwork_core::Record>, key: &str| {
        let plan = formwork_report::report(&pack, key, None).expect("a report").police(&clerk).expect("may ask");
        let partials = shop::interpreter(&pack, records).run(&plan, at(AS_OF), &Budget::default()).expect("it runs");
        body(&finish(&plan, &partials).expect("it finishes")).to_string()
    };
    let queue = pack.form("sale").field("queue").expect("a queue").0;
    let outside = |record: &formwork_core::Record| record.values[queue] == shop::text("back");
    for key in ["by_week", "by_state", "by_tier_month", "by_customer", "by_size", "by_note"] {
        let before = answer(sales(&pack), key);
        let mut changed = sales(&pack);
        for record in changed.iter_mut().filter(|record| outside(record)) {
            let place = |key: &str| pack.form("sale").field(key).expect("a field").0;
            record.values[place("amount")] = shop::decimal("123456.78");
            record.values[place("state")] = shop::text("paid");
        }
        assert_eq!(before, answer(changed, key), "changed rows, {key}");
        let fewer = sales(&pack).into_iter().filter(|record| !outside(record)).collect();
        assert_eq!(before, answer(fewer, key), "deleted rows, {key}");
        let mut seen = sales(&pack);
        seen.retain(|record| record.id != id(103));
        assert_ne!(before, answer(seen, key), "a visible row, {key}");
    }
}

#[test]
fn rows_behind_a_link_that_one_does_not_read_change_nothing() {
    let pack = shop::pack();
    // A guide reads every sale, and of the customers those of tier gold: number 1, not number 2.
    let (guide, owner) = (viewer(&pack, "guide", &[]), viewer(&pack, "owner", &[]));
    let customers = |tier: Option<&str>, credit: &str| {
        let gold = [("tier", shop::text("gold")), ("credit", shop::decimal("50"))];
        let other = [("tier", tier.map_or(Value::Null, shop::text)), ("credit", shop::decimal(credit))];
        let of =
            |number, values: &[(&str, Value)]| shop::record(&pack, "customer", number, "2025-12-01T00:00:00Z", values);
        vec![of(1, &gold), of(2, &other)]
    };
    let answer = |plan: Plan<Open>, viewer: &Viewer, customers: Vec<formwork_core::Record>| {
        let records = [("customer".into(), customers), ("sale".into(), sales(&pack))];
        let plan = plan.police(viewer).expect("may ask");
        let partials = formwork_report::Interpreter::new(records.into_iter().collect());
        let partials = partials.run(&plan, at(AS_OF), &Budget::default()).expect("it runs");
        body(&finish(&plan, &partials).expect("it finishes")).to_string()
    };
    let metric = |key: &str| {
        let all = formwork_model::pack::analytics::Range::parse("all").expect("a range");
        formwork_report::metric(&pack, key, all).expect("a metric")
    };
    let report = |key: &str| formwork_report::report(&pack, key, None).expect("a report");
    for (make, key, shows) in [
        (&report as &dyn Fn(&str) -> Plan<Open>, "by_tier_month", false),
        (&report, "by_state", true),
        (&report, "by_customer", true),
        (&metric, "credit", false),
        (&metric, "sales", true),
        (&metric, "customers", true),
    ] {
        let before = answer(make(key), &guide, customers(None, "1"));
        let after = answer(make(key), &guide, customers(Some("plain"), "777"));
        assert_eq!(before, after, "{key}");
        assert_eq!(before.contains("\"state\":\"hidden\""), !shows, "{key}: {before}");
        if !shows {
            let seen = |customers| answer(make(key), &owner, customers);
            assert_ne!(seen(customers(None, "1")), seen(customers(Some("plain"), "777")), "the owner sees it, {key}");
        }
    }
}

#[test]
fn a_file_is_safe_to_open() {
    for (given, guarded) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ("", ""),
    ] {
        assert_eq!(csv::guarded(given, true), guarded);
        assert_eq!(csv::guarded(given, false), given);
    }
    assert_eq!(csv::quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    let table = report("by_week", None, "owner");
    let file = csv::write(&table, "zh-CN", &Default::default(), csv::Options::default()).expect("it is written");
    assert_eq!(
        file,
        "\u{feff}周,Sales,收入,Mean,Paid share,状态\r\n\
         2025-12-08,0,0.00,,,Mean: 无数据; Paid share: 无数据\r\n\
         2025-12-15,1,99.99,99.990,0.000,\r\n\
         2025-12-22,3,-9.95,-3.317,1.000,\r\n\
         2025-12-29,2,100.00,100.000,1.000,\r\n\
         合计,6,190.04,38.008,0.750,\r\n"
    );
}
