use crate::compile::compile;
use crate::diagnostic::{Paint, render};
use crate::expr::ir::Slot;
use crate::pack::Setting;
use crate::pack::form::{Condition, FieldKind, Level, SeriesPart};
use crate::pack::workflow::{Action, Assign, Target, Timer, Trigger};
use crate::value::Value;
use crate::{Pack, SourceMap};

/// Compiles files that must be good.
pub(crate) fn good(files: &[(&str, &str)]) -> Pack {
    let sources: SourceMap = files.iter().copied().collect();
    let (pack, diagnostics) = compile("good", &sources);
    pack.unwrap_or_else(|| panic!("{}", render(&diagnostics, &sources, Paint::Plain)))
}

pub(crate) const PACK: &str = r#"{
  "version": "1.0.0", "title": "Good", "languages": ["en"], "timezone": "Europe/Berlin",
  "roles": {"clerk": {"title": "Clerk"}, "lead": {"title": "Lead", "includes": ["clerk"]}},
  "queues": {"front": {"title": "Front"}},
  "settings": {"limit": {"type": "decimal", "default": "0.5"}},
  "channels": {"mail": {"type": "webhook"}},
  "nav": {"main": {"label": "Main", "items": ["inbox"]}},
  "home": {"*": "inbox"}
}"#;

const PERSON: &str = r#"{
  "label": "Person", "naturalKey": ["code"],
  "fields": {
    "code": {"type": "text"},
    "rank": {"type": "integer"},
    "secret": {"type": "text"},
    "orders": {"type": "backlink", "from": "order.person"},
    "open": {"type": "integer", "compute": "count(orders, state == 'open')"}
  },
  "access": {
    "clerk": {"read": true, "fields": {"*": "read", "secret": "none"}},
    "lead": {"read": true, "update": true, "fields": {"*": "write"}}
  }
}"#;

const ORDER: &str = r##"{
  "$schema": "https://example.org/form.schema.json",
  "label": "Order", "title": "no + ' ' + (whose ?? '')",
  "fields": {
    "no": {"type": "series", "pattern": "O{yyyy}-{seq:4}", "reset": "year"},
    "person": {"type": "link", "to": "person", "where": "it.rank > 0 and it.code != no"},
    "whose": {"type": "lookup", "via": "person", "field": "secret"},
    "rank": {"type": "lookup", "via": "person", "field": "rank", "snapshot": "on_create"},
    "grand": {"type": "money", "compute": "net + 1"},
    "net": {"type": "money", "compute": "sum(lines, total)", "stored": true},
    "lines": {"type": "table", "fields": {
      "total": {"type": "money", "compute": "price * count"},
      "price": {"type": "money", "tags": ["private"]},
      "count": {"type": "integer", "default": 1}}},
    "state": {"type": "choice", "options": {"open": {}, "closed": {}}, "default": "open"},
    "note": {"type": "text", "tags": ["private"], "visibleIf": "old.state != 'closed' and has_role('lead')"},
    "queue": {"type": "queue", "default": "front"},
    "due_at": {"type": "datetime", "default": "=now + days(2)"}
  },
  "rules": {"cap": {"check": "grand < 1000 * settings.limit", "at": "lines", "message": "Too much."}},
  "unique": {"one_open": {"fields": ["person"], "where": "state == 'open'"}},
  "indexes": [["state", "-created_at"]],
  "access": {
    "clerk": {"read": "queue in user.queues", "create": true, "update": "state != 'closed'",
              "fields": {"*": "write", "#private": "mask", "note": "read", "queue": "none"}},
    "lead": {"read": true, "fields": {"*": "write"}}
  },
  "views": {"open": {"type": "list", "columns": ["no", "person", "created_at"], "where": "state == 'open'", "sort": ["-due_at"]}}
}"##;

fn pack() -> Pack {
    good(&[("pack.json", PACK), ("forms/person.json", PERSON), ("forms/order.json", ORDER)])
}

