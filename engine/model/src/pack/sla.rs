//! Checked clocks of a workflow.

use indexmap::IndexMap;

use super::Setting;
use super::workflow::Target;
use crate::expr::Expr;
use crate::value::Duration;
use crate::{Key, Text};

/// The rung at which a clock is breached.
pub const BREACH: &str = "breach";
/// The states of a clock, as a status field holds them.
pub const STATES: [&str; 6] = ["none", "running", "paused", "met", "breached", "cancelled"];

/// A clock.
#[derive(Debug, Clone)]
pub struct Sla {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// It starts when this is true.
    pub start_if: Expr,
    /// It stops when this is true.
    pub stop_if: Expr,
    /// It stands still while this is true.
    pub pause_if: Option<Expr>,
    /// It is given up when this is true.
    pub cancel_if: Option<Expr>,
    /// How long it may take.
    pub budget: Setting,
    /// The calendar it is counted by; always open where absent.
    pub calendar: Option<Setting>,
    /// Whole days, up to the end of the last.
    pub day_end: bool,
    /// Position of the field that holds when it is due.
    pub due: Option<usize>,
    /// Position of the field that holds its state.
    pub status: Option<usize>,
    /// Whether another budget or calendar moves it.
    pub rebases: bool,
    /// What begins it again.
    pub again: Again,
    /// Position of the field whose values the time is told apart by.
    pub split: Option<usize>,
    /// Points on the way.
    pub rungs: IndexMap<Key, Rung>,
}

/// What begins a stopped clock again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// When it should not have stopped after all, it goes on.
    Continue,
    /// When it should not have stopped after all, another begins.
    New,
    /// When its start comes true once more, another begins.
    Cycle,
}

/// A point on the way.
#[derive(Debug, Clone)]
pub struct Rung {
    /// Where.
    pub at: RungAt,
    /// The step that begins then.
    pub step: Option<Target>,
}

/// Where a rung is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RungAt {
    /// Percent of the budget.
    Percent(u32),
    /// So long after the clock is due; before, where negative.
    Due(Duration),
}
