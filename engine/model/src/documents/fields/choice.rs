//! The field type `choice`: one of the options.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::documents::common::Keyed;
use crate::text::Text;

/// One of the options.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The options by key, in the order shown.
    #[schemars(schema_with = "options")]
    pub options: Keyed<ChoiceOption>,
    /// What each option may change into; one that is not named stays. Any change where absent.
    pub transitions: Option<IndexMap<String, Vec<String>>>,
}

/// Options are values, not names: `P1` is one, too.
fn options(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_]{0,47}$"},
        "additionalProperties": generator.subschema_for::<ChoiceOption>()
    })
}

/// An option.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceOption {
    /// Shown to people; the key where absent.
    pub label: Option<Text>,
    /// Keys this option had before.
    #[serde(default)]
    pub was: Vec<String>,
}