#[test]
fn a_form_is_compiled_with_positions_and_defaults() {
    let pack = pack();
    let order = pack.form("order");
    assert_eq!(pack.settings()["limit"].1, Value::Decimal("0.5".parse().unwrap()));
    let FieldKind::Series { pattern, .. } = &order.fields[0].kind else { panic!("no series") };
    assert_eq!(
        *pattern,
        [SeriesPart::Text("O".into()), SeriesPart::Year, SeriesPart::Text("-".into()), SeriesPart::Sequence(4)]
    );
    let (_, queue) = order.field("queue").unwrap();
    assert!(matches!(&queue.default, Some(Setting::Literal(Value::Text(key))) if key == "front"));
    let (_, due) = order.field("due_at").unwrap();
    assert!(matches!(&due.default, Some(Setting::Expr(_))));
    assert_eq!(
        order.indexes[0].iter().map(|key| (key.slot, key.descending)).collect::<Vec<_>>(),
        [(Slot::Field(7), false), (Slot::CreatedAt, true),]
    );
    assert_eq!(order.uniques["one_open"].fields, [1]);
    assert_eq!(order.layout.values().map(|section| section.rows.len()).collect::<Vec<_>>(), [11]);
    assert!(matches!(order.access["clerk"].delete, Condition::Never));
}

#[test]
fn derived_values_are_ordered_by_what_they_read() {
    let pack = pack();
    let order = pack.form("order");
    let keys: Vec<&str> = order.compute_order.iter().map(|position| &*order.fields[*position].key).collect();
    assert_eq!(keys, ["whose", "rank", "lines", "net", "grand"]);
    let FieldKind::Table { compute_order, .. } = &order.fields[6].kind else { panic!("no table") };
    assert_eq!(*compute_order, [0]);
}

#[test]
fn levels_follow_precedence_and_what_is_derived_has_the_lowest_of_its_sources() {
    let pack = pack();
    let order = pack.form("order");
    let levels = |role: &str| -> Vec<(&str, Level)> {
        order.fields.iter().map(|field| &*field.key).zip(order.access[role].levels.iter().copied()).collect()
    };
    assert_eq!(
        levels("clerk"),
        [
            ("no", Level::Read),
            ("person", Level::Write),
            // The clerk may not read `person.secret`.
            ("whose", Level::None),
            ("rank", Level::Read),
            // The price of a row is masked, and with it every sum of it.
            ("grand", Level::Mask),
            ("net", Level::Mask),
            ("lines", Level::Write),
            ("state", Level::Write),
            // The field's own key wins over its tag.
            ("note", Level::Read),
            ("queue", Level::None),
            ("due_at", Level::Write),
        ]
    );
    assert_eq!(order.access["clerk"].row_levels[&6], [Level::Mask, Level::Mask, Level::Write]);
    assert_eq!(order.access["clerk"].title, Level::None);
    assert_eq!(order.access["lead"].title, Level::Read);
    assert_eq!(order.access["lead"].levels[2], Level::Read);
}

#[test]
fn a_workflow_is_lowered_to_nodes_and_targets() {
    let pack = good(&[
        ("pack.json", PACK),
        ("forms/person.json", PERSON),
        ("forms/order.json", ORDER),
        ("scripts/words.rhai", "#{text: name}"),
        ("templates/ack.en.txt", "Subject: Hello\nDear {{ data.no }}"),
        (
            "decisions/route.json",
            r#"{"label": "Route", "for": "order", "hit": "first", "inputs": {"sum": "net", "state": "state"},
                "outputs": {"queue": "order.queue", "after": "duration"},
                "rules": {"low": {"if": ["[0..10)", "'open'"], "then": ["'front'", "hours(2)"]},
                          "else": {"if": ["-", "-"], "then": ["'front'", "days(1)"]}}}"#,
        ),
        (
            "workflows/handle.json",
            r#"{"label": "Handle", "for": "order", "vars": {"rounds": {"type": "integer", "default": 0}},
                "start": {"made": {"on": "created", "when": "record.state == 'open'", "next": "route"},
                          "nightly": {"schedule": "5 0 * * *", "each": {"form": "order", "where": "it.state == 'open'"}, "next": "route"}},
                "steps": {
                  "route": {"type": "decision", "decision": "route", "set": {"queue": "=step.route.queue"}, "next": "task"},
                  "task": {"type": "user", "assign": {"queue": "=record.queue"}, "fields": {"note": "write", "*": "read"},
                           "outcomes": {"done": "say", "again": {"set": {"vars.rounds": "=vars.rounds + 1"}, "next": "pause"}}},
                  "pause": {"type": "wait", "events": {"later": {"after": "=step.route.after", "next": "task"}}},
                  "say": {"type": "script", "script": "words", "in": {"name": "=record.no"}, "out": {"text": "text"},
                          "set": {"note": "=step.say.text"}, "next": "mail"},
                  "mail": {"type": "notify", "to": "=record.note", "channels": ["mail"], "template": "ack", "data": {"no": "=record.no"}, "next": "size"},
                  "size": {"type": "choice", "branches": {"big": {"if": "record.net > 10", "next": "done"}}, "else": "end"},
                  "done": {"type": "end", "outcome": "big"}}}"#,
        ),
    ]);
    let workflow = &pack.workflows()["handle"];
    assert_eq!(workflow.starts["made"].next, Target::Node("route".into()));
    let nodes = &workflow.graph.nodes;
    let Action::User { assign, form: task } = &nodes["task"].action else { panic!("no task") };
    assert!(matches!(&assign.who, Assign::Queue(Setting::Expr(_))));
    assert_eq!((task.levels.get(&8), task.others), (Some(&Level::Write), Some(Level::Read)));
    assert_eq!(task.outcomes["done"].next, Target::Node("say".into()));
    let Action::Wait { events } = &nodes["pause"].action else { panic!("no wait") };
    assert!(matches!(&events["later"].trigger, Trigger::Timer(Timer::After(Setting::Expr(_), None))));
    let Action::Choice { otherwise, .. } = &nodes["size"].action else { panic!("no choice") };
    assert_eq!(*otherwise, Target::End);
}

