use super::*;
use crate::compile::tests::{PACK, good};

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
fn the_same_pack_changes_nothing() {
    let pack = good(&[("pack.json", PACK), ("forms/order.json", BEFORE)]);
    let plan = plan(Some(&pack), &pack);
    assert_eq!((plan.changes, plan.access, plan.running, plan.blocked), (vec![], vec![], vec![], vec![]));
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
fn steps_that_go_name_who_may_stand_on_them() {
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
    assert_eq!(plan.running, [RunningEffect { workflow: "w".into(), step: "a".into(), instances: None }]);
}

#[test]
fn the_hash_follows_both_packs() {
    let (a, b) = (
        good(&[("pack.json", PACK), ("forms/order.json", BEFORE)]),
        good(&[("pack.json", PACK), ("forms/order.json", AFTER)]),
    );
    assert_eq!(plan(Some(&a), &b).hash, plan(Some(&a), &b).hash);
    assert_ne!(plan(Some(&a), &b).hash, plan(None, &b).hash);
    assert_ne!(plan(Some(&a), &b).hash, plan(Some(&a), &a).hash);
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
    let mut json = serde_json::to_value(plan(None, &wanted)).unwrap();
    json["hash"] = "…".into();
    assert_eq!(
        json,
        serde_json::json!({"hash": "…", "changes": [{"class": "add", "at": "forms/order", "rows": null, "sql": []}],
            "access": [{"role": "clerk", "form": "order", "field": "x", "from": "none", "to": "write"}], "running": [], "blocked": []})
    );
}
