//! `/boards/{board}`: tiles over one range.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value as Json;

use formwork_core::Viewer;
use formwork_model::Pack;
use formwork_model::pack::analytics::{Board, TileKind};
use formwork_runtime::analytics::Ask;

use super::errors::Refusal;
use super::list::{Sorting, table};
use super::shell::Page;
use super::visit::Visit;
use crate::server::Server;
use crate::view::cell::{Scribe, plain};
use crate::view::columns::columns_of;
use crate::view::field::Table;
use crate::view::filters::Bar;
use crate::view::format::Time;
use crate::view::numbers::{Delta, Figure, Sheet, as_of, figure, range_bar, range_text, sheet};
use crate::view::query::{address, first};
use crate::view::seen::{Seen, path_of};
use crate::view::task::{Line, line, paragraphs};

/// Rows of a report that a tile shows; the report's own page has all.
const ROWS_MAX: usize = 10;
/// Tasks that a tile shows.
const LINES_MAX: usize = 8;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/boards/{board}", get(board))
}

/// What a board shows (templates/pages/boards/board.html).
#[derive(Debug, Serialize)]
struct BoardView {
    bar: Bar,
    as_of: Option<Time>,
    tiles: Vec<Tile>,
}

/// A tile; a kind's own keys are empty in the others (templates/tiles/*.html).
#[derive(Debug, Default, Serialize)]
struct Tile {
    id: String,
    kind: String,
    title: String,
    href: String,
    width: u8,
    height: &'static str,
    state: &'static str,
    message: String,
    as_of: Option<Time>,
    value: String,
    exact: String,
    n: String,
    delta: Option<Delta>,
    table: Table,
    sentence: String,
    truncated: bool,
    total: String,
    lines: Vec<Line>,
    paragraphs: Vec<String>,
}

async fn board(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let deployed = visit.engine().deployed();
    let known = |pack: &Pack, key: &str| pack.boards().get_key_value(key).map(|(key, _)| key.clone());
    let (pack, key) = deployed.find(&name, "board", known)?;
    let viewer = visit.viewer(&pack);
    let pairs = visit.pairs();
    let range = first(&pairs, "range").map(str::to_owned);
    let ask = Ask { range: range.clone(), ..Ask::default() };
    let answer = visit.engine().board(&pack, &viewer, &key, &ask).await?;
    let definition = &pack.boards()[&key];
    let local = visit.local(&pack);
    let gatherer =
        Gatherer { scribe: visit.scribe(&pack, &viewer, &local), pack: &pack, viewer: &viewer, board: definition };
    let tiles: Vec<Tile> = answer["tiles"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, body)| gatherer.tile(key, body, range.as_deref()))
        .collect();
    let bar = match &definition.range {
        Some(own) => range_bar(visit.uri.path(), &pairs, &range_text(own), &local),
        None => Bar::default(),
    };
    let oldest =
        answer["tiles"].as_object().into_iter().flatten().map(|(_, body)| body).find(|body| body["as_of"].is_string());
    let view = BoardView { bar, as_of: oldest.map(|body| as_of(body, &local)), tiles };
    let page = Page { title: definition.label.get(&local.language).to_owned(), wide: true, ..Page::default() };
    Ok(visit.draw("pages/boards/board.html", page, "board", view).await?)
}

struct Gatherer<'a> {
    scribe: Scribe<'a>,
    pack: &'a Arc<Pack>,
    viewer: &'a Viewer,
    board: &'a Board,
}

