//! `cases/<key>.json`: tests on a virtual clock. Their structure is checked here; the harness reads them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::text::Text;

/// A test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Shown in the transcript.
    pub label: Option<Text>,
    /// What is there before the first step.
    #[serde(default)]
    pub given: CaseGiven,
    /// The steps.
    #[schemars(length(min = 1))]
    pub steps: Vec<CaseStep>,
}

/// What is there before the first step.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseGiven {
    /// The virtual clock: an RFC 3339 instant.
    pub clock: Option<String>,
    /// Users by name.
    pub users: IndexMap<String, CaseUser>,
    /// Records by form and name.
    pub records: IndexMap<String, IndexMap<String, Map<String, Value>>>,
}

/// A user of the test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseUser {
    /// Roles.
    pub roles: Vec<String>,
    /// Queues served.
    pub queues: Vec<String>,
}

/// A step: one verb, or an expectation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseStep {
    /// Who acts: a user of `given`, `public` or `system`.
    #[serde(rename = "as")]
    pub actor: Option<String>,
    /// Creates a record: form → values.
    #[schemars(extend("maxProperties" = 1, "minProperties" = 1))]
    pub create: Option<IndexMap<String, Map<String, Value>>>,
    /// Changes records: name → values.
    pub update: Option<IndexMap<String, Map<String, Value>>>,
    /// Deletes a record by name.
    pub delete: Option<String>,
    /// Reads a record by name.
    pub read: Option<String>,
    /// Lists records.
    pub list: Option<Map<String, Value>>,
    /// Acts on a task.
    pub task: Option<Map<String, Value>>,
    /// Moves the clock: an ISO 8601 duration.
    pub advance: Option<String>,
    /// Evaluates a form session.
    pub evaluate: Option<Map<String, Value>>,
    /// Imports a file.
    pub import: Option<Map<String, Value>>,
    /// Stops and starts the server.
    pub crash: Option<Value>,
    /// Deploys a changed pack.
    pub deploy: Option<Value>,
    /// The name of the record made.
    pub save: Option<String>,
    /// How the verb is refused.
    pub fails: Option<CaseFailure>,
    /// What holds now.
    pub expect: Option<CaseExpectation>,
}

/// How a verb is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFailure {
    /// The rejection's code.
    pub code: Option<String>,
    /// A pointer into the values.
    pub at: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
}

/// What holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseExpectation {
    /// A record by name.
    pub record: Option<String>,
    /// Its fields.
    pub fields: Option<Map<String, Value>>,
    /// An open task of the record.
    pub task: Option<Value>,
    /// Messages sent.
    pub sent: Option<Vec<Value>>,
    /// A metric.
    pub metric: Option<String>,
    /// Its value.
    pub value: Option<Value>,
    /// Its rows.
    pub n: Option<u64>,
    /// How many: a number, or form and condition.
    pub count: Option<Value>,
    /// An instance.
    pub instance: Option<Value>,
}
