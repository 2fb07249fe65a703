//! The rows of a file on their way into the store: mapped, those of one key one after the other, the others together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::change::{FedRecord, Reply};
use formwork_core::feed::{foresee, outcome, split_pointer};
use formwork_core::material::{BadCell, MappedRow, import_row};
use formwork_core::rejection::FieldError;
use formwork_core::stimulus::{Effects, Feeding, Mark, Pass};
use formwork_core::{Act, Facts, Need, Rejection, Stimulus, Stop, Viewer};
use formwork_model::Pack;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::Name;
use formwork_model::pack::material::{Import, OnError};
use formwork_store::{Failure, Fault, ImportRow, Question};

use super::sheet::{SheetRow, Unreadable};
use super::{Imported, RowError, fault_of};
use crate::Engine;

/// Rows under way at once: enough to fill a group commit, few enough to bound memory.
const UNDER_WAY: usize = 256;
/// Rows looked at in one question.
const ASKED_AT_ONCE: usize = 64;

/// A file under way.
pub(super) struct Run<'e> {
    engine: &'e Engine,
    pack: Arc<Pack>,
    import: Arc<Import>,
    viewer: Viewer,
    /// Where it is kept, and in which pass.
    kept: Option<(Uuid, Pass)>,
    /// Line of the row that stands for each key: under way, or accepted.
    seen: HashMap<String, u64>,
    pending: Vec<Row>,
    /// Rows whose key is under way: they count if that row is refused.
    behind: Vec<Row>,
    /// Rows under way at once: one where the same run must give the same numbers on every store.
    at_once: usize,
    /// What is told of rows that went in nevertheless, and rows that wrote nothing, until they are kept.
    told: HashMap<u64, Vec<RowError>>,
    noted: Vec<ImportRow>,
    /// How it goes.
    pub(super) done: Imported,
}

/// A row on its way into the store.
struct Row {
    number: u64,
    line: u64,
    key: Option<String>,
    entries: Vec<Feeding>,
    /// As they stand in the file.
    cells: Vec<(String, String)>,
}

/// What became of a row in the store.
type Fed = Result<Vec<FedRecord>, Box<Rejection>>;

impl<'e> Run<'e> {
    pub(super) fn new(
        engine: &'e Engine,
        pack: &Arc<Pack>,
        import: &Arc<Import>,
        viewer: Viewer,
        kept: Option<(Uuid, Pass)>,
    ) -> Self {
        let at_once = match kept {
            Some((_, Pass::Check)) => ASKED_AT_ONCE,
            None if engine.seeds.is_repeatable() => 1,
            _ => UNDER_WAY,
        };
        Self {
            engine,
            pack: pack.clone(),
            import: import.clone(),
            viewer,
            kept,
            seen: HashMap::new(),
            pending: Vec::with_capacity(at_once),
            behind: Vec::new(),
            at_once,
            told: HashMap::new(),
            noted: Vec::new(),
            done: Imported::default(),
        }
    }

    /// A row that is done with since an earlier start: what it was accepted for stands for its key.
    pub(super) fn pass_over(&mut self, row: &SheetRow, accepted: bool) {
        if let (true, Ok(cells)) = (accepted, &row.cells)
            && let Ok(Some(MappedRow { key: Some(key), .. })) = self.mapped(cells)
        {
            self.seen.insert(key, row.line);
        }
    }

    /// Takes a row; whether rows were written meanwhile.
    pub(super) async fn take(&mut self, row: SheetRow) -> Result<bool, Fault> {
        self.done.read += 1;
        let (number, line) = (row.number, row.line);
        let cells = match row.cells {
            Ok(cells) => cells,
            Err(Unreadable { code, column, limit }) => {
                let message = self.words(code, &column, &limit);
                self.refuse(number, line, vec![at_the_row(line, code, String::new(), message)]);
                return self.when_full().await;
            }
        };
        let mapped = match self.mapped(&cells) {
            Ok(Some(mapped)) => mapped,
            Ok(None) => {
                self.done.skipped += 1;
                self.note(number, line, "skipped", Vec::new());
                return self.when_full().await;
            }
            Err(bad) => {
                let errors = bad.into_iter().map(|bad| of_cell(line, bad)).collect();
                self.refuse(number, line, errors);
                return self.when_full().await;
            }
        };
        if !mapped.bad.is_empty() {
            self.told.insert(number, mapped.bad.into_iter().map(|bad| of_cell(line, bad)).collect());
        }
        let row = Row { number, line, key: mapped.key, entries: mapped.entries, cells };
        match row.key.as_ref().and_then(|key| self.seen.get(key)) {
            None => self.start(row),
            // Which of the two counts is known when the first is settled.
            Some(_) => self.behind.push(row),
        }
        self.when_full().await
    }

    /// Writes what still waits.
    pub(super) async fn finish(&mut self) -> Result<(), Fault> {
        self.flush().await
    }

    fn mapped(&self, cells: &[(String, String)]) -> Result<Option<MappedRow>, Vec<BadCell>> {
        import_row(&self.pack, &self.import, cells, self.engine.clock().now(), &self.viewer.language)
    }

