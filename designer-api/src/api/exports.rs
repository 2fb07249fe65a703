//! Exports: the rows of a list as a file, all of them, in the columns and the order of the list.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::Value;

use formwork_core::Viewer;
use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::Level;
use formwork_model::{Key, Pack};
use formwork_report::csv::{guarded, quoted};
use formwork_runtime::questions::ListRequest;
use formwork_store::Failure;

use super::problem::{Answer, Problem};
use super::request::names;
use crate::server::Server;
use crate::session::Caller;
use crate::view::cell::{Scribe, plain};
use crate::view::columns::{Columns, columns_of, named};
use crate::view::format::Local;
use crate::view::seen::Seen;

/// Rows read at once.
const PAGE: u32 = 200;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/exports/{form}", get(export))
}

/// What a list would be asked, and how the file is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    format: Option<String>,
    view: Option<String>,
    filter: Option<String>,
    sort: Option<String>,
    fields: Option<String>,
    q: Option<String>,
    /// 0: without a byte order mark.
    bom: Option<u8>,
    /// 0: text that a spreadsheet would run stays as it is.
    guard: Option<u8>,
    min_seq: Option<i64>,
}

/// An export under way.
struct Export {
    server: Arc<Server>,
    caller: Caller,
    pack: Arc<Pack>,
    viewer: Viewer,
    form: Key,
    columns: Columns,
    request: ListRequest,
    guard: bool,
}

async fn export(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(address): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Answer {
    if let Some(format) = query.format.as_deref().filter(|format| *format != "csv") {
        return Err(Problem::malformed(format!("`format` of an export is csv, not `{format}`")));
    }
    let (pack, form) = server.engine.deployed().form(&address)?;
    let viewer = caller.viewer(&server.engine, &pack);
    server.engine.caught_up(query.min_seq).await?;
    let seen = Seen::new(&pack, &form, &viewer);
    let wanted = names(query.fields.as_deref());
    let view = query.view.as_deref().and_then(|view| seen.form.views.get(view));
    let columns = match &wanted {
        Some(wanted) => named(&seen, wanted.iter().map(String::as_str)),
        None => columns_of(&seen, view),
    };
    let request = ListRequest {
        view: query.view,
        filter: query.filter,
        sort: names(query.sort.as_deref()),
        fields: Some(wanted.unwrap_or_else(|| columns.iter().map(|(key, _)| key.clone()).collect())),
        limit: PAGE,
        after: None,
        q: query.q,
        narrowed: None,
    };
    let export = Export { server, caller, pack, viewer, form, columns, request, guard: query.guard != Some(0) };
    // The first page is read before anything is sent: what is refused is refused as a whole.
    let (first, next) = export.page(None).await?;
    let mut head = if query.bom == Some(0) { String::new() } else { "\u{feff}".to_owned() };
    head.push_str(&export.head());
    head.push_str(&first);
    let name = format!("attachment; filename=\"{}.csv\"", export.form);
    let rest = stream::try_unfold((export, next), |(export, next)| async move {
        let Some(next) = next else { return Ok(None) };
        // A file that breaks off in the middle is a transfer that failed, never a shorter file.
        let (page, next) = export.page(Some(next)).await.map_err(|_| Broken)?;
        Ok::<_, Broken>(Some((Bytes::from(page), (export, next))))
    });
    let body = Body::from_stream(stream::once(async { Ok(Bytes::from(head)) }).chain(rest));
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

impl Export {
    /// The next rows as lines, and where the rest begins.
    async fn page(&self, after: Option<String>) -> Result<(String, Option<String>), Failure> {
        let request = ListRequest { after, ..self.request.clone() };
        let page = self.server.engine.list(&self.pack, &self.viewer, &self.form, request).await?;
        let local = self.local();
        let seen = Seen::new(&self.pack, &self.form, &self.viewer);
        let scribe = Scribe { engine: &self.server.engine, pack: &self.pack, viewer: &self.viewer, local: &local };
        let mut lines = String::new();
        for item in page["items"].as_array().into_iter().flatten() {
            let cells = self.columns.iter().map(|(key, slot)| self.value(&seen, scribe, &item[key], *slot));
            push(&mut lines, cells);
        }
        Ok((lines, page["next"].as_str().map(str::to_owned)))
    }

    fn local(&self) -> Local {
        let now = self.server.engine.clock().now();
        Local { language: self.caller.language.clone(), zone: *self.pack.timezone(), now }
    }

    /// The labels of the columns.
    fn head(&self) -> String {
        let local = self.local();
        let form = self.pack.form(&self.form);
        let label = |(key, slot): &(String, Slot)| match slot {
            Slot::Field(position) => form.fields[*position].label.get(&local.language).to_owned(),
            _ => local.say(&format!("system.{key}"), &[]),
        };
        let mut line = String::new();
        push(&mut line, self.columns.iter().map(|column| quoted(&guarded(&label(column), self.guard))));
        line
    }

    /// A value as the list shows it, but exact: numbers without grouping, times to the second in the zone of the pack.
    fn value(&self, seen: &Seen, scribe: Scribe<'_>, value: &Value, slot: Slot) -> String {
        let field = match slot {
            Slot::Field(position) => Some((&seen.form.fields[position], seen.level(position))),
            _ => None,
        };
        let source = field.map(|(field, _)| seen.source(field).kind.name());
        let text = match (field, source) {
            (Some((_, Level::Mask)), _) => plain(value),
            (_, Some("integer" | "decimal" | "money")) => return quoted(&plain(value)),
            (_, Some("date" | "email" | "text" | "long_text" | "series")) => plain(value),
            (_, Some("datetime")) => scribe.local.stamp(&plain(value)),
            (Some((field, level)), _) => scribe.cell(seen, field, value, level).text,
            (None, _) if value.is_object() => plain(value),
            (None, _) => scribe.local.stamp(&plain(value)),
        };
        quoted(&guarded(&text, self.guard))
    }
}

fn push(file: &mut String, cells: impl IntoIterator<Item = String>) {
    file.push_str(&cells.into_iter().collect::<Vec<_>>().join(","));
    file.push_str("\r\n");
}

/// The rest of a file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the export could not be read")]
struct Broken;
