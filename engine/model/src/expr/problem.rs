//! What is wrong with an expression, as data. The compiler turns it into a diagnostic at the right place of the file.

use std::ops::Range;

/// A problem in an expression's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, `FW02xx` (see the constants in [`code`]).
    pub code: &'static str,
    /// Byte places in the expression's text.
    pub span: Range<usize>,
    /// Lower case, no full stop, the author's text in backticks.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// The codes of expression problems.
pub mod code {
    /// Too long, too deep or too many parts.
    pub const LIMIT: &str = "FW0200";
    /// The text is no expression: something is missing, unexpected or not closed.
    pub const SYNTAX: &str = "FW0201";
    /// A character or text literal that cannot be read.
    pub const LITERAL: &str = "FW0202";
    /// A name that is not in scope.
    pub const UNKNOWN_NAME: &str = "FW0203";
    /// A function that does not exist.
    pub const UNKNOWN_FUNCTION: &str = "FW0204";
    /// Too few or too many arguments.
    pub const ARGUMENT_COUNT: &str = "FW0205";
    /// An operator between types it is not defined for.
    pub const OPERAND_TYPE: &str = "FW0206";
    /// An argument of the wrong type.
    pub const ARGUMENT_TYPE: &str = "FW0207";
    /// A key that is no option, queue, role or form.
    pub const UNKNOWN_KEY: &str = "FW0208";
    /// The whole expression has another type than the place wants.
    pub const RESULT_TYPE: &str = "FW0209";
    /// The expression must run in the database and cannot.
    pub const NOT_LOWERED: &str = "FW0210";
    /// A constant argument that is not allowed: a broken pattern, an unknown unit or zone.
    pub const CONSTANT: &str = "FW0211";
    /// Rows used as a value, or a value used as rows.
    pub const ROWS: &str = "FW0212";
    /// A decision cell that is neither a test nor a list of values.
    pub const CELL: &str = "FW0213";
    /// A look-up where nothing is loaded, or inside another one.
    pub const LOOKUP: &str = "FW0214";
}

impl Problem {
    /// A problem without a hint.
    pub fn new(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), hint: None }
    }

    /// The same problem with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The expression's line with carets under the place, for terminals and tests.
    pub fn render(&self, source: &str) -> String {
        let start = floor_char(source, self.span.start);
        let end = floor_char(source, self.span.end).max(start);
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let line = &source[line_start..line_end];
        let carets = crate::diagnostic::carets(line, start - line_start..end - line_start);
        let mut text = format!("{}: {}\n", self.code, self.message);
        text.push_str(&format!("  {line}\n  {carets}"));
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        text
    }
}

/// The last place at or before `at` where a character starts.
fn floor_char(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}
