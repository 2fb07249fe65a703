//! `imports/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, Keyed, expression, formulas};
use crate::expr::Position;
use crate::text::Text;

/// How a file becomes records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Import {
    /// Shown to people.
    pub label: Text,
    /// Where the file comes from.
    pub source: ImportSource,
    /// Its format.
    pub format: ImportFormat,
    /// Its encoding; told from its bytes where absent.
    pub encoding: Option<Encoding>,
    /// Between columns; told from its first lines where absent.
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: Option<String>,
    /// The forms fed by each row, in this order: all of a row goes in, or nothing of it.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 8))]
    pub into: Keyed<Into>,
    /// What a value that does not fit does.
    #[serde(default)]
    pub on_error: OnErrorWord,
    /// Whether workflows start.
    #[serde(default)]
    pub starts: bool,
    /// Whether messages leave.
    #[serde(default)]
    pub notify: bool,
}

/// Where the file comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportSource {
    /// Always `upload`.
    #[serde(rename = "type")]
    pub kind: ImportSourceWord,
}

/// The word `upload`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ImportSourceWord {
    /// A person uploads it.
    Upload,
}

/// Formats of files.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ImportFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
}

/// Encodings of files.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Encoding {
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// GB18030, and with it GBK and GB 2312.
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// How a row becomes a record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Into {
    /// Fields that tell whether the record is there already.
    #[schemars(length(min = 1))]
    pub key: Vec<String>,
    /// Fields and their expressions over `row`.
    #[schemars(extend("minProperties" = 1, "additionalProperties" = formulas("the field's type", Position::Column)))]
    pub columns: Keyed<Formula>,
    /// Link fields, and the form fed before whose record of the same row they hold.
    #[serde(default)]
    pub links: Keyed<String>,
    /// Which rows.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Column)))]
    pub filter: Option<Formula>,
}

/// What a value that does not fit does.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnErrorWord {
    /// The row is refused.
    #[default]
    Reject,
    /// The field stays empty.
    Null,
}
