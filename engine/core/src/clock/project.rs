//! From budget and segments to points in time.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::expr::duration::format_iso;
use formwork_model::pack::sla::{Again, Rung, RungAt, Sla};
use formwork_model::value::Duration;

use super::{Clock, ClockState, Counting, Edge, Segment};

/// Percent of the budget at which a clock is due.
const WHOLE: u32 = 100;

impl Clock {
    /// Gives the clock a budget: days become open time once, counted from when it started. Nothing where that is out of
    /// reach.
    pub(crate) fn endow(&mut self, budget: &Duration, day_end: bool, counting: Counting<'_>) -> Option<()> {
        let due = counting.add(self.started_at, budget, day_end)?;
        self.budget_ms = match budget.days == 0 && budget.months == 0 {
            true => budget.milliseconds,
            false => counting.open_ms(self.started_at, due)?,
        };
        self.edge = match day_end {
            true => Edge::DayEnd,
            // Days end where they end, also where as much open time is used up the evening before.
            false if counting.later(self.started_at, self.budget_ms)? != due => Edge::Opening,
            false => Edge::Closing,
        };
        self.budget_text = Some(format_iso(budget));
        Some(())
    }

    /// Projects when it is due and what comes next. Nothing where that is out of reach.
    pub(crate) fn project(&mut self, sla: &Sla, counting: Counting<'_>) -> Option<()> {
        // Of a breached clock stays when its time was up.
        if self.breached_at.is_none() {
            self.due_at = match self.runs && self.is_open() {
                true => Some(self.due(counting)?),
                false => None,
            };
            self.provisional = self.due_at.is_some_and(|due| counting.is_beyond(due));
        }
        self.next_rung_at = match self.runs && self.is_open() {
            true => self.ahead(sla, counting)?.into_iter().map(|(at, _)| at).min(),
            false => None,
        };
        Some(())
    }

    /// Rungs that are still to be reached, in the order in which they are. Nothing where one is out of reach.
    pub(crate) fn ahead<'s>(&self, sla: &'s Sla, counting: Counting<'_>) -> Option<Vec<(DateTime<Utc>, &'s Key)>> {
        if !self.runs || !self.is_open() {
            return Some(Vec::new());
        }
        let mut ahead = Vec::new();
        for (key, rung) in sla.rungs.iter().filter(|(key, _)| !self.fired.contains(key)) {
            ahead.push((self.position(rung, counting)?, key));
        }
        ahead.sort_by_key(|(at, _)| *at);
        Some(ahead)
    }

    fn position(&self, rung: &Rung, counting: Counting<'_>) -> Option<DateTime<Utc>> {
        match rung.at {
            RungAt::Percent(WHOLE) => self.due(counting),
            RungAt::Percent(percent) => {
                let share = i128::from(self.budget_ms) * i128::from(percent) / i128::from(WHOLE);
                let left = i64::try_from(share).ok()?.checked_sub(self.consumed_ms)?;
                counting.later(self.since, left.max(0))
            }
            RungAt::Due(after) => {
                let due = self.breached_at.or(self.due_at);
                let due = due.map_or_else(|| self.due(counting), Some)?;
                // What would have been earlier than this segment is reached with it.
                counting.add(due, &after, false).map(|at| at.max(self.since))
            }
        }
    }

    /// When the running segment uses up what is left.
    fn due(&self, counting: Counting<'_>) -> Option<DateTime<Utc>> {
        let left = self.budget_ms.checked_sub(self.consumed_ms)?;
        if left < 0 {
            return Some(self.since);
        }
        let at = counting.later(self.since, left)?;
        match self.edge {
            Edge::Closing => Some(at),
            Edge::Opening => counting.opening(at),
            Edge::DayEnd => counting.day_end(at),
        }
    }

    /// Ends the segment that is running, paused or closed, and enters it in the ledger.
    pub(crate) fn cut(
        &mut self,
        at: DateTime<Utc>,
        cause: &'static str,
        actor: Option<Uuid>,
        counting: Counting<'_>,
    ) -> Option<Segment> {
        let wall = (at - self.since).num_milliseconds();
        let (kind, consumed) = match (self.stopped_at, self.runs) {
            (Some(_), _) => ("closed", 0),
            (None, true) => ("run", counting.open_ms(self.since, at)?),
            (None, false) => ("pause", 0),
        };
        match kind {
            "closed" => self.closed_ms += wall,
            "run" => self.consumed_ms += consumed,
            _ => self.paused_ms += wall,
        }
        self.segments += 1;
        let segment = Segment {
            clock: self.id,
            number: self.segments,
            kind,
            from: self.since,
            to: at,
            consumed_ms: consumed,
            calendar_version: self.calendar_version.clone(),
            cause,
            actor,
            split: self.split.clone(),
        };
        self.since = at;
        Some(segment)
    }

    /// It stops, and how.
    pub(crate) fn end(&mut self, at: DateTime<Utc>, state: ClockState) {
        // A breach is never taken back.
        if self.state != ClockState::Breached && self.state != ClockState::Unbound {
            self.state = state;
        }
        self.stopped_at = Some(at);
        self.runs = false;
        self.armed = false;
        self.next_rung_at = None;
        if self.breached_at.is_none() {
            self.due_at = None;
        }
    }

    /// Whether it may begin again: it was not given up, or has cycles.
    pub(crate) fn may_begin_again(&self, sla: &Sla) -> bool {
        self.state != ClockState::Cancelled || sla.again == Again::Cycle
    }
}
