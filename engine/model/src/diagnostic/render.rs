//! Diagnostics as text: the one way they are shown, in a terminal and in the expected files of tests.

use std::fmt::Write;
use std::ops::Range;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Diagnostic, Severity};
use crate::source::SourceMap;

/// With or without the colours of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Text alone.
    Plain,
    /// Escape sequences around the severity and the carets.
    Colours,
}

/// Renders problems with code, place, pointer, the line, carets and what to do.
///
/// ```text
/// error[FW0203]: unknown field `categry`
///   --> forms/ticket.json:14:31  /fields/due_date/requiredIf
///    |
/// 14 |       "requiredIf": "categry in ['late']"
///    |                      ^^^^^^^
///    = did you mean `category`?
/// ```
pub fn render(diagnostics: &[Diagnostic], sources: &SourceMap, paint: Paint) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        render_one(diagnostic, sources.get(&diagnostic.file).unwrap_or_default(), paint, &mut out);
    }
    out
}

fn render_one(diagnostic: &Diagnostic, text: &str, paint: Paint, out: &mut String) {
    let (severity, colour) = match diagnostic.severity {
        Severity::Error => ("error", "\x1b[1;31m"),
        Severity::Warning => ("warning", "\x1b[1;33m"),
    };
    let painted = |text: String| match paint {
        Paint::Plain => text,
        Paint::Colours => format!("{colour}{text}\x1b[0m"),
    };
    let Diagnostic { code, file, pointer, line, column, message, span, .. } = diagnostic;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}: {message}", painted(format!("{severity}[{code}]")));
    let _ = writeln!(out, "{}", format!("  --> {file}:{line}:{column}  {pointer}").trim_end());
    if let Some(source) = text.lines().nth(line - 1) {
        let margin = line.to_string().len();
        let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
        let carets = carets(source, span.start.saturating_sub(start)..span.end.saturating_sub(start));
        let (indent, carets) = carets.split_at(carets.len() - carets.trim_start().len());
        let _ = writeln!(out, "{:margin$} |", "");
        let _ = writeln!(out, "{line} | {source}");
        let _ = writeln!(out, "{:margin$} | {indent}{}", "", painted(carets.to_owned()));
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(out, "   = {hint}");
    }
    out.push('\n');
}

/// What stands below a line to point at these bytes of it: at least one caret. A terminal shows Chinese two columns wide.
pub(crate) fn carets(line: &str, bytes: Range<usize>) -> String {
    let before = line.get(..bytes.start).unwrap_or(line);
    let within = line.get(bytes.start..bytes.end.min(line.len())).unwrap_or_default();
    let indent = before.chars().map(|character| match character {
        '\t' => "\t".to_owned(),
        other => " ".repeat(other.width().unwrap_or(0)),
    });
    let mut carets: String = indent.collect();
    carets.push_str(&"^".repeat(within.width().max(1)));
    carets
}

#[cfg(test)]
mod tests {
    use super::carets;

    #[test]
    fn carets_stand_below_what_is_meant() {
        for (line, part, expected) in [
            ("a b", "b", "  ^"),
            ("\"中文\": categry", "categry", "        ^^^^^^^"),
            ("a 中文 b", "中文", "  ^^^^"),
            ("\tx 😀 y", "y", "\t     ^"),
            ("e\u{301}x", "x", " ^"),
        ] {
            let start = line.find(part).expect("the part stands in the line");
            assert_eq!(carets(line, start..start + part.len()), expected, "{line}");
        }
        assert_eq!(carets("ab", 2..2), "  ^");
        assert_eq!(carets("行", 1..2), "  ^", "a place inside a character");
    }
}
