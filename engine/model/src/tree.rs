//! JSON with places: every value knows its bytes, so that a JSON pointer can be shown as a line and a column.
//!
//! The JSON is strict (RFC 8259): no comments, no trailing commas, no single quotes. Two equal keys in one object are
//! found here, because `serde_json::Value` silently keeps the last one.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::source::DEPTH_MAX;

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The bytes of the value in the file; a string's include its quotes.
    pub span: Range<usize>,
    /// What it is.
    pub kind: NodeKind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// `null`, `true`, a number or a string.
    Scalar(serde_json::Value),
    /// An array.
    Array(Vec<Node>),
    /// An object, in the order of the file.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its key, unescaped.
    pub key: String,
    /// The bytes of the key, with its quotes.
    pub key_span: Range<usize>,
    /// Its value.
    pub value: Node,
}

/// What parsing found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeError {
    /// The text is no JSON.
    Syntax {
        /// Where.
        span: Range<usize>,
        /// What is wrong, for people.
        message: String,
    },
    /// An object has a key twice. The tree keeps the first value.
    DuplicateKey {
        /// The second key.
        span: Range<usize>,
        /// The key.
        key: String,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep {
        /// Where it becomes too deep.
        span: Range<usize>,
    },
}

/// The tree of a text and everything that is wrong with it; no tree where the text is no JSON.
pub fn parse(text: &str) -> (Option<Node>, Vec<TreeError>) {
    let parsed = match parse_to_ast(text, &CollectOptions::default(), &strict()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let range = error.range();
            let message = error.kind().to_string().to_lowercase();
            return (None, vec![TreeError::Syntax { span: range.start..range.end, message }]);
        }
    };
    let Some(value) = parsed.value else {
        return (None, vec![TreeError::Syntax { span: 0..text.len().min(1), message: "the file is empty".to_owned() }]);
    };
    let mut errors = Vec::new();
    let root = convert(value, 1, &mut errors);
    let too_deep = errors.iter().any(|error| matches!(error, TreeError::TooDeep { .. }));
    ((!too_deep).then_some(root), errors)
}

fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn convert(value: ast::Value<'_>, depth: usize, errors: &mut Vec<TreeError>) -> Node {
    use serde_json::Value;
    let (range, kind) = match value {
        ast::Value::NullKeyword(node) => (node.range, NodeKind::Scalar(Value::Null)),
        ast::Value::BooleanLit(node) => (node.range, NodeKind::Scalar(Value::Bool(node.value))),
        ast::Value::StringLit(node) => (node.range, NodeKind::Scalar(Value::String(node.value.into_owned()))),
        ast::Value::NumberLit(node) => (node.range, NodeKind::Scalar(number(node.value, &node.range, errors))),
        ast::Value::Array(node) => (node.range, array(node.elements, &node.range, depth, errors)),
        ast::Value::Object(node) => (node.range, object(node.properties, &node.range, depth, errors)),
    };
    Node { span: range.start..range.end, kind }
}

fn number(literal: &str, range: &jsonc_parser::common::Range, errors: &mut Vec<TreeError>) -> serde_json::Value {
    literal.parse::<serde_json::Number>().map_or_else(
        |_| {
            let message = format!("`{literal}` is no number of JSON");
            errors.push(TreeError::Syntax { span: range.start..range.end, message });
            serde_json::Value::Null
        },
        serde_json::Value::Number,
    )
}

fn array(
    elements: Vec<ast::Value<'_>>,
    range: &jsonc_parser::common::Range,
    depth: usize,
    errors: &mut Vec<TreeError>,
) -> NodeKind {
    if too_deep(range, depth, errors) {
        return NodeKind::Array(Vec::new());
    }
    NodeKind::Array(elements.into_iter().map(|element| convert(element, depth + 1, errors)).collect())
}

