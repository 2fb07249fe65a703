//! `forms/<key>.json`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, Keyed, LevelWord, Rows, expression};
use super::fields::Field;
use super::public::Public;
use crate::expr::Position;
use crate::text::Text;

/// A form: fields, rules, access, views and layout.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Form {
    /// What kind of form; `table` where absent.
    #[serde(default)]
    pub kind: FormKind,
    /// Shown to people.
    pub label: Text,
    /// The title of a record.
    #[schemars(extend("x-formwork-expression" = expression("text", Position::Title)))]
    pub title: Option<Formula>,
    /// Fields that name a record in files and URLs, unique together.
    #[serde(default)]
    pub natural_key: Vec<String>,
    /// Keys this form had before.
    #[serde(default)]
    pub was: Vec<String>,
    /// The fields in the order shown.
    #[schemars(extend("minProperties" = 1))]
    pub fields: Keyed<Field>,
    /// Rules over the whole record.
    #[serde(default)]
    pub rules: Keyed<Rule>,
    /// What must be unique among the records.
    #[serde(default)]
    pub unique: Keyed<Unique>,
    /// Indexes: fields, `-` in front for descending.
    #[serde(default)]
    pub indexes: Vec<Vec<String>>,
    /// What each role may do; nothing where absent.
    #[serde(default)]
    pub access: Keyed<Access>,
    /// Saved ways to look at the records.
    #[serde(default)]
    pub views: Keyed<View>,
    /// Sections of the page.
    #[serde(default)]
    pub layout: Keyed<Section>,
    /// What people who are not logged in do with it on pages of their own.
    pub public: Option<Public>,
}

/// What kind of form.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FormKind {
    /// Ordinary records.
    #[default]
    Table,
    /// Entries that are only ever added: nobody changes or deletes one, on no path.
    Log,
}

/// A rule over the record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Broken where this is not true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Rule)))]
    pub check: Formula,
    /// The field it is reported at.
    pub at: Option<String>,
    /// What is said.
    pub message: Text,
}

/// What must be unique. Nulls are distinct.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// Unique together.
    #[schemars(length(min = 1))]
    pub fields: Vec<String>,
    /// Only among these records.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Unique)))]
    pub filter: Option<Formula>,
}

/// What a role may do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Which records it reads.
    #[serde(default)]
    pub read: Rows,
    /// Whether it creates.
    #[serde(default)]
    pub create: bool,
    /// Which records it updates, before and after.
    #[serde(default)]
    pub update: Rows,
    /// Which records it deletes.
    #[serde(default)]
    pub delete: Rows,
    /// Levels by field, `#tag` or `*`; key over tag over `*`.
    #[serde(default)]
    pub fields: IndexMap<String, LevelWord>,
}

/// A saved list.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// What kind of view.
    #[serde(rename = "type")]
    pub kind: ViewKind,
    /// Shown to people; the key where absent.
    pub label: Option<Text>,
    /// The columns in order.
    #[schemars(length(min = 1))]
    pub columns: Vec<String>,
    /// Which records.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Rows)))]
    pub filter: Option<Formula>,
    /// Fields to sort by, `-` in front for descending.
    #[serde(default)]
    pub sort: Vec<String>,
}

/// What kind of view.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ViewKind {
    /// A list.
    List,
}

/// A section of the page.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Shown above it; the key where absent.
    pub label: Option<Text>,
    /// Fields side by side in rows.
    pub rows: Vec<Vec<String>>,
}
