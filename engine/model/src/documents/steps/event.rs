//! Events: what a `wait` arms, and what may happen at the boundary of a step that waits.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Assignments, Next, RoundWord};
use crate::documents::common::{Formula, Given, expression, value_expression, values};
use crate::expr::Position;

/// An event: exactly one of `after`, `until`, `message` and `comment`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// That long after the step was entered: an ISO 8601 duration or `=expression`.
    #[schemars(extend("x-formwork-expression" = value_expression("duration", Position::Workflow)))]
    pub after: Option<Given>,
    /// With `after`: in open hours and working days of this calendar.
    pub calendar: Option<String>,
    /// With a calendar: `day_end` counts whole days, up to the end of the last.
    pub round: Option<RoundWord>,
    /// At that instant; a past one fires at once.
    #[schemars(extend("x-formwork-expression" = value_expression("datetime", Position::Workflow)))]
    pub until: Option<Given>,
    /// When such a message arrives with the same `key`.
    pub message: Option<String>,
    /// With `message`: what tells the one waited for from others, usually `record.id`.
    #[schemars(extend("x-formwork-expression" = expression("any", Position::Workflow)))]
    pub key: Option<Formula>,
    /// With `message`: only where this is true of what it carries (`event.x`).
    #[serde(rename = "if")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Event)))]
    pub condition: Option<Formula>,
    /// When somebody comments on the record for the public to see; `event.text` is what they say.
    pub comment: Option<CommentWord>,
    /// With `comment`: who has to comment.
    pub by: Option<CommentByWord>,
    /// At a boundary: whether the step ends by it (the default); if not, a second token goes on from `next`.
    pub interrupt: Option<bool>,
    /// Assigned when it fires; `event.x` is what a message carries.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = values("any", Position::Event)))]
    pub set: Assignments,
    /// Where it goes on.
    pub next: Next,
}

/// Which comments.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum CommentWord {
    /// Those that whoever follows the record without logging in sees.
    Public,
}

/// Whose comments.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum CommentByWord {
    /// Of people who are logged in.
    Staff,
    /// Of whoever follows the record.
    Public,
}
