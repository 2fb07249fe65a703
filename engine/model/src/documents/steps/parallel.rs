//! The step `parallel`: branches that run at the same time.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::documents::common::Keyed;

/// A token for each branch; the steps reachable from their heads up to `join` are the block's own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["branches", "next"]))]
pub struct Parallel {
    /// The first step of each branch.
    #[schemars(extend("minProperties" = 2))]
    pub branches: Keyed<String>,
    /// When they have joined: `all` (the default), `any`, or `{"need": n}`.
    #[serde(default)]
    pub join: Join,
}

/// When the branches have joined. In any case they have once no token is left in the block.
#[derive(Debug, Clone, Copy, Default)]
pub enum Join {
    /// When no token is left in the block.
    #[default]
    All,
    /// When so many have arrived; the rest is cancelled.
    Need(u32),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Need {
    /// So many must arrive; the rest is cancelled.
    #[schemars(range(min = 1))]
    need: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    All,
    Any,
}

impl<'de> Deserialize<'de> for Join {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Word(Word),
            Need(Need),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Word(Word::All) => Self::All,
            Either::Word(Word::Any) => Self::Need(1),
            Either::Need(Need { need }) => Self::Need(need),
        })
    }
}

impl JsonSchema for Join {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Join".into()
    }

    // One schema for both forms, as for `Next`.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Need::json_schema(generator);
        schema.insert("type".to_owned(), serde_json::json!(["string", "object"]));
        schema.insert("pattern".to_owned(), "^(all|any)$".into());
        schema.insert("description".to_owned(), "`all`, `any`, or `{\"need\": n}`: the rest is cancelled.".into());
        schema
    }
}
