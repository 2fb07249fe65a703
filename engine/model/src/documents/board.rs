//! `boards/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::Keyed;
use super::report::Params;
use super::tiles::Tile;
use crate::text::Text;

/// A page of tiles.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Shown to people.
    pub label: Text,
    /// The form whose records it is the page of: tiles may name the record as `record.x`.
    #[serde(rename = "for")]
    pub of: Option<String>,
    /// Who may open it; everybody who is logged in where empty.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What the reader may choose.
    #[serde(default)]
    pub params: Params,
    /// The tiles in order.
    #[schemars(extend("minProperties" = 1))]
    pub tiles: Keyed<Tile>,
}
