//! Files become records: one row, one stimulus, through the same rules as everything else.
//!
//! The first row of a key that the rules accept wins; the rest, ragged rows and bad cells are reported by line, in the
//! language of whoever imports. A second run of the same file finds every record unchanged.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};
use flate2::read::GzDecoder;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use formwork_core::change::{Reply, Written};
use formwork_core::material::BadCell;
use formwork_core::rejection::FieldError;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_model::Pack;
use formwork_model::pack::material::{Import, OnError};
use formwork_store::{Failure, Fault};

use crate::Engine;

/// Rows under way at once: enough to fill a group commit, few enough to bound memory.
const UNDER_WAY: usize = 256;
/// Most bytes of a file once unpacked.
const BYTES_MAX: u64 = 1 << 30;

/// How an import went.
#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct Imported {
    /// Rows read.
    pub read: u64,
    /// Records created.
    pub created: u64,
    /// Records changed.
    pub updated: u64,
    /// Rows whose record held these values already, and rows the definition leaves out.
    pub skipped: u64,
    /// What was refused or (with `onError: null`) left empty, by line.
    #[serde(skip)]
    pub errors: Vec<RowError>,
    /// Rows refused.
    pub rejected: u64,
}

/// A row that was refused, or a cell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Line of the file the row starts in, counted from 1.
    pub line: u64,
    /// `ragged`, `encoding`, `repeated`, or the code of a rule.
    pub code: String,
    /// Into the record.
    pub pointer: String,
    /// The cell, if it is one.
    pub value: String,
    /// What is wrong.
    pub message: String,
}

/// Why a file could not be imported at all.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is no such import definition.
    #[error("there is no import `{0}`")]
    Unknown(String),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The file lacks columns that the definition reads: it is another file, or its header is spelt otherwise.
    #[error("the file has no column {missing}; its header is: {header}")]
    MissingColumns {
        /// In backticks.
        missing: String,
        /// As the file has it.
        header: String,
    },
    /// Us or the world.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Engine {
    /// Imports a CSV file (also gzipped) by a definition of the pack. Errors are told in `language`; `progress` is told
    /// after each row.
    pub async fn import(
        &self,
        pack: &Arc<Pack>,
        import: &str,
        file: &[u8],
        language: &str,
        progress: &(dyn Fn(&Imported) + Send + Sync),
    ) -> Result<Imported, ImportError> {
        let import = pack.imports().get(import).ok_or_else(|| ImportError::Unknown(import.to_owned()))?.clone();
        let bytes = unpacked(file).map_err(|error| ImportError::Unreadable(error.to_string()))?;
        let (headers, rows) = rows(&bytes, import.delimiter)?;
        let missing = import.columns_read().into_iter().filter(|column| !headers.iter().any(|header| header == column));
        let missing: Vec<String> = missing.map(|column| format!("`{column}`")).collect();
        if !missing.is_empty() {
            return Err(ImportError::MissingColumns { missing: missing.join(", "), header: headers.join(", ") });
        }
        let mut run = Run::new(self, pack, &import, language);
        for row in rows {
            run.take(row).await?;
            progress(&run.done);
        }
        run.finish().await?;
        progress(&run.done);
        Ok(run.done)
    }
}

/// A file under way.
struct Run<'e> {
    engine: &'e Engine,
    pack: Arc<Pack>,
    import: Arc<Import>,
    viewer: Viewer,
    /// Line of the row that stands for each key: under way, or accepted.
    seen: HashMap<String, u64>,
    pending: Vec<Row>,
    /// Rows whose key is under way: they count if that row is refused.
    behind: Vec<Row>,
    /// Rows under way at once: one where the same run must give the same numbers on every store.
    at_once: usize,
    done: Imported,
}

impl<'e> Run<'e> {
    fn new(engine: &'e Engine, pack: &Arc<Pack>, import: &Arc<Import>, language: &str) -> Self {
        Self {
            engine,
            pack: pack.clone(),
            import: import.clone(),
            viewer: Viewer::system(language),
            seen: HashMap::new(),
            pending: Vec::with_capacity(UNDER_WAY),
            at_once: if engine.seeds.is_repeatable() { 1 } else { UNDER_WAY },
            behind: Vec::new(),
            done: Imported::default(),
        }
    }

