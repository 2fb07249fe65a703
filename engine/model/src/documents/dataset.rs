//! `datasets/<key>.json`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Exact, Formula, Keyed, expression};
use crate::Key;
use crate::expr::Position;
use crate::pack::analytics::clocks_key;
use crate::text::Text;

/// A typed source: one row is one record, or one clock of one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Shown to people.
    pub label: Text,
    /// Where the rows come from.
    pub source: DatasetSource,
    /// Which records.
    #[serde(rename = "where")]
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Source)))]
    pub filter: Option<Formula>,
    /// Named instants and dates: fields of the form.
    #[schemars(extend("minProperties" = 1))]
    pub times: Keyed<String>,
    /// The time a metric uses unless it says otherwise.
    pub time: String,
    /// What metrics can be broken down by.
    #[serde(default)]
    pub dimensions: Keyed<Dimension>,
}

/// Where the rows come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetSource {
    /// The records of a form.
    pub form: Option<String>,
    /// The clocks that the workflows of a form have measured, one row a clock and cycle; `record.x` is the record's. Whoever
    /// reads the record counts them.
    pub clocks: Option<String>,
}

impl DatasetSource {
    /// The form whose records the rows are, or are of: theirs is the access.
    pub fn owner(&self) -> Option<&str> {
        self.form.as_deref().or(self.clocks.as_deref())
    }

    /// The table that is read.
    pub fn table(&self) -> Option<Key> {
        match (&self.form, &self.clocks) {
            (Some(form), None) => Some(form.as_str().into()),
            (None, Some(clocks)) => Some(clocks_key(clocks)),
            _ => None,
        }
    }
}

/// A dimension: a field or a computed value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Shown to people; the field's or the key where absent.
    pub label: Option<Text>,
    /// A field, reached over links to one record.
    pub field: Option<String>,
    /// A computed value.
    #[schemars(extend("x-formwork-expression" = expression("any", Position::Source)))]
    pub compute: Option<Formula>,
    /// Ascending edges of half-open classes, for numbers.
    #[serde(default)]
    pub edges: Vec<Exact>,
}
