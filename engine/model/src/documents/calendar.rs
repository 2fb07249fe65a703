//! `calendars/<key>.json`: when there is somebody there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::Keyed;
use crate::text::Text;

/// What an interval looks like: `08:30-12:00`; `24:00` is an end, `22:00-06:00` runs into the next day.
const INTERVAL_PATTERN: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
/// A date.
const DATE_PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

/// A business calendar: `work` beats `off` beats `week`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Shown to people.
    pub label: Text,
    /// IANA zone of the local times.
    pub timezone: String,
    /// The last day whose closed and make-up days are known: what is due later is provisional.
    #[schemars(regex(pattern = DATE_PATTERN))]
    pub covers: Option<String>,
    /// Open hours by weekday.
    pub week: Week,
    /// Days that are closed whatever the week says.
    #[serde(default)]
    pub off: Keyed<Off>,
    /// Days that are open like another weekday, whatever else says (调休).
    #[serde(default)]
    pub work: Keyed<Work>,
}

/// Open hours by weekday; a day that is absent is closed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the words say it")]
pub struct Week {
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub mon: Vec<String>,
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub tue: Vec<String>,
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub wed: Vec<String>,
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub thu: Vec<String>,
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub fri: Vec<String>,
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub sat: Vec<String>,
    #[schemars(inner(regex(pattern = INTERVAL_PATTERN)))]
    pub sun: Vec<String>,
}

/// Closed days: `from` and `to`, or one rule that returns every year.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Off {
    /// Shown to people; the key where absent.
    pub label: Option<Text>,
    /// The first of the days.
    #[schemars(regex(pattern = DATE_PATTERN))]
    pub from: Option<String>,
    /// The last of the days; the first where absent.
    #[schemars(regex(pattern = DATE_PATTERN))]
    pub to: Option<String>,
    /// Month and day of every year: `05-01`.
    #[schemars(regex(pattern = "^[0-9]{2}-[0-9]{2}$"))]
    pub yearly: Option<String>,
    /// Days after Easter Sunday (Gregorian) of every year; negative before.
    #[schemars(range(min = -100, max = 100))]
    pub easter: Option<i32>,
}

/// A day that is open like another weekday.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Shown to people; the key where absent.
    pub label: Option<Text>,
    /// The day.
    #[schemars(regex(pattern = DATE_PATTERN))]
    pub date: String,
    /// The weekday whose hours it has.
    #[serde(rename = "as")]
    pub like: WeekdayWord,
}

/// A weekday.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum WeekdayWord {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}
