//! Tables and columns: what is created, renamed, shown again, hidden.

use std::collections::HashSet;

use formwork_model::pack::form::{Field, FieldKind, Form};
use formwork_model::plan::ChangeClass;
use formwork_model::{Key, Pack};

use super::{PlannedStep, convert, literal};
use crate::Fault;
use crate::catalogue::{Catalogue, Entry};
use crate::dialect::{ColumnKind, Dialect};
use crate::layout::column_kind;
use crate::names::quote;

/// A column that was not there before: (form, child, field).
pub(super) type Added = HashSet<(String, String, String)>;

/// Works the forms of a pack into the catalogue.
pub(super) struct Forms<'a> {
    dialect: Dialect,
    deployed: Option<&'a Pack>,
    wanted: &'a Pack,
    catalogue: Catalogue,
    /// Tables and columns, in the order to run.
    steps: Vec<PlannedStep>,
    /// Foreign keys, after all tables exist.
    links: Vec<PlannedStep>,
    added: Added,
    /// Tables made in this migration: where in the steps, and their columns so far.
    creations: Vec<Creation>,
}

/// A `CREATE TABLE` to which columns are still added.
struct Creation {
    step: usize,
    table: String,
    columns: Vec<String>,
}

/// The table worked on.
#[derive(Clone, Copy)]
struct Place<'a> {
    form: &'a str,
    child: &'a str,
}

impl<'a> Forms<'a> {
    pub(super) fn new(dialect: Dialect, deployed: Option<&'a Pack>, wanted: &'a Pack, catalogue: Catalogue) -> Self {
        Self {
            dialect,
            deployed,
            wanted,
            catalogue,
            steps: Vec::new(),
            links: Vec::new(),
            added: Added::new(),
            creations: Vec::new(),
        }
    }

    pub(super) fn run(&mut self) -> Result<(), Fault> {
        for form in self.wanted.forms().values() {
            self.rename_form(form);
            let name = self.table(form, None);
            let before = self.deployed.and_then(|pack| pack.forms().get(&form.key)).map(|form| form.fields.as_slice());
            self.columns(Place { form: &form.key, child: "" }, &name, &form.fields, before.unwrap_or_default())?;
            for field in form.fields.iter().filter(|field| matches!(field.kind, FieldKind::Table { .. })) {
                self.rename_child(form, field);
                let name = self.table(form, Some(field));
                let before = before.and_then(|fields| fields.iter().find(|other| other.key == field.key));
                let before = before.map(|field| field.kind.rows()).unwrap_or_default();
                self.columns(Place { form: &form.key, child: &field.key }, &name, field.kind.rows(), before)?;
            }
        }
        self.hide();
        Ok(())
    }

    pub(super) fn finish(mut self) -> (Vec<PlannedStep>, Catalogue, Added) {
        let strict = if self.dialect == Dialect::Sqlite { " STRICT" } else { "" };
        for creation in self.creations {
            let columns = creation.columns.join(", ");
            let sql = format!("CREATE TABLE {} ({columns}){strict}", quote(&creation.table));
            self.steps[creation.step].sql.push(sql);
        }
        self.steps.append(&mut self.links);
        (self.steps, self.catalogue, self.added)
    }

    // --- renames ---------------------------------------------------------------------------------------------------

