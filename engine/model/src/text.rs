//! Text shown to people, in one or several languages.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Text shown to people: one string, or a map by BCP 47 language tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// The same in every language.
    Plain(String),
    /// By language tag, in the order of the file.
    Languages(IndexMap<String, String>),
}

impl Text {
    /// The text in `language`; else in the first language given.
    pub fn get(&self, language: &str) -> &str {
        match self {
            Text::Plain(text) => text,
            Text::Languages(map) => {
                map.get(language).or_else(|| map.values().next()).map(String::as_str).unwrap_or_default()
            }
        }
    }

    /// The text in every language it has.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let (plain, languages) = match self {
            Text::Plain(text) => (Some(text), None),
            Text::Languages(map) => (None, Some(map.values())),
        };
        plain.into_iter().chain(languages.into_iter().flatten()).map(String::as_str)
    }

    /// Whether the text exists in `language`.
    pub fn has(&self, language: &str) -> bool {
        match self {
            Text::Plain(_) => true,
            Text::Languages(map) => map.contains_key(language),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::Plain(text.to_owned())
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    // Written by hand: derived it would be an `anyOf`, whose errors nobody can read.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Text shown to people: one string, or a map by BCP 47 language tag.",
            "type": ["string", "object"],
            "minProperties": 1,
            "propertyNames": {"pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"},
            "additionalProperties": {"type": "string"}
        })
    }
}
