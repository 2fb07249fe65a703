//! A wrong value anywhere is a diagnostic, never a panic: every value of a pack that uses each kind of definition is
//! replaced by one of another shape, and removed.

use formwork_model::{Severity, SourceMap, compile};
use serde_json::{Value, json};

const FILES: &[(&str, &str)] = &[
    (
        "pack.json",
        r#"{"version": "1.0.0", "title": {"en": "P"}, "requires": {"formwork": ">=0.1"}, "languages": ["en"],
            "timezone": "UTC", "currency": "EUR", "roles": {"clerk": {"title": "Clerk", "includes": ["lead"]},
            "lead": {"title": "Lead"}}, "queues": {"front": {"title": "Front", "lead": "lead"}},
            "settings": {"limit": {"type": "integer", "default": 4}}, "channels": {"mail": {"type": "file"}},
            "nav": {"main": {"label": "Main", "items": ["board:desk", "view:order.open"]}}, "home": {"*": "inbox"}}"#,
    ),
    (
        "forms/order.json",
        r##"{"kind": "table", "label": "Order", "title": "code", "naturalKey": ["code"], "was": ["old"],
            "fields": {"code": {"type": "text", "max": 9, "pattern": "^A", "required": true, "tags": ["t"],
                                "mask": {"keepFirst": 1}, "help": "H", "was": ["nr"]},
              "amount": {"type": "money", "min": 0, "max": "9.5", "default": "1"},
              "boss": {"type": "link", "to": "order", "where": "it.amount > amount"},
              "rank": {"type": "lookup", "via": "boss", "field": "amount"},
              "state": {"type": "choice", "options": {"open": {"label": "Open"}, "shut": {"was": ["s"]}}},
              "lines": {"type": "table", "unique": {"u": ["n"]}, "fields": {"n": {"type": "integer", "compute": "1"}}},
              "queue": {"type": "queue", "visibleIf": "state == 'open'"}, "due": {"type": "datetime"},
              "below": {"type": "backlink", "from": "order.boss"}, "no": {"type": "series", "pattern": "{seq:3}"},
              "total": {"type": "integer", "compute": "sum(lines, n)", "stored": true}},
            "rules": {"r": {"check": "amount > 0", "at": "amount", "message": "M"}},
            "unique": {"u": {"fields": ["code"], "where": "state == 'open'"}}, "indexes": [["-code"]],
            "access": {"clerk": {"read": "queue in user.queues", "create": true, "fields": {"*": "write", "#t": "mask"}}},
            "views": {"open": {"type": "list", "columns": ["code"], "where": "amount > 1", "sort": ["-amount"]}},
            "layout": {"a": {"label": "A", "rows": [["code"]]}}}"##,
    ),
    (
        "decisions/route.json",
        r#"{"label": "R", "for": "order", "hit": "unique", "inputs": {"a": "amount"}, "outputs": {"q": "order.queue"},
            "rules": {"x": {"if": ["< 3"], "then": ["'front'"]}, "y": {"if": [">= 3"], "then": ["'front'"]}}}"#,
    ),
    (
        "workflows/flow.json",
        r#"{"label": "F", "for": "order", "vars": {"n": {"type": "integer", "default": 0}},
            "start": {"a": {"on": "created", "when": "record.amount > 1", "key": "record.id", "next": "d"},
                      "b": {"schedule": "5 0 * * *", "each": {"form": "order", "where": "it.amount > 1"}, "next": "d"}},
            "steps": {"d": {"type": "decision", "decision": "route", "set": {"queue": "=step.d.q"}, "none": "u", "next": "u"},
              "u": {"type": "user", "assign": {"queue": "=record.queue"}, "fields": {"*": "read", "amount": "write"},
                    "outcomes": {"ok": "s", "no": {"label": "N", "required": ["due"], "set": {"vars.n": 1}, "next": "w"}},
                    "due": {"after": "P2D"}},
              "w": {"type": "wait", "events": {"t": {"after": "P1D", "next": "u"}, "z": {"until": "=record.due", "next": "m"}}},
              "s": {"type": "script", "script": "k", "in": {"a": "=record.code"}, "out": {"b": "text"}, "next": "m"},
              "m": {"type": "notify", "to": "=record.code", "channels": ["mail"], "template": "t", "data": {"code": "=record.code"}, "next": "c"},
              "c": {"type": "choice", "branches": {"b": {"if": "record.amount > 1", "next": "e"}}, "else": "end"},
              "e": {"type": "end", "outcome": "done"}}}"#,
    ),
    (
        "datasets/orders.json",
        r#"{"label": "O", "source": {"form": "order"}, "where": "amount > 0", "times": {"due": "due"}, "time": "due",
            "dimensions": {"state": {"field": "state"}, "size": {"compute": "amount", "edges": [1, 2]}}}"#,
    ),
    (
        "metrics/share.json",
        r#"{"label": "S", "type": "ratio", "dataset": "orders", "time": "due", "where": "amount > 0",
            "num": {"type": "sum", "compute": "amount"}, "den": {"type": "count"}, "format": "percent:1", "good": "up"}"#,
    ),
    (
        "reports/weekly.json",
        r#"{"label": "W", "metrics": ["share"], "params": {"range": {"type": "range", "default": "last 2 weeks"}},
            "by": {"week": {"grain": "week"}, "state": {"dimension": "state"}}, "totals": ["grand"], "sort": ["-week"]}"#,
    ),
    (
        "boards/desk.json",
        r#"{"label": "D", "roles": ["clerk"], "tiles": {"a": {"type": "metric", "metric": "share", "width": 3},
            "b": {"type": "report", "report": "weekly", "set": {"range": "all"}}, "t": {"type": "tasks", "box": "mine"},
            "c": {"type": "list", "form": "order", "view": "open", "where": "amount > 1"}, "d": {"type": "text", "text": "T"}}}"#,
    ),
    (
        "imports/orders.json",
        r#"{"label": "I", "source": {"type": "upload"}, "format": "csv", "delimiter": ";",
            "into": {"order": {"key": ["code"], "columns": {"code": "row.c", "amount": "number(row['the sum'])"}, "where": "row.c != null"}}}"#,
    ),
    (
        "demo/orders.json",
        r#"{"order": 1, "form": "order", "count": 3, "seed": 7, "fields": {"code": "'A' + text(i)", "boss": "ref('order', i)"}}"#,
    ),
    (
        "cases/first.json",
        r#"{"given": {"clock": "2026-01-05T09:00:00Z", "users": {"ana": {"roles": ["clerk"], "queues": ["front"]}},
                      "records": {"order": {"o": {"code": "A"}}}},
            "steps": [
              {"as": "ana", "create": {"order": {"code": "A1"}}, "save": "p"},
              {"expect": {"record": "p", "fields": {"code": "A1"}, "sent": [{"template": "t", "channel": "mail", "to": "A1"}],
                          "task": {"step": "u", "queue": "front"}, "instance": {"status": "running"}}},
              {"as": "ana", "update": {"p": {"code": "A"}}, "fails": {"code": "unique", "at": "/code"}},
              {"as": "ana", "task": {"verb": "claim", "of": "p", "step": "u"}},
              {"as": "ana", "list": {"order": "code == 'A'"}, "expect": {"count": 1}},
              {"as": "ana", "evaluate": {"order": {"code": "B"}}, "expect": {"fields": {"code": {"visible": true, "errors": []}}}},
              {"advance": "PT1H"}, {"crash": true}, {"read": "p"}, {"delete": "p"}]}"#,
    ),
    ("data/order.json", r#"[{"code": "A", "amount": "3", "state": "open"}]"#),
    ("templates/t.en.txt", "Hello {{ data.code }}"),
    ("scripts/k.rhai", "#{b: a}"),
];