    /// Moves the catalogue rows of a renamed form, and the key in every system table.
    fn rename_form(&mut self, form: &Form) {
        let pack = self.wanted.key();
        if self.catalogue.table(pack, &form.key, "").is_some_and(|entry| !entry.hidden) {
            return;
        }
        let undone = self.deployed.into_iter().flat_map(|pack| pack.forms().values());
        let undone = undone.filter(|other| other.was.contains(&form.key)).map(|other| &other.key);
        let from = form
            .was
            .iter()
            .chain(undone)
            .find(|&old| !self.wanted.forms().contains_key(old) && self.catalogue.table(pack, old, "").is_some());
        let Some(from) = from.cloned() else { return };
        self.set_aside(&form.key, None);
        let of_form = |entry: &&mut Entry| entry.pack == **pack && entry.form == *from;
        for entry in self.catalogue.entries.iter_mut().filter(of_form) {
            entry.form = form.key.to_string();
        }
        let tables = ["fw_instance", "fw_task", "fw_outbox", "fw_event", "fw_change", "fw_series"];
        let (new, old, of_pack) = (literal(&form.key), literal(&from), literal(pack));
        let sql = tables
            .map(|table| format!("UPDATE {table} SET form = {new} WHERE form = {old} AND pack = {of_pack}"))
            .to_vec();
        let step = PlannedStep::new(ChangeClass::Rename, format!("forms/{}", form.key), sql);
        let table = self.catalogue.table(pack, &form.key, "").map(|entry| entry.name.clone()).unwrap_or_default();
        self.steps.push(step.of_all(&table));
    }

    /// Moves the catalogue rows of a renamed child table.
    fn rename_child(&mut self, form: &Form, field: &Field) {
        let pack = self.wanted.key();
        if self.catalogue.table(pack, &form.key, &field.key).is_some_and(|entry| !entry.hidden) {
            return;
        }
        let wanted = |key: &Key| form.field(key).is_some();
        let before = self.deployed.and_then(|pack| pack.forms().get(&form.key));
        let undone = before.into_iter().flat_map(|form| &form.fields).filter(|other| other.was.contains(&field.key));
        let from = field
            .was
            .iter()
            .chain(undone.map(|other| &other.key))
            .find(|&old| !wanted(old) && self.catalogue.table(pack, &form.key, old).is_some());
        let Some(from) = from.cloned() else { return };
        self.set_aside(&form.key, Some(&field.key));
        let moved = |entry: &&mut Entry| entry.pack == **pack && entry.form == *form.key && entry.child == *from;
        for entry in self.catalogue.entries.iter_mut().filter(moved) {
            entry.child = field.key.to_string();
        }
        let at = format!("forms/{}/fields/{}", form.key, field.key);
        let table = self.catalogue.table(pack, &form.key, &field.key).map(|entry| entry.name.clone());
        let step = PlannedStep::new(ChangeClass::Rename, at, Vec::new());
        self.steps.push(step.of_all(&table.unwrap_or_default()));
    }

    /// Gives hidden rows of that form or child table a key no author can write, so that the key is free.
    fn set_aside(&mut self, form: &str, child: Option<&str>) {
        let pack = self.wanted.key();
        let free = |key: &str, taken: &dyn Fn(&Entry, &str) -> bool| {
            let of_pack = |entry: &&Entry| entry.pack == **pack;
            spare(key, |spare| self.catalogue.entries.iter().filter(of_pack).any(|entry| taken(entry, spare)))
        };
        let aside = match child {
            None => free(form, &|entry, spare| entry.form == spare),
            Some(child) => free(child, &|entry, spare| entry.form == form && entry.child == spare),
        };
        for entry in self.catalogue.entries.iter_mut().filter(|entry| entry.pack == **pack && entry.form == form) {
            match child {
                None => entry.form.clone_from(&aside),
                Some(child) if entry.child == child => entry.child.clone_from(&aside),
                Some(_) => {}
            }
        }
    }

    // --- tables ----------------------------------------------------------------------------------------------------

