//! Clocks of running workflows (workflow.md §3.1): looked after at the end of every stimulus that touches their record or
//! instance.
//!
//! ```text
//! settle what was due ─► cancel ─► stop ─► pause ─► resume ─► rebase ─► start ─► what is due now
//! ```
//! Whatever touches a clock first settles it: being late never changes a verdict. A rung may set a step off, and what that
//! does may move the clocks again.

mod moves;
mod rows;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::sla::{BREACH, Sla};
use formwork_model::value::Duration;

use super::run::{Halt, Run, incident};
use crate::Stop;
use crate::acts::pinned;
use crate::clock::{Clock, ClockState, Counting, Edge, RungReached};
use crate::facts::Need;
use crate::form::Session;
use crate::ids::Ids;
use crate::instance::{Instance, InstanceStatus};
use crate::turn::Turn;
use crate::wire::instant_text;

/// The activation of timers that belong to no step, but to a clock. Those of steps count from 1.
pub(crate) const CLOCK: u64 = 0;
/// Most times the clocks of a record are looked at in one stimulus: a rung may move them, and each is reached once.
const PASSES_MAX: u32 = 32;

/// Looks after the clocks of a record, before what is written of it is checked.
pub(crate) fn tend<'a>(turn: &mut Turn<'a>, session: &mut Session<'a>) -> Result<(), Stop> {
    let record = (session.form().key.clone(), session.record().id);
    if !is_watched(turn, &record.0) {
        return Ok(());
    }
    if session.old().is_some() {
        known(turn, &record)?;
    }
    for _ in 0..PASSES_MAX {
        let mut moved = false;
        for instance in instances(turn, &record) {
            moved |= tend_one(turn, session, instance)?;
        }
        if !moved {
            break;
        }
    }
    Ok(())
}

/// The record is gone, and so is what its clocks measured.
pub(crate) fn give_up(turn: &mut Turn<'_>, form: &Key, id: Uuid) -> Result<(), Stop> {
    if !is_watched(turn, form) {
        return Ok(());
    }
    let record = (form.clone(), id);
    known(turn, &record)?;
    let open: Vec<Clock> = turn.context.facts.clocks.get(&record).into_iter().flatten().cloned().collect();
    let (at, actor) = (turn.context.at, turn.actor().user);
    for mut clock in open.into_iter().filter(Clock::is_open) {
        let counting = counting(turn, clock.calendar.as_ref(), &clock.calendar_version);
        let segment = counting.and_then(|counting| clock.cut(at, "end", actor, counting));
        turn.change.clock_segments.extend(segment);
        clock.end(at, ClockState::Cancelled);
        turn.disarm(clock.id);
        turn.change.put_clock(clock);
    }
    Ok(())
}

/// Whether any workflow on that form has clocks.
fn is_watched(turn: &Turn<'_>, form: &Key) -> bool {
    let mut packs = turn.packs.values().chain([turn.context.pack]);
    packs.any(|pack| {
        let mut workflows = pack.workflows().values();
        workflows.any(|workflow| workflow.form.as_ref() == Some(form) && !workflow.sla.is_empty())
    })
}

/// The instances and clocks of a stored record are at hand.
fn known(turn: &Turn<'_>, record: &(Key, Uuid)) -> Result<(), Stop> {
    let facts = turn.context.facts;
    let mut needs = Vec::new();
    if !facts.record_instances.contains_key(record) {
        needs.push(Need::RecordInstances(record.0.clone(), record.1));
    }
    if !facts.clocks.contains_key(record) {
        needs.push(Need::Clocks(record.0.clone(), record.1));
    }
    if needs.is_empty() { Ok(()) } else { Err(Stop::Need(needs)) }
}

