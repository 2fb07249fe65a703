//! A clock of a workflow (workflow.md §3.1): how long something may take, and how much of that is gone.
//!
//! ```text
//! started ─► running ⇄ paused ─► met | breached | cancelled
//!               └── rungs, each once ──► breached, and runs on until it is stopped
//! ```
//! The truth is the budget and the segments, an append-only ledger of what was run, paused and closed. When it is due
//! is projected from them, by the calendar as it is now; what is over keeps the calendar of its day.

mod counting;
mod project;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Key;

pub(crate) use counting::Counting;

/// One measurement: a clock of an instance, in one of its cycles.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    /// Follows from instance, clock and cycle.
    pub id: Uuid,
    /// The instance it lives with.
    pub instance: Uuid,
    /// Its workflow.
    pub workflow: Key,
    /// The record.
    pub record: (Key, Uuid),
    /// Which of the workflow's clocks.
    pub sla: Key,
    /// Counted from 1.
    pub cycle: u32,
    /// How it stands.
    pub state: ClockState,
    /// What the budget said, as ISO 8601; none where there is nothing to keep.
    pub budget_text: Option<String>,
    /// The budget in open time.
    pub budget_ms: i64,
    /// What the end of the open time is moved to.
    pub edge: Edge,
    /// The calendar it is counted by.
    pub calendar: Option<Key>,
    /// Hash of the pack whose calendar the running segment is counted by.
    pub calendar_version: String,
    /// Open time of the run segments that are over.
    pub consumed_ms: i64,
    /// Time it stood still, as the wall clock has it.
    pub paused_ms: i64,
    /// Time between a stop and going on again.
    pub closed_ms: i64,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Since when it is as it is now: running, paused or stopped.
    pub since: DateTime<Utc>,
    /// Whether the running segment runs.
    pub runs: bool,
    /// When it is due; of a breached clock, when it was. None while it is paused, and once it is stopped in time.
    pub due_at: Option<DateTime<Utc>>,
    /// When the next rung is reached; none unless it runs.
    pub next_rung_at: Option<DateTime<Utc>>,
    /// When it was stopped.
    pub stopped_at: Option<DateTime<Utc>>,
    /// When its time was up.
    pub breached_at: Option<DateTime<Utc>>,
    /// When that was noticed.
    pub detected_at: Option<DateTime<Utc>>,
    /// Rungs that were reached.
    pub fired: Vec<Key>,
    /// Of a stopped clock with cycles: whether its start was false since.
    pub armed: bool,
    /// What the running segment is told apart by.
    pub split: Option<String>,
    /// Whether it is due after the last day its calendar knows of.
    pub provisional: bool,
    /// Segments so far.
    pub segments: u32,
}

/// How a clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// There is nothing to keep.
    Unbound,
    /// It runs.
    Running,
    /// It stands still.
    Paused,
    /// It was stopped in time.
    Met,
    /// Its time was up before it was stopped: that is never taken back.
    Breached,
    /// It was given up.
    Cancelled,
}

/// What the end of the open time is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Nothing: it is the instant at which the open time is used up.
    Closing,
    /// Of days that end where a day opens: the next opening.
    Opening,
    /// The end of the day.
    DayEnd,
}

/// A piece of the ledger of a clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The clock.
    pub clock: Uuid,
    /// Counted from 1.
    pub number: u32,
    /// `run`, `pause` or `closed`.
    pub kind: &'static str,
    /// Its first instant.
    pub from: DateTime<Utc>,
    /// Its end.
    pub to: DateTime<Utc>,
    /// Open time of a run.
    pub consumed_ms: i64,
    /// Hash of the pack whose calendar it was counted by.
    pub calendar_version: String,
    /// What ended it: `pause resume stop cancel rebase calendar split reopen end`.
    pub cause: &'static str,
    /// Who ended it; none for the system.
    pub actor: Option<Uuid>,
    /// What it is told apart by.
    pub split: Option<String>,
}

/// A rung that was reached: its key is what makes it happen once.
#[derive(Debug, Clone, PartialEq)]
pub struct RungReached {
    /// The clock.
    pub clock: Uuid,
    /// The rung.
    pub rung: Key,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// When it happened.
    pub fired_at: DateTime<Utc>,
}

impl ClockState {
    /// The word for callers and status fields.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unbound => "none",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Met => "met",
            Self::Breached => "breached",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Unbound, Self::Running, Self::Paused, Self::Met, Self::Breached, Self::Cancelled];
        all.into_iter().find(|state| state.name() == name)
    }
}

impl Edge {
    /// The word in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::Opening => "opening",
            Self::DayEnd => "day_end",
        }
    }

    /// The edge of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Closing, Self::Opening, Self::DayEnd].into_iter().find(|edge| edge.name() == name)
    }
}

impl Clock {
    /// Whether it is still to be stopped.
    pub fn is_open(&self) -> bool {
        self.stopped_at.is_none()
    }

    /// Whether it stands still, breached or not.
    pub fn is_paused(&self) -> bool {
        self.is_open() && !self.runs && self.state != ClockState::Unbound
    }

    /// Wall time from start to stop, or to `at`, without the time it was closed.
    pub fn elapsed_ms(&self, at: DateTime<Utc>) -> i64 {
        (self.stopped_at.unwrap_or(at) - self.started_at).num_milliseconds() - self.closed_ms
    }
}

impl Segment {
    /// The cause of that name.
    pub fn cause_named(name: &str) -> Option<&'static str> {
        const CAUSES: [&str; 9] = ["pause", "resume", "stop", "cancel", "rebase", "calendar", "split", "reopen", "end"];
        CAUSES.into_iter().find(|cause| *cause == name)
    }
}
