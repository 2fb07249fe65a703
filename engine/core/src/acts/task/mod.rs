//! Act on a task. Refusals are checked in the order of workflow.md §2.4: `task_not_found` (also if one may not know of
//! it), `task_closed`, `instance_suspended`, then those of the verb.

mod cc;
mod claim;
mod comment;
mod complete;
mod delegate;
mod release;
mod remind;
mod send_back;
mod transfer;
mod withdraw;

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::Pack;
use formwork_model::pack::form::Form;
use formwork_model::pack::workflow::{TaskForm, Workflow};

use crate::Stop;
use crate::access::{Projection, TaskGrants};
use crate::change::Reply;
use crate::facts::Need;
use crate::form::{Session, invalid};
use crate::instance::{Instance, InstanceStatus, Task, TaskStatus};
use crate::messages::message;
use crate::rejection::{FieldError, RejectionKind};
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
    let work = Work::of(turn, &task, &instance)?;
    match verb {
        Verb::Claim => claim::claim(turn, task),
        Verb::Release => release::release(turn, task),
        Verb::Transfer { user, queue } => transfer::transfer(turn, task, work.form, *user, queue.as_ref()),
        Verb::Delegate { user } => delegate::delegate(turn, task, work.form, *user),
        Verb::Resolve { fields, expected_version } => delegate::resolve(turn, task, &work, fields, *expected_version),
        Verb::Complete { outcome, fields, expected_version } => {
            complete::complete(turn, task, instance, &work, outcome, fields, *expected_version)
        }
        Verb::Return { to, resume, reason } => {
            send_back::send_back(turn, task, instance, &work, (to.as_ref(), *resume), reason)
        }
        Verb::Cc { users } => cc::cc(turn, task, work.form, users),
        Verb::Remind => remind::remind(turn, task),
        Verb::Withdraw => withdraw::withdraw(turn, &task, instance, &work),
        Verb::Comment { text } => comment::comment(turn, &task, text),
    }
}

/// What a task is work on, as the pack that its instance is pinned to has it.
struct Work<'a> {
    pack: &'a Arc<Pack>,
    workflow: &'a Arc<Workflow>,
    form: &'a TaskForm,
    /// The form of the record, as that pack has it.
    own_form: Option<&'a Arc<Form>>,
}

impl<'a> Work<'a> {
    fn of(turn: &Turn<'a>, task: &Task, instance: &Instance) -> Result<Self, Stop> {
        let (pack, workflow) = pinned(turn, instance)?;
        let Some(form) = workflow.graph.nodes.get(&task.step).and_then(|node| node.task_form()) else {
            return Err(Stop::Fault(format!("step `{}` is no task any more", task.step)));
        };
        let own_form = workflow.form.as_ref().and_then(|form| pack.forms().get(form));
        Ok(Self { pack, workflow, form, own_form })
    }

    /// The record with the submitted fields taken, derived values following; none where the work is on no record.
    fn filled(
        &self,
        turn: &mut Turn<'a>,
        task: &Task,
        fields: &Map<String, Json>,
        expected_version: Option<i64>,
    ) -> Result<Option<Session<'a>>, Stop> {
        let Some(own_form) = self.own_form.filter(|_| task.record.is_some()) else {
            return match fields.is_empty() {
                true => Ok(None),
                false => Err(turn.refuse(RejectionKind::Invalid, "field_not_writable")),
            };
        };
        let context = turn.context;
        let gone = || turn.refuse(RejectionKind::NotFound, "record_not_found");
        let (form, id) =
            task.record.as_ref().filter(|(form, _)| context.pack.forms().contains_key(form)).ok_or_else(gone)?;
        let stored = context.stored(form, *id)?.ok_or_else(gone)?;
        turn.check_version(expected_version, stored.version)?;
        let grants = TaskGrants::new(self.form, own_form);
        let projection = Projection::new(context.pack, form, context.viewer, Some(&grants));
        let mut session = Session::update(context, context.pack.form(form), stored);
        session.take(fields, Some(projection.levels()), &mut turn.ids)?;
        // Asks for everything that the final check will want, in one round trip; its errors are of no interest yet.
        let mut trial = session.clone();
        let errors = trial.check()?;
        let needs = trial.take_needs();
        if !needs.is_empty() {
            return Err(Stop::Need(needs));
        }
        if !session.was_understood() {
            let is_unwritable = |error: &FieldError| matches!(&*error.code, "not_writable" | "unknown_field");
            let mut rejection = invalid(&context.viewer.language, errors);
            if rejection.errors.iter().any(is_unwritable) {
                rejection.code = "field_not_writable".to_owned();
                rejection.title = message(&context.viewer.language, "field_not_writable", "", "");
            }
            return Err(Box::new(rejection).into());
        }
        session.derive()?;
        Ok(Some(session))
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
pub(crate) fn pinned<'a>(turn: &Turn<'a>, instance: &Instance) -> Result<(&'a Arc<Pack>, &'a Arc<Workflow>), Stop> {
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
