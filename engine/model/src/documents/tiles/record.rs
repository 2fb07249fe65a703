//! The tile `record`: fields of the board's record.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, formulas};
use crate::expr::Position;

/// Fields of the board's record; as wide as the page it is the strip of highlights.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The fields in order; a path may follow links to one record: `customer.tier`.
    #[schemars(length(min = 1, max = 40), extend("items" = formulas("any", Position::Shown)))]
    pub fields: Vec<Formula>,
}
