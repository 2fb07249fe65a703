//! Structure: does a document have the shape of its kind? The only module that knows the `jsonschema` crate.
//!
//! All errors of a file are found at once. What is wrong is then cut out of the document, entry by entry, until the
//! rest is valid: one bad field does not hide the problems of the others.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use crate::diagnostic::{At, Problems};
use crate::documents::Kind;
use crate::schema::schema;
use crate::suggest::nearest;
use crate::tree::{escape, unescape};

/// A document cut down to what is valid.
pub(crate) struct Structured {
    /// The valid rest; none where nothing of it can be used.
    pub(crate) value: Option<Value>,
    /// Pointers of what was cut out.
    pub(crate) cut: BTreeSet<String>,
}

/// Checks a document against the schema of its kind.
pub(crate) fn check(kind: Kind, document: Value, at: &At, problems: &mut Problems) -> Structured {
    let compiled = &SCHEMAS[kind as usize];
    let mut reported = BTreeSet::new();
    for error in compiled.validator.iter_errors(&document) {
        report(&error, &compiled.schema, &document, at, &mut reported, problems);
    }
    let mut cut = BTreeSet::new();
    let value = repair(compiled, document, &mut cut);
    Structured { value, cut }
}

struct Compiled {
    schema: Value,
    validator: Validator,
}

#[expect(clippy::expect_used, reason = "the schemas are ours and a test compiles each of them")]
static SCHEMAS: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let schema = schema(kind);
            let validator = jsonschema::draft202012::new(&schema).expect("a generated schema is valid");
            Compiled { schema, validator }
        })
        .collect()
});

/// One message for people. `reported` keeps the places already said, so that consequences are not repeated.
fn report(
    error: &ValidationError<'_>,
    schema: &Value,
    document: &Value,
    at: &At,
    reported: &mut BTreeSet<(String, &'static str)>,
    problems: &mut Problems,
) {
    let place = At { file: at.file.clone(), pointer: error.instance_path().as_str().to_owned() };
    let mut once = |code: &'static str, place: &At| reported.insert((place.pointer.clone(), code));
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::UnevaluatedProperties { .. } => {
            for (key, known) in unknown_keys(error, schema, document) {
                let place = place.key(&key);
                if once("FW0110", &place) {
                    let hint = did_you_mean(&key, known.iter().map(String::as_str));
                    problems.error_at_key("FW0110", &place, format!("unknown key `{key}`"), hint);
                }
            }
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            // A choice without `else` has a code of its own, as in `workflow.md` §1.6.
            let code = if key == "else" { "FW0305" } else { "FW0111" };
            if reported.insert((format!("{}/{key}", place.pointer), code)) {
                problems.error_at_key(code, &place, format!("`{key}` is missing"), missing_hint(key));
            }
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let key = inner.instance().as_str().unwrap_or_default().to_owned();
            let place = place.key(&key);
            if once("FW0105", &place) {
                let hint = key_hint(inner);
                problems.error_at_key("FW0105", &place, format!("`{key}` is no key"), Some(hint));
            }
        }
        kind => {
            let (code, message, hint) = value_message(kind, error.instance());
            if once(code, &place) {
                problems.error(code, &place, message, hint);
            }
        }
    }
}

