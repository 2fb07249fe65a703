use std::fs;
use std::path::PathBuf;

use super::*;

fn committed(kind: Kind) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{}.schema.json", kind.name()))
}

/// `FORMWORK_BLESS=1` rewrites the committed files.
#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for kind in Kind::ALL {
        let text = serde_json::to_string_pretty(&schema(kind)).unwrap() + "\n";
        let path = committed(kind);
        if std::env::var_os("FORMWORK_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{} is out of date; run the test with FORMWORK_BLESS=1", path.display());
    }
}

#[test]
fn no_schema_uses_one_of_or_any_of() {
    for kind in Kind::ALL {
        let text = schema(kind).to_string();
        assert!(!text.contains("\"oneOf\"") && !text.contains("\"anyOf\""), "{}", kind.name());
    }
}

#[test]
fn expressions_are_marked() {
    let form = schema(Kind::Form);
    let field = &form["$defs"]["Field"];
    assert_eq!(field["properties"]["requiredIf"]["x-formwork-expression"]["type"], "boolean");
    assert_eq!(field["unevaluatedProperties"], false);
    assert_eq!(field["allOf"][0]["if"]["properties"]["type"]["const"], "text");
    assert_eq!(form["properties"]["title"]["x-formwork-expression"]["scope"], "title");
}

/// `FORMWORK_BLESS=1` rewrites the page.
#[test]
fn the_page_of_the_keys_that_hold_expressions_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/expressions.md");
    let page = expression_keys();
    if std::env::var_os("FORMWORK_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "{} is out of date; run the test with FORMWORK_BLESS=1", path.display());
}

#[test]
fn every_position_is_marked_somewhere() {
    let mut seen = Vec::new();
    for kind in Kind::ALL {
        marks(&schema(kind), "", &mut |_, _, mark| seen.push(mark["scope"].as_str().unwrap_or_default().to_owned()));
    }
    let unmarked = Position::ALL.into_iter().filter(|position| !seen.iter().any(|word| word == position.word()));
    assert_eq!(unmarked.collect::<Vec<_>>(), [Position::Request], "no document has what callers ask");
}
