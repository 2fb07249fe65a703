//! The table against the compiler: every name at every position, in a pack that has all of them.

use formwork_model::expr::position::{Lookups, Names, Position};
use formwork_model::{SourceMap, compile};

const PACK: &str = r#"{
  "version": "1.0.0", "title": "Names", "languages": ["en"], "timezone": "UTC",
  "roles": {"clerk": {"title": "Clerk"}}, "settings": {"s": {"type": "text", "default": "a"}},
  "messages": {"call": {"from": ["clerk"], "data": {"x": "text"}}}
}"#;
const THING: &str = r#"{"label": "Thing", "title": "<title>", "fields": {
    "name": {"type": "text"}, "code": {"type": "text"}, "on": {"type": "text", "visibleIf": "<condition>"},
    "one": {"type": "text", "compute": "<computed>"}, "two": {"type": "text", "compute": "<stored>", "stored": true},
    "begun": {"type": "text", "default": "=<default>"},
    "other": {"type": "link", "to": "other", "where": "<candidate>"},
    "lines": {"type": "table", "fields": {
        "name": {"type": "text"}, "on": {"type": "text", "requiredIf": "<line condition>"},
        "one": {"type": "text", "compute": "<line computed>"}, "begun": {"type": "text", "default": "=<line default>"},
        "other": {"type": "link", "to": "other", "where": "<line candidate>"}}}},
  "rules": {"rule": {"check": "<rule>", "message": "No."}},
  "unique": {"code": {"fields": ["code"]}, "name": {"fields": ["name"], "where": "<unique>"}},
  "access": {"clerk": {"read": "<access>", "create": true, "fields": {"*": "write"}},
             "public": {"create": true, "fields": {"name": "write"}}},
  "public": {"form": true, "limit": "9/h per address", "track": {"by": ["code", "<proof>"], "show": ["name"]}},
  "views": {"all": {"type": "list", "columns": ["name"], "where": "<view>"}}}"#;
const OTHER: &str = r#"{"label": "Other", "fields": {"name": {"type": "text"}}}"#;
const FLOW: &str = r#"{"label": "Flow", "for": "thing", "vars": {"v": {"type": "text"}},
  "start": {"made": {"on": "created", "when": "<made>", "next": "wait"},
            "nightly": {"schedule": "5 0 * * *", "each": {"form": "thing", "where": "<each>"}, "key": "<nightly>",
                        "next": "wait"}},
  "steps": {"wait": {"type": "wait", "events": {
      "call": {"message": "call", "key": "record.id", "if": "<event>", "set": {"vars.v": "=<event set>"}, "next": "mark"}}},
    "mark": {"type": "set", "set": {"vars.v": "=<step>"}, "next": "end"}}}"#;
const DECISION: &str = r#"{"label": "Decision", "for": "thing", "hit": "first",
  "inputs": {"given": "name", "more": "<input>"}, "outputs": {"o": "text"},
  "rules": {"a": {"if": ["<cell>", "-"], "then": ["<output>"]}, "b": {"if": ["-", "-"], "then": ["'b'"]}}}"#;
const DATASET: &str = r#"{"label": "Things", "source": {"form": "thing"}, "where": "<source>",
  "times": {"made": "created_at"}, "time": "made", "dimensions": {"d": {"compute": "<dimension>"}}}"#;
const METRIC: &str = r#"{"label": "Things", "dataset": "things", "type": "count", "where": "<metric>"}"#;
const FORMULA: &str = r#"{"label": "Made", "type": "formula", "compute": "<formula>"}"#;
const BOARD: &str = r#"{"label": "Board", "for": "thing", "tiles": {
    "list": {"type": "list", "form": "thing", "view": "all", "where": "<tile>"},
    "fields": {"type": "record", "fields": ["<shown>"]},
    "new": {"type": "form", "form": "thing", "set": {"name": "=<preset>"}}}}"#;
const IMPORT: &str = r#"{"label": "Import", "source": {"type": "upload"}, "format": "csv",
  "into": {"thing": {"key": ["code"], "columns": {"code": "row.code", "name": "<column>"}, "where": "<row>"}}}"#;
const DEMO: &str = r#"{"form": "thing", "count": 1, "seed": 1, "fields": {"name": "<recipe>"}}"#;

/// Every place of the files: its position, and names of the position that are not there at this place.
const PLACES: [(&str, Position, &[Names]); 34] = [
    ("title", Position::Title, &[]),
    ("condition", Position::Condition, &[Names::Parent]),
    ("line condition", Position::Condition, &[Names::Old]),
    ("computed", Position::Computed, &[Names::Parent]),
    ("stored", Position::Computed, &[Names::Parent]),
    ("line computed", Position::Computed, &[]),
    ("default", Position::Default, &[Names::Parent]),
    ("line default", Position::Default, &[]),
    ("candidate", Position::Candidate, &[Names::Parent]),
    ("line candidate", Position::Candidate, &[]),
    ("rule", Position::Rule, &[]),
    ("unique", Position::Unique, &[]),
    ("access", Position::Rows, &[]),
    ("view", Position::Rows, &[]),
    ("proof", Position::Proof, &[]),
    ("made", Position::Start, &[Names::It]),
    ("nightly", Position::Start, &[]),
    ("each", Position::Each, &[]),
    ("event", Position::Event, &[]),
    ("event set", Position::Event, &[]),
    ("step", Position::Workflow, &[]),
    ("input", Position::Input, &[]),
    ("cell", Position::Cell, &[]),
    ("output", Position::Output, &[]),
    ("source", Position::Source, &[]),
    ("dimension", Position::Source, &[]),
    ("metric", Position::Source, &[]),
    ("formula", Position::Formula, &[]),
    ("tile", Position::Tile, &[]),
    ("shown", Position::Shown, &[]),
    ("preset", Position::Preset, &[]),
    ("column", Position::Column, &[]),
    ("row", Position::Column, &[]),
    ("recipe", Position::Recipe, &[]),
];

