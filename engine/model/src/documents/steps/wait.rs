//! The step `wait`: arms its events, the first that fires wins.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Assignments;
use crate::documents::common::{Given, Keyed, value_expression};

/// Arms its events; the first that fires wins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The events.
    #[schemars(extend("minProperties" = 1))]
    pub events: Keyed<Event>,
}

/// An event: exactly one of `after` and `until`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// That long after the step was entered: an ISO 8601 duration or `=expression`.
    #[schemars(extend("x-formwork-expression" = value_expression("duration", "workflow")))]
    pub after: Option<Given>,
    /// At that instant; a past one fires at once.
    #[schemars(extend("x-formwork-expression" = value_expression("datetime", "workflow")))]
    pub until: Option<Given>,
    /// Assigned when it fires.
    #[serde(default)]
    pub set: Assignments,
    /// A step, or `end`.
    pub next: String,
}
