use super::*;

/// Messy text and the layout worked out by hand.
const CASES: &[(&str, &str)] = &[
    ("{}", "{}\n"),
    ("[ ]", "[]\n"),
    ("{\"a\":1 ,\n \"b\":[ 1,2 ]}", "{\n  \"a\": 1,\n  \"b\": [1, 2]\n}\n"),
    (
        "{\"b\": {\"y\": \"\\u00e9\", \"x\": 1.50}, \"a\": []}",
        "{\n  \"b\": {\"y\": \"\\u00e9\", \"x\": 1.50},\n  \"a\": []\n}\n",
    ),
    ("[{\"a\": null}]", "[\n  {\"a\": null}\n]\n"),
];

#[test]
fn one_layout() {
    for (text, expected) in CASES {
        assert_eq!(format(text).unwrap(), *expected, "{text}");
    }
}

#[test]
fn a_line_has_at_most_110_characters_with_its_comma() {
    // `  "a": ["` and `"]` are 11 characters, the comma is one: a text of 98 fits, one of 99 does not.
    let with = |length: usize| format(&format!("{{\"a\": [\"{}\"], \"b\": 1}}", "é".repeat(length))).unwrap();
    assert_eq!(with(98).lines().nth(1).unwrap().chars().count(), 110);
    assert_eq!(with(99).lines().nth(1).unwrap(), "  \"a\": [");
}

#[test]
fn formatting_twice_changes_nothing_and_meaning_stays() {
    let long = format!("{{\"deep\": {{\"list\": [{}], \"n\": 1e3}}}}", vec!["\"abcdefghijkl\""; 20].join(","));
    for text in CASES.iter().map(|(text, _)| *text).chain([long.as_str()]) {
        let once = format(text).unwrap();
        assert_eq!(format(&once).unwrap(), once);
        let meaning = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(meaning(&once), meaning(text));
    }
}

#[test]
fn broken_text_is_said_with_its_place() {
    let problem = format("{\n  \"a\": 1,\n}").unwrap_err();
    assert_eq!((problem.code, problem.line), ("FW0101", 2));
    let problem = format("{\"a\": 1, \"a\": 2}").unwrap_err();
    assert_eq!((problem.code, problem.column), ("FW0102", 10));
}