/// The instances on a record that are not over, and those that are since this stimulus, as they are now.
fn instances(turn: &Turn<'_>, record: &(Key, Uuid)) -> Vec<Instance> {
    let changed = &turn.change.instances;
    let stored = turn.context.facts.record_instances.get(record).into_iter().flatten();
    let untouched = stored.filter(|instance| changed.iter().all(|known| known.id != instance.id));
    changed.iter().filter(|instance| instance.record.as_ref() == Some(record)).chain(untouched).cloned().collect()
}

/// Looks after the clocks of an instance; whether any of its tokens moved by that.
fn tend_one<'a>(turn: &mut Turn<'a>, session: &mut Session<'a>, mut instance: Instance) -> Result<bool, Stop> {
    let (pack, workflow) = pinned(turn, &instance)?;
    if workflow.sla.is_empty() {
        return Ok(false);
    }
    let is_new = turn.change.instances.iter().all(|known| known.id != instance.id);
    let stands = instance.status != InstanceStatus::Running;
    // Written only if a token moves, as one change of it.
    instance.revision += i64::from(is_new);
    let mut run = Run::new(turn, pack, workflow, Some(session), instance);
    match run.tend() {
        Ok(false) => Ok(false),
        Err(Halt::Stop(stop)) => Err(stop),
        Err(Halt::Incident { .. }) if stands => Ok(false),
        Ok(true) => run.finish(Ok(())).map(|_| true),
        halted => run.finish(halted.map(|_| ())).map(|_| false),
    }
}