    async fn take(&mut self, row: CsvRow) -> Result<(), Fault> {
        self.done.read += 1;
        let line = row.line;
        let columns = match row.columns {
            Ok(columns) => columns,
            Err(Unreadable { code, column, limit }) => {
                self.report_row(line, code, self.told(code, &column, &limit));
                self.done.rejected += 1;
                return Ok(());
            }
        };
        let at = self.engine.clock().now();
        let mapped =
            match formwork_core::material::import_row(&self.pack, &self.import, &columns, at, &self.viewer.language) {
                Ok(Some(mapped)) => mapped,
                Ok(None) => {
                    self.done.skipped += 1;
                    return Ok(());
                }
                Err(errors) => {
                    for bad in errors {
                        self.report(line, bad);
                    }
                    self.done.rejected += 1;
                    return Ok(());
                }
            };
        for bad in mapped.bad {
            self.report(line, bad);
        }
        let row = Row { line, key: mapped.key, values: mapped.values };
        match self.seen.get(&row.key) {
            None => self.start(row),
            // Which of the two counts is known when the first is settled.
            Some(_) => self.behind.push(row),
        }
        if self.pending.len() + self.behind.len() >= self.at_once { self.flush().await } else { Ok(()) }
    }

    fn start(&mut self, row: Row) {
        self.seen.insert(row.key.clone(), row.line);
        self.pending.push(row);
    }

    async fn finish(&mut self) -> Result<(), Fault> {
        self.flush().await?;
        self.done.errors.sort_by_key(|error| error.line);
        Ok(())
    }

    /// Submits what is pending; the store takes the rows in the order of the file and commits them together. Then those
    /// that wait behind a key.
    async fn flush(&mut self) -> Result<(), Fault> {
        loop {
            let rows = std::mem::take(&mut self.pending);
            let store = self.engine;
            let submissions = rows.into_iter().map(|row| {
                let act = self.upsert(row.values.clone());
                let (pack, viewer) = (self.pack.clone(), self.viewer.clone());
                async move { (row, store.submit_patiently(&pack, viewer, act).await) }
            });
            for (row, result) in join_all(submissions).await {
                let (key, rejected) = (row.key.clone(), self.done.rejected);
                self.settle(row.line, row.values, result).await?;
                if self.done.rejected > rejected {
                    self.seen.remove(&key);
                }
            }
            if self.behind.is_empty() {
                return Ok(());
            }
            let mut still = Vec::new();
            for row in std::mem::take(&mut self.behind) {
                match self.seen.get(&row.key).copied() {
                    None => self.start(row),
                    // The one this row waits behind was started just now.
                    Some(_) if self.pending.iter().any(|pending| pending.key == row.key) => still.push(row),
                    Some(first) => {
                        let message = self.told("repeated", "", &first.to_string());
                        self.report(row.line, BadCell { error: at_the_row("repeated", message), value: row.key });
                        self.done.rejected += 1;
                    }
                }
            }
            self.behind = still;
        }
    }

    /// What went wrong, in the language of whoever imports.
    fn told(&self, code: &str, label: &str, limit: &str) -> String {
        formwork_core::messages::message(&self.viewer.language, code, label, limit)
    }

    fn upsert(&self, values: Map<String, Json>) -> Act {
        Act::Upsert {
            form: self.import.form.clone(),
            by: self.import.upsert.clone(),
            values,
            effects: Effects { starts: self.import.starts, notify: self.import.notify },
        }
    }

    async fn settle(
        &mut self,
        line: u64,
        mut values: Map<String, Json>,
        result: Result<formwork_store::Committed, Failure>,
    ) -> Result<(), Fault> {
        match result {
            Ok(committed) => self.count(&committed.reply),
            Err(Failure::Rejected(rejection)) => {
                let bad: Vec<String> = rejection.errors.iter().map(|error| error.pointer.clone()).collect();
                for error in &rejection.errors {
                    let value = values.get(error.pointer.trim_start_matches('/')).map(cell_text).unwrap_or_default();
                    self.report(line, BadCell { error: error.clone(), value });
                }
                if rejection.errors.is_empty() {
                    self.report_row(line, &rejection.code, rejection.title.clone());
                }
                // With `onError: null` the row goes in once more without the cells that did not fit.
                let before = values.len();
                values.retain(|field, _| !bad.contains(&format!("/{field}")));
                if self.import.on_error == OnError::Null && values.len() < before {
                    let act = self.upsert(values);
                    match self.engine.submit_patiently(&self.pack, self.viewer.clone(), act).await {
                        Ok(committed) => self.count(&committed.reply),
                        Err(Failure::Rejected(_)) => self.done.rejected += 1,
                        Err(failure) => return Err(fault_of(failure)),
                    }
                } else {
                    self.done.rejected += 1;
                }
            }
            Err(failure) => return Err(fault_of(failure)),
        }
        Ok(())
    }

