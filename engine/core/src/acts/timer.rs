//! A timer came due. Too late is no error: the activation it waited for may be gone.

use uuid::Uuid;

use formwork_model::Key;

use super::task::pinned;
use crate::Stop;
use crate::change::{ChangeSet, Reply};
use crate::facts::Need;
use crate::form::Session;
use crate::instance::{Instance, InstanceStatus, TimerRow};
use crate::rejection::FieldError;
use crate::turn::Turn;
use crate::workflow::{CLOCK, Halt, Run, open_incident};

/// See the module.
pub(crate) fn timer(turn: &mut Turn<'_>, id: Uuid) -> Result<(), Stop> {
    let facts = turn.context.facts;
    turn.change.reply = Reply::Gone;
    let Some(timer) = facts.timers.get(&id) else { return Err(Stop::Need(vec![Need::Timer(id)])) };
    // No timer fires early, whatever clock woke us.
    let Some(timer) = timer.as_ref().filter(|timer| timer.due_at <= turn.context.at) else { return Ok(()) };
    let Some(instance) = facts.instances.get(&timer.instance) else {
        return Err(Stop::Need(vec![Need::Instance(timer.instance)]));
    };
    turn.change.timers_removed.push(id);
    if timer.activation == CLOCK {
        return clock(turn, timer, instance.as_ref());
    }
    let Some(instance) = instance.as_ref().filter(|instance| instance.status == InstanceStatus::Running) else {
        return Ok(());
    };
    let mut session = match session(turn, instance)? {
        Found::Nothing => None,
        Found::Session(session) => Some(*session),
        Found::Deleted => return Ok(()),
    };
    let (pack, workflow) = pinned(turn, instance)?;
    let mut running = instance.clone();
    running.revision += 1;
    let mut run = Run::new(turn, pack, workflow, session.as_mut(), running);
    let Some(step) = run.resting(timer.activation).map(|node| node.key.clone()) else { return Ok(()) };
    let result = match run.settle().and_then(|()| run.fire(timer.activation, &timer.event)) {
        Ok(false) => return Ok(()),
        Ok(true) => Ok(()),
        Err(halt) => Err::<(), Halt>(halt),
    };
    run.finish(result)?;
    turn.change.reply = Reply::Instance(instance.id);
    if let Some(session) = &mut session
        && let Err(errors) = turn.write(session)?
    {
        roll_back(turn, instance, &timer.clone(), &step, &errors);
    }
    Ok(())
}

/// A rung of a clock is due: looking after the clocks of the record reaches it.
fn clock(turn: &mut Turn<'_>, timer: &TimerRow, instance: Option<&Instance>) -> Result<(), Stop> {
    let Some(instance) = instance else { return Ok(()) };
    let Found::Session(mut session) = session(turn, instance)? else { return Ok(()) };
    let written = turn.write(&mut session)?;
    if !turn.change.clocks.is_empty() {
        turn.change.reply = Reply::Instance(instance.id);
    }
    if let Err(errors) = written {
        roll_back(turn, instance, timer, &timer.event, &errors);
    }
    Ok(())
}

/// With no user behind it, a broken rule undoes everything and opens an incident.
fn roll_back(turn: &mut Turn<'_>, instance: &Instance, timer: &TimerRow, step: &Key, errors: &[FieldError]) {
    turn.change =
        ChangeSet { timers_removed: vec![timer.id], reply: Reply::Instance(instance.id), ..ChangeSet::default() };
    let mut failed = instance.clone();
    failed.revision += 1;
    // Retrying arms what waits here again: what is due fires then.
    if timer.activation != CLOCK {
        failed.state.pending.push(timer.activation);
    }
    open_incident(turn, &mut failed, step, "rule_broken", told(errors));
    turn.change.instances.push(failed);
}

/// What broke, for an administrator.
pub(super) fn told(errors: &[FieldError]) -> String {
    let errors = errors.iter().map(|error| match error.pointer.is_empty() {
        true => format!("{} ({})", error.message, error.code),
        false => format!("{}: {} ({})", error.pointer, error.message, error.code),
    });
    errors.collect::<Vec<_>>().join("; ")
}

pub(super) enum Found<'a> {
    /// The instance works on no record.
    Nothing,
    /// Its record.
    Session(Box<Session<'a>>),
    /// The record has been deleted: there is nothing left to do.
    Deleted,
}

pub(super) fn session<'a>(turn: &Turn<'a>, instance: &Instance) -> Result<Found<'a>, Stop> {
    let context = turn.context;
    let Some((form, id)) = &instance.record else { return Ok(Found::Nothing) };
    let Some(shape) = context.pack.forms().get(form) else { return Ok(Found::Deleted) };
    let Some(stored) = context.stored(form, *id)? else { return Ok(Found::Deleted) };
    let mut session = Session::update(context, shape, stored);
    session.derive()?;
    let needs = session.take_needs();
    match needs.is_empty() {
        true => Ok(Found::Session(Box::new(session))),
        false => Err(Stop::Need(needs)),
    }
}
