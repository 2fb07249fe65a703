//! What a clock reads and writes: its conditions, its row and timer, the fields of the record, the history.

use chrono::{DateTime, Utc};
use serde_json::json;

use formwork_model::expr::Expr;
use formwork_model::pack::sla::Sla;
use formwork_model::value::Duration;
use formwork_model::{Key, Value};

use super::super::run::{Halt, Run, incident};
use super::{CLOCK, counting, out_of_range};
use crate::Stop;
use crate::clock::{Clock, Counting};
use crate::instance::{InstanceStatus, TimerRow};
use crate::wire::{instant_text, render};

impl<'a> Run<'_, 'a> {
    /// The record's fields hold when the clock is due and how it stands.
    pub(super) fn show(&mut self, sla: &'a Sla) -> Result<(), Halt> {
        let Some(clock) = self.newest(sla) else { return Ok(()) };
        let form = self.workflow.form.as_ref().and_then(|form| self.pack.forms().get(form));
        let due = clock.due_at.filter(|_| clock.is_open());
        let values = [
            (sla.due, due.map_or(Value::Null, Value::DateTime)),
            (sla.status, Value::Text(clock.state.name().to_owned())),
        ];
        let mut wrote = false;
        for (position, value) in values {
            let key = form.zip(position).and_then(|(form, position)| form.fields.get(position)).map(|field| &field.key);
            let Some((session, key)) = self.session.as_mut().zip(key) else { continue };
            let Some((place, _)) = session.form().field(key) else { continue };
            if session.record().values[place] != value {
                session.assign(place, value);
                wrote = true;
            }
        }
        if let Some(session) = self.session.as_mut().filter(|_| wrote) {
            session.derive()?;
            let needs = session.take_needs();
            if !needs.is_empty() {
                return Err(Stop::Need(needs).into());
            }
        }
        Ok(())
    }

    /// The clock of the newest cycle, as it is now.
    pub(super) fn newest(&self, sla: &Sla) -> Option<Clock> {
        let record = self.instance.record.as_ref()?;
        let changed = self.turn.change.clocks.iter();
        let all = changed.chain(self.turn.context.facts.clocks.get(record).into_iter().flatten());
        let mine = all.filter(|clock| clock.instance == self.instance.id && clock.sla == sla.key);
        // Of two that are equal, the one that was changed stands first.
        mine.fold(None, |newest: Option<&Clock>, clock| match newest {
            Some(newest) if newest.cycle >= clock.cycle => Some(newest),
            _ => Some(clock),
        })
        .cloned()
    }

    /// The clock as it is now, and its timer.
    pub(super) fn put_clock(&mut self, clock: Clock) {
        self.turn.disarm(clock.id);
        if let Some(due_at) = clock.next_rung_at {
            // Moved, not removed and set: one statement writes both.
            self.turn.change.timers_removed.retain(|removed| *removed != clock.id);
            self.turn.change.timers_set.push(TimerRow {
                id: clock.id,
                instance: clock.instance,
                pack: self.pack.key().clone(),
                activation: CLOCK,
                event: clock.sla.clone(),
                due_at,
            });
        }
        self.turn.change.put_clock(clock);
    }

    pub(super) fn cut(&mut self, sla: &Sla, clock: &mut Clock, cause: &'static str) -> Result<(), Halt> {
        let (at, actor) = (self.turn.context.at, self.turn.actor().user);
        let counting = self.counting(sla, clock)?;
        let segment = clock.cut(at, cause, actor, counting).ok_or_else(|| out_of_range(sla))?;
        self.turn.change.clock_segments.push(segment);
        Ok(())
    }

    pub(super) fn project(&self, sla: &Sla, clock: &mut Clock) -> Result<(), Halt> {
        clock.project(sla, self.counting(sla, clock)?).ok_or_else(|| out_of_range(sla))
    }

    pub(super) fn counting(&self, sla: &Sla, clock: &Clock) -> Result<Counting<'a>, Halt> {
        let found = counting(self.turn, clock.calendar.as_ref(), &clock.calendar_version);
        found.or_else(|| counting(self.turn, clock.calendar.as_ref(), self.turn.context.pack.hash())).ok_or_else(|| {
            let key = clock.calendar.as_deref().unwrap_or_default();
            incident(&sla.key, "no_calendar", format!("there is no calendar `{key}`"))
        })
    }

    pub(super) fn holds(&self, sla: &Sla, condition: Option<&Expr>) -> Result<bool, Halt> {
        condition.map_or(Ok(false), |condition| self.evaluated(&sla.key, |scene| scene.holds(condition)))
    }

    pub(super) fn budget(&self, sla: &Sla) -> Result<Option<Duration>, Halt> {
        let value = self.evaluated(&sla.key, |scene| scene.setting(&sla.budget))?;
        Ok(if let Value::Duration(budget) = value { Some(budget) } else { None })
    }

    pub(super) fn calendar_of(&self, sla: &Sla) -> Result<Option<Key>, Halt> {
        let Some(setting) = &sla.calendar else { return Ok(None) };
        let value = self.evaluated(&sla.key, |scene| scene.setting(setting))?;
        Ok(if let Value::Text(key) = value { Some(key.as_str().into()) } else { None })
    }

    /// What the time is told apart by, as a text.
    pub(super) fn split(&self, sla: &Sla) -> Result<Option<String>, Halt> {
        let form = self.workflow.form.as_ref().and_then(|form| self.pack.forms().get(form));
        let Some((field, session)) =
            form.zip(sla.split).and_then(|(form, at)| form.fields.get(at)).zip(self.session.as_ref())
        else {
            return Ok(None);
        };
        let value = session.form().field(&field.key).map(|(place, _)| &session.record().values[place]);
        Ok(value.and_then(|value| match render(value, field.ty()) {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }))
    }

    pub(super) fn is_over(&self) -> bool {
        !matches!(self.instance.status, InstanceStatus::Running | InstanceStatus::Failed)
    }

    /// A row of the history: when it is due now.
    pub(super) fn told(&mut self, kind: &str, clock: &Clock) {
        let data = json!({"workflow": clock.workflow, "sla": clock.sla, "cycle": clock.cycle,
            "state": clock.state.name(), "due_at": clock.due_at.map(instant_text)});
        self.note(kind, None, data);
    }

    /// A row of the history: what moved, and why.
    pub(super) fn moved(&mut self, clock: &Clock, was_due: Option<DateTime<Utc>>, cause: &str) {
        let data = json!({"workflow": clock.workflow, "sla": clock.sla, "cycle": clock.cycle,
            "state": clock.state.name(), "cause": cause, "was_due": was_due.map(instant_text),
            "due_at": clock.due_at.map(instant_text)});
        self.note("clock.rebased", None, data);
    }
}
