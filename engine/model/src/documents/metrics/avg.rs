//! The metric type `avg`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};

/// A mean of the values that are not null.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Avg {
    /// Of what.
    #[schemars(extend("x-formwork-expression" = expression("number", "form", false)))]
    pub compute: Formula,
}