    /// The table of a form or child field; created where there is none.
    fn table(&mut self, form: &Form, child: Option<&Field>) -> String {
        let pack = self.wanted.key();
        let child_key = child.map_or("", |field| &field.key);
        if let Some(entry) = self.catalogue.column_mut(pack, &form.key, child_key, "") {
            entry.hidden = false;
            return entry.name.clone();
        }
        let name = self.catalogue.allot_table(pack, &form.key, child.map(|field| &*field.key));
        let (columns, at) = match child {
            None => (self.record_columns(), format!("forms/{}", form.key)),
            Some(field) => (self.row_columns(form), format!("forms/{}/fields/{}", form.key, field.key)),
        };
        self.creations.push(Creation { step: self.steps.len(), table: name.clone(), columns: vec![columns] });
        self.steps.push(PlannedStep::new(ChangeClass::Add, at, Vec::new()));
        self.catalogue.entries.push(Entry {
            pack: pack.to_string(),
            form: form.key.to_string(),
            child: child_key.to_owned(),
            field: String::new(),
            name: name.clone(),
            kind: None,
            hidden: false,
        });
        name
    }

    fn record_columns(&self) -> String {
        let sql = |kind: ColumnKind| kind.sql_type(self.dialect);
        let (id, at, version) = (sql(ColumnKind::Id), sql(ColumnKind::DateTime), sql(ColumnKind::Integer));
        format!(
            "\"id\" {id} PRIMARY KEY NOT NULL, \"version\" {version} NOT NULL, \"created_at\" {at} NOT NULL, \
             \"created_by\" {id}, \"updated_at\" {at} NOT NULL, \"updated_by\" {id}"
        )
    }

    fn row_columns(&self, form: &Form) -> String {
        let (id, position) = (ColumnKind::Id.sql_type(self.dialect), ColumnKind::Integer.sql_type(self.dialect));
        let parent = self.catalogue.table(self.wanted.key(), &form.key, "").map(|entry| quote(&entry.name));
        let parent = parent.unwrap_or_default();
        format!(
            "\"id\" {id} PRIMARY KEY NOT NULL, \"record\" {id} NOT NULL REFERENCES {parent} (\"id\") ON DELETE CASCADE, \
             \"position\" {position} NOT NULL"
        )
    }

    // --- columns ---------------------------------------------------------------------------------------------------

    fn columns(&mut self, place: Place<'_>, table: &str, fields: &[Field], before: &[Field]) -> Result<(), Fault> {
        for field in fields {
            let Some(kind) = column_kind(field) else { continue };
            self.rename_field(place, table, field, fields, before);
            let pack = self.wanted.key();
            let found = self.catalogue.column(pack, place.form, place.child, &field.key).cloned();
            match found {
                Some(entry) if entry.kind == Some(kind) => self.show(place, table, field, &entry),
                Some(entry) => {
                    self.set_field_aside(place, &field.key);
                    self.add_column(place, table, field, kind, Some(&entry))?;
                }
                None => self.add_column(place, table, field, kind, None)?,
            }
        }
        Ok(())
    }

    fn rename_field(&mut self, place: Place<'_>, table: &str, field: &Field, fields: &[Field], before: &[Field]) {
        let pack = self.wanted.key();
        let column = |key: &str| self.catalogue.column(pack, place.form, place.child, key);
        if column(&field.key).is_some_and(|entry| !entry.hidden) {
            return;
        }
        let undone = before.iter().filter(|other| other.was.contains(&field.key)).map(|other| &other.key);
        let from = field
            .was
            .iter()
            .chain(undone)
            .find(|&old| fields.iter().all(|other| other.key != *old) && column(old).is_some());
        let Some(from) = from.cloned() else { return };
        self.set_field_aside(place, &field.key);
        if let Some(entry) = self.catalogue.column_mut(pack, place.form, place.child, &from) {
            entry.field = field.key.to_string();
        }
        let step = PlannedStep::new(ChangeClass::Rename, self.at(place, &field.key), Vec::new());
        self.steps.push(step.of_all(table));
    }

    fn set_field_aside(&mut self, place: Place<'_>, key: &str) {
        let pack = self.wanted.key();
        let aside = spare(key, |spare| self.catalogue.column(pack, place.form, place.child, spare).is_some());
        if let Some(entry) = self.catalogue.column_mut(pack, place.form, place.child, key) {
            entry.field = aside;
            entry.hidden = true;
        }
    }

