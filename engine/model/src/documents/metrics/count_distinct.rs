//! The metric type `count_distinct`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// How many different values there are, null apart.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountDistinct {
    /// Of what: one value, no list.
    #[schemars(extend("x-formwork-expression" = expression("any", Position::Source)))]
    pub compute: Formula,
}