/// Places that hold a text, not a condition.
const TEXTS: [&str; 14] = [
    "title",
    "computed",
    "stored",
    "line computed",
    "default",
    "line default",
    "event set",
    "step",
    "input",
    "output",
    "dimension",
    "preset",
    "column",
    "recipe",
];

/// A name of each kind; texts.
const PROBES: [(Names, &str); 16] = [
    (Names::Fields, "name"),
    (Names::Old, "old.name"),
    (Names::Parent, "parent.name"),
    (Names::It, "it.name"),
    (Names::Record, "record.name"),
    (Names::User, "user.id"),
    (Names::Workflow, "vars.v"),
    (Names::Event, "event.x"),
    (Names::Inputs, "given"),
    (Names::Metrics, "things"),
    (Names::Cell, "?"),
    (Names::Columns, "row.x"),
    (Names::Recipe, "pick(['a'], i)"),
    (Names::Ids, "'0199c2a0-0000-7000-8000-000000000000'"),
    (Names::Settings, "settings.s"),
    (Names::Clock, "text(now)"),
];

fn probe(place: &str, names: Names, name: &str) -> String {
    match place {
        // Only paths may stand there.
        "shown" | "proof" => name.to_owned(),
        "cell" if names == Names::Cell => "? != null".to_owned(),
        // The input is a text, which a text may be compared with.
        "cell" if names == Names::Ids => "? == other".to_owned(),
        "cell" => format!("? == {name}"),
        "formula" if names == Names::Ids => format!("other == {name}"),
        "formula" if names == Names::Clock => "now".to_owned(),
        "formula" => format!("{name} + 0"),
        _ if names == Names::Ids => written(place, &format!("other == {name}")),
        // A database does not make text of an instant.
        _ if names == Names::Clock => written(place, "now == now"),
        _ => written(place, &format!("{name} == {name}")),
    }
}

fn written(place: &str, condition: &str) -> String {
    if TEXTS.contains(&place) { format!("when({condition}, 'a', 'b')") } else { condition.to_owned() }
}

/// What is wrong with the pack with that expression at that place, and good ones everywhere else.
fn problems(place: &str, expression: &str) -> Vec<String> {
    let filled = |text: &str| {
        let mut text = text.replace(&format!("<{place}>"), expression);
        for (other, ..) in PLACES {
            let good = match other {
                "shown" | "proof" => "name".to_owned(),
                "cell" => "'a'".to_owned(),
                "formula" => "1".to_owned(),
                _ => written(other, "true"),
            };
            text = text.replace(&format!("<{other}>"), &good);
        }
        text
    };
    let files = [
        ("pack.json", PACK),
        ("forms/thing.json", THING),
        ("forms/other.json", OTHER),
        ("workflows/flow.json", FLOW),
        ("decisions/decision.json", DECISION),
        ("datasets/things.json", DATASET),
        ("metrics/things.json", METRIC),
        ("metrics/made.json", FORMULA),
        ("boards/board.json", BOARD),
        ("imports/import.json", IMPORT),
        ("demo/demo.json", DEMO),
    ];
    let files: Vec<(&str, String)> = files.into_iter().map(|(path, text)| (path, filled(text))).collect();
    let sources: SourceMap = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let (pack, found) = compile("names", &sources);
    if pack.is_some() {
        return Vec::new();
    }
    let mut said: Vec<String> =
        found.into_iter().map(|problem| format!("{} {}: {}", problem.file, problem.pointer, problem.message)).collect();
    said.dedup();
    said
}

#[test]
fn the_compiler_takes_the_names_of_the_table_and_no_others() {
    assert_eq!(problems("", ""), [""; 0], "the pack itself");
    for (place, position, absent) in PLACES {
        for (names, name) in PROBES {
            let expression = probe(place, names, name);
            let found = problems(place, &expression);
            let expected = position.names().contains(&names) && !absent.contains(&names);
            assert_eq!(found.is_empty(), expected, "`{expression}` at <{place}>: {found:#?}");
            // It is the name that is wrong, nothing else.
            let is_path_only = ["shown", "proof"].contains(&place);
            let about_names = is_path_only
                || found.iter().all(|said| ["scope", "unknown", "link"].iter().any(|word| said.contains(word)));
            assert!(about_names, "`{expression}` at <{place}>: {found:#?}");
        }
    }
}

#[test]
fn look_ups_may_be_asked_where_the_table_says_so() {
    for (place, position, _) in PLACES.into_iter().filter(|(place, ..)| !["shown", "proof"].contains(place)) {
        let expression = probe(place, Names::Fields, "lookup(other, it.name, it.name == 'x')");
        let expected = match position.lookups() {
            Lookups::Never => false,
            Lookups::Stored => place == "stored",
            Lookups::Always => true,
        };
        let found = problems(place, &expression);
        assert_eq!(found.is_empty(), expected, "`{expression}` at <{place}>: {found:#?}");
    }
}

#[test]
fn every_place_is_tried() {
    let untried = Position::ALL.into_iter().filter(|position| !PLACES.iter().any(|(_, known, _)| known == position));
    assert_eq!(untried.collect::<Vec<_>>(), [Position::Request], "no document has what callers ask");
}
