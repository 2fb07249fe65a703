//! Give a task to a person or a queue, for good (转交).

use serde_json::json;
use uuid::Uuid;

use formwork_model::Key;

use super::settle;
use crate::Stop;
use crate::instance::{Pool, Task};
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::viewer::Viewer;
use crate::work::{is_candidate, is_holder, is_lead};

/// See the module. The pool stays with a person, so that they can put it back; a queue is a new pool.
pub(super) fn transfer(turn: &mut Turn<'_>, task: Task, user: Option<Uuid>, queue: Option<&Key>) -> Result<(), Stop> {
    let actor = turn.actor();
    if !is_holder(actor, &task) && !is_lead(turn.context.pack, actor, &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
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
    let pack = turn.context.pack;
    let Some(facts) = turn.context.user(user)?.filter(|facts| facts.active) else {
        return Err(turn.refuse(RejectionKind::Invalid, "target_absent"));
    };
    let target = Viewer::person(pack, user, &facts.roles, facts.queues.clone(), "");
    if task.pool != Pool::Person && !is_candidate(&target, &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_eligible"));
    }
    let from = task.assignee.replace(user);
    settle(turn, task, "task.transferred", json!({"from": from, "user": user}));
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
