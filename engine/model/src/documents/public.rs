//! `public` of a form: pages for people who are not logged in.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, expression};
use crate::expr::Position;
use crate::text::Text;

/// Pages for people who are not logged in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Public {
    /// Whether it is filled in at `/p/{form}`, with the fields that the role `public` may write.
    #[serde(default)]
    pub form: bool,
    /// Said once it is sent: what happens next, and by when.
    pub thanks: Option<Text>,
    /// How many an address may send, such as `10/h per address`.
    #[schemars(regex(pattern = "^[1-9][0-9]{0,3}/(min|h|d) per address$"))]
    pub limit: Option<String>,
    /// How whoever sent it follows it at `/p/track`.
    pub track: Option<Track>,
}

/// How a record is followed by somebody who is not logged in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// What one must know: a field that no two records share, then others or the `last(field, n)` of them.
    #[schemars(length(min = 2, max = 4))]
    #[schemars(extend("items" = serde_json::json!({"x-formwork-expression": expression("text", Position::Proof)})))]
    pub by: Vec<Formula>,
    /// The fields shown.
    pub show: Vec<String>,
    /// Wrong tries on one reference before it is closed for a while, such as `5/h`; they are answered like any other.
    #[schemars(regex(pattern = "^[1-9][0-9]{0,3}/(min|h|d)$"))]
    pub lock: Option<String>,
}
