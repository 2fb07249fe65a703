//! Parts that documents of several kinds share.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::expr::Position;

/// What a key of a definition looks like.
pub const KEY_PATTERN: &str = "^[a-z][a-z0-9_]{0,47}$";

/// A map whose keys are ids; the order of the file is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Keyed<T>(pub IndexMap<String, T>);

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<T> Deref for Keyed<T> {
    type Target = IndexMap<String, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Keyed<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = indexmap::map::Iter<'a, String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: JsonSchema> JsonSchema for Keyed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Keyed{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": KEY_PATTERN},
            "additionalProperties": generator.subschema_for::<T>()
        })
    }
}

/// A bare expression: the author's text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Formula(pub String);

impl JsonSchema for Formula {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Formula".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "x-formwork-expression": {"type": "any"}})
    }
}

/// A value: a JSON literal, or a string starting with `=` that holds an expression.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Given(pub Value);

impl Given {
    /// The expression after the `=`.
    pub fn formula(&self) -> Option<&str> {
        self.0.as_str().and_then(|text| text.strip_prefix('='))
    }
}

impl JsonSchema for Given {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Given".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mark = value_expression("any", Position::Workflow);
        json_schema!({"type": ["string", "number", "boolean", "null"], "x-formwork-expression": mark})
    }
}

/// `true` (every record), `false` (none) or a condition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Rows {
    /// Every record or none.
    All(bool),
    /// The records for which this is true.
    When(String),
}

impl Default for Rows {
    fn default() -> Self {
        Rows::All(false)
    }
}

impl JsonSchema for Rows {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rows".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["boolean", "string"],
            "x-formwork-expression": expression("boolean", Position::Rows)
        })
    }
}

/// A decimal written as a number or as a decimal string.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Exact(pub Value);

impl JsonSchema for Exact {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Exact".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
    }
}

/// The level of a field: `none`, `mask`, `read`, `write`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LevelWord {
    /// It does not exist.
    None,
    /// Its shape is shown.
    Mask,
    /// It is shown.
    Read,
    /// It is shown and written.
    Write,
}

/// What `x-formwork-expression` says of a key: what the expression gives and, by where it stands, what it may name.
pub(crate) fn expression(result: &str, position: Position) -> Value {
    position.mark(result)
}

/// [`expression`] for a key that holds a literal, or `=` and an expression.
pub(crate) fn value_expression(result: &str, position: Position) -> Value {
    let mut mark = position.mark(result);
    mark["prefix"] = json!("=");
    mark
}

/// The schema of a literal, or `=` and an expression, in a list or map: [`value_expression`] of each.
pub(crate) fn values(result: &str, position: Position) -> Value {
    let mark = value_expression(result, position);
    json!({"type": ["string", "number", "boolean", "null"], "x-formwork-expression": mark})
}

/// The schema of the expressions in a list or map, with [`expression`] of each.
pub(crate) fn formulas(result: &str, position: Position) -> Value {
    json!({"type": "string", "minLength": 1, "x-formwork-expression": expression(result, position)})
}

/// An open registry: the values of a key `type`, each with an option struct of its own.
pub(crate) trait Registry: Sized {
    /// The name of the entry in schemas: `Field`.
    const NAME: &'static str;
    /// The kinds, as written in `type`.
    const KINDS: &'static [&'static str];

    /// Decodes the keys that are this kind's own.
    fn decode(kind: &str, own: Value) -> Result<Self, serde_json::Error>;

    /// The schema of each kind's own keys.
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema>;
}

/// An entry of an open registry: the keys all kinds share, and those of its own kind.
#[derive(Debug, Clone)]
pub struct Entry<C, O> {
    /// The word in `type`.
    pub kind: String,
    /// Keys every kind has.
    pub common: C,
    /// Keys of this kind.
    pub options: O,
}

impl<'de, C: DeserializeOwned + JsonSchema + 'static, O: Registry> Deserialize<'de> for Entry<C, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut own: Map<String, Value> = Map::deserialize(deserializer)?;
        let kind = match own.shift_remove("type") {
            Some(Value::String(kind)) => kind,
            _ => return Err(D::Error::missing_field("type")),
        };
        let mut common = Map::new();
        for key in keys_of::<C>().iter() {
            if let Some(value) = own.shift_remove(key) {
                common.insert(key.clone(), value);
            }
        }
        let common = serde_json::from_value(Value::Object(common)).map_err(D::Error::custom)?;
        let options = O::decode(&kind, Value::Object(own)).map_err(D::Error::custom)?;
        Ok(Self { kind, common, options })
    }
}

impl<C: JsonSchema, O: Registry> JsonSchema for Entry<C, O> {
    fn schema_name() -> Cow<'static, str> {
        O::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = C::json_schema(generator);
        let own = O::schemas(generator);
        let object = schema.ensure_object();
        object.remove("additionalProperties");
        let properties = object.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.shift_insert(0, "type".to_owned(), json!({"enum": O::KINDS}));
        }
        let required = object.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(required) = required {
            required.insert(0, json!("type"));
        }
        let branches = O::KINDS.iter().zip(own).map(|(kind, mut own)| {
            own.remove("additionalProperties");
            json!({"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": own})
        });
        object.insert("allOf".to_owned(), branches.collect());
        object.insert("unevaluatedProperties".to_owned(), json!(false));
        schema
    }
}

/// The keys of a struct, from its schema, so that no second list of them exists. Worked out once per struct.
fn keys_of<T: JsonSchema + 'static>() -> Arc<[String]> {
    static KNOWN: LazyLock<Mutex<HashMap<TypeId, Arc<[String]>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .entry(TypeId::of::<T>())
        .or_insert_with(|| {
            let schema = T::json_schema(&mut SchemaGenerator::default());
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
        })
        .clone()
}

/// Declares an open registry: one line per kind, one file per kind.
macro_rules! registry {
    ($(#[$doc:meta])* $name:ident, $schema:literal, {
        $($(#[$kind_doc:meta])* $kind:literal => $module:ident :: $options:ident,)*
    }) => {
        $(mod $module;)*
        $(pub use $module::$options;)*

        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub enum $name { $($(#[$kind_doc])* $options($options),)* }

        impl $crate::documents::common::Registry for $name {
            const NAME: &'static str = $schema;
            const KINDS: &'static [&'static str] = &[$($kind),*];

            fn decode(kind: &str, own: serde_json::Value) -> Result<Self, serde_json::Error> {
                match kind {
                    $($kind => serde_json::from_value(own).map($name::$options),)*
                    _ => Err(serde::de::Error::unknown_variant(kind, Self::KINDS)),
                }
            }

            fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
                vec![$(<$options as schemars::JsonSchema>::json_schema(generator)),*]
            }
        }
    };
}
pub(crate) use registry;
