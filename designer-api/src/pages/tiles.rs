//! Tiles of boards, from the bodies of the API to what templates draw.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::Viewer;
use formwork_model::Pack;
use formwork_model::pack::analytics::{Board, TileKind};

use super::about::{self, Chip, Judged, Proposal};
use super::list::{Sorting, table};
use crate::view::cell::{Scribe, plain};
use crate::view::chart::Chart;
use crate::view::columns::columns_of;
use crate::view::field::{Field, Link, Table};
use crate::view::format::Time;
use crate::view::history::Event;
use crate::view::numbers::{Delta, Figure, Sheet, figure, range_text, sheet};
use crate::view::query::{Pairs, address};
use crate::view::seen::{Seen, path_of};
use crate::view::task::{Line, line, paragraphs};

/// Rows of a report that a tile shows; the report's own page has all.
const ROWS_MAX: usize = 10;
/// Tasks that a tile shows.
const LINES_MAX: usize = 8;

/// A tile; a kind's own keys are empty in the others (templates/tiles/*.html).
#[derive(Debug, Default, Serialize)]
pub(super) struct Tile {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) href: String,
    pub(super) width: u8,
    pub(super) height: &'static str,
    pub(super) state: &'static str,
    pub(super) message: String,
    pub(super) as_of: Option<Time>,
    pub(super) value: String,
    pub(super) exact: String,
    pub(super) n: String,
    pub(super) delta: Option<Delta>,
    pub(super) table: Table,
    pub(super) chart: Option<Chart>,
    pub(super) sentence: String,
    pub(super) truncated: bool,
    pub(super) total: String,
    pub(super) lines: Vec<Line>,
    pub(super) paragraphs: Vec<String>,
    pub(super) fields: Vec<Field>,
    pub(super) chips: Vec<Chip>,
    pub(super) events: Vec<Event>,
    pub(super) comment: String,
    pub(super) key: String,
    pub(super) is_followed: bool,
    pub(super) older: String,
    pub(super) proposals: Vec<Proposal>,
    pub(super) judged: Judged,
    pub(super) act: Option<Link>,
}

/// Makes tiles of the bodies of a board.
pub(super) struct Gatherer<'a> {
    pub(super) scribe: Scribe<'a>,
    pub(super) pack: &'a Arc<Pack>,
    pub(super) viewer: &'a Viewer,
    pub(super) board: &'a Board,
    /// The range the reader chose.
    pub(super) range: Option<&'a str>,
    /// The record the board is about.
    pub(super) about: Option<(&'a Seen, Uuid)>,
    /// The address of the page.
    pub(super) path: &'a str,
    pub(super) pairs: &'a Pairs,
}

impl Gatherer<'_> {
    /// A tile as it is drawn.
    pub(super) fn tile(&self, key: &str, body: &Json) -> Tile {
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
            ("ok", Some(kind)) => self.filled(tile, key, kind, body),
            _ => tile,
        }
    }

    fn filled(&self, tile: Tile, key: &str, kind: &TileKind, body: &Json) -> Tile {
        match kind {
            TileKind::Metric { .. } => {
                let Figure { value, exact, n, delta } = figure(body, self.pack, self.scribe.local);
                Tile { value, exact, n, delta, ..tile }
            }
            TileKind::Report { report, range: own, filter } => {
                let path = self.path("reports", report, |pack, key| pack.reports().contains_key(key));
                let own = own.as_ref().map(range_text);
                let range = own.as_deref().or(self.range).map(|range| ("range", range));
                // The report's own page counts all records.
                let href = if filter.is_some() { String::new() } else { address(&path, range) };
                self.report(Tile { href, ..tile }, body)
            }
            TileKind::List { form, view, filter, .. } => {
                let seen = Seen::new(self.pack, form, self.viewer);
                let narrowed = body["filter"].as_str().map(|filter| ("filter", filter));
                let pairs = [("view", &**view)].into_iter().chain(narrowed);
                // A condition that cannot be written has no list of its own.
                let href = match (filter, narrowed) {
                    (Some(_), None) => String::new(),
                    _ => address(&seen.path(self.scribe.engine), pairs),
                };
                self.list(Tile { href, ..tile }, &seen, view, body)
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
            TileKind::Record { .. } => Tile { fields: about::fields(self.scribe, body), ..tile },
            TileKind::Timeline { .. } => about::timeline(self, tile, key, body),
            TileKind::Rules { .. } => about::rules(self, tile, key, body),
            TileKind::Form(_) => Tile { act: about::preset(self, body), ..tile },
            _ => tile,
        }
    }

    fn report(&self, tile: Tile, body: &Json) -> Tile {
        let Sheet { mut table, sentence, truncated, chart, .. } = sheet(body, &tile.title, self.scribe);
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
        Tile { table, sentence, truncated, total, chart, ..tile }
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

    pub(super) fn empty(&self, tile: Tile) -> Tile {
        Tile { state: "empty", message: self.say("tile.empty"), ..tile }
    }

    pub(super) fn say(&self, key: &str) -> String {
        self.scribe.local.say(key, &[])
    }

    fn path(&self, kind: &str, key: &str, has: impl Fn(&Pack, &str) -> bool) -> String {
        path_of(self.scribe.engine, self.pack, kind, key, has)
    }
}
