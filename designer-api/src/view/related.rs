//! Child rows and records that link here, to read on a record's page.

use serde_json::Value as Json;

use formwork_model::expr::Type;
use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::{Key, Text};

use super::cell::{Cell, Scribe, plain};
use super::control::is_number;
use super::field::{Column, Table, TableRow};
use super::seen::Seen;

/// A child table to read, with the columns the viewer may read.
pub(crate) fn rows(seen: &Seen, scribe: Scribe<'_>, position: usize, value: &Json) -> Table {
    let fields = seen.form.fields[position].kind.rows();
    let shown: Vec<(usize, &Field)> =
        fields.iter().enumerate().filter(|(place, _)| seen.row_level(position, *place) > Level::None).collect();
    let columns = shown.iter().map(|(_, field)| column(&field.key, &field.label, is_number(field), scribe));
    let rows = value.as_array().into_iter().flatten().map(|row| TableRow {
        id: plain(&row["id"]),
        href: String::new(),
        clock: None,
        cells: shown
            .iter()
            .map(|(place, field)| scribe.row_cell(field, &row[&*field.key], seen.row_level(position, *place)))
            .collect(),
    });
    Table { columns: columns.collect(), rows: rows.collect(), more: None }
}

/// The form and the link of a backlink.
pub(crate) fn target(field: &Field) -> Option<(&Key, &Key)> {
    match &field.kind {
        FieldKind::Backlink { ty: Type::Rows(table), link } => Some((&table.form, link)),
        _ => None,
    }
}

/// Records that link here, by title alone: for those whose form has no view.
pub(crate) fn titles(other: &Seen, scribe: Scribe<'_>, value: &Json) -> Table {
    let path = other.path(scribe.engine);
    let columns = vec![column("title", &other.form.label, false, scribe)];
    let rows = value.as_array().into_iter().flatten().map(|record| {
        let id = plain(&record["id"]);
        let href = format!("{path}/{id}");
        let title = record["title"].as_str().unwrap_or("–");
        TableRow { id, clock: None, cells: vec![Cell { href: href.clone(), ..Cell::text(title) }], href }
    });
    Table { columns, rows: rows.collect(), more: None }
}

/// A field of the form whose value names one record and can be asked for: `it.code`, to list what links to it.
pub(crate) fn naming_field<'s>(seen: &'s Seen, record: &Json) -> Option<(&'s Key, String)> {
    let uniques = seen.form.uniques.values().filter(|unique| unique.filter.is_none());
    let single = uniques.filter_map(|unique| match unique.fields.as_slice() {
        [position] => Some(*position),
        _ => None,
    });
    let mut readable = single.filter(|position| seen.level(*position) >= Level::Read);
    readable.find_map(|position| {
        let field = &seen.form.fields[position];
        let value = record[&*field.key].as_str()?;
        (field.is_stored() && *field.ty() == Type::Text).then(|| (&field.key, value.to_owned()))
    })
}

fn column(key: &str, label: &Text, number: bool, scribe: Scribe<'_>) -> Column {
    let label = label.get(&scribe.local.language).to_owned();
    Column { key: key.to_owned(), label, number, ..Column::default() }
}