    fn start(&mut self, row: Row) {
        if let Some(key) = &row.key {
            self.seen.insert(key.clone(), row.line);
        }
        self.pending.push(row);
    }

    async fn when_full(&mut self) -> Result<bool, Fault> {
        let waiting = self.pending.len() + self.behind.len() + self.noted.len();
        if waiting < self.at_once {
            return Ok(false);
        }
        self.flush().await?;
        Ok(true)
    }

    /// Submits what is pending; the store takes the rows in the order of the file and commits them together. Then those
    /// that wait behind a key.
    async fn flush(&mut self) -> Result<(), Fault> {
        loop {
            let rows = std::mem::take(&mut self.pending);
            for (row, fed) in self.fed(rows).await? {
                let (key, rejected) = (row.key.clone(), self.done.rejected);
                self.settle(row, fed).await?;
                if let Some(key) = key.filter(|_| self.done.rejected > rejected) {
                    self.seen.remove(&key);
                }
            }
            if self.behind.is_empty() {
                return self.keep_noted().await;
            }
            let mut still = Vec::new();
            for row in std::mem::take(&mut self.behind) {
                match row.key.as_ref().and_then(|key| self.seen.get(key)).copied() {
                    None => self.start(row),
                    // The one this row waits behind was started just now.
                    Some(_) if self.pending.iter().any(|pending| pending.key == row.key) => still.push(row),
                    Some(first) => {
                        let message = self.words("repeated", "", &first.to_string());
                        let value = readable(row.key.as_deref().unwrap_or_default());
                        self.refuse(row.number, row.line, vec![at_the_row(row.line, "repeated", value, message)]);
                    }
                }
            }
            self.behind = still;
        }
    }

    /// Feeds the rows, or looks what feeding them would do.
    async fn fed(&self, rows: Vec<Row>) -> Result<Vec<(Row, Fed)>, Fault> {
        if matches!(self.kept, Some((_, Pass::Check))) {
            let foreseen = self.foreseen(&rows).await?;
            return Ok(rows.into_iter().zip(foreseen).collect());
        }
        let submissions = rows.into_iter().map(|row| async move {
            let fed = self.submitted(&row).await;
            (row, fed)
        });
        join_all(submissions).await.into_iter().map(|(row, fed)| Ok((row, fed?))).collect()
    }

    async fn submitted(&self, row: &Row) -> Result<Fed, Fault> {
        match self.engine.submit_patiently(&self.pack, self.viewer.clone(), self.act(row)).await {
            Ok(committed) => match committed.reply {
                Reply::Fed(records) => Ok(Ok(records)),
                other => Err(Fault::new(format!("a row was fed and the store told {other:?}"))),
            },
            Err(Failure::Rejected(rejection)) => Ok(Err(rejection)),
            Err(failure) => Err(fault_of(failure)),
        }
    }

    fn act(&self, row: &Row) -> Act {
        let mark = self.kept.map(|(import, pass)| Mark {
            import,
            pass,
            row: row.number,
            line: row.line,
            errors: json!(self.told.get(&row.number).map_or(&[][..], Vec::as_slice)),
        });
        let effects = Effects { starts: self.import.starts, notify: self.import.notify };
        Act::Feed { entries: row.entries.clone(), effects, mark }
    }

