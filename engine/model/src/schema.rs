//! The published JSON Schema (2020-12) of each kind of document, generated from the Rust types.
//!
//! The committed copies in `engine/model/schemas/` are what editors use; a test compares them with what is generated.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::documents::{self, Kind};
use crate::expr::position::{Lookups, Names, Position};

/// The schema of a kind.
pub fn schema(kind: Kind) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = match kind {
        Kind::Pack => generator.into_root_schema_for::<documents::pack::Pack>(),
        Kind::Form => generator.into_root_schema_for::<documents::form::Form>(),
        Kind::Workflow => generator.into_root_schema_for::<documents::workflow::Workflow>(),
        Kind::Calendar => generator.into_root_schema_for::<documents::calendar::Calendar>(),
        Kind::Decision => generator.into_root_schema_for::<documents::decision::Decision>(),
        Kind::Dataset => generator.into_root_schema_for::<documents::dataset::Dataset>(),
        Kind::Metric => generator.into_root_schema_for::<documents::metrics::Metric>(),
        Kind::Report => generator.into_root_schema_for::<documents::report::Report>(),
        Kind::Board => generator.into_root_schema_for::<documents::board::Board>(),
        Kind::Import => generator.into_root_schema_for::<documents::import::Import>(),
        Kind::Demo => generator.into_root_schema_for::<documents::demo::Demo>(),
        Kind::Case => generator.into_root_schema_for::<documents::case::Case>(),
    };
    let mut schema = schema.to_value();
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), json!(format!("Formwork {}", kind.name())));
        if let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_insert(0, "$schema".to_owned(), json!({"type": "string"}));
        }
    }
    schema
}

/// The page of the keys that hold expressions: what `engine/model/docs/expressions.md` holds.
pub fn expression_keys() -> String {
    let mut page = "# Keys that hold expressions\n\n\
        From the marks `x-formwork-expression` of the schemas. `=` says that the key holds a literal, or `=` and an\n\
        expression; the others hold the expression bare.\n\n\
        | kind | in | key | gives | position | written |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for kind in Kind::ALL {
        let mut rows = Vec::new();
        let schema = schema(kind);
        marks(&schema, "", &mut |place, key, mark| {
            let word = |name: &str| mark[name].as_str().unwrap_or_default().to_owned();
            let written = if mark["prefix"] == "=" { "`=`" } else { "bare" };
            let place = if place.is_empty() { kind.name() } else { place };
            let row = format!("| {place} | `{key}` | {} | {} | {written} |", word("type"), word("scope"));
            if !rows.contains(&row) {
                rows.push(row);
            }
        });
        rows.sort();
        page.extend(rows.into_iter().map(|row| format!("| {} {row}\n", kind.name())));
    }
    page.push_str(
        "\nWhat may be named at a position; `x` and `y` stand for names of the author's. Positions that run in SQL must lower\n\
        to both stores. `request` stands in no document: it is what `?filter=` of the API holds.\n\n\
        | position | names | look-ups | runs in |\n|---|---|---|---|\n",
    );
    for position in Position::ALL {
        let lookups = match position.lookups() {
            Lookups::Never => "",
            Lookups::Stored => "where it is stored",
            Lookups::Always => "yes",
        };
        let runs = if position.lowers() { "SQL" } else { "Rust" };
        let names: Vec<String> = position.names().iter().map(|names| written(*names)).collect();
        page.push_str(&format!("| {} | {} | {lookups} | {runs} |\n", position.word(), names.join(", ")));
    }
    page.push_str("\n| names | what they are |\n|---|---|\n");
    page.extend(Names::EXPLAINED.iter().map(|(names, what)| format!("| {} | {what} |\n", written(*names))));
    page
}

fn written(names: Names) -> String {
    names.written().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Visits each mark with the entry and the key it stands at.
fn marks(schema: &Value, place: &str, visit: &mut dyn FnMut(&str, &str, &Value)) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| marks(item, place, visit)),
        Value::Object(object) => {
            for (key, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let each = ["additionalProperties", "items"].iter().filter_map(|word| property.get(word));
                for marked in std::iter::once(property).chain(each) {
                    if let Some(mark) = marked.get("x-formwork-expression").filter(|mark| mark.get("scope").is_some()) {
                        visit(place, key, mark);
                    }
                }
            }
            for (key, part) in object.iter().filter(|(key, _)| *key != "x-formwork-expression") {
                match (key.as_str(), part) {
                    ("$defs", Value::Object(entries)) => {
                        entries.iter().for_each(|(name, entry)| marks(entry, name, visit));
                    }
                    _ => marks(part, place, visit),
                }
            }
        }
        _ => {}
    }
}

/// Makes what schemars generates fit the language: an absent key is absent, never `null`; no formats of Rust numbers.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            unwrap_optional(object);
            words_of_enum(object);
            if object.get("default").is_some_and(|default| default.is_null() || default == &json!({})) {
                object.shift_remove("default");
            }
            let is_number_format = |format: &Value| format.as_str().is_some_and(|word| word.contains("int"));
            if object.get("format").is_some_and(is_number_format) {
                object.shift_remove("format");
            }
            for (key, value) in object.iter_mut() {
                // Instances in a schema are no schemas.
                if !["enum", "const", "default", "x-formwork-expression"].contains(&key.as_str()) {
                    tidy(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// A documented Rust enum comes as a `oneOf` of constants; as an `enum` its errors can be read.
fn words_of_enum(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("oneOf") else { return };
    let mut words = Vec::new();
    for variant in variants {
        match (variant.get("const"), variant.get("enum")) {
            (Some(word), _) => words.push(word.clone()),
            (None, Some(Value::Array(several))) => words.extend(several.iter().cloned()),
            _ => return,
        }
    }
    object.shift_remove("oneOf");
    object.insert("enum".to_owned(), Value::Array(words));
}

fn unwrap_optional(object: &mut Map<String, Value>) {
    // `Given` lists null itself, as the last of four words; an optional key has exactly one other word or a pair.
    let optional = object.get("x-formwork-expression").and_then(|mark| mark.get("prefix")).is_none();
    if let Some(Value::Array(words)) = object.get_mut("type")
        && optional
    {
        words.retain(|word| word != "null");
        if words.len() == 1 {
            let word = words.remove(0);
            object.insert("type".to_owned(), word);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    choices.retain(|choice| choice != &json!({"type": "null"}));
    if choices.len() == 1
        && let Value::Object(only) = choices.remove(0)
    {
        object.shift_remove("anyOf");
        for (key, value) in only {
            // The key's own description says more than that of its type.
            object.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests;