fn value_message(kind: &ValidationErrorKind, found: &Value) -> (&'static str, String, Option<String>) {
    match kind {
        ValidationErrorKind::Type { kind } => {
            ("FW0112", format!("expected {}, found {}", type_words(kind), describe(found)), None)
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(written).collect();
            let hint = found
                .as_str()
                .and_then(|word| did_you_mean(word, words.iter().map(String::as_str)))
                .or_else(|| Some(format!("one of {}", list(&words))));
            ("FW0113", format!("`{}` is not allowed here", written(found)), hint)
        }
        ValidationErrorKind::Constant { expected_value } => {
            ("FW0113", format!("`{}` is not allowed here", written(found)), Some(format!("write `{expected_value}`")))
        }
        ValidationErrorKind::Pattern { pattern } => (
            "FW0114",
            format!("`{}` is not written as it must be", written(found)),
            Some(format!("it must match `{pattern}`")),
        ),
        ValidationErrorKind::Minimum { limit } => ("FW0115", format!("{found} is less than {limit}"), None),
        ValidationErrorKind::Maximum { limit } => ("FW0115", format!("{found} is more than {limit}"), None),
        ValidationErrorKind::MinLength { .. } => ("FW0115", "the text is empty".to_owned(), None),
        ValidationErrorKind::MaxLength { limit } => {
            ("FW0115", format!("the text is longer than {limit} character(s)"), None)
        }
        ValidationErrorKind::MinItems { limit } => ("FW0115", format!("at least {limit} entry is needed"), None),
        ValidationErrorKind::MaxItems { limit } => ("FW0115", format!("at most {limit} entries are allowed"), None),
        ValidationErrorKind::MinProperties { limit } => ("FW0115", format!("at least {limit} entry is needed"), None),
        ValidationErrorKind::MaxProperties { limit } => ("FW0115", format!("at most {limit} entry is allowed"), None),
        other => ("FW0116", format!("this does not fit the schema (`{}`)", other.keyword()), None),
    }
}

fn type_words(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(word) => type_word(&word.to_string()).to_owned(),
        TypeKind::Multiple(words) => {
            words.iter().map(|word| type_word(&word.to_string()).to_owned()).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn type_word(word: &str) -> &'static str {
    match word {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list `[…]`",
        "object" => "an object `{…}`",
        _ => "`null`",
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "`null`".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("`{value}`"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A hint that names the nearest of the candidates.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.collect();
    // A longer or a shorter form of the right word is no slip of the fingers, but as telling: `maximum` for `max`.
    let related = || {
        let is_related = |candidate: &str| {
            candidate.len().min(word.len()) >= 3 && (word.starts_with(candidate) || candidate.starts_with(word))
        };
        candidates.iter().copied().find(|candidate| is_related(candidate))
    };
    nearest(word, candidates.iter().copied()).or_else(related).map(|candidate| format!("did you mean `{candidate}`?"))
}

fn missing_hint(key: &str) -> Option<String> {
    match key {
        "else" => Some("say where to go when no branch is true".to_owned()),
        "label" | "title" => Some(format!("for example `\"{key}\": {{\"en\": \"…\"}}`")),
        _ => None,
    }
}

fn key_hint(inner: &ValidationError<'_>) -> String {
    match inner.kind() {
        ValidationErrorKind::Pattern { pattern } if pattern.starts_with("^[a-z]") => {
            "a key starts with a small letter and has small letters, digits and `_`, at most 48".to_owned()
        }
        ValidationErrorKind::Pattern { pattern } if pattern.starts_with("^[A-Za-z0-9]") => {
            "an option has letters, digits and `_`, at most 48".to_owned()
        }
        _ => "a language tag such as `en` or `zh-CN`".to_owned(),
    }
}

/// The keys that no part of the schema knows, each with the keys that are known there.
///
/// The validator names more: when one key of an entry is wrong, 2020-12 counts all keys of that branch as unevaluated.
fn unknown_keys(error: &ValidationError<'_>, schema: &Value, document: &Value) -> Vec<(String, Vec<String>)> {
    let path = error.schema_path().as_str();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let found = document.pointer(error.instance_path().as_str()).unwrap_or(error.instance());
    let (Some(node), Some(object)) = (schema.pointer(parent), found.as_object()) else { return Vec::new() };
    let mut known = Vec::new();
    if !collect_keys(node, schema, object, &mut known) {
        return Vec::new();
    }
    object.keys().filter(|key| !known.contains(key)).map(|key| (key.clone(), known.clone())).collect()
}

/// Adds the keys a schema node knows for this object; false where the object's `type` is none of the registry, since
/// nobody can tell then which keys belong.
fn collect_keys(node: &Value, root: &Value, object: &Map<String, Value>, known: &mut Vec<String>) -> bool {
    if let Some(reference) = node.get("$ref").and_then(Value::as_str)
        && let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer))
        && !collect_keys(target, root, object, known)
    {
        return false;
    }
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        known.extend(properties.keys().cloned());
    }
    let Some(branches) = node.get("allOf").and_then(Value::as_array) else { return true };
    let mut matched = false;
    for branch in branches {
        if branch.pointer("/if/properties/type/const") == object.get("type") {
            matched = true;
            if let Some(then) = branch.get("then") {
                collect_keys(then, root, object, known);
            }
        }
    }
    matched
}

