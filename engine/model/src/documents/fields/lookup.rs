//! The field type `lookup`: a field of the linked record.

use schemars::JsonSchema;
use serde::Deserialize;

/// A field of the linked record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The link field of this form.
    pub via: String,
    /// The field of the linked form.
    pub field: String,
    /// When the value is taken.
    #[serde(default)]
    pub snapshot: Snapshot,
}

/// When a lookup takes its value.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Snapshot {
    /// Once, when the record is created.
    OnCreate,
    /// Whenever the link changes.
    OnChange,
    /// Whenever it is read.
    #[default]
    Live,
}
