//! The one layout of a definition. The designer writes the same bytes.
//!
//! Two spaces a level, the order of keys kept, an object or a list on one line where it fits in [`COLUMNS_MAX`]
//! columns, a line feed at the end. Strings and numbers keep the characters their author wrote. The root is always opened.

use crate::diagnostic::{At, Diagnostic, Problems};
use crate::source::SourceMap;
use crate::tree::{self, Member, Node, NodeKind, TreeError};

/// Widest line, in characters. Only a long string makes a line longer.
pub const COLUMNS_MAX: usize = 110;

/// The text in the canonical layout; formatting twice changes nothing more.
///
/// # Errors
/// The first thing that makes the text no JSON, or a key that an object has twice.
pub fn format(text: &str) -> Result<String, Diagnostic> {
    let (tree, errors) = tree::parse(text);
    match (tree, errors.into_iter().next()) {
        (Some(tree), None) => {
            let mut out = String::with_capacity(text.len());
            Writer { text, out: &mut out }.value(&tree, 0, 0, true);
            out.push('\n');
            Ok(out)
        }
        (_, error) => Err(diagnostic(text, error)),
    }
}

fn diagnostic(text: &str, error: Option<TreeError>) -> Diagnostic {
    let (code, span, message) = match error {
        Some(TreeError::Syntax { span, message }) => ("FW0101", span, message),
        Some(TreeError::DuplicateKey { span, key }) => {
            ("FW0102", span, format!("`{key}` is there twice in one object"))
        }
        Some(TreeError::TooDeep { span }) => ("FW0103", span, "nested too deep".to_owned()),
        None => ("FW0101", 0..0, "the file is empty".to_owned()),
    };
    let mut problems = Problems::default();
    problems.error_at_bytes(code, &At::file(""), span, message);
    let sources = SourceMap::from_iter([("", text)]);
    let mut found = problems.finish(&sources, &std::collections::HashMap::new());
    found.remove(0)
}

struct Writer<'a> {
    text: &'a str,
    out: &'a mut String,
}

impl Writer<'_> {
    /// Writes a value that starts in `column`.
    fn value(&mut self, node: &Node, depth: usize, column: usize, is_root: bool) {
        let is_empty = match &node.kind {
            NodeKind::Scalar(_) => true,
            NodeKind::Array(elements) => elements.is_empty(),
            NodeKind::Object(members) => members.is_empty(),
        };
        let mut line = String::new();
        // One more for the comma that may follow.
        let room = COLUMNS_MAX.saturating_sub(column + 1);
        if is_empty || (!is_root && self.on_one_line(node, &mut line, room)) {
            if is_empty {
                self.on_one_line(node, &mut line, usize::MAX);
            }
            self.out.push_str(&line);
            return;
        }
        match &node.kind {
            NodeKind::Array(elements) => self.opened('[', ']', elements, depth, |writer, element| {
                writer.value(element, depth + 1, 2 * (depth + 1), false);
            }),
            NodeKind::Object(members) => self.opened('{', '}', members, depth, |writer, member| {
                let key = &writer.text[member.key_span.clone()];
                writer.out.push_str(key);
                writer.out.push_str(": ");
                let column = 2 * (depth + 1) + key.chars().count() + 2;
                writer.value(&member.value, depth + 1, column, false);
            }),
            NodeKind::Scalar(_) => {}
        }
    }

    fn opened<T>(&mut self, open: char, close: char, items: &[T], depth: usize, write: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            self.out.push_str(if index == 0 { "\n" } else { ",\n" });
            self.out.push_str(&"  ".repeat(depth + 1));
            write(self, item);
        }
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(depth));
        self.out.push(close);
    }

    /// Appends the value on one line; false as soon as it has more than `room` characters.
    fn on_one_line(&self, node: &Node, line: &mut String, room: usize) -> bool {
        match &node.kind {
            NodeKind::Scalar(_) => line.push_str(&self.text[node.span.clone()]),
            NodeKind::Array(elements) => {
                line.push('[');
                for (index, element) in elements.iter().enumerate() {
                    line.push_str(if index == 0 { "" } else { ", " });
                    if !self.on_one_line(element, line, room) {
                        return false;
                    }
                }
                line.push(']');
            }
            NodeKind::Object(members) => {
                line.push('{');
                for (index, Member { key_span, value, .. }) in members.iter().enumerate() {
                    line.push_str(if index == 0 { "" } else { ", " });
                    line.push_str(&self.text[key_span.clone()]);
                    line.push_str(": ");
                    if !self.on_one_line(value, line, room) {
                        return false;
                    }
                }
                line.push('}');
            }
        }
        line.chars().count() <= room
    }
}

#[cfg(test)]
mod tests;