fn object(
    properties: Vec<ast::ObjectProp<'_>>,
    range: &jsonc_parser::common::Range,
    depth: usize,
    errors: &mut Vec<TreeError>,
) -> NodeKind {
    if too_deep(range, depth, errors) {
        return NodeKind::Object(Vec::new());
    }
    let mut seen = std::collections::HashSet::new();
    let mut members: Vec<Member> = Vec::with_capacity(properties.len());
    for property in properties {
        let key_range = match &property.name {
            ast::ObjectPropName::String(name) => name.range,
            ast::ObjectPropName::Word(name) => name.range,
        };
        let key = property.name.into_string();
        let key_span = key_range.start..key_range.end;
        if seen.insert(key.clone()) {
            let value = convert(property.value, depth + 1, errors);
            members.push(Member { key, key_span, value });
        } else {
            errors.push(TreeError::DuplicateKey { span: key_span, key });
        }
    }
    NodeKind::Object(members)
}

fn too_deep(range: &jsonc_parser::common::Range, depth: usize, errors: &mut Vec<TreeError>) -> bool {
    if depth <= DEPTH_MAX {
        return false;
    }
    // Said once: the first place is enough to repair the file.
    if !errors.iter().any(|error| matches!(error, TreeError::TooDeep { .. })) {
        errors.push(TreeError::TooDeep { span: range.start..range.start + 1 });
    }
    true
}

/// What a pointer leads to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The value's bytes.
    pub value: Range<usize>,
    /// The key's bytes, where the value is a member of an object.
    pub key: Option<Range<usize>>,
}

impl Node {
    /// The value without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.kind {
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::Array(elements) => elements.iter().map(Node::to_json).collect(),
            NodeKind::Object(members) => {
                members.iter().map(|member| (member.key.clone(), member.value.to_json())).collect()
            }
        }
    }

    /// The place an RFC 6901 pointer leads to; for a pointer that leads nowhere, the deepest place on its way.
    pub fn locate(&self, pointer: &str) -> Place {
        let mut node = self;
        let mut key = None;
        for segment in pointer.split('/').skip(1) {
            match &node.kind {
                NodeKind::Object(members) => {
                    let name = unescape(segment);
                    let Some(member) = members.iter().find(|member| member.key == name) else { break };
                    key = Some(member.key_span.clone());
                    node = &member.value;
                }
                NodeKind::Array(elements) => {
                    let Some(element) = segment.parse().ok().and_then(|index: usize| elements.get(index)) else {
                        break;
                    };
                    key = None;
                    node = element;
                }
                NodeKind::Scalar(_) => break,
            }
        }
        Place { value: node.span.clone(), key }
    }
}

/// A key as a segment of an RFC 6901 pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A segment of an RFC 6901 pointer as a key.
pub fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// The byte of `raw` (a JSON string with its quotes) where byte `offset` of its unescaped text begins.
pub fn offset_in_string(raw: &str, offset: usize) -> usize {
    let body = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let mut decoded = 0;
    let mut at = 0;
    while decoded < offset && at < body.len() {
        let (raw_length, text_length) = character(&body[at..]);
        at += raw_length;
        decoded += text_length;
    }
    1 + at
}

/// How many bytes the first character takes in the raw string and in the text.
fn character(raw: &str) -> (usize, usize) {
    let Some(first) = raw.chars().next() else { return (1, 1) };
    if first != '\\' {
        return (first.len_utf8(), first.len_utf8());
    }
    if raw.as_bytes().get(1) != Some(&b'u') {
        return (2.min(raw.len()), 1);
    }
    let unit = |at: usize| raw.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let high = unit(2).unwrap_or(0);
    if (0xD800..0xDC00).contains(&high) && raw.get(6..8) == Some("\\u") {
        return (12.min(raw.len()), 4);
    }
    (6.min(raw.len()), char::from_u32(u32::from(high)).map_or(3, char::len_utf8))
}

#[cfg(test)]
mod tests;