    fn count(&mut self, reply: &Reply) {
        match reply {
            Reply::Record { outcome: Written::Created, .. } => self.done.created += 1,
            Reply::Record { outcome: Written::Updated, .. } => self.done.updated += 1,
            _ => self.done.skipped += 1,
        }
    }

    fn report(&mut self, line: u64, bad: BadCell) {
        let BadCell { error, value } = bad;
        self.done.errors.push(RowError {
            line,
            code: error.code,
            pointer: error.pointer,
            value,
            message: error.message,
        });
    }

    fn report_row(&mut self, line: u64, code: &str, message: String) {
        self.report(line, BadCell { error: at_the_row(code, message), value: String::new() });
    }
}

/// An error of a row as a whole.
fn at_the_row(code: &str, message: String) -> FieldError {
    FieldError { code: code.to_owned(), pointer: String::new(), message, hint: None }
}

/// The rejected rows as a file: `line,code,pointer,value,message`.
pub fn errors_csv(errors: &[RowError]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for error in errors {
        writer.serialize(error).expect("texts and numbers can be written to memory");
    }
    if errors.is_empty() {
        writer.write_record(["line", "code", "pointer", "value", "message"]).expect("memory does not fail");
    }
    writer.into_inner().expect("memory does not fail")
}

/// A row on its way into the store.
struct Row {
    line: u64,
    key: String,
    values: Map<String, Json>,
}

/// A row of the file.
struct CsvRow {
    line: u64,
    /// By header.
    columns: Result<Vec<(String, String)>, Unreadable>,
}

/// Why a row cannot be read.
struct Unreadable {
    code: &'static str,
    column: String,
    limit: String,
}

/// The headers, and the rows read lazily: memory is that of the unpacked file.
fn rows(bytes: &[u8], delimiter: u8) -> Result<(Vec<String>, impl Iterator<Item = CsvRow> + '_), ImportError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
    let headers = reader.byte_headers().map_err(|error| ImportError::Unreadable(error.to_string()))?;
    let headers: Vec<String> = headers.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let known = headers.clone();
    let rows = reader.into_byte_records().map(move |record| match record {
        Ok(record) => {
            let line = record.position().map_or(0, csv::Position::line);
            CsvRow { line, columns: columns(&known, &record) }
        }
        Err(error) => {
            let line = error.position().map_or(0, csv::Position::line);
            let unreadable = Unreadable { code: "unreadable", column: String::new(), limit: error.to_string() };
            CsvRow { line, columns: Err(unreadable) }
        }
    });
    Ok((headers, rows))
}

fn columns(headers: &[String], record: &ByteRecord) -> Result<Vec<(String, String)>, Unreadable> {
    if record.len() != headers.len() {
        let limit = format!("{} / {}", record.len(), headers.len());
        return Err(Unreadable { code: "ragged", column: String::new(), limit });
    }
    let cells = headers.iter().zip(record.iter()).map(|(header, cell)| match std::str::from_utf8(cell) {
        Ok(text) => Ok((header.clone(), text.to_owned())),
        Err(_) => Err(Unreadable { code: "encoding", column: header.clone(), limit: String::new() }),
    });
    cells.collect()
}

/// A gzipped file is unpacked, at most a gibibyte.
fn unpacked(file: &[u8]) -> std::io::Result<std::borrow::Cow<'_, [u8]>> {
    if !file.starts_with(&[0x1F, 0x8B]) {
        return Ok(file.into());
    }
    let mut bytes = Vec::new();
    GzDecoder::new(file).take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(std::io::Error::other("more than 1 GiB once unpacked"));
    }
    Ok(bytes.into())
}

fn cell_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn fault_of(failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        other => Fault { context: other.to_string(), source: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_the_line_they_start_in() {
        let file = b"\xEF\xBB\xBFid,text\n1,\"two\nlines\"\n2\n3,\xFF\n4,last\n";
        let told: Vec<_> = rows(file, b',')
            .expect("the header can be read")
            .1
            .map(|row| (row.line, row.columns.map(|columns| columns[1].1.clone()).map_err(|bad| bad.code)))
            .collect();
        assert_eq!(
            told,
            vec![
                (2, Ok("two\nlines".to_owned())),
                (4, Err("ragged")),
                (5, Err("encoding")),
                (6, Ok("last".to_owned())),
            ]
        );
    }
}
