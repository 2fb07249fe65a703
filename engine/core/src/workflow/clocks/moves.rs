//! What becomes of a clock that was started.

use formwork_model::expr::duration::format_iso;
use formwork_model::pack::sla::{Again, Sla};

use super::super::run::{Halt, Run};
use super::counting;
use crate::clock::{Clock, ClockState, Counting};

impl<'a> Run<'_, 'a> {
    /// Cancel, stop, pause, resume, rebase, in that order.
    pub(super) fn steer(&mut self, sla: &'a Sla, clock: &mut Clock) -> Result<(), Halt> {
        if self.holds(sla, sla.cancel_if.as_ref())? {
            return self.end_clock(sla, clock, ClockState::Cancelled, "cancel");
        }
        if self.holds(sla, Some(&sla.stop_if))? {
            return self.end_clock(sla, clock, ClockState::Met, "stop");
        }
        if self.is_over() {
            return self.end_clock(sla, clock, ClockState::Cancelled, "end");
        }
        if clock.state != ClockState::Unbound {
            let pauses = self.holds(sla, sla.pause_if.as_ref())?;
            if pauses == clock.runs {
                self.cut(sla, clock, if pauses { "pause" } else { "resume" })?;
                clock.runs = !pauses;
                if clock.state != ClockState::Breached {
                    clock.state = if pauses { ClockState::Paused } else { ClockState::Running };
                }
                self.project(sla, clock)?;
                self.told(if pauses { "clock.paused" } else { "clock.resumed" }, clock);
            }
        }
        self.rebase(sla, clock)?;
        let split = self.split(sla)?;
        if split != clock.split {
            if clock.state != ClockState::Unbound {
                self.cut(sla, clock, "split")?;
                self.project(sla, clock)?;
            }
            clock.split = split;
        }
        Ok(())
    }

    pub(super) fn end_clock(
        &mut self,
        sla: &'a Sla,
        clock: &mut Clock,
        state: ClockState,
        cause: &'static str,
    ) -> Result<(), Halt> {
        if clock.state != ClockState::Unbound {
            self.cut(sla, clock, cause)?;
        }
        clock.end(self.turn.context.at, state);
        clock.armed = sla.again == Again::Cycle && !self.holds(sla, Some(&sla.start_if))?;
        let kind = match clock.state {
            ClockState::Met => "clock.met",
            ClockState::Cancelled => "clock.cancelled",
            _ => "clock.stopped",
        };
        self.told(kind, clock);
        Ok(())
    }

    /// Another budget or calendar: what was consumed and paused stays, the rest is projected anew.
    pub(super) fn rebase(&mut self, sla: &'a Sla, clock: &mut Clock) -> Result<(), Halt> {
        if !sla.rebases {
            return Ok(());
        }
        let (budget, calendar) = (self.budget(sla)?, self.calendar_of(sla)?);
        if budget.as_ref().map(format_iso) == clock.budget_text && calendar == clock.calendar {
            return Ok(());
        }
        let was_due = clock.due_at;
        if clock.state == ClockState::Unbound {
            // There was nothing to keep so far.
            (clock.started_at, clock.since) = (self.turn.context.at, self.turn.context.at);
        } else {
            self.cut(sla, clock, "rebase")?;
        }
        clock.calendar = calendar;
        clock.calendar_version = self.turn.context.pack.hash().clone();
        match budget {
            Some(budget) => self.endow(sla, clock, &budget)?,
            None => {
                (clock.budget_text, clock.budget_ms, clock.runs) = (None, 0, false);
                if clock.state != ClockState::Breached {
                    clock.state = ClockState::Unbound;
                }
                self.project(sla, clock)?;
            }
        }
        self.moved(clock, was_due, "rebase");
        Ok(())
    }

    /// Another version of its calendar: what is over keeps the old one.
    pub(super) fn recount(&mut self, sla: &'a Sla, clock: &mut Clock) -> Result<(), Halt> {
        let running = self.turn.context.pack;
        if clock.calendar_version == *running.hash() {
            return Ok(());
        }
        let calendar_in = |hash: &str| counting(self.turn, clock.calendar.as_ref(), hash);
        let is_same = match (calendar_in(&clock.calendar_version), calendar_in(running.hash())) {
            (Some(Counting::Open(old)), Some(Counting::Open(new))) => old == new,
            (_, None) => return Ok(()),
            _ => true,
        };
        if is_same || !clock.runs {
            clock.calendar_version = running.hash().clone();
            return Ok(());
        }
        let was_due = clock.due_at;
        self.cut(sla, clock, "calendar")?;
        clock.calendar_version = running.hash().clone();
        self.project(sla, clock)?;
        self.moved(clock, was_due, "calendar");
        Ok(())
    }

    /// A stopped clock: whether another cycle is to begin. One that goes on itself does.
    pub(super) fn begins_again(&mut self, sla: &'a Sla, clock: &mut Clock) -> Result<bool, Halt> {
        if !clock.may_begin_again(sla) {
            return Ok(false);
        }
        if sla.again == Again::Cycle {
            let starts = self.holds(sla, Some(&sla.start_if))?;
            clock.armed |= !starts;
            return Ok(starts && clock.armed);
        }
        if self.holds(sla, Some(&sla.stop_if))? || self.holds(sla, sla.cancel_if.as_ref())? {
            return Ok(false);
        }
        if sla.again == Again::New {
            return Ok(true);
        }
        if clock.state != ClockState::Unbound {
            self.cut(sla, clock, "reopen")?;
        }
        clock.stopped_at = None;
        if clock.state != ClockState::Unbound {
            clock.runs = !self.holds(sla, sla.pause_if.as_ref())?;
            clock.state = match (clock.breached_at.is_some(), clock.runs) {
                (true, _) => ClockState::Breached,
                (false, true) => ClockState::Running,
                (false, false) => ClockState::Paused,
            };
        }
        clock.calendar_version = self.turn.context.pack.hash().clone();
        self.project(sla, clock)?;
        self.told("clock.reopened", clock);
        self.rebase(sla, clock)?;
        Ok(false)
    }
}
