//! The step `wait`: arms its events, the first that fires wins.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Event;
use crate::documents::common::Keyed;

/// Arms its events; the first that fires wins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The events.
    #[schemars(extend("minProperties" = 1))]
    pub events: Keyed<Event>,
}