fn sources(path: &str, text: &str) -> SourceMap {
    FILES.iter().map(|(known, own)| (*known, if *known == path { text } else { own })).collect()
}

/// Every pointer of a document, the root included.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                pointers(member, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{at}/{index}"), found));
        }
        _ => {}
    }
    found.push(at);
}

#[test]
fn the_pack_is_good_to_begin_with() {
    let (pack, diagnostics) = compile("good", &sources("", ""));
    assert!(pack.is_some() && diagnostics.is_empty(), "{diagnostics:?}");
}

#[test]
fn a_wrong_value_anywhere_is_a_diagnostic() {
    let shapes =
        [Value::Null, json!(true), json!(-3), json!("="), json!("x y"), json!([]), json!({}), json!([{"a": 1}])];
    let mut refused = 0;
    for (path, text) in FILES.iter().filter(|(path, _)| path.ends_with(".json")) {
        let document: Value = serde_json::from_str(text).unwrap();
        let mut places = Vec::new();
        pointers(&document, String::new(), &mut places);
        for (index, place) in places.iter().enumerate() {
            // One of the shapes at each place, in turn: together they meet every kind of place.
            let mut changed = document.clone();
            *changed.pointer_mut(place).unwrap() = shapes[index % shapes.len()].clone();
            refused += usize::from(is_refused(path, &changed));
            let mut changed = document.clone();
            remove(&mut changed, place);
            is_refused(path, &changed);
        }
    }
    // Most mutations are mistakes; a compiler that says nothing would pass all that is above.
    assert!(refused > 250, "only {refused} mutations were refused");
}

/// Compiles the pack with one file changed; a pack comes out exactly if there is no error, and each place is in its file.
fn is_refused(path: &str, document: &Value) -> bool {
    let text = serde_json::to_string_pretty(document).unwrap();
    let sources = sources(path, &text);
    let (pack, diagnostics) = compile("mutated", &sources);
    let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(pack.is_none(), has_errors, "{path}: {text}");
    for diagnostic in &diagnostics {
        let text = sources.get(&diagnostic.file).unwrap_or_default();
        assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic:?}");
    }
    has_errors
}

fn remove(document: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => {
            items.remove(key.parse().unwrap());
        }
        _ => {}
    }
}
