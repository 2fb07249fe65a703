//! Give a task to a person or a queue, for good (转交).

use serde_json::json;
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::workflow::TaskForm;

use super::settle;
use crate::Stop;
use crate::instance::{Pool, Task};
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::viewer::Viewer;
use crate::work::{is_barred, is_candidate, is_holder, is_lead};

/// See the module. The pool stays with a person, so that they can put it back; a queue is a new pool.
pub(super) fn transfer(
    turn: &mut Turn<'_>,
    mut task: Task,
    form: &TaskForm,
    user: Option<Uuid>,
    queue: Option<&Key>,
) -> Result<(), Stop> {
    let actor = turn.actor();
    let holds = is_holder(actor, &task) && task.owner.is_none();
    if !holds && !is_lead(turn.context.pack, actor, &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
    if !form.transfer {
        return Err(turn.refuse(RejectionKind::Forbidden, "verb_not_allowed"));
    }
    task.owner = None;
    match (user, queue) {
        (Some(user), None) => to_user(turn, task, user),
        (None, Some(queue)) => to_queue(turn, task, queue),
        _ => Err(turn.refuse(RejectionKind::Malformed, "target_absent")),
    }
}

fn to_user(turn: &mut Turn<'_>, mut task: Task, user: Uuid) -> Result<(), Stop> {
    if task.assignee == Some(user) {
        let code = if turn.actor().user == Some(user) { "to_self" } else { "same_target" };
        return Err(turn.refuse(RejectionKind::Conflict, code));
    }
    eligible(turn, &task, user)?;
    let from = task.assignee.replace(user);
    settle(turn, task, "task.transferred", json!({"from": from, "user": user}));
    Ok(())
}

/// Refuses a person who is not there, may not do such tasks, or is barred by four eyes.
pub(super) fn eligible(turn: &Turn<'_>, task: &Task, user: Uuid) -> Result<(), Stop> {
    let Some(facts) = turn.context.user(user)?.filter(|facts| facts.active) else {
        return Err(turn.refuse(RejectionKind::Invalid, "target_absent"));
    };
    let target = Viewer::of(turn.context.pack, user, facts, "");
    if is_barred(&target, task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "four_eyes"));
    }
    if task.pool != Pool::Person && !is_candidate(&target, task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_eligible"));
    }
    Ok(())
}

fn to_queue(turn: &mut Turn<'_>, mut task: Task, queue: &Key) -> Result<(), Stop> {
    if !turn.context.pack.queues().contains_key(queue) {
        return Err(turn.refuse(RejectionKind::Invalid, "target_absent"));
    }
    let pool = Pool::Queue(queue.clone());
    if task.pool == pool && task.assignee.is_none() {
        return Err(turn.refuse(RejectionKind::Conflict, "same_target"));
    }
    let from = task.assignee.take();
    task.pool = pool;
    settle(turn, task, "task.transferred", json!({"from": from, "queue": queue}));
    Ok(())
}
