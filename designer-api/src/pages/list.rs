//! `/records/{form}`: a view of a form's records.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value as Json;

use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::{FieldKind, Level, View};
use formwork_runtime::questions::ListRequest;

use super::errors::Refusal;
use super::shell::Page;
use super::visit::Visit;
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::cell::{Cell, Scribe, plain};
use crate::view::control::is_number;
use crate::view::field::{Column, Link, Pager, Tab, Table, TableRow};
use crate::view::filters::{Bar, bar, expression, is_filtered};
use crate::view::query::{Pairs, address, changed, first};
use crate::view::seen::Seen;

/// Rows of a page.
const ROWS: u32 = 50;
/// Columns where the form has no view.
const COLUMNS_MAX: usize = 6;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/records/{form}", get(list))
}

/// What a list shows (templates/pages/records/list.html).
#[derive(Debug, Serialize)]
struct ListView {
    total: String,
    new: Option<Link>,
    tabs: Vec<Tab>,
    bar: Bar,
    table: Table,
    pager: Pager,
    filtered: bool,
}

/// The form an address names, as this visitor may see it; not found where it does not exist for them.
pub(super) fn seen(visit: &Visit, form: &str) -> Result<Seen, Problem> {
    let (pack, key) = visit.engine().deployed().form(form)?;
    let viewer = visit.viewer(&pack);
    let seen = Seen::new(&pack, &key, &viewer);
    if seen.can_read() || seen.can_create() { Ok(seen) } else { Err(Problem::not_found("form", form)) }
}

async fn list(visit: Visit, Path(form): Path<String>) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    if !seen.can_read() {
        return Err(Problem::forbidden("a role that reads these records").into());
    }
    let pairs = visit.pairs();
    let path = visit.uri.path().to_owned();
    let local = visit.local(&seen.pack);
    let scribe = visit.scribe(&seen.pack, &seen.viewer, &local);
    let wanted = first(&pairs, "view");
    if wanted.is_some_and(|view| !seen.form.views.contains_key(view)) {
        return Err(Problem::not_found("view", wanted.unwrap_or_default()).into());
    }
    let view = seen.view(wanted);
    let columns = columns_of(&seen, view.map(|(_, view)| view));
    let request = ListRequest {
        view: view.map(|(key, _)| key.to_string()),
        filter: expression(&seen, &pairs, local.zone),
        sort: first(&pairs, "sort").map(|sort| vec![sort.to_owned()]),
        fields: Some(columns.iter().map(|(key, _)| key.clone()).collect()),
        limit: ROWS,
        after: first(&pairs, "after").map(str::to_owned),
        q: first(&pairs, "q").map(str::to_owned),
    };
    let answer = visit.engine().list(&seen.pack, &seen.viewer, &seen.form.key, request).await?;
    let new = seen.can_create().then(|| Link { label: new_label(&visit, &seen), href: format!("{path}/new") });
    let title = view.map_or(&seen.form.label, |(_, view)| &view.label).get(&local.language).to_owned();
    let list = ListView {
        total: total(&answer["total"], &visit),
        new,
        tabs: tabs(&seen, view.map(|(key, _)| &**key), &path, &local.language),
        bar: bar(&seen, view.map(|(_, view)| view), &local, &path, &pairs),
        table: table(
            &seen,
            scribe,
            &columns,
            &answer,
            &Sorting { path: &path, pairs: &pairs, view: view.map(|(_, view)| view) },
        ),
        pager: pager(&answer, &path, &pairs, &visit),
        filtered: is_filtered(&pairs),
    };
    let place = view.map(|(key, _)| address(&path, [("view", &**key)]));
    let page = Page { title, wide: true, place, ..Page::default() };
    Ok(visit.draw("pages/records/list.html", page, "list", list).await?)
}

/// "New service request".
pub(super) fn new_label(visit: &Visit, seen: &Seen) -> String {
    let local = visit.local(&seen.pack);
    local.say("record.new", &[("form", &local.inside(seen.form.label.get(&local.language)))])
}

/// What orders a list: its address and its view.
pub(super) struct Sorting<'a> {
    pub(super) path: &'a str,
    pub(super) pairs: &'a Pairs,
    pub(super) view: Option<&'a View>,
}

impl Sorting<'_> {
    /// The key sorted by first, and whether descending.
    fn current(&self) -> Option<(String, bool)> {
        if let Some(sort) = first(self.pairs, "sort") {
            return Some(sort.strip_prefix('-').map_or((sort.to_owned(), false), |key| (key.to_owned(), true)));
        }
        let first = self.view?.sort.first()?;
        Some((first.key.to_string(), first.descending))
    }

    fn column(&self, column: Column, sortable: bool) -> Column {
        if !sortable || self.path.is_empty() {
            return column;
        }
        let sort = match self.current() {
            Some((key, descending)) if key == column.key => {
                if descending {
                    "desc"
                } else {
                    "asc"
                }
            }
            _ => "",
        };
        let next = if sort == "asc" { format!("-{}", column.key) } else { column.key.clone() };
        let sort_href = changed(self.path, self.pairs, |name| matches!(name, "sort" | "after"), &[("sort", &next)]);
        Column { sort, sort_href, ..column }
    }
}

