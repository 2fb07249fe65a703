use super::*;
use crate::Key;
use crate::compile::tests::{PACK, good};
use crate::expr::Type;

const BEFORE: &str = r#"{
  "label": "Order",
  "fields": {
    "payout": {"type": "money"},
    "name": {"type": "text", "max": 20},
    "count": {"type": "integer"},
    "state": {"type": "choice", "options": {"open": {}, "shut": {}, "lost": {}}},
    "lines": {"type": "table", "fields": {"price": {"type": "money"}, "note": {"type": "text"}}},
    "total": {"type": "money", "compute": "sum(lines, price)", "stored": true}
  },
  "unique": {"named": {"fields": ["name"]}},
  "indexes": [["state"]],
  "access": {"clerk": {"read": true, "fields": {"*": "read", "count": "write"}}}
}"#;

const AFTER: &str = r#"{
  "label": "Order", "was": ["old_order"],
  "fields": {
    "compensation": {"type": "money", "was": ["payout"]},
    "name": {"type": "long_text", "max": 40},
    "count": {"type": "decimal", "scale": 2},
    "state": {"type": "choice", "options": {"open": {}, "closed": {"was": ["shut"]}, "new": {}}},
    "lines": {"type": "table", "fields": {"amount": {"type": "money", "was": ["price"]}, "tax": {"type": "money"}}},
    "total": {"type": "money", "compute": "sum(lines, amount) + 1", "stored": true},
    "doubled": {"type": "money", "compute": "total * 2", "stored": true},
    "shown": {"type": "money", "compute": "total"}
  },
  "unique": {"named": {"fields": ["name"], "where": "state == 'open'"}},
  "access": {"clerk": {"read": "state == 'open'", "create": true, "fields": {"*": "read", "name": "write"}},
             "lead": {"read": true, "fields": {"compensation": "read"}}}
}"#;

fn changes(plan: &Plan) -> Vec<String> {
    let word = |class: ChangeClass| serde_json::to_value(class).unwrap().as_str().unwrap().to_owned();
    plan.changes
        .iter()
        .map(|change| {
            let detail = change.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{} {}{detail}", word(change.class), change.at)
        })
        .collect()
}

#[test]
fn the_first_deployment_adds_everything() {
    let wanted = good(&[("pack.json", PACK), ("forms/order.json", BEFORE)]);
    let plan = plan(None, &wanted);
    assert_eq!(changes(&plan), ["add forms/order"]);
    let read: Vec<_> = plan.access.iter().filter(|change| change.operation == Some("read")).collect();
    assert_eq!((read[0].from.as_str(), read[0].to.as_str()), ("never", "always"));
}

