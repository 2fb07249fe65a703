//! The field type `backlink`: records of another form that link here.

use schemars::JsonSchema;
use serde::Deserialize;

/// Records of another form that link here.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backlink {
    /// The other form's link field: `interaction.ticket`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,47}\.[a-z][a-z0-9_]{0,47}$"))]
    pub from: String,
}
