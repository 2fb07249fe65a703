//! The catalogue: which table and column holds which form and field, as it actually is in the database.
//!
//! A row is never removed: a field that left the definitions is hidden and keeps its data; the same field coming back is
//! shown again.

use std::collections::HashSet;

use crate::Fault;
use crate::codec::Reader;
use crate::dialect::ColumnKind;
use crate::names;
use crate::statement::{Row, Select};

/// A table or column of the database and what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The pack.
    pub(crate) pack: String,
    /// The form.
    pub(crate) form: String,
    /// The table field, for child tables and their columns; empty for the form's own.
    pub(crate) child: String,
    /// The field; empty for the table itself.
    pub(crate) field: String,
    /// Name of the table or column.
    pub(crate) name: String,
    /// What the column holds; none for tables.
    pub(crate) kind: Option<ColumnKind>,
    /// Whether the definitions no longer have it.
    pub(crate) hidden: bool,
}

/// An index made for a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) pack: String,
    pub(crate) name: String,
    /// The whole statement; an index whose statement would differ now is made anew.
    pub(crate) definition: String,
}

/// All entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Catalogue {
    pub(crate) entries: Vec<Entry>,
    pub(crate) indexes: Vec<IndexEntry>,
}

impl Catalogue {
    /// The queries that read it: entries and indexes.
    pub(crate) fn selects() -> [Select; 2] {
        let text = ColumnKind::Text;
        let entries = "SELECT pack, form, child, field, name, kind, hidden FROM fw_catalogue".to_owned();
        let entry_kinds = [text, text, text, text, text, text, ColumnKind::Boolean];
        let indexes = "SELECT pack, name, definition FROM fw_index".to_owned();
        [Select::new(entries, Vec::new(), entry_kinds), Select::new(indexes, Vec::new(), [text, text, text])]
    }

    /// The catalogue those queries have read.
    pub(crate) fn of_rows(entries: Vec<Row>, indexes: Vec<Row>) -> Result<Self, Fault> {
        let entry = |row| {
            let mut row = Reader::new(row);
            let (pack, form, child) = (row.text()?, row.text()?, row.text()?);
            let (field, name, kind) = (row.text()?, row.text()?, row.maybe_text()?);
            let kind = kind.and_then(|word| ColumnKind::of_word(&word));
            Ok(Entry { pack, form, child, field, name, kind, hidden: row.boolean()? })
        };
        let index = |row| {
            let mut row = Reader::new(row);
            Ok(IndexEntry { pack: row.text()?, name: row.text()?, definition: row.text()? })
        };
        Ok(Self {
            entries: entries.into_iter().map(entry).collect::<Result<_, Fault>>()?,
            indexes: indexes.into_iter().map(index).collect::<Result<_, Fault>>()?,
        })
    }

    /// The table of a form, or of its child field.
    pub(crate) fn table(&self, pack: &str, form: &str, child: &str) -> Option<&Entry> {
        self.column(pack, form, child, "")
    }

    /// The column of a field, hidden or not.
    pub(crate) fn column(&self, pack: &str, form: &str, child: &str, field: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(pack, form, child, field))
    }

    /// The entry to change.
    pub(crate) fn column_mut(&mut self, pack: &str, form: &str, child: &str, field: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.is(pack, form, child, field))
    }

    /// A free table name.
    pub(crate) fn allot_table(&self, pack: &str, form: &str, child: Option<&str>) -> String {
        let mut taken: HashSet<String> =
            self.entries.iter().filter(|entry| entry.field.is_empty()).map(|entry| entry.name.clone()).collect();
        names::allot(&names::table(pack, form, child), &mut taken)
    }

    /// A free column name in a table; names every table of that kind has are taken.
    pub(crate) fn allot_column(&self, pack: &str, form: &str, child: &str, field: &str) -> String {
        let system: &[&str] = if child.is_empty() { &SYSTEM_COLUMNS } else { &CHILD_COLUMNS };
        let columns = self.entries.iter().filter(|entry| {
            entry.pack == pack && entry.form == form && entry.child == child && !entry.field.is_empty()
        });
        let mut taken: HashSet<String> =
            columns.map(|entry| entry.name.clone()).chain(system.iter().map(|&name| name.to_owned())).collect();
        names::allot(field, &mut taken)
    }
}

impl Entry {
    fn is(&self, pack: &str, form: &str, child: &str, field: &str) -> bool {
        self.pack == pack && self.form == form && self.child == child && self.field == field
    }
}

/// Columns of every form's table, in the order they are selected.
pub(crate) const SYSTEM_COLUMNS: [&str; 6] = ["id", "version", "created_at", "created_by", "updated_at", "updated_by"];

/// Columns of every child table.
pub(crate) const CHILD_COLUMNS: [&str; 3] = ["id", "record", "position"];