/// Cuts out what is wrong until the rest is valid.
fn repair(compiled: &Compiled, mut document: Value, cut: &mut BTreeSet<String>) -> Option<Value> {
    // Each round cuts at least one value, and a cut climbs at most as far as the document is deep.
    for _ in 0..crate::source::DEPTH_MAX {
        let mut doomed = BTreeSet::new();
        let mut root_is_wrong = false;
        for error in compiled.validator.iter_errors(&document) {
            let pointer = error.instance_path().as_str().to_owned();
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { .. }
                | ValidationErrorKind::UnevaluatedProperties { .. } => {
                    for (key, _) in unknown_keys(&error, &compiled.schema, &document) {
                        doomed.insert(format!("{pointer}/{}", escape(&key)));
                    }
                }
                ValidationErrorKind::PropertyNames { error: inner } => {
                    let key = inner.instance().as_str().unwrap_or_default();
                    doomed.insert(format!("{pointer}/{}", escape(key)));
                }
                ValidationErrorKind::Required { property } if pointer.is_empty() => {
                    let key = property.as_str().unwrap_or_default();
                    root_is_wrong |= !fill_in(&mut document.clone(), key);
                    doomed.insert(format!("?{key}"));
                }
                _ if pointer.is_empty() => root_is_wrong = true,
                _ => {
                    doomed.insert(pointer);
                }
            }
        }
        if root_is_wrong {
            return None;
        }
        if doomed.is_empty() {
            return compiled.validator.is_valid(&document).then_some(document);
        }
        // The longest first, and the last element of an array first, so that no cut moves another.
        let mut ordered: Vec<&String> = doomed.iter().collect();
        ordered.sort_by_cached_key(|pointer| std::cmp::Reverse(by_position(pointer)));
        for pointer in ordered {
            match pointer.strip_prefix('?') {
                Some(key) => {
                    fill_in(&mut document, key);
                }
                None => remove(&mut document, pointer),
            }
        }
        cut.extend(doomed);
    }
    None
}

/// Orders pointers so that element 10 of an array stands after element 9.
fn by_position(pointer: &str) -> Vec<(usize, &str)> {
    pointer.split('/').map(|segment| (segment.parse().unwrap_or(0), segment)).collect()
}

/// A neutral value for a missing key at the root that later stages can live with.
fn fill_in(document: &mut Value, key: &str) -> bool {
    let Some(root) = document.as_object_mut() else { return false };
    let neutral = match key {
        "label" | "title" => Value::String("?".to_owned()),
        "version" => Value::String("0.0.0".to_owned()),
        "timezone" => Value::String("UTC".to_owned()),
        "languages" => Value::Array(vec![Value::String("en".to_owned())]),
        _ => return false,
    };
    root.insert(key.to_owned(), neutral);
    true
}

fn remove(document: &mut Value, pointer: &str) {
    let Some((parent, segment)) = pointer.rsplit_once('/') else { return };
    match document.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.shift_remove(&unescape(segment));
        }
        Some(Value::Array(items)) => {
            if let Some(index) = segment.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}
