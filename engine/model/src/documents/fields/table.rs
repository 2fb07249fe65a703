//! The field type `table`: child rows.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::Field;
use crate::documents::common::{Keyed, KEY_PATTERN, Registry};

/// Child rows: a table of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Table {
    /// The fields of a row: scalar types only.
    #[schemars(schema_with = "row_fields")]
    pub fields: Keyed<Field>,
    /// Most rows.
    #[serde(default = "max_rows_default")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rows: u32,
    /// What must be unique among the rows of one record.
    #[serde(default)]
    pub unique: Keyed<Vec<String>>,
}

/// Kinds a child row cannot have.
const NOT_IN_ROWS: [&str; 4] = ["lookup", "series", "backlink", "table"];

fn max_rows_default() -> u32 {
    200
}

fn row_fields(generator: &mut SchemaGenerator) -> Schema {
    let mut field = generator.subschema_for::<Field>();
    let kinds = super::FieldOptions::KINDS.iter();
    let kinds: Vec<&str> = kinds.copied().filter(|kind| !NOT_IN_ROWS.contains(kind)).collect();
    field.insert("properties".to_owned(), serde_json::json!({"type": {"enum": kinds}}));
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": KEY_PATTERN},
        "additionalProperties": field
    })
}