impl<'a> Run<'_, 'a> {
    /// What was due before now happens before anything else does.
    pub(crate) fn settle(&mut self) -> Result<(), Halt> {
        let workflow = self.workflow;
        if workflow.sla.is_empty() || self.session.is_none() {
            return Ok(());
        }
        let Some(record) = self.instance.record.clone() else { return Ok(()) };
        known(self.turn, &record)?;
        for sla in workflow.sla.values() {
            if let Some(mut clock) = self.newest(sla) {
                self.climb(sla, &mut clock, false)?;
            }
        }
        Ok(())
    }

    /// All clocks of the workflow; whether a token moved.
    fn tend(&mut self) -> Result<bool, Halt> {
        let workflow = self.workflow;
        let mut moved = false;
        for sla in workflow.sla.values() {
            moved |= self.tend_clock(sla)?;
        }
        for sla in workflow.sla.values() {
            self.show(sla)?;
        }
        Ok(moved)
    }

    fn tend_clock(&mut self, sla: &'a Sla) -> Result<bool, Halt> {
        let Some(before) = self.newest(sla) else { return self.start(sla, 1) };
        let mut clock = before.clone();
        let mut moved = self.climb(sla, &mut clock, false)?;
        if clock.is_open() {
            self.recount(sla, &mut clock)?;
            self.steer(sla, &mut clock)?;
        } else if !self.is_over() && self.begins_again(sla, &mut clock)? {
            self.put_clock(clock);
            return Ok(self.start(sla, before.cycle + 1)? || moved);
        }
        moved |= self.climb(sla, &mut clock, true)?;
        if clock != before {
            self.put_clock(clock);
        }
        Ok(moved)
    }

    /// Begins a measurement, if it is to begin; whether a token moved.
    fn start(&mut self, sla: &'a Sla, cycle: u32) -> Result<bool, Halt> {
        let at = self.turn.context.at;
        if self.is_over()
            || !self.holds(sla, Some(&sla.start_if))?
            || self.holds(sla, sla.cancel_if.as_ref())?
            || self.holds(sla, Some(&sla.stop_if))?
        {
            return Ok(false);
        }
        let Some(record) = self.instance.record.clone() else { return Ok(false) };
        let (budget, calendar) = (self.budget(sla)?, self.calendar_of(sla)?);
        let mut clock = Clock {
            id: Ids::named(self.instance.started_at, &format!("{}:sla:{}:{cycle}", self.instance.id, sla.key)),
            instance: self.instance.id,
            workflow: self.workflow.key.clone(),
            record,
            sla: sla.key.clone(),
            cycle,
            state: ClockState::Unbound,
            budget_text: None,
            budget_ms: 0,
            edge: Edge::Closing,
            calendar,
            calendar_version: self.turn.context.pack.hash().clone(),
            consumed_ms: 0,
            paused_ms: 0,
            closed_ms: 0,
            started_at: at,
            since: at,
            runs: false,
            due_at: None,
            next_rung_at: None,
            stopped_at: None,
            breached_at: None,
            detected_at: None,
            fired: Vec::new(),
            armed: false,
            split: self.split(sla)?,
            provisional: false,
            segments: 0,
        };
        if let Some(budget) = budget {
            self.endow(sla, &mut clock, &budget)?;
        }
        self.told("clock.started", &clock);
        let moved = self.climb(sla, &mut clock, true)?;
        self.put_clock(clock);
        Ok(moved)
    }

    /// The clock has a budget now, and runs or stands still.
    fn endow(&mut self, sla: &'a Sla, clock: &mut Clock, budget: &Duration) -> Result<(), Halt> {
        let counting = self.counting(sla, clock)?;
        clock.endow(budget, sla.day_end, counting).ok_or_else(|| out_of_range(sla))?;
        if clock.state == ClockState::Unbound {
            clock.runs = !self.holds(sla, sla.pause_if.as_ref())?;
            clock.state = if clock.runs { ClockState::Running } else { ClockState::Paused };
        }
        clock.project(sla, counting).ok_or_else(|| out_of_range(sla))
    }

    /// The rungs that were due before now (or are due now) are reached, in their order; whether a token moved.
    fn climb(&mut self, sla: &'a Sla, clock: &mut Clock, is_now: bool) -> Result<bool, Halt> {
        let at = self.turn.context.at;
        let mut moved = false;
        loop {
            let ahead = clock.ahead(sla, self.counting(sla, clock)?).ok_or_else(|| out_of_range(sla))?;
            let passed = |due: DateTime<Utc>| if is_now { due <= at } else { due < at };
            let Some((due, key)) = ahead.into_iter().next().filter(|(due, _)| passed(*due)) else { return Ok(moved) };
            clock.fired.push(key.clone());
            let reached = RungReached { clock: clock.id, rung: key.clone(), due_at: due, fired_at: at };
            self.turn.change.rungs.push(reached);
            if **key == *BREACH {
                clock.state = ClockState::Breached;
                (clock.breached_at, clock.detected_at, clock.due_at) = (Some(due), Some(at), Some(due));
            }
            self.project(sla, clock)?;
            let kind = if **key == *BREACH { "clock.breached" } else { "clock.rung" };
            let data = json!({"workflow": clock.workflow, "sla": sla.key, "cycle": clock.cycle, "rung": key,
                "due_at": instant_text(due)});
            self.note(kind, None, data);
            // What the step makes of the clock is found there.
            self.put_clock(clock.clone());
            let Some(step) = sla.rungs.get(key).and_then(|rung| rung.step.as_ref()) else { continue };
            match self.instance.status {
                InstanceStatus::Running => self.follow(step, 0)?,
                // It stands still: the step acts when somebody helps it on.
                InstanceStatus::Failed => self.await_help(step)?,
                _ => continue,
            }
            moved = true;
        }
    }
}

/// What a clock is counted by, in the pack of that hash; nothing where there is no such calendar there.
fn counting<'a>(turn: &Turn<'a>, calendar: Option<&Key>, hash: &str) -> Option<Counting<'a>> {
    let running = turn.context.pack;
    let Some(key) = calendar else { return Some(Counting::Always(*running.timezone())) };
    let pack = if *running.hash() == *hash { running } else { turn.packs.get(hash)? };
    pack.calendars().get(key).map(|calendar| Counting::Open(calendar))
}

fn out_of_range(sla: &Sla) -> Halt {
    incident(&sla.key, "timer_horizon", format!("a point of the clock `{}` is out of reach", sla.key))
}