/// Keys and places of the columns the viewer may read: those of the view, else the first fields of the form.
pub(super) fn columns_of(seen: &Seen, view: Option<&View>) -> Vec<(String, Slot)> {
    let may = |slot: &Slot| !matches!(slot, Slot::Field(position) if seen.level(*position) == Level::None);
    match view {
        Some(view) => view
            .columns
            .iter()
            .filter(|column| may(&column.slot))
            .map(|column| (column.key.to_string(), column.slot))
            .collect(),
        None => {
            let plain = seen.fields().filter(|(_, field, _)| {
                !matches!(field.kind, FieldKind::Table { .. } | FieldKind::Backlink { .. } | FieldKind::LongText { .. })
            });
            plain.take(COLUMNS_MAX).map(|(position, field, _)| (field.key.to_string(), Slot::Field(position))).collect()
        }
    }
}

/// The rows of a list. The first cell leads to the record.
pub(super) fn table(
    seen: &Seen,
    scribe: Scribe<'_>,
    columns: &[(String, Slot)],
    answer: &Json,
    sorting: &Sorting<'_>,
) -> Table {
    let path = seen.path(scribe.engine);
    let headings =
        columns.iter().map(|(key, slot)| sorting.column(heading(seen, scribe, key, *slot), sortable(seen, *slot)));
    let rows = answer["items"].as_array().into_iter().flatten().map(|item| {
        let id = plain(&item["id"]);
        let href = format!("{path}/{id}");
        let mut cells: Vec<Cell> = columns.iter().map(|(key, slot)| cell(seen, scribe, item, key, *slot)).collect();
        if let Some(first) = cells.first_mut() {
            lead(first, item, &href);
        }
        TableRow { id, href, cells }
    });
    Table { columns: headings.collect(), rows: rows.collect(), more: None }
}

/// A row must have a link: its first cell, as text; its title where that cell is empty.
fn lead(cell: &mut Cell, item: &Json, href: &str) {
    if cell.text.is_empty() {
        cell.text = item["title"].as_str().map_or_else(|| "–".to_owned(), str::to_owned);
    }
    cell.kind = if cell.kind == "series" { "series" } else { "text" };
    cell.masked = false;
    cell.href = href.to_owned();
}

fn heading(seen: &Seen, scribe: Scribe<'_>, key: &str, slot: Slot) -> Column {
    let (label, number) = match slot {
        Slot::Field(position) => {
            let field = &seen.form.fields[position];
            (field.label.get(&scribe.local.language).to_owned(), is_number(seen.source(field)))
        }
        _ => (scribe.local.say(&format!("system.{key}"), &[]), false),
    };
    Column { key: key.to_owned(), label, number, ..Column::default() }
}

fn sortable(seen: &Seen, slot: Slot) -> bool {
    let Slot::Field(position) = slot else { return true };
    let field = &seen.form.fields[position];
    field.is_stored() && field.kind.rows().is_empty() && seen.level(position) >= Level::Read
}

fn cell(seen: &Seen, scribe: Scribe<'_>, item: &Json, key: &str, slot: Slot) -> Cell {
    match slot {
        Slot::Field(position) => scribe.cell(seen, &seen.form.fields[position], &item[key], seen.level(position)),
        _ => scribe.system(&item[key]),
    }
}

fn tabs(seen: &Seen, active: Option<&str>, path: &str, language: &str) -> Vec<Tab> {
    if seen.form.views.len() < 2 {
        return Vec::new();
    }
    let tab = |(key, view): (&formwork_model::Key, &View)| Tab {
        label: view.label.get(language).to_owned(),
        href: address(path, [("view", &**key)]),
        active: active == Some(&**key),
        count: String::new(),
    };
    seen.form.views.iter().map(tab).collect()
}

fn total(total: &Json, visit: &Visit) -> String {
    let Some(value) = total["value"].as_u64() else { return String::new() };
    let number = visit.anywhere().number(&value.to_string());
    if total["exact"].as_bool().unwrap_or(true) { number } else { format!("{number}+") }
}

fn pager(answer: &Json, path: &str, pairs: &Pairs, visit: &Visit) -> Pager {
    let turned = first(pairs, "after").is_some();
    let total = total(&answer["total"], visit);
    let shown = answer["items"].as_array().map_or(0, Vec::len).to_string();
    let next = answer["next"].as_str().map(|next| changed(path, pairs, |name| name == "after", &[("after", next)]));
    Pager {
        text: match total.is_empty() {
            true => visit.say("pager.shown", &[("n", &shown)]),
            false => visit.say("pager.total", &[("n", &total)]),
        },
        first: if turned { changed(path, pairs, |name| name == "after", &[]) } else { String::new() },
        next: next.unwrap_or_default(),
    }
}
