//! What is printed: results to standard output, diagnostics to standard error.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use formwork_model::SourceMap;
use formwork_model::diagnostic::{Diagnostic, Paint, Severity, render};

/// Prints diagnostics to standard error; how many errors there were.
pub(super) fn diagnostics(files: &[(String, String)], found: &[Diagnostic]) -> usize {
    let sources: SourceMap = files.iter().cloned().collect();
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", render(found, &sources, if is_coloured { Paint::Colours } else { Paint::Plain }));
    found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
}

/// Prints a line of a result. Whoever stopped reading, as `head` does, has read enough.
pub(super) fn line(text: impl Display) -> std::io::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
