//! The field type `link`: a record of another form.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Formula, expression};
use crate::expr::Position;

/// A record of another form.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Link {
    /// The form.
    pub to: String,
    /// Which records may be chosen: `it` is the candidate.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Candidate)))]
    pub filter: Option<Formula>,
    /// What happens here when the other record is deleted.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// What deleting the linked record does.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnDelete {
    /// It is refused.
    #[default]
    Restrict,
    /// The link becomes empty.
    Clear,
}
