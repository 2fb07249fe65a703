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
mod forms;
mod indexes;
pub(crate) mod system;

use formwork_model::Pack;

use crate::Fault;
use crate::catalogue::Catalogue;
use crate::dialect::Dialect;
use crate::layout::PackLayout;

pub(crate) use indexes::unique_index_name;

/// A migration, not run yet.
#[derive(Debug)]
pub(crate) struct Migration {
    /// In the order to run.
    pub(crate) steps: Vec<PlannedStep>,
    /// The catalogue afterwards.
    #[cfg(test)]
    pub(crate) catalogue: Catalogue,
}

/// A step of a migration.
#[derive(Debug, Default)]
pub(crate) struct PlannedStep {
    /// What it changes: `forms/ticket/fields/voucher`.
    pub(crate) at: String,
    /// Statements without parameters.
    pub(crate) sql: Vec<String>,
    /// A query for the number of rows touched.
    pub(crate) count: Option<String>,
}

impl PlannedStep {
    fn new(at: String, sql: Vec<String>) -> Self {
        Self { at, sql, count: None }
    }
}

/// What brings the database from its catalogue to the wanted pack.
pub(crate) fn migrate(
    dialect: Dialect,
    deployed: Option<&Pack>,
    wanted: &Pack,
    actual: &Catalogue,
) -> Result<Migration, Fault> {
    let mut forms = forms::Forms::new(dialect, deployed, wanted, actual.clone());
    forms.run();
    let (mut steps, mut catalogue, added) = forms.finish();
    let layout = PackLayout::new(wanted, &catalogue)?;
    steps.extend(backfill::steps(dialect, deployed, wanted, &layout, &added)?);
    steps.extend(indexes::steps(dialect, wanted, &layout, &mut catalogue)?);
    if let Some(step) = rewrite_catalogue(wanted.key(), actual, &catalogue) {
        steps.push(step);
    }
    Ok(Migration {
        steps,
        #[cfg(test)]
        catalogue,
    })
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
    Some(PlannedStep::new("catalogue".to_owned(), sql))
}

/// A text constant: for names and definitions of our own making, which migrations write out so that they can be read.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
