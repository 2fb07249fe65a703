//! Boards.

use indexmap::IndexMap;

use crate::Key;
use crate::documents::{Kind, board as author};
use crate::pack::analytics::{Board, Tile};

use super::context::Context;
use super::load::Document;
use super::{report, tile};

/// Compiles a board. Tiles that are wrong are reported and left out.
pub(super) fn compile(context: &Context<'_>, document: &Document<author::Board>) -> Board {
    let author = &document.body;
    let at = &document.at;
    for (index, role) in author.roles.iter().enumerate() {
        context.role("FW0401", role, &at.key("roles").index(index));
    }
    let of = author.of.as_deref().map(Key::from);
    let is_known = of.as_ref().is_none_or(|of| context.refers(Kind::Form, of, &at.key("for")));
    let mut compiled = IndexMap::new();
    // Of a form that is not there nothing can be said about `record`.
    for (key, entry) in author.tiles.iter().filter(|_| is_known) {
        let at = at.key("tiles").key(key);
        let label = entry.common.label.as_ref().map(|label| context.text(label, &at.key("label")));
        if let Some(kind) = tile::compile(context, of.as_ref(), &entry.kind, &entry.options, &at) {
            let width = entry.common.width.unwrap_or_else(|| tile::default_width(&entry.options));
            compiled.insert(Key::from(key.as_str()), Tile { label, width, kind });
        }
    }
    Board {
        key: document.key.clone(),
        label: context.text(&author.label, &at.key("label")),
        of,
        roles: author.roles.iter().map(|role| Key::from(role.as_str())).collect(),
        range: report::params_range(context, &author.params, &at.key("params")),
        tiles: compiled,
    }
}
