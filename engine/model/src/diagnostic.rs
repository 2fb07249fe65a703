//! What is wrong with a definition, as data.

mod render;

use std::collections::HashMap;
use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::expr::Problem;
use crate::source::SourceMap;
use crate::tree::{self, Node};

pub(crate) use render::carets;
pub use render::{Paint, render};

/// One problem of a definition.
///
/// Serialised as the API shows it: `{"code", "severity", "file", "pointer", "line", "column", "message", "hint"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `FW0203`; each has a page, see [`crate::codes::explain`].
    pub code: &'static str,
    /// Whether it stops the pack.
    pub severity: Severity,
    /// Path in the pack.
    pub file: String,
    /// RFC 6901 pointer into the file.
    pub pointer: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Bytes of the file, for carets.
    #[serde(skip)]
    pub span: Range<usize>,
    /// Lower case, no full stop, user text in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether a problem stops the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pack cannot be deployed.
    Error,
    /// It can.
    Warning,
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// A place in a definition: a file and a pointer into it. Cheap to extend on the way down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct At {
    /// Path in the pack.
    pub file: std::sync::Arc<str>,
    /// RFC 6901 pointer.
    pub pointer: String,
}

impl At {
    /// The root of a file.
    pub fn file(path: &str) -> Self {
        Self { file: path.into(), pointer: String::new() }
    }

    /// A member of the object here.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self { file: self.file.clone(), pointer: format!("{}/{}", self.pointer, tree::escape(key)) }
    }

    /// An element of the array here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self { file: self.file.clone(), pointer: format!("{}/{index}", self.pointer) }
    }
}

/// Collects problems from every stage and gives them places at the end.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    code: &'static str,
    severity: Severity,
    at: At,
    target: Target,
    message: String,
    hint: Option<String>,
}

/// Which bytes a problem is about.
#[derive(Debug)]
enum Target {
    /// The value the pointer leads to.
    Value,
    /// The key of the member the pointer leads to.
    Key,
    /// Bytes of the file: there is no tree.
    Bytes(Range<usize>),
    /// Bytes of the text in the string the pointer leads to.
    Text(Range<usize>),
}

impl Problems {
    /// An error at a value.
    pub(crate) fn error(&mut self, code: &'static str, at: &At, message: impl Into<String>, hint: Option<String>) {
        self.push(code, Severity::Error, at, Target::Value, message.into(), hint);
    }

    /// An error at the key of a member.
    pub(crate) fn error_at_key(
        &mut self,
        code: &'static str,
        at: &At,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(code, Severity::Error, at, Target::Key, message.into(), hint);
    }

    /// An error in a file without a tree.
    pub(crate) fn error_at_bytes(&mut self, code: &'static str, at: &At, span: Range<usize>, message: String) {
        self.error_at_bytes_hint(code, at, span, message, None);
    }

    /// The same with what to do about it.
    pub(crate) fn error_at_bytes_hint(
        &mut self,
        code: &'static str,
        at: &At,
        span: Range<usize>,
        message: String,
        hint: Option<String>,
    ) {
        self.push(code, Severity::Error, at, Target::Bytes(span), message, hint);
    }

    /// A warning at a value.
    pub(crate) fn warning(&mut self, code: &'static str, at: &At, message: impl Into<String>, hint: Option<String>) {
        self.push(code, Severity::Warning, at, Target::Value, message.into(), hint);
    }

    /// The problems of an expression; `skipped` is how many bytes of the string stand before it (the `=`).
    pub(crate) fn expression(&mut self, at: &At, skipped: usize, problems: Vec<Problem>) {
        for problem in problems {
            let span = problem.span.start + skipped..problem.span.end + skipped;
            self.push(problem.code, Severity::Error, at, Target::Text(span), problem.message, problem.hint);
        }
    }

    /// Whether there is an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|found| found.severity == Severity::Error)
    }

    fn push(
        &mut self,
        code: &'static str,
        severity: Severity,
        at: &At,
        target: Target,
        message: String,
        hint: Option<String>,
    ) {
        self.found.push(Found { code, severity, at: at.clone(), target, message, hint });
    }

    /// The problems with lines and columns, sorted by file and place, without repetitions.
    pub(crate) fn finish(self, sources: &SourceMap, trees: &HashMap<String, Node>) -> Vec<Diagnostic> {
        let mut lines: HashMap<std::sync::Arc<str>, Lines<'_>> = HashMap::new();
        let mut diagnostics: Vec<Diagnostic> = self
            .found
            .into_iter()
            .map(|found| {
                let text = sources.get(&found.at.file).unwrap_or_default();
                let span = bytes(&found, text, trees.get(&*found.at.file));
                let lines = lines.entry(found.at.file.clone()).or_insert_with(|| Lines::new(text));
                let (line, column) = lines.position(span.start);
                Diagnostic {
                    code: found.code,
                    severity: found.severity,
                    file: found.at.file.to_string(),
                    pointer: found.at.pointer,
                    line,
                    column,
                    span,
                    message: found.message,
                    hint: found.hint,
                }
            })
            .collect();
        diagnostics.sort_by(|a, b| {
            (&a.file, a.span.start, a.code, &a.message).cmp(&(&b.file, b.span.start, b.code, &b.message))
        });
        diagnostics.dedup_by(|a, b| a.file == b.file && a.span == b.span && a.code == b.code && a.message == b.message);
        diagnostics
    }
}

fn bytes(found: &Found, text: &str, tree: Option<&Node>) -> Range<usize> {
    let place = tree.map(|tree| tree.locate(&found.at.pointer));
    let span = match (&found.target, place) {
        (Target::Bytes(span), _) => span.clone(),
        (Target::Key, Some(place)) => place.key.unwrap_or(place.value),
        (Target::Value, Some(place)) => place.value,
        (Target::Text(span), Some(place)) => {
            let raw = text.get(place.value.clone()).unwrap_or_default();
            let start = place.value.start + tree::offset_in_string(raw, span.start);
            let end = place.value.start + tree::offset_in_string(raw, span.end);
            start..end.max(start)
        }
        (_, None) => 0..0,
    };
    let start = span.start.min(text.len());
    start..span.end.clamp(start, text.len())
}

/// Finds lines and columns.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..byte).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
