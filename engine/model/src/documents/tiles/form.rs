//! The tile `form`: a new record, with values it starts with.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Given, Keyed, values};
use crate::expr::Position;

/// Values a new record starts with: literals, or `=` and an expression over the board's `record`.
pub type Presets = Keyed<Given>;

/// A new record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The form.
    pub form: String,
    /// Values it starts with; the person may change them, and they are checked like any other.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = preset_schema()))]
    pub set: Presets,
}

/// The schema of one preset.
pub(super) fn preset_schema() -> serde_json::Value {
    values("the field's type", Position::Preset)
}
