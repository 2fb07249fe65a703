//! The step `notify`: a message.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::documents::common::{Given, Keyed, value_expression};

/// Leaves a message in the outbox; does not wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["to", "channels", "template", "next"]))]
pub struct Notify {
    /// The address; nothing is sent where it is null.
    #[schemars(extend("x-formwork-expression" = value_expression("text", "workflow")))]
    pub to: Given,
    /// The first channel that fits is used.
    #[schemars(length(min = 1))]
    pub channels: Vec<String>,
    /// The template.
    pub template: String,
    /// Values for the template, as `data.x`.
    #[serde(default)]
    pub data: Keyed<Given>,
}