impl Gatherer<'_> {
    fn tile(&self, key: &str, body: &Json, range: Option<&str>) -> Tile {
        let definition = self.board.tiles.get(key);
        let state = match body["state"].as_str().unwrap_or("failed") {
            "failed" => "error",
            "refused" | "hidden" => "denied",
            "no_data" => "empty",
            _ => "ok",
        };
        let kind = plain(&body["kind"]);
        let tile = Tile {
            id: format!("tile-{key}"),
            title: plain(&body["label"]),
            width: definition.map_or(12, |tile| tile.width),
            height: if kind == "metric" { "small" } else { "medium" },
            message: if state == "ok" { String::new() } else { self.say(&format!("tile.{state}")) },
            state,
            kind,
            ..Tile::default()
        };
        match (state, definition.map(|tile| &tile.kind)) {
            ("ok", Some(kind)) => self.filled(tile, kind, body, range),
            _ => tile,
        }
    }

    fn filled(&self, tile: Tile, kind: &TileKind, body: &Json, range: Option<&str>) -> Tile {
        match kind {
            TileKind::Metric { .. } => {
                let Figure { value, exact, n, delta } = figure(body, self.pack, self.scribe.local);
                Tile { value, exact, n, delta, ..tile }
            }
            TileKind::Report { report, range: own } => {
                let path = self.path("reports", report, |pack, key| pack.reports().contains_key(key));
                let own = own.as_ref().map(range_text);
                let range = own.as_deref().or(range).map(|range| ("range", range));
                self.report(Tile { href: address(&path, range), ..tile }, body)
            }
            TileKind::List { form, view, filter, .. } => {
                let seen = Seen::new(self.pack, form, self.viewer);
                let narrowed = filter.as_ref().map(|filter| ("filter", filter.source.as_str()));
                let pairs = [("view", &**view)].into_iter().chain(narrowed);
                self.list(Tile { href: address(&seen.path(self.scribe.engine), pairs), ..tile }, &seen, view, body)
            }
            TileKind::Text { .. } => Tile { paragraphs: paragraphs(&plain(&body["text"])), ..tile },
            TileKind::Tasks { tasks } => {
                let name = match tasks {
                    formwork_model::pack::analytics::TaskBox::Mine => "mine",
                    formwork_model::pack::analytics::TaskBox::Team => "team",
                    _ => "claimable",
                };
                self.tasks(Tile { href: address("/inbox", [("box", name)]), ..tile }, name, body)
            }
            _ => tile,
        }
    }

    fn report(&self, tile: Tile, body: &Json) -> Tile {
        let Sheet { mut table, sentence, truncated, .. } = sheet(body, self.scribe);
        let count = table.rows.len();
        table.rows.truncate(ROWS_MAX);
        if count == 0 {
            return self.empty(tile);
        }
        let total = if count > ROWS_MAX {
            self.scribe.local.say("tile.more", &[("n", &count.to_string())])
        } else {
            String::new()
        };
        Tile { table, sentence, truncated, total, ..tile }
    }

    fn list(&self, tile: Tile, seen: &Seen, view: &str, body: &Json) -> Tile {
        let mut columns = columns_of(seen, seen.form.views.get(view));
        // As many as fit: the whole list is a press away.
        columns.truncate(usize::from(tile.width) * 2 / 3);
        let unordered = Sorting { path: "", pairs: &Vec::new(), view: None };
        let table = table(seen, self.scribe, &columns, body, &unordered);
        if table.rows.is_empty() {
            return self.empty(tile);
        }
        let total = match body["next"].is_null() {
            true => String::new(),
            false => self.scribe.local.say("tile.more", &[("n", &plain(&body["total"]["value"]))]),
        };
        Tile { table, total, ..tile }
    }

    fn tasks(&self, tile: Tile, name: &str, body: &Json) -> Tile {
        let items = body["items"].as_array().into_iter().flatten();
        let mut lines: Vec<Line> = items
            .map(|item| {
                let id = plain(&item["id"]);
                line(item, address("/inbox", [("box", name), ("task", id.as_str())]), false, self.scribe)
            })
            .collect();
        if lines.is_empty() {
            return self.empty(tile);
        }
        let is_all = body["next"].is_null() && lines.len() <= LINES_MAX;
        lines.truncate(LINES_MAX);
        let total = if is_all { String::new() } else { self.say("tile.inbox") };
        Tile { lines, total, ..tile }
    }

    fn empty(&self, tile: Tile) -> Tile {
        Tile { state: "empty", message: self.say("tile.empty"), ..tile }
    }

    fn say(&self, key: &str) -> String {
        self.scribe.local.say(key, &[])
    }

    fn path(&self, kind: &str, key: &str, has: impl Fn(&Pack, &str) -> bool) -> String {
        path_of(self.scribe.engine, self.pack, kind, key, has)
    }
}
