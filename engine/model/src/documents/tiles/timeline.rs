//! The tile `timeline`: what happened to the board's record and around it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::Keyed;

/// The record's history, comments, tasks and messages, and the records that link to it, newest first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// Forms whose records appear when they were filed, each with its link to the board's form.
    #[serde(default)]
    pub sources: Keyed<String>,
    /// Most items of a page.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 50))]
    pub limit: u32,
}

fn limit_default() -> u32 {
    20
}
