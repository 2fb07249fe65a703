//! `sla` of a workflow: clocks that measure how long something may take.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Formula, Given, Keyed, expression, value_expression};
use super::steps::RoundWord;
use crate::expr::Position;
use crate::text::Text;

/// A clock. Its conditions are looked at after everything that touches the record or the instance.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sla {
    /// Shown to people.
    pub label: Text,
    /// It starts when this is true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Workflow)))]
    pub start_if: Formula,
    /// It stops when this is true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Workflow)))]
    pub stop_if: Formula,
    /// It stands still while this is true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Workflow)))]
    pub pause_if: Option<Formula>,
    /// It is given up when this is true: neither met nor missed.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Workflow)))]
    pub cancel_if: Option<Formula>,
    /// How long it may take: an ISO 8601 duration or `=expression`; there is nothing to keep where it is null.
    #[schemars(extend("x-formwork-expression" = value_expression("duration", Position::Workflow)))]
    pub budget: Given,
    /// Counted in open hours and working days of this calendar: its key or `=expression`; always where absent.
    #[schemars(extend("x-formwork-expression" = value_expression("text", Position::Workflow)))]
    pub calendar: Option<Given>,
    /// With a calendar: `day_end` counts whole days, up to the end of the last.
    pub round: Option<RoundWord>,
    /// The datetime field that holds when it is due; null while it does not run.
    pub due: Option<String>,
    /// The text or choice field that holds its state: `none running paused met breached cancelled`.
    pub status: Option<String>,
    /// Whether another budget or calendar moves it while it runs; `on_change` where absent.
    pub rebase: Option<RebaseWord>,
    /// What becomes of it when `stopIf` is true no longer; `continue` where absent.
    pub on_reopen: Option<ReopenWord>,
    /// Whether it begins anew whenever `startIf` becomes true after it has stopped.
    pub cycles: Option<bool>,
    /// The field whose values the time is told apart by.
    pub split: Option<String>,
    /// Points on the way at which something happens, `breach` among them.
    #[schemars(extend("minProperties" = 1))]
    pub rungs: Keyed<Rung>,
}

/// A point on the way.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// Percent of the budget (`80%`), or an ISO 8601 duration before (`-PT1H`) or after the clock is due.
    pub at: String,
    /// The step that begins then, beside what else runs; only noted where absent.
    #[serde(rename = "do")]
    pub step: Option<String>,
}

/// Whether another budget or calendar moves a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RebaseWord {
    /// What was consumed and paused stays, the rest counts anew.
    OnChange,
    /// It keeps what it started with.
    Never,
}

/// What becomes of a stopped clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ReopenWord {
    /// It goes on with what remains.
    Continue,
    /// Another begins, with the whole budget.
    New,
}
