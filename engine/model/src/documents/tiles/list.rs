//! The tile `list`: records of a view.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// Records of a view.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The form.
    pub form: String,
    /// The view.
    pub view: String,
    /// Only these.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Tile)))]
    pub filter: Option<Formula>,
    /// Most rows.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
}

fn limit_default() -> u32 {
    10
}
