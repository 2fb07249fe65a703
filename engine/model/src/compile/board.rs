//! Boards and their tiles.

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::tiles::{self, BoxWord, TileOptions};
use crate::documents::{Kind, board as author};
use crate::pack::analytics::{Board, TaskBox, Tile, TileKind};

use super::context::Context;
use super::load::Document;
use super::{pack, report};

/// Compiles a board. Tiles that are wrong are reported and left out.
pub(super) fn compile(context: &Context<'_>, document: &Document<author::Board>) -> Board {
    let author = &document.body;
    let at = &document.at;
    for (index, role) in author.roles.iter().enumerate() {
        context.role("FW0401", role, &at.key("roles").index(index));
    }
    let mut compiled = IndexMap::new();
    for (key, entry) in &author.tiles {
        let at = at.key("tiles").key(key);
        let label = entry.common.label.as_ref().map(|label| context.text(label, &at.key("label")));
        if let Some(kind) = tile(context, &entry.options, &at) {
            let width = entry.common.width.unwrap_or_else(|| default_width(&entry.options));
            compiled.insert(Key::from(key.as_str()), Tile { label, width, kind });
        }
    }
    Board {
        key: document.key.clone(),
        label: context.text(&author.label, &at.key("label")),
        roles: author.roles.iter().map(|role| Key::from(role.as_str())).collect(),
        range: report::params_range(context, &author.params, &at.key("params")),
        tiles: compiled,
    }
}

fn default_width(options: &TileOptions) -> u8 {
    match options {
        TileOptions::Metric(_) => 3,
        TileOptions::Report(_) | TileOptions::List(_) | TileOptions::Tasks(_) => 6,
        TileOptions::Text(_) => 12,
    }
}

fn tile(context: &Context<'_>, options: &TileOptions, at: &At) -> Option<TileKind> {
    Some(match options {
        TileOptions::Metric(tile) => context
            .refers(Kind::Metric, &tile.metric, &at.key("metric"))
            .then(|| TileKind::Metric { metric: tile.metric.as_str().into() })?,
        TileOptions::Report(tile) => {
            let exists = context.refers(Kind::Report, &tile.report, &at.key("report"));
            let range =
                tile.set.range.as_ref().and_then(|text| report::range(context, text, &at.key("set").key("range")));
            exists.then(|| TileKind::Report { report: tile.report.as_str().into(), range })?
        }
        TileOptions::List(tile) => list(context, tile, at)?,
        TileOptions::Text(tile) => TileKind::Text { text: context.text(&tile.text, &at.key("text")) },
        TileOptions::Tasks(tile) => TileKind::Tasks {
            tasks: match tile.tasks {
                BoxWord::Mine => TaskBox::Mine,
                BoxWord::Claimable => TaskBox::Claimable,
                BoxWord::Team => TaskBox::Team,
            },
        },
    })
}

fn list(context: &Context<'_>, tile: &tiles::List, at: &At) -> Option<TileKind> {
    let form: Key = tile.form.as_str().into();
    if !context.refers(Kind::Form, &form, &at.key("form")) {
        return None;
    }
    let exists = pack::view_exists(context, &form, &tile.view, &at.key("view"));
    let filter = context.condition(tile.filter.as_ref(), &context.filter_scope(&form), &at.key("where"));
    exists.then(|| TileKind::List { form, view: tile.view.as_str().into(), filter, limit: tile.limit })
}