    /// Shows a column again that was hidden. A link may point at records that were deleted meanwhile: it is cleared.
    fn show(&mut self, place: Place<'_>, table: &str, field: &Field, entry: &Entry) {
        if !entry.hidden {
            return;
        }
        if let Some(entry) = self.catalogue.column_mut(self.wanted.key(), place.form, place.child, &field.key) {
            entry.hidden = false;
        }
        let at = self.at(place, &field.key);
        let Some(target) = self.link_target(field) else {
            self.steps.push(PlannedStep::new(ChangeClass::Add, at, Vec::new()).of_all(table));
            return;
        };
        let all = table;
        let (table, column, target) = (quote(table), quote(&entry.name), quote(&target));
        let mut sql = vec![format!(
            "UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM {target} AS t WHERE t.\"id\" = {table}.{column})"
        )];
        sql.extend(self.foreign_key(&table, &column, Some(&target)));
        self.links.push(PlannedStep::new(ChangeClass::Add, at, sql).of_all(all));
    }

    /// A column for the field. `old`: what held it before, in another type; of one that was hidden only what fits comes
    /// back, one in use fits, or the plan would have been blocked.
    fn add_column(
        &mut self,
        place: Place<'_>,
        table: &str,
        field: &Field,
        kind: ColumnKind,
        old: Option<&Entry>,
    ) -> Result<(), Fault> {
        let name = self.catalogue.allot_column(self.wanted.key(), place.form, place.child, &field.key);
        self.catalogue.entries.push(Entry {
            pack: self.wanted.key().to_string(),
            form: place.form.to_owned(),
            child: place.child.to_owned(),
            field: field.key.to_string(),
            name: name.clone(),
            kind: Some(kind),
            hidden: false,
        });
        let at = self.at(place, &field.key);
        let (column, target) = (quote(&name), self.link_target(field).map(|target| quote(&target)));
        let references = match (&target, self.dialect) {
            (Some(target), Dialect::Sqlite) => format!(" REFERENCES {target} (\"id\")"),
            _ => String::new(),
        };
        let definition = format!("{column} {}{references}", kind.sql_type(self.dialect));
        let key = self.foreign_key(&quote(table), &column, target.as_deref());
        self.links.extend(key.map(|sql| PlannedStep::new(ChangeClass::Add, at.clone(), vec![sql])));
        if let Some(creation) = self.creations.iter_mut().find(|creation| creation.table == table) {
            creation.columns.push(definition);
            return Ok(());
        }
        let quoted = quote(table);
        let sql = vec![format!("ALTER TABLE {quoted} ADD COLUMN {definition}")];
        let mut step = PlannedStep::new(ChangeClass::Add, at, sql).of_all(table);
        let converted = |old: &Entry| convert::converted(self.dialect, &quote(&old.name), old.kind?, kind);
        match old.map(|old| (old, converted(old))) {
            Some((_, Some(value))) => {
                step.class = ChangeClass::Convert;
                step.sql.push(format!("UPDATE {quoted} SET {column} = {value}"));
            }
            Some((old, None)) if !old.hidden => {
                return Err(Fault::new(format!(
                    "the values of `{}` cannot be converted: the plan blocks this",
                    step.at
                )));
            }
            _ => {}
        }
        self.steps.push(step);
        self.added.insert((place.form.to_owned(), place.child.to_owned(), field.key.to_string()));
        Ok(())
    }

    /// Table of the form a link leads to. It may be created later in this migration; its name is known then, too.
    fn link_target(&mut self, field: &Field) -> Option<String> {
        let FieldKind::Link { ty: formwork_model::expr::Type::Link(form), .. } = &field.kind else { return None };
        let form = self.wanted.forms().get(form)?.clone();
        self.rename_form(&form);
        Some(self.table(&form, None))
    }

