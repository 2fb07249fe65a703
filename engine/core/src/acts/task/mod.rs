//! Act on a task. Refusals are checked in the order of workflow.md §2.4: `task_not_found` (also if one may not know of
//! it), `task_closed`, `instance_suspended`, then those of the verb.

mod claim;
mod comment;
mod complete;
mod release;
mod transfer;

use std::sync::Arc;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::Pack;
use formwork_model::pack::workflow::Workflow;

use crate::Stop;
use crate::access::Projection;
use crate::change::Reply;
use crate::facts::Need;
use crate::instance::{Instance, InstanceStatus, Task, TaskStatus};
use crate::rejection::RejectionKind;
use crate::stimulus::Verb;
use crate::turn::Turn;
use crate::work::knows_of;

/// See the module.
pub(crate) fn task(turn: &mut Turn<'_>, id: Uuid, verb: &Verb) -> Result<(), Stop> {
    let task = found(turn, id)?;
    if let Verb::Comment { text } = verb {
        return comment::comment(turn, &task, text);
    }
    if task.status != TaskStatus::Open {
        return Err(turn.refuse(RejectionKind::Conflict, "task_closed"));
    }
    let instance = instance(turn, task.instance)?;
    match verb {
        Verb::Claim => claim::claim(turn, task),
        Verb::Release => release::release(turn, task),
        Verb::Transfer { user, queue } => transfer::transfer(turn, task, *user, queue.as_ref()),
        Verb::Complete { outcome, fields, expected_version } => {
            complete::complete(turn, task, instance, outcome, fields, *expected_version)
        }
        Verb::Comment { text } => comment::comment(turn, &task, text),
    }
}

/// The task, if the actor may know of it.
fn found(turn: &Turn<'_>, id: Uuid) -> Result<Task, Stop> {
    let context = turn.context;
    let unknown = || turn.refuse(RejectionKind::NotFound, "task_not_found");
    let Some(task) = context.facts.tasks.get(&id) else { return Err(Stop::Need(vec![Need::Task(id)])) };
    let task = task.as_ref().ok_or_else(unknown)?;
    if !knows_of(context.pack, context.viewer, task) && !reads_record(turn, task)? {
        return Err(unknown());
    }
    Ok(task.clone())
}

fn reads_record(turn: &Turn<'_>, task: &Task) -> Result<bool, Stop> {
    let context = turn.context;
    let Some((form, id)) = task.record.as_ref().filter(|(form, _)| context.pack.forms().contains_key(form)) else {
        return Ok(false);
    };
    let projection = Projection::new(context.pack, form, context.viewer, None);
    match context.record(form, *id)? {
        Some(record) => projection.reads(context, record),
        None => Ok(false),
    }
}

/// The task's instance, running.
fn instance(turn: &Turn<'_>, id: Uuid) -> Result<Instance, Stop> {
    let Some(instance) = turn.context.facts.instances.get(&id) else {
        return Err(Stop::Need(vec![Need::Instance(id)]));
    };
    match instance {
        Some(instance) if instance.status == InstanceStatus::Running => Ok(instance.clone()),
        Some(instance) if instance.status == InstanceStatus::Failed => {
            Err(turn.refuse(RejectionKind::Conflict, "instance_suspended"))
        }
        _ => Err(turn.refuse(RejectionKind::Conflict, "task_closed")),
    }
}

/// The pack an instance is pinned to, and its workflow there.
pub(in crate::acts) fn pinned<'a>(
    turn: &Turn<'a>,
    instance: &Instance,
) -> Result<(&'a Arc<Pack>, &'a Arc<Workflow>), Stop> {
    let running = turn.context.pack;
    let pack = match *running.hash() == instance.pack_hash {
        true => running,
        false => turn.packs.get(&instance.pack_hash).ok_or_else(|| lost(instance))?,
    };
    Ok((pack, pack.workflows().get(&instance.workflow).ok_or_else(|| lost(instance))?))
}

fn lost(instance: &Instance) -> Stop {
    Stop::Fault(format!("instance {} is pinned to a pack that is not at hand", instance.id))
}

/// Writes the task as it is now, with its row of history and the reply.
fn settle(turn: &mut Turn<'_>, task: Task, kind: &str, mut data: Json) {
    data["task"] = json!(task.id);
    let step = Some((task.step.clone(), task.activation));
    turn.event(kind, task.record.clone(), Some(task.instance), step, data);
    let state = if task.status == TaskStatus::Open { "open" } else { "done" };
    turn.change.reply = Reply::Task { id: task.id, state };
    turn.put_task(task);
}
