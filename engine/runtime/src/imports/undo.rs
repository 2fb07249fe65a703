//! Taking an import back, the last row first: what it created is deleted, what it changed gets its values back; rows whose
//! records have moved on since are left as they are, and named.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use formwork_core::change::{FedRecord, Reply, Written};
use formwork_core::stimulus::{Mark, Pass};
use formwork_core::{Act, Rejection, Viewer, ViewerKind};
use formwork_store::{Failure, Fault, ImportRow, ImportRows};

use super::jobs::Tally;
use super::worker::{Ended, Work};
use super::{ImportError, RowError, fault_of};

/// Rows read at once.
const PAGE: u32 = 256;

/// Versions that records have come to while rows were taken back.
type Moved = HashMap<Uuid, i64>;

impl Work<'_> {
    pub(super) async fn undo(&mut self) -> Result<Ended, ImportError> {
        let store = self.engine.store();
        let mut so_far = Tally { began_at: Some(self.engine.clock().now()), ..Tally::default() };
        let (mut moved, mut done) = (Moved::new(), HashSet::new());
        let mut which = ImportRows { limit: PAGE, ..ImportRows::default() };
        loop {
            let rows = store.import_rows(self.job.id, Pass::Undo, &which).await?;
            let Some(last) = rows.last() else { break };
            which.after = Some(last.row);
            for row in rows {
                so_far.count(&row.outcome);
                done.insert(row.row);
                moved.extend(row.records.iter().map(|record| (record.id, record.version)));
            }
        }
        so_far.began_with = so_far.read;
        let outcomes = vec!["created", "updated"];
        let mut which = ImportRows { outcomes, last_first: true, limit: PAGE, ..ImportRows::default() };
        loop {
            let rows = store.import_rows(self.job.id, Pass::Run, &which).await?;
            let Some(last) = rows.last() else { return self.undone(so_far) };
            which.after = Some(last.row);
            let mut left: Vec<ImportRow> = rows.into_iter().filter(|row| !done.contains(&row.row)).collect();
            while !left.is_empty() {
                // Rows over the same record one after the other, the others together.
                let mut taken = HashSet::new();
                let apart = left.iter().take_while(|row| {
                    let ids: Vec<Uuid> = row.records.iter().map(|record| record.id).collect();
                    let is_apart = ids.iter().all(|id| !taken.contains(id));
                    taken.extend(ids);
                    is_apart
                });
                let behind = left.split_off(apart.count());
                self.take_back(&left, &mut moved, &mut so_far).await?;
                left = behind;
                if let Some(ended) = self.is_to_stop(so_far.clone(), false).await? {
                    return Ok(ended);
                }
            }
        }
    }

    fn undone(&mut self, so_far: Tally) -> Result<Ended, ImportError> {
        self.plan.counts.undo = so_far;
        Ok(Ended::Done)
    }

    async fn take_back(&self, rows: &[ImportRow], moved: &mut Moved, so_far: &mut Tally) -> Result<(), Fault> {
        // The engine acts, in the name of whoever has it taken back: what they could file they may take back.
        let viewer = Viewer { kind: ViewerKind::System, ..self.plan.viewer.clone() };
        let known = &*moved;
        let submissions = rows.iter().map(|row| {
            let records = row.records.iter().map(|record| FedRecord {
                version: known.get(&record.id).copied().unwrap_or(record.version),
                ..record.clone()
            });
            let (row_number, line) = (row.row.unsigned_abs(), row.line.unsigned_abs());
            let mark = Mark { import: self.job.id, pass: Pass::Undo, row: row_number, line, errors: json!([]) };
            let act = Act::Unfeed { records: records.collect(), mark };
            self.engine.submit_patiently(&self.plan.pack, viewer.clone(), act)
        });
        let results = join_all(submissions).await;
        let mut left = Vec::new();
        for (row, result) in rows.iter().zip(results) {
            match result {
                Ok(committed) => {
                    if let Reply::Fed(records) = committed.reply {
                        moved.extend(records.iter().map(|record| (record.id, record.version)));
                    }
                    so_far.count("undone");
                }
                Err(Failure::Rejected(rejection)) => {
                    so_far.count("left");
                    left.push(named(row, &rejection));
                }
                Err(failure) => return Err(fault_of(failure)),
            }
        }
        self.engine.store().note_import_rows(self.job.id, Pass::Undo, &left).await
    }
}

/// The row as it is told that it was left: why, and which of its records.
fn named(row: &ImportRow, rejection: &Rejection) -> ImportRow {
    let records: Vec<FedRecord> =
        row.records.iter().filter(|record| record.outcome != Written::Unchanged).cloned().collect();
    let error = RowError {
        line: row.line.unsigned_abs(),
        code: rejection.code.clone(),
        pointer: String::new(),
        value: records.iter().map(|record| format!("{}/{}", record.form, record.id)).collect::<Vec<_>>().join(" "),
        message: rejection.errors.first().map_or_else(|| rejection.title.clone(), |error| error.message.clone()),
    };
    // Without its records: they stand where they stood.
    ImportRow { outcome: "left".to_owned(), records: Vec::new(), errors: json!([error]), ..row.clone() }
}