    /// PostgreSQL adds foreign keys when all tables exist; SQLite can only write them into the column.
    fn foreign_key(&self, table: &str, column: &str, target: Option<&str>) -> Option<String> {
        let target = target.filter(|_| self.dialect == Dialect::Postgres)?;
        Some({
            let constraint = quote(&format!("fk_{}", column.trim_matches('"')));
            format!(
                "ALTER TABLE {table} ADD CONSTRAINT {constraint} FOREIGN KEY ({column}) REFERENCES {target} (\"id\")"
            )
        })
    }

    // --- what left -------------------------------------------------------------------------------------------------

    /// Hides what the wanted pack no longer has. Data stays.
    fn hide(&mut self) {
        let pack = self.wanted.key();
        let leaving: Vec<usize> = (0..self.catalogue.entries.len())
            .filter(|&at| {
                let entry = &self.catalogue.entries[at];
                entry.pack == **pack && !entry.hidden && !self.is_wanted(entry)
            })
            .collect();
        for at in leaving {
            let entry = self.catalogue.entries[at].clone();
            let place = Place { form: &entry.form, child: &entry.child };
            let table = self.catalogue.table(&entry.pack, &entry.form, &entry.child).map(|table| table.name.clone());
            let sql = self.cut_loose(&entry, at);
            let step = PlannedStep::new(ChangeClass::Hide, self.at(place, &entry.field), sql);
            self.catalogue.entries[at].hidden = true;
            self.steps.push(step.of_all(&table.unwrap_or_default()));
        }
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        let Some(form) = self.wanted.forms().get(&*entry.form) else { return false };
        let fields = match entry.child.as_str() {
            "" => &form.fields[..],
            child => match form.field(child) {
                Some((_, Field { kind: FieldKind::Table { fields, .. }, .. })) => fields,
                _ => return false,
            },
        };
        entry.field.is_empty()
            || fields.iter().any(|field| *field.key == *entry.field && column_kind(field) == entry.kind)
    }

    /// A hidden link must not hold back the deletion of the record it points at. SQLite cannot drop a foreign key: the
    /// data moves to a plain column.
    fn cut_loose(&mut self, entry: &Entry, at: usize) -> Vec<String> {
        let table = self.catalogue.table(&entry.pack, &entry.form, &entry.child).map(|entry| entry.name.clone());
        let (Some(ColumnKind::Id), Some(table)) = (entry.kind, table) else { return Vec::new() };
        match self.dialect {
            Dialect::Postgres => {
                let constraint = quote(&format!("fk_{}", entry.name));
                vec![format!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {constraint}", quote(&table))]
            }
            Dialect::Sqlite => {
                let name = self.catalogue.allot_column(&entry.pack, &entry.form, &entry.child, &entry.name);
                let (table, old, new) = (quote(&table), quote(&entry.name), quote(&name));
                // The column left behind keeps its name in the catalogue, so that it is never allotted again.
                let mut left = entry.clone();
                let taken =
                    |spare: &str| self.catalogue.column(&entry.pack, &entry.form, &entry.child, spare).is_some();
                left.field = spare(&entry.field, taken);
                left.hidden = true;
                self.catalogue.entries.push(left);
                self.catalogue.entries[at].name = name;
                vec![
                    format!("ALTER TABLE {table} ADD COLUMN {new} BLOB"),
                    format!("UPDATE {table} SET {new} = {old}, {old} = NULL"),
                ]
            }
        }
    }

    fn at(&self, place: Place<'_>, field: &str) -> String {
        let mut at = format!("forms/{}", place.form);
        for part in [place.child, field].into_iter().filter(|part| !part.is_empty()) {
            at.push_str("/fields/");
            at.push_str(part);
        }
        at
    }
}

/// A key no author can write, for what the key stood for before.
fn spare(key: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut number = 1;
    loop {
        let spare = format!("{key}~{number}");
        if !taken(&spare) {
            return spare;
        }
        number += 1;
    }
}
