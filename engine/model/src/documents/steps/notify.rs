//! The step `notify`: a message.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Given, Keyed, value_expression};
use crate::expr::Position;

/// Leaves a message in the outbox; does not wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["to", "channels", "template", "next"]))]
pub struct Notify {
    /// The address; nothing is sent where it is null.
    #[schemars(extend("x-formwork-expression" = value_expression("text", Position::Workflow)))]
    pub to: Given,
    /// The first channel that takes the address is used.
    #[schemars(length(min = 1))]
    pub channels: Vec<String>,
    /// The template.
    pub template: String,
    /// The recipient's language, `en` or `zh-CN`; the pack's first where it is null or there is no such text.
    #[schemars(extend("x-formwork-expression" = value_expression("text", Position::Workflow)))]
    pub language: Option<Given>,
    /// Values for the template, as `data.x`. The template reads nothing else: what a message gives away stands here.
    #[serde(default)]
    pub data: Keyed<Given>,
}
