//! The metric type `max`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// The greatest of the values that are not null.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Max {
    /// Of what.
    #[schemars(extend("x-formwork-expression" = expression("number", Position::Source)))]
    pub compute: Formula,
}
