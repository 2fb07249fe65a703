//! The metric type `formula`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// Other metrics, calculated with: their finished numbers at the same place. Without one of them, and where it is divided by
/// zero, there is no number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calculated {
    /// Metrics, numbers, `+ - * /`, and `??` for what stands in where there is none.
    #[schemars(extend("x-formwork-expression" = expression("number", Position::Formula)))]
    pub compute: Formula,
}
