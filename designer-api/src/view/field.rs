//! What templates draw of a form: fields, tables and errors (templates/parts/fields.html).

use serde::Serialize;

use super::cell::Cell;
use super::clock::Countdown;

/// A field to fill in or to read.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Field {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) pointer: String,
    pub(crate) label: String,
    pub(crate) help: String,
    pub(crate) required: bool,
    pub(crate) visible: bool,
    pub(crate) readonly: bool,
    pub(crate) value: String,
    pub(crate) shown: Cell,
    pub(crate) errors: Vec<String>,
    pub(crate) options: Vec<Choice>,
    pub(crate) src: String,
    pub(crate) unit: String,
    pub(crate) min: String,
    pub(crate) max: String,
    pub(crate) step: String,
    pub(crate) length: String,
    pub(crate) rows: String,
    pub(crate) table: Option<TableView>,
}

/// An option of a choice, a link or a filter.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) selected: bool,
}

/// A table to read, or child rows to edit.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum TableView {
    /// To read.
    Read(Table),
    /// To edit.
    Edit(Box<Grid>),
}

/// A table of values.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<TableRow>,
    pub(crate) more: Option<Link>,
}

/// A column.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Column {
    pub(crate) key: String,
    pub(crate) label: String,
    pub(crate) number: bool,
    pub(crate) required: bool,
    pub(crate) sort: &'static str,
    pub(crate) sort_href: String,
}

/// A row of values.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TableRow {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) cells: Vec<Cell>,
    /// What is due first.
    pub(crate) clock: Option<Countdown>,
}

/// Child rows to edit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<GridRow>,
    pub(crate) blank: GridRow,
    /// Label of the button; empty where no more rows may be added.
    pub(crate) add: String,
    pub(crate) remove: bool,
}

/// A child row to edit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GridRow {
    pub(crate) id: String,
    pub(crate) pointer: String,
    pub(crate) cells: Vec<Field>,
}

/// A link with its words.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Link {
    pub(crate) label: String,
    pub(crate) href: String,
}

/// A tab or a box.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tab {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) active: bool,
    pub(crate) count: String,
}

/// Something to correct, in the summary above a form.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Correction {
    pub(crate) href: String,
    pub(crate) label: String,
    pub(crate) message: String,
}

/// Pages of a list.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Pager {
    pub(crate) text: String,
    pub(crate) first: String,
    pub(crate) next: String,
}
