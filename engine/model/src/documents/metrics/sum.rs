//! The metric type `sum`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};

/// A sum of the values that are not null.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Of what.
    #[schemars(extend("x-formwork-expression" = expression("number", "form", false)))]
    pub compute: Formula,
}
