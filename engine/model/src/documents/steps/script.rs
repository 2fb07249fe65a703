//! The step `script`: a pure script.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Given, Keyed};

/// Runs `scripts/<key>.rhai`; its outputs are `step.<id>.<output>`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["script", "next"]))]
pub struct Script {
    /// The script.
    pub script: String,
    /// Inputs by variable.
    #[serde(default, rename = "in")]
    pub inputs: Keyed<Given>,
    /// Outputs and their types.
    #[serde(default, rename = "out")]
    pub outputs: Keyed<String>,
}
