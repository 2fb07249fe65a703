//! Where the records of a pack are: its forms laid over the catalogue, with the column of each field at hand.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use formwork_model::pack::form::{Field, Form};
use formwork_model::{Key, Pack};

use crate::Fault;
use crate::catalogue::{Catalogue, SYSTEM_COLUMNS};
use crate::dialect::ColumnKind;
use crate::names::quote;

/// The forms of a pack over the tables of the database.
#[derive(Debug)]
pub(crate) struct PackLayout {
    pub(crate) forms: HashMap<Key, Arc<FormLayout>>,
}

/// A form over its table.
#[derive(Debug)]
pub(crate) struct FormLayout {
    pub(crate) form: Key,
    /// Name of the table.
    pub(crate) table: String,
    /// How many values a record has.
    pub(crate) width: usize,
    /// Stored fields.
    pub(crate) columns: Vec<Column>,
    /// Child tables.
    pub(crate) children: Vec<ChildLayout>,
    /// `"id", "version", …`: the system columns and the stored fields, in the order of [`FormLayout::kinds`].
    pub(crate) selection: String,
    /// Kinds of the selection.
    pub(crate) kinds: Arc<[ColumnKind]>,
}

/// A child table.
#[derive(Debug)]
pub(crate) struct ChildLayout {
    /// Position of the table field in the form.
    pub(crate) position: usize,
    /// Name of the table.
    pub(crate) table: String,
    /// How many values a row has.
    pub(crate) width: usize,
    /// Stored fields.
    pub(crate) columns: Vec<Column>,
    /// `"record", "id", …`.
    pub(crate) selection: String,
    /// Kinds of the selection.
    pub(crate) kinds: Arc<[ColumnKind]>,
}

/// A stored field and its column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Position of the field in its form or child table.
    pub(crate) position: usize,
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
}

impl PackLayout {
    /// Lays the pack over the catalogue. Fails where a table or column is missing: the pack was never deployed here.
    pub(crate) fn new(pack: &Pack, catalogue: &Catalogue) -> Result<Self, Fault> {
        let layouts = pack.forms().values().map(|form| {
            FormLayout::new(pack.key(), form, catalogue).map(|layout| (form.key.clone(), Arc::new(layout)))
        });
        Ok(Self { forms: layouts.collect::<Result<_, _>>()? })
    }

    /// The pack as it would lie in an empty database.
    #[cfg(test)]
    pub(crate) fn presumed(pack: &Pack) -> Result<Self, Fault> {
        let migration = crate::schema::migrate(crate::dialect::Dialect::Sqlite, None, pack, &Catalogue::default())?;
        Self::new(pack, &migration.catalogue)
    }

    /// The layout of a form of the pack.
    pub(crate) fn form(&self, key: &str) -> Result<&Arc<FormLayout>, Fault> {
        self.forms.get(key).ok_or_else(|| Fault::new(format!("form `{key}` is not of the deployed pack")))
    }
}

impl FormLayout {
    fn new(pack: &str, form: &Form, catalogue: &Catalogue) -> Result<Self, Fault> {
        let table = table_name(catalogue, pack, &form.key, "")?;
        let columns = stored_columns(catalogue, pack, &form.key, "", &form.fields)?;
        let system = [
            ColumnKind::Id,
            ColumnKind::Integer,
            ColumnKind::DateTime,
            ColumnKind::Id,
            ColumnKind::DateTime,
            ColumnKind::Id,
        ];
        let (selection, kinds) = selection(&SYSTEM_COLUMNS, &system, &columns);
        let tables = form.fields.iter().enumerate().filter(|(_, field)| !field.kind.rows().is_empty());
        let children = tables.map(|(position, field)| ChildLayout::new(pack, &form.key, position, field, catalogue));
        Ok(Self {
            form: form.key.clone(),
            table,
            width: form.fields.len(),
            columns,
            children: children.collect::<Result<_, _>>()?,
            selection,
            kinds,
        })
    }

    /// The column of the field at that position; none where it has none of its own.
    pub(crate) fn column(&self, position: usize) -> Option<&Column> {
        self.columns.iter().find(|column| column.position == position)
    }

    /// The child table of the field at that position.
    pub(crate) fn child(&self, position: usize) -> Option<&ChildLayout> {
        self.children.iter().find(|child| child.position == position)
    }
}

impl ChildLayout {
    fn new(pack: &str, form: &str, position: usize, field: &Field, catalogue: &Catalogue) -> Result<Self, Fault> {
        let table = table_name(catalogue, pack, form, &field.key)?;
        let fields = field.kind.rows();
        let columns = stored_columns(catalogue, pack, form, &field.key, fields)?;
        let (selection, kinds) = selection(&["record", "id"], &[ColumnKind::Id, ColumnKind::Id], &columns);
        Ok(Self { position, table, width: fields.len(), columns, selection, kinds })
    }

    /// The column of the field at that position.
    pub(crate) fn column(&self, position: usize) -> Option<&Column> {
        self.columns.iter().find(|column| column.position == position)
    }
}

fn table_name(catalogue: &Catalogue, pack: &str, form: &str, child: &str) -> Result<String, Fault> {
    let entry = catalogue.table(pack, form, child);
    entry.map(|entry| entry.name.clone()).ok_or_else(|| missing(pack, form, child, ""))
}

fn stored_columns(
    catalogue: &Catalogue,
    pack: &str,
    form: &str,
    child: &str,
    fields: &[Field],
) -> Result<Vec<Column>, Fault> {
    let mut columns = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        let Some(kind) = column_kind(field) else { continue };
        let entry = catalogue.column(pack, form, child, &field.key);
        let entry = entry.ok_or_else(|| missing(pack, form, child, &field.key))?;
        columns.push(Column { position, name: entry.name.clone(), kind });
    }
    Ok(columns)
}

/// What the field's own column holds; none where it has no column.
pub(crate) fn column_kind(field: &Field) -> Option<ColumnKind> {
    if field.is_stored() { ColumnKind::of_type(field.ty()) } else { None }
}

fn selection(system: &[&str], system_kinds: &[ColumnKind], columns: &[Column]) -> (String, Arc<[ColumnKind]>) {
    let mut text = system.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    for column in columns {
        let _ = write!(text, ", {}", quote(&column.name));
    }
    (text, system_kinds.iter().copied().chain(columns.iter().map(|column| column.kind)).collect())
}

fn missing(pack: &str, form: &str, child: &str, field: &str) -> Fault {
    let place = [form, child, field].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
    Fault::new(format!("the catalogue has no `{place}` of pack `{pack}`: it was not deployed to this database"))
}
