//! A report as CSV: RFC 4180, CRLF, UTF-8.
//!
//! Text that a spreadsheet would run as a formula gets a leading `'`; numbers are untouched: −5 stays −5. The last column
//! says in words what is no plain number, and a result that was cut off says so in its last line.

use crate::api::{Titles, key_text};
use crate::cell::Cell;
use crate::fault::Fault;
use crate::format;
use crate::partial::DimensionKey;
use crate::table::{KeyColumn, NumberColumn, RowKey, Table};
use crate::words::Words;

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Starts with a byte order mark, without which a common spreadsheet misreads Chinese.
    pub bom: bool,
    /// Guards text against being run as a formula.
    pub guard: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { bom: true, guard: true }
    }
}

/// The file. Choices and queues are written with their labels.
///
/// # Errors
/// [`Fault::Overflow`].
pub fn write(table: &Table, language: &str, titles: &Titles, options: Options) -> Result<String, Fault> {
    let words = Words::of(language);
    let text = |text: &str| quoted(&guarded(text, options.guard));
    let mut file = String::from(if options.bom { "\u{feff}" } else { "" });
    let labels = table.by.iter().map(|column| &column.label).chain(table.metrics.iter().map(|column| &column.label));
    let header = labels.map(|label| text(label.get(language))).chain([text(words.state)]);
    push_line(&mut file, header);
    for row in &table.rows {
        let keys = row.keys.iter().zip(&table.by).map(|(key, column)| text(&key_label(key, column, language, titles)));
        let line = keys.chain(cells(table, &row.cells, language, &words)?).collect::<Vec<_>>();
        push_line(&mut file, line);
    }
    if let Some(total) = &table.total {
        let keys = (0..table.by.len()).map(|index| if index == 0 { text(words.total) } else { String::new() });
        let line = keys.chain(cells(table, total, language, &words)?).collect::<Vec<_>>();
        push_line(&mut file, line);
    }
    if table.truncated() {
        push_line(&mut file, [text(&words.truncated(table.rows.len(), table.row_count))]);
    }
    Ok(file)
}

/// Text as a spreadsheet shows it and never runs it.
pub fn guarded(text: &str, guard: bool) -> String {
    let dangerous = |first: char| matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠');
    match text.chars().next() {
        Some(first) if guard && dangerous(first) => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// A field of RFC 4180: in quotes where it has to be.
pub fn quoted(text: &str) -> String {
    match text.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn push_line(file: &mut String, fields: impl IntoIterator<Item = String>) {
    file.push_str(&fields.into_iter().collect::<Vec<_>>().join(","));
    file.push_str("\r\n");
}

/// The numbers of a row and, at the end, the states in words.
fn cells(table: &Table, cells: &[Cell], language: &str, words: &Words) -> Result<Vec<String>, Fault> {
    let mut fields = Vec::with_capacity(cells.len() + 1);
    let mut states = Vec::new();
    for (cell, column) in cells.iter().zip(&table.metrics) {
        fields.push(number(cell, column)?);
        if let Some(word) = words.of_state(cell.state) {
            states.push(format!("{}: {word}", column.label.get(language)));
        }
    }
    fields.push(quoted(&guarded(&states.join("; "), true)));
    Ok(fields)
}

fn number(cell: &Cell, column: &NumberColumn) -> Result<String, Fault> {
    let text = cell.value.map(|value| format::plain(value, column.format)).transpose()?;
    Ok(text.unwrap_or_default())
}

fn key_label(key: &RowKey, column: &KeyColumn, language: &str, titles: &Titles) -> String {
    if let RowKey::Value(DimensionKey::Id(id)) = key {
        return titles.get(id).cloned().unwrap_or_else(|| id.to_string());
    }
    if *key == RowKey::Value(DimensionKey::Other) {
        return Words::of(language).other.to_owned();
    }
    let text = key_text(key, column).unwrap_or_default();
    let option = column.options.iter().find(|(key, _)| **key == *text);
    option.map_or(text, |(_, label)| label.get(language).to_owned())
}