#[test]
fn that_entries_are_only_added_from_now_on_is_said() {
    let form =
        |kind: &str| format!(r#"{{"kind": "{kind}", "label": "Order", "fields": {{"name": {{"type": "text"}}}}}}"#);
    let (table, log) = (form("table"), form("log"));
    let of = |form: &str| good(&[("pack.json", PACK), ("forms/order.json", form)]);
    let there = plan(Some(&of(&table)), &of(&log));
    assert_eq!(changes(&there), ["add forms/order/kind (entries are only added from now on)"]);
    let back = plan(Some(&of(&log)), &of(&table));
    assert_eq!(changes(&back), ["drop forms/order/kind (records can be changed and deleted from now on)"]);
}

#[test]
fn the_same_pack_changes_nothing() {
    let pack = good(&[("pack.json", PACK), ("forms/order.json", BEFORE)]);
    let plan = plan(Some(&pack), &pack);
    assert_eq!((plan.changes, plan.access, plan.blocked), (vec![], vec![], vec![]));
}

#[test]
fn renames_keep_data_removals_hide_and_conversions_are_named() {
    let deployed = good(&[("pack.json", PACK), ("forms/old_order.json", BEFORE)]);
    let wanted = good(&[("pack.json", PACK), ("forms/order.json", AFTER)]);
    let plan = plan(Some(&deployed), &wanted);
    assert_eq!(
        changes(&plan),
        [
            "rename forms/order (was `old_order`)",
            "rename forms/order/fields/compensation (was `payout`)",
            "convert forms/order/fields/count (integer → decimal of 2 places)",
            "rename forms/order/fields/state/options/closed (was `shut`)",
            "add forms/order/fields/state/options/new",
            "hide forms/order/fields/state/options/lost",
            "rename forms/order/fields/lines/fields/amount (was `price`)",
            "add forms/order/fields/lines/fields/tax",
            "hide forms/order/fields/lines/fields/note",
            "backfill forms/order/fields/total (computed differently)",
            "add forms/order/fields/doubled",
            "backfill forms/order/fields/doubled",
            "add forms/order/fields/shown",
            "drop forms/order/unique/named",
            "drop forms/order/indexes/state",
            "add forms/order/unique/named",
        ]
    );
    assert_eq!(plan.blocked, []);
}

#[test]
fn what_strangers_are_shown_stands_in_the_permission_diff() {
    let form = |public: &str| {
        format!(
            r#"{{"label": "O", "fields": {{"no": {{"type": "series", "pattern": "O{{seq:4}}"}}, "phone": {{"type": "phone", "region": "CN"}},
                "note": {{"type": "text"}}}}, "access": {{"clerk": {{"read": true, "fields": {{"*": "read"}}}}}}{public}}}"#
        )
    };
    let track = r#", "public": {"track": {"by": ["no", "last(phone, 4)"], "show": ["note"]}}"#;
    let (hidden, shown) = (form(""), form(track));
    let deployed = good(&[("pack.json", PACK), ("forms/order.json", hidden.as_str())]);
    let wanted = good(&[("pack.json", PACK), ("forms/order.json", shown.as_str())]);
    let access = plan(Some(&deployed), &wanted).access;
    let words = access.iter().map(|change| (&*change.role, change.field.as_deref(), &*change.from, &*change.to));
    assert_eq!(words.collect::<Vec<_>>(), [("public", Some("note"), "none", "read")]);
}

#[test]
fn the_permission_diff_names_role_form_and_field() {
    let deployed = good(&[("pack.json", PACK), ("forms/old_order.json", BEFORE)]);
    let wanted = good(&[("pack.json", PACK), ("forms/order.json", AFTER)]);
    let words: Vec<String> = plan(Some(&deployed), &wanted)
        .access
        .iter()
        .map(|change| {
            let subject = change.field.as_deref().or(change.operation).unwrap_or_default();
            format!("{} {subject}: {} → {}", change.role, change.from, change.to)
        })
        .collect();
    assert_eq!(
        words,
        [
            "clerk read: always → state == 'open'",
            "clerk create: never → always",
            // A renamed field is compared with what it was: `compensation` does not appear.
            "clerk name: read → write",
            "clerk count: write → read",
            "clerk lines.tax: none → read",
            "clerk doubled: none → read",
            "clerk shown: none → read",
            "clerk lines.note: read → none",
            "lead read: never → always",
            "lead compensation: none → read",
        ]
    );
}

