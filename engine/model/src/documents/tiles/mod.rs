//! Tiles of a board: the keys all kinds share, and the registry of kinds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Entry, registry};
use crate::text::Text as Words;

registry! {
    /// The keys a tile has of its own.
    TileOptions, "Tile", {
        /// One number.
        "metric" => metric::Metric,
        /// A report.
        "report" => report::Report,
        /// Records of a view.
        "list" => list::List,
        /// Words.
        "text" => text::Text,
        /// Tasks of the reader.
        "tasks" => tasks::Tasks,
        /// Fields of the board's record.
        "record" => record::Record,
        /// What happened to the board's record and around it.
        "timeline" => timeline::Timeline,
        /// What a decision proposes for the board's record.
        "rules" => rules::Rules,
        /// A new record.
        "form" => form::Form,
    }
}

pub use form::Presets;
pub use report::Set;
pub use tasks::BoxWord;

/// A tile.
pub type Tile = Entry<TileCommon, TileOptions>;

/// Keys of every tile.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TileCommon {
    /// Shown above it; that of its content where absent.
    pub label: Option<Words>,
    /// Of 12 columns.
    #[schemars(extend("enum" = [3, 4, 6, 8, 12]))]
    pub width: Option<u8>,
}
