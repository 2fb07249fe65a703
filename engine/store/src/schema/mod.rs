//! From the forms of a pack to the statements that bring the database there.
//!
//! ```text
//! deployed pack ─┐
//! wanted pack   ─┼─► migrate ─► statements + the catalogue afterwards
//! catalogue     ─┘
//! ```
//! Everything expands: columns are added, never dropped; a field that leaves is hidden in the catalogue and keeps its
//! data; a renamed field keeps its column and gets a new row in the catalogue.

mod backfill;
mod convert;
mod forms;
mod indexes;
mod options;
mod pairs;
pub(crate) mod system;

use sha2::{Digest as _, Sha256};

use formwork_model::Pack;
use formwork_model::plan::{Blocked, ChangeClass};

use crate::Fault;
use crate::catalogue::Catalogue;
use crate::dialect::Dialect;
use crate::layout::PackLayout;
use crate::names::quote;

pub(crate) use indexes::{series_index_name, unique_index_name};

/// A migration, not run yet.
#[derive(Debug)]
pub(crate) struct Planned {
    /// In the order to run.
    pub(crate) steps: Vec<PlannedStep>,
    /// What the records must not hold.
    pub(crate) checks: Vec<Check>,
    /// Fields whose stored value SQL cannot say.
    pub(crate) later: Vec<String>,
    /// The catalogue afterwards.
    pub(crate) catalogue: Catalogue,
}

/// A step of a migration.
#[derive(Debug)]
pub(crate) struct PlannedStep {
    /// What it changes: `forms/ticket/fields/voucher`.
    pub(crate) at: String,
    /// What it does to data.
    pub(crate) class: ChangeClass,
    /// Statements without parameters.
    pub(crate) sql: Vec<String>,
    /// A query for the number of records it concerns; none where there can be none.
    pub(crate) count: Option<String>,
}

/// A query for the number of records that stand in the way.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    at: String,
    pub(crate) count: String,
    /// `records hold the same values`; the number is added.
    message: &'static str,
    hint: &'static str,
}

impl PlannedStep {
    fn new(class: ChangeClass, at: String, sql: Vec<String>) -> Self {
        Self { at, class, sql, count: None }
    }

    /// Concerns every row of that table.
    fn of_all(mut self, table: &str) -> Self {
        self.count = Some(format!("SELECT count(*) FROM {}", quote(table)));
        self
    }

    /// What a violated constraint says of this step.
    pub(crate) fn forbidden(&self) -> Blocked {
        Blocked {
            at: self.at.clone(),
            message: "the records there are do not allow it".to_owned(),
            hint: "plan again: the plan counts them".to_owned(),
        }
    }
}

impl Check {
    /// In the author's words.
    pub(crate) fn blocked(&self, rows: u64) -> Blocked {
        Blocked { at: self.at.clone(), message: format!("{} ({rows})", self.message), hint: self.hint.to_owned() }
    }
}

impl Planned {
    /// The identity of the migration: two that say the same do the same.
    pub(crate) fn digest(&self, deployed: Option<&Pack>, wanted: &Pack) -> String {
        digest(deployed, wanted, &self.steps)
    }
}

/// SHA-256 over both packs and all statements, hexadecimal.
pub(crate) fn digest(deployed: Option<&Pack>, wanted: &Pack, steps: &[PlannedStep]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add(deployed.map_or("", |pack| pack.hash()));
    add(wanted.hash());
    for step in steps {
        add(&step.at);
        step.sql.iter().for_each(|sql| add(sql));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What brings the database from its catalogue to the wanted pack.
pub(crate) fn migrate(
    dialect: Dialect,
    deployed: Option<&Pack>,
    wanted: &Pack,
    actual: &Catalogue,
) -> Result<Planned, Fault> {
    let mut forms = forms::Forms::new(dialect, deployed, wanted, actual.clone());
    forms.run()?;
    let (mut steps, mut catalogue, added) = forms.finish();
    let mut checks = convert::checks(dialect, deployed, wanted, actual);
    let layout = PackLayout::new(wanted, &catalogue)?;
    steps.extend(options::steps(deployed, wanted, &catalogue));
    let mut later = Vec::new();
    steps.extend(backfill::steps(dialect, deployed, wanted, &layout, &added, &mut later)?);
    steps.extend(indexes::steps(dialect, deployed, wanted, &layout, &mut catalogue, &mut checks)?);
    if let Some(step) = rewrite_catalogue(wanted.key(), actual, &catalogue) {
        steps.push(step);
    }
    Ok(Planned { steps, checks, later, catalogue })
}

/// Writes the pack's rows of the catalogue anew, if any is different.
fn rewrite_catalogue(pack: &str, before: &Catalogue, after: &Catalogue) -> Option<PlannedStep> {
    if before.entries == after.entries && before.indexes == after.indexes {
        return None;
    }
    let mut sql = vec![format!("DELETE FROM fw_catalogue WHERE pack = {}", literal(pack))];
    for entry in after.entries.iter().filter(|entry| entry.pack == pack) {
        let kind = entry.kind.map_or("NULL".to_owned(), |kind| literal(&kind.word()));
        let texts = [&entry.pack, &entry.form, &entry.child, &entry.field, &entry.name].map(|text| literal(text));
        let hidden = if entry.hidden { "TRUE" } else { "FALSE" };
        sql.push(format!("INSERT INTO fw_catalogue VALUES ({}, {kind}, {hidden})", texts.join(", ")));
    }
    sql.push(format!("DELETE FROM fw_index WHERE pack = {}", literal(pack)));
    for index in after.indexes.iter().filter(|index| index.pack == pack) {
        let texts = [&index.name, &index.pack, &index.definition].map(|text| literal(text));
        sql.push(format!("INSERT INTO fw_index VALUES ({})", texts.join(", ")));
    }
    Some(PlannedStep::new(ChangeClass::Add, "catalogue".to_owned(), sql))
}

/// A text constant: for names and definitions of our own making, which migrations write out so that they can be read.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