#[test]
fn what_cannot_be_converted_blocks_the_plan() {
    let deployed = good(&[("pack.json", PACK), ("forms/order.json", BEFORE)]);
    let text = BEFORE.replace(r#""count": {"type": "integer"}"#, r#""count": {"type": "date"}"#);
    let euro = PACK.replace(r#""version""#, r#""currency": "EUR", "version""#);
    let wanted = good(&[("pack.json", euro.as_str()), ("forms/order.json", text.as_str())]);
    let plan = plan(Some(&deployed), &wanted);
    let at: Vec<&str> = plan.blocked.iter().map(|blocked| blocked.at.as_str()).collect();
    assert_eq!(at, ["forms/order/fields/count", "pack/currency"]);
}

#[test]
fn steps_come_go_and_become_another_kind() {
    let flow = |steps: &str| {
        format!(
            r#"{{"label": "W", "for": "order", "start": {{"s": {{"on": "created", "next": "a"}}}}, "steps": {steps}}}"#
        )
    };
    let before =
        flow(r#"{"a": {"type": "wait", "events": {"d": {"after": "P1D", "next": "b"}}}, "b": {"type": "end"}}"#);
    let after = flow(r#"{"a": {"type": "set", "set": {"count": 1}, "next": "c"}, "c": {"type": "end"}}"#);
    let pack = |flow: &str| good(&[("pack.json", PACK), ("forms/order.json", BEFORE), ("workflows/w.json", flow)]);
    let plan = plan(Some(&pack(&before)), &pack(&after));
    assert_eq!(
        changes(&plan),
        ["convert workflows/w/steps/a (wait → set)", "add workflows/w/steps/c", "hide workflows/w/steps/b"]
    );
}

#[test]
fn a_rename_can_be_taken_back() {
    let form = |fields: &str| {
        let access = r#""access": {"clerk": {"fields": {"*": "write"}}}"#;
        let form = format!(r#"{{"label": "O", "fields": {{{fields}}}, {access}}}"#);
        good(&[("pack.json", PACK), ("forms/order.json", &form)])
    };
    let (one, renamed) = (r#""a": {"type": "text"}"#, r#""b": {"type": "text", "was": ["a"]}"#);
    for (before, after, expected) in [(one, renamed, "b (was `a`)"), (renamed, one, "a (was `b`)")] {
        let expected = format!("rename forms/order/fields/{expected}");
        assert_eq!(changes(&plan(Some(&form(before)), &form(after))), [expected], "{before} → {after}");
    }
    let choice = |options: &str| form(&format!(r#""a": {{"type": "choice", "options": {{{options}}}}}"#));
    let (old, new) = (r#""x": {}"#, r#""y": {"was": ["x"]}"#);
    for (before, after, expected) in [(old, new, "y (was `x`)"), (new, old, "x (was `y`)")] {
        let expected = format!("rename forms/order/fields/a/options/{expected}");
        assert_eq!(changes(&plan(Some(&choice(before)), &choice(after))), [expected], "{before} → {after}");
    }
}

#[test]
fn only_what_loses_nothing_is_converted() {
    let types = [
        Type::Text,
        Type::Integer,
        Type::Decimal { scale: 1 },
        Type::Money,
        Type::Boolean,
        Type::Date,
        Type::DateTime,
        Type::Choice(vec![Key::from("x")].into()),
        Type::Link("order".into()),
        Type::User,
        Type::Queue,
    ];
    // Rows: from; columns: to, in the order above.
    let table = [
        "x......x..x", // text: to keys, as far as the values are some
        "xxxx.......",
        "x.xx.......",
        "x..x.......",
        "x...x......",
        "x....x.....",
        "......x....", // datetime: its text would depend on a zone
        "x......x..x",
        "........x..",
        ".........x.",
        "x......x..x",
    ];
    for (from, row) in types.iter().zip(table) {
        for (to, verdict) in types.iter().zip(row.chars()).filter(|(to, _)| *to != from) {
            assert_eq!(convertible(from, to), verdict == 'x', "{from} → {to}");
        }
    }
}

#[test]
fn a_plan_is_written_as_the_api_shows_it() {
    let wanted = good(&[
        ("pack.json", PACK),
        (
            "forms/order.json",
            r#"{"label": "O", "fields": {"x": {"type": "date"}}, "access": {"clerk": {"fields": {"x": "write"}}}}"#,
        ),
    ]);
    assert_eq!(
        serde_json::to_value(plan(None, &wanted)).unwrap(),
        serde_json::json!({"changes": [{"class": "add", "at": "forms/order"}],
            "access": [{"role": "clerk", "form": "order", "field": "x", "from": "none", "to": "write"}], "blocked": []})
    );
}
