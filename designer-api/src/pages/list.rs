//! `/records/{form}`: a view of a form's records.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value as Json;

use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::{Level, View};
use formwork_runtime::imports::may_import;
use formwork_runtime::questions::ListRequest;

use super::arranged::{self, Arranged};
use super::errors::Refusal;
use super::shell::Page;
use super::visit::Visit;
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::cell::{Cell, Scribe, plain};
use crate::view::clock::countdown;
use crate::view::control::is_number;
use crate::view::field::{Column, Link, Pager, Tab, Table, TableRow};
use crate::view::filters::{Bar, bar, expression, is_filtered};
use crate::view::query::{Pairs, address, changed, first};
use crate::view::seen::Seen;

/// Rows of a page.
const ROWS: u32 = 50;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/records/{form}", get(list))
}

/// What a list shows (templates/pages/records/list.html).
#[derive(Debug, Serialize)]
struct ListView {
    /// `pack.form`, as changes are told.
    topic: String,
    total: String,
    new: Option<Link>,
    import: Option<Link>,
    tabs: Vec<Tab>,
    bar: Bar,
    table: Table,
    pager: Pager,
    filtered: bool,
    export: String,
    arranged: Arranged,
    bulk: Option<BulkActs>,
}

/// What can be done with the rows ticked.
#[derive(Debug, Serialize)]
struct BulkActs {
    edit: bool,
    delete: bool,
    key: String,
    /// "All 1,234 matching"; "" where all stand on this page.
    all: String,
}

/// The form an address names, as this visitor may see it; not found where it does not exist for them.
pub(super) fn seen(visit: &Visit, form: &str) -> Result<Seen, Problem> {
    let (pack, key) = visit.engine().deployed().form(form)?;
    let viewer = visit.viewer(&pack);
    let seen = Seen::new(&pack, &key, &viewer);
    if seen.can_read() || seen.can_create() { Ok(seen) } else { Err(Problem::not_found("form", form)) }
}

/// What a list is asked by its address; a view that does not exist is not found.
pub(super) fn request(seen: &Seen, pairs: &Pairs, zone: Tz) -> Result<ListRequest, Problem> {
    let wanted = first(pairs, "view");
    if wanted.is_some_and(|view| !seen.form.views.contains_key(view)) {
        return Err(Problem::not_found("view", wanted.unwrap_or_default()));
    }
    Ok(ListRequest {
        view: seen.view(wanted).map(|(key, _)| key.to_string()),
        filter: expression(seen, pairs, zone),
        sort: first(pairs, "sort").map(|sort| vec![sort.to_owned()]),
        fields: None,
        limit: ROWS,
        after: first(pairs, "after").map(str::to_owned),
        q: first(pairs, "q").map(str::to_owned),
        narrowed: None,
    })
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
    let request = request(&seen, &pairs, local.zone)?;
    let view = seen.view(request.view.as_deref());
    let (columns, chosen) = arranged::columns(&visit, &seen, view, &pairs).await?;
    let request = ListRequest { fields: Some(columns.iter().map(|(key, _)| key.clone()).collect()), ..request };
    let export = export(&path, &request);
    let answer = visit.engine().list_with_clocks(&seen.pack, &seen.viewer, &seen.form.key, request).await?;
    let new = seen.can_create().then(|| Link { label: new_label(&visit, &seen), href: format!("{path}/new") });
    let views = arranged::views(&visit, &seen).await?;
    let active = if first(&pairs, "saved").is_some() { None } else { view.map(|(key, _)| &**key) };
    let mut tabs = tabs(&seen, active, &path, &local.language, views.is_empty());
    tabs.extend(arranged::tabs(&path, &views, &pairs));
    let import = may_import(&seen.pack, &seen.viewer, &seen.form.key).then(|| Link {
        label: visit.say("import.title", &[]),
        href: path.replacen("/records/", "/imports/new?form=", 1),
    });
    let sorting = Sorting { path: &path, pairs: &pairs, view: view.map(|(_, view)| view) };
    let mut table = table(&seen, scribe, &columns, &answer, &sorting);
    remember(&mut table, &pairs);
    let title = view.map_or(&seen.form.label, |(_, view)| &view.label).get(&local.language).to_owned();
    let list = ListView {
        topic: seen.topic(),
        total: total(&answer["total"], &visit),
        new,
        import,
        tabs,
        bar: bar(&seen, view.map(|(_, view)| view), &local, &path, &pairs),
        pager: pager(&answer, &path, &pairs, &visit),
        filtered: is_filtered(&pairs),
        export,
        arranged: arranged::arranged(
            &seen,
            scribe,
            &path,
            &pairs,
            view.map_or("", |(key, _)| &**key),
            (&columns, chosen),
            &views,
        ),
        bulk: bulk(&visit, &seen, &answer),
        table,
    };
    let place = view.map(|(key, _)| address(&path, [("view", &**key)]));
    let page = Page { title, wide: true, place, ..Page::default() };
    Ok(visit.draw("pages/records/list.html", page, "list", list).await?)
}

/// The address of the same rows as a file.
fn export(path: &str, request: &ListRequest) -> String {
    let fields = request.fields.as_ref().map(|fields| fields.join(","));
    let sort = request.sort.as_ref().map(|sort| sort.join(","));
    let wanted = [
        ("format", Some("csv")),
        ("view", request.view.as_deref()),
        ("filter", request.filter.as_deref()),
        ("sort", sort.as_deref()),
        ("fields", fields.as_deref()),
        ("q", request.q.as_deref()),
    ];
    let path = path.replacen("/records/", "/api/exports/", 1);
    address(&path, wanted.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// Rows lead to their records with the list one came from, for the way to the next one.
fn remember(table: &mut Table, pairs: &Pairs) {
    let list =
        address("", pairs.iter().filter(|(name, _)| !name.starts_with('_')).map(|(n, v)| (n.as_str(), v.as_str())));
    // A list without parameters is a list, too.
    let list = if list.is_empty() { "_" } else { list.trim_start_matches('?') };
    for row in &mut table.rows {
        row.href = address(&row.href, [("list", list)]);
        if let Some(first) = row.cells.first_mut() {
            first.href.clone_from(&row.href);
        }
    }
}

/// What can be done with ticked rows; none where this viewer can do nothing with any.
fn bulk(visit: &Visit, seen: &Seen, answer: &Json) -> Option<BulkActs> {
    let (edit, delete) = (seen.can_update(), seen.can_delete());
    (visit.caller.user.is_some() && (edit || delete)).then(|| BulkActs {
        edit,
        delete,
        key: visit.engine().new_id().to_string(),
        all: match answer["total"]["value"].as_u64() {
            Some(count) if answer["next"].is_string() => {
                visit.say("bulk.all", &[("n", &visit.anywhere().number(&count.to_string()))])
            }
            _ => String::new(),
        },
    })
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
        let clock = item.get("_clock").map(|clock| countdown(clock, scribe.local));
        TableRow { id, href, cells, clock }
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

pub(super) fn heading(seen: &Seen, scribe: Scribe<'_>, key: &str, slot: Slot) -> Column {
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

fn tabs(seen: &Seen, active: Option<&str>, path: &str, language: &str, alone: bool) -> Vec<Tab> {
    if alone && seen.form.views.len() < 2 {
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
