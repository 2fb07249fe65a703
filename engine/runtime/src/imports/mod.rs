//! Files become records: one row, one transaction, through the same rules as everything else.
//!
//! ```text
//! bytes ─► sheet (encoding, delimiter, rows) ─► mapped by a definition or by hand ─► fed to one form or several
//! draft ─► checking ─► checked ─► running ─► done ─► undoing ─► undone
//!                                    └─► cancelled, failed: may go on where it was
//! ```
//! The first row of a key that the rules accept wins; the rest, ragged rows and bad cells are reported by line, in the
//! language of whoever imports. A second run of the same file finds every record unchanged.

mod jobs;
mod mapping;
mod run;
mod sheet;
mod undo;
mod worker;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use formwork_core::Viewer;
use formwork_model::Pack;
use formwork_store::{Failure, Fault};

use crate::Engine;
pub use jobs::{Counts, FILE_BYTES_MAX, NewImport, Plan, Settings, Tally, may_import};
pub use mapping::{Mapping, keys_of, targets_of};
pub use sheet::{DELIMITERS, Reading, Sheet, encoding_name, encoding_named, unpacked};

use run::Run;

/// How an import went.
#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct Imported {
    /// Rows read.
    pub read: u64,
    /// Rows that created a record.
    pub created: u64,
    /// Rows that changed a record and created none.
    pub updated: u64,
    /// Rows whose records held these values already.
    pub unchanged: u64,
    /// Rows the definition leaves out.
    pub skipped: u64,
    /// Rows refused.
    pub rejected: u64,
    /// What was refused or (with `onError: null`) left empty, by line.
    #[serde(skip)]
    pub errors: Vec<RowError>,
}

/// A row that was refused, or a cell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// Line of the file the row starts in, counted from 1.
    pub line: u64,
    /// `ragged`, `encoding`, `repeated`, or the code of a rule.
    pub code: String,
    /// Into the record; below its form where a row feeds several.
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
    /// It holds nothing.
    #[error("the file is empty")]
    Empty,
    /// A workbook, UTF-16 or something else that is no text.
    #[error("the file is no CSV text: save the sheet as CSV in UTF-8")]
    NoText,
    /// The header has bytes that are of no character.
    #[error("the header is not {0}: choose another encoding")]
    BadHeader(&'static str),
    /// It is too large; the limit in MiB.
    #[error("the file has more than {0} MiB: split it")]
    TooLarge(u64),
    /// The file lacks columns that the definition reads: it is another file, or its header is spelt otherwise.
    #[error("the file has no column {missing}; its header is: {header}")]
    MissingColumns {
        /// In backticks.
        missing: String,
        /// As the file has it.
        header: String,
    },
    /// The columns are not told well.
    #[error("the mapping does not fit: {0}")]
    Mapping(String),
    /// It is at another step, or somebody else was faster.
    #[error("the import is {0} and cannot do that now")]
    NotNow(String),
    /// Whoever asks may not.
    #[error("you may not import into `{0}`")]
    Forbidden(String),
    /// Us or the world.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ImportError {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Unreadable(_) => "unreadable",
            Self::Empty => "empty",
            Self::NoText => "no_text",
            Self::BadHeader(_) => "bad_header",
            Self::TooLarge(_) => "too_large",
            Self::MissingColumns { .. } => "missing_columns",
            Self::Mapping(_) => "mapping",
            Self::NotNow(_) => "not_now",
            Self::Forbidden(_) => "forbidden",
            Self::Fault(_) => "fault",
        }
    }
}

impl Engine {
    /// Imports a CSV file (also gzipped) by a definition of the pack, as the engine itself and without keeping how far it
    /// is. Errors are told in `language`; `progress` is told after each row.
    pub async fn import(
        &self,
        pack: &Arc<Pack>,
        import: &str,
        file: &[u8],
        language: &str,
        progress: &(dyn Fn(&Imported) + Send + Sync),
    ) -> Result<Imported, ImportError> {
        let import = pack.imports().get(import).ok_or_else(|| ImportError::Unknown(import.to_owned()))?.clone();
        let bytes = unpacked(file)?;
        let sheet = Sheet::new(&bytes, Reading::of(&bytes, import.encoding, import.delimiter))?;
        mapping::complete(&import, &sheet.header)?;
        let mut run = Run::new(self, pack, &import, Viewer::system(language), None);
        for row in sheet.rows() {
            run.take(row).await?;
            progress(&run.done);
        }
        run.finish().await?;
        progress(&run.done);
        run.done.errors.sort_by_key(|error| error.line);
        Ok(run.done)
    }
}

/// Rejected rows as a file: `line,code,pointer,value,message`. Text that a spreadsheet would run as a formula gets a
/// leading `'`.
pub fn errors_csv(errors: &[RowError]) -> String {
    let mut file = String::from("line,code,pointer,value,message\r\n");
    for RowError { line, code, pointer, value, message } in errors {
        let text = |text: &str| formwork_report::csv::quoted(&formwork_report::csv::guarded(text, true));
        let cells = [line.to_string(), text(code), text(pointer), text(value), text(message)];
        file.push_str(&cells.join(","));
        file.push_str("\r\n");
    }
    file
}

fn fault_of(failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        other => Fault { context: other.to_string(), source: None },
    }
}