    /// One question for all of them, on one snapshot.
    async fn foreseen(&self, rows: &[Row]) -> Result<Vec<Fed>, Fault> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let stimuli: Vec<Stimulus> = rows
            .iter()
            .map(|row| Stimulus {
                at: self.engine.clock().now(),
                seed: self.engine.seeds.next(),
                actor: self.viewer.clone(),
                act: self.act(row),
            })
            .collect();
        let answer: Arc<Mutex<Vec<Fed>>> = Arc::default();
        let (pack, packs) = (self.pack.clone(), self.engine.deployed().by_hash.clone());
        let told = answer.clone();
        let question: Question = Box::new(move |facts: &Facts| {
            let (mut needs, mut foreseen): (Vec<Need>, Vec<Fed>) = (Vec::new(), Vec::new());
            for stimulus in &stimuli {
                match foresee(&pack, &packs.by_hash, stimulus, facts) {
                    Ok(Reply::Fed(records)) => foreseen.push(Ok(records)),
                    Ok(other) => return Err(Stop::Fault(format!("foreseeing a row told {other:?}"))),
                    Err(Stop::Reject(rejection)) => foreseen.push(Err(rejection)),
                    Err(Stop::Need(more)) => needs.extend(more),
                    Err(stop) => return Err(stop),
                }
            }
            if !needs.is_empty() {
                return Err(Stop::Need(needs));
            }
            *told.lock().expect("nobody panics with the answer") = foreseen;
            Ok(Json::Null)
        });
        self.engine.ask(&self.pack, question).await.map_err(fault_of)?;
        Ok(std::mem::take(&mut *answer.lock().expect("nobody panics with the answer")))
    }

    async fn settle(&mut self, mut row: Row, fed: Fed) -> Result<(), Fault> {
        let rejection = match fed {
            Ok(records) => {
                self.count(&row, &records);
                return Ok(());
            }
            Err(rejection) => rejection,
        };
        let mut errors = self.told.remove(&row.number).unwrap_or_default();
        let several = row.entries.len() > 1;
        for error in &rejection.errors {
            let value = place_of(&row, &error.pointer, several).and_then(|(entry, field)| {
                let value = row.entries[entry].values.get(field)?;
                let read = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Some(self.cell_of(&row, entry, field).unwrap_or_else(read))
            });
            errors.push(of_cell(row.line, BadCell { error: error.clone(), value: value.unwrap_or_default() }));
        }
        if rejection.errors.is_empty() {
            errors.push(at_the_row(row.line, &rejection.code, String::new(), rejection.title.clone()));
        }
        // With `onError: null` the row goes in once more without the cells that did not fit.
        let mut emptied = false;
        if self.import.on_error == OnError::Null {
            for error in &rejection.errors {
                if let Some((entry, field)) = place_of(&row, &error.pointer, several) {
                    let field = field.to_owned();
                    emptied |= row.entries[entry].values.remove(&field).is_some();
                }
            }
        }
        if !emptied {
            self.refuse(row.number, row.line, errors);
            return Ok(());
        }
        self.told.insert(row.number, errors);
        let (number, line) = (row.number, row.line);
        match self.fed(vec![row]).await?.pop() {
            Some((row, Ok(records))) => self.count(&row, &records),
            _ => {
                let errors = self.told.remove(&number).unwrap_or_default();
                self.refuse(number, line, errors);
            }
        }
        Ok(())
    }

    /// The cell that a field was read from by hand, as it stands in the file.
    fn cell_of(&self, row: &Row, entry: usize, field: &str) -> Option<String> {
        let feed = self.import.into.get(entry).filter(|_| self.import.is_by_hand)?;
        let (position, _) = self.pack.forms().get(&feed.form)?.field(field)?;
        let Ir::Name(Name::Column(column)) = &feed.columns.get(&position)?.ir else { return None };
        row.cells.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.clone())
    }

    fn count(&mut self, row: &Row, records: &[FedRecord]) {
        match outcome(records) {
            "created" => self.done.created += 1,
            "updated" => self.done.updated += 1,
            _ => self.done.unchanged += 1,
        }
        let told = self.told.remove(&row.number).unwrap_or_default();
        match self.kept {
            None => self.done.errors.extend(told),
            // What is told of a row that was written is kept with it.
            Some((_, Pass::Check)) if !told.is_empty() => self.note(row.number, row.line, outcome(records), told),
            Some(_) => {}
        }
    }

    fn refuse(&mut self, number: u64, line: u64, errors: Vec<RowError>) {
        self.done.rejected += 1;
        match self.kept {
            None => self.done.errors.extend(errors),
            Some(_) => self.note(number, line, "rejected", errors),
        }
    }

    /// Notes what became of a row that wrote nothing; of one that is only looked at, if there is something to tell.
    fn note(&mut self, number: u64, line: u64, outcome: &str, errors: Vec<RowError>) {
        let is_kept = match self.kept {
            None => false,
            Some((_, Pass::Check)) => !errors.is_empty(),
            Some(_) => true,
        };
        if is_kept {
            let row = i64::try_from(number).unwrap_or(i64::MAX);
            let line = i64::try_from(line).unwrap_or(i64::MAX);
            let outcome = outcome.to_owned();
            self.noted.push(ImportRow { row, line, outcome, records: Vec::new(), errors: json!(errors) });
        }
    }

    async fn keep_noted(&mut self) -> Result<(), Fault> {
        let noted = std::mem::take(&mut self.noted);
        match self.kept {
            Some((import, pass)) if !noted.is_empty() => {
                self.engine.store().note_import_rows(import, pass, &noted).await
            }
            _ => Ok(()),
        }
    }

    /// What went wrong, in the language of whoever imports.
    fn words(&self, code: &str, label: &str, limit: &str) -> String {
        formwork_core::messages::message(&self.viewer.language, code, label, limit)
    }
}

/// The key of a row as it is told: the values alone, each once.
fn readable(key: &str) -> String {
    let mut values: Vec<String> = Vec::new();
    for (_, value) in key.split('\u{1e}').filter_map(|part| part.split_once('\u{1f}')) {
        let value = value.replace('\u{1f}', " ");
        if !value.is_empty() && !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(", ")
}

/// The entry and the field a pointer leads to.
fn place_of<'p>(row: &Row, pointer: &'p str, several: bool) -> Option<(usize, &'p str)> {
    let (entry, rest) = match several {
        false => (0, pointer),
        true => {
            let (form, rest) = split_pointer(pointer)?;
            (row.entries.iter().position(|entry| entry.form == form)?, rest)
        }
    };
    Some((entry, rest.strip_prefix('/')?))
}

fn of_cell(line: u64, bad: BadCell) -> RowError {
    let BadCell { error: FieldError { code, pointer, message, .. }, value } = bad;
    RowError { line, code, pointer, value, message }
}

/// An error of a row as a whole.
fn at_the_row(line: u64, code: &str, value: String, message: String) -> RowError {
    RowError { line, code: code.to_owned(), pointer: String::new(), value, message }
}
