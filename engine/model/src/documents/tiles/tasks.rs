//! The tile `tasks`: tasks of the reader.

use schemars::JsonSchema;
use serde::Deserialize;

/// Tasks of the reader.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// Which.
    #[serde(rename = "box")]
    pub tasks: BoxWord,
}

/// A box of the inbox.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum BoxWord {
    /// Assigned to the reader.
    Mine,
    /// Nobody's, and the reader is a candidate.
    Claimable,
    /// Of the queues and teams the reader leads.
    Team,
}