#[test]
fn the_hash_is_that_of_the_key_and_the_files_and_nothing_else() {
    let files = [("pack.json", PACK), ("forms/person.json", PERSON), ("forms/order.json", ORDER)];
    let mut turned = files;
    turned.reverse();
    assert_eq!(good(&files).hash(), good(&turned).hash());
    let changed = PACK.replace("1.0.0", "1.0.1");
    assert_ne!(good(&files).hash(), good(&[("pack.json", changed.as_str()), files[1], files[2]]).hash());
    let (other, _) = compile("other", &files.iter().copied().collect());
    assert_ne!(good(&files).hash(), other.unwrap().hash(), "two packs of one text are two packs");
}

#[test]
fn too_many_and_too_large_files_are_refused() {
    let many: SourceMap = (0..2_001).map(|index| (format!("notes/{index}.md"), "")).collect();
    assert!(compile("many", &many).1.iter().any(|problem| problem.code == "FW0103"));
    let large: SourceMap = [("pack.json", " ".repeat(1024 * 1024 + 1))].into_iter().collect();
    assert_eq!(compile("large", &large).1.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["FW0103"]);
}

#[test]
fn a_diagnostic_is_written_as_the_api_shows_it() {
    let sources: SourceMap = [
        ("pack.json", PACK),
        ("forms/a.json", "{\"label\": \"A\",\n \"feilds\": {}, \"fields\": {\"x\": {\"type\": \"date\"}}}"),
    ]
    .into_iter()
    .collect();
    let (pack, diagnostics) = compile("bad", &sources);
    assert!(pack.is_none());
    let first = diagnostics.iter().find(|problem| problem.code == "FW0110").unwrap();
    assert_eq!(
        serde_json::to_value(first).unwrap(),
        serde_json::json!({"code": "FW0110", "severity": "error", "file": "forms/a.json", "pointer": "/feilds", "line": 2,
            "column": 2, "message": "unknown key `feilds`", "hint": "did you mean `fields`?"})
    );
}

#[test]
fn the_key_of_a_pack_is_a_key_that_is_free() {
    let sources: SourceMap = [("pack.json", PACK)].into_iter().collect();
    for key in ["good", "a", "fws", "fw2", "sql", "a_fw", "sqlites"] {
        assert!(compile(key, &sources).0.is_some(), "{key}");
    }
    let long = "a".repeat(49);
    for key in ["", "Crm", "2crm", "crm-eu", "crm/../x", "c\"", &long, "fw", "fw_event", "sqlite", "sqlite_x"] {
        let (pack, problems) = compile(key, &sources);
        assert!(pack.is_none(), "{key}");
        assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["FW0105"], "{key}");
    }
}
