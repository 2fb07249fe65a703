//! Ask somebody to work on a task (委派). It stays its owner's: it comes back when it is resolved (办结委派).

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::workflow::TaskForm;

use super::transfer::eligible;
use super::{Work, settle};
use crate::Stop;
use crate::instance::Task;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::is_holder;

/// See the module.
pub(super) fn delegate(turn: &mut Turn<'_>, mut task: Task, form: &TaskForm, user: Uuid) -> Result<(), Stop> {
    if task.owner.is_some() {
        return Err(turn.refuse(RejectionKind::Conflict, "already_delegated"));
    }
    if !is_holder(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
    if !form.delegate {
        return Err(turn.refuse(RejectionKind::Forbidden, "verb_not_allowed"));
    }
    if turn.actor().user == Some(user) {
        return Err(turn.refuse(RejectionKind::Conflict, "to_self"));
    }
    eligible(turn, &task, user)?;
    task.owner = task.assignee.replace(user);
    settle(turn, task, "task.delegated", json!({"user": user}));
    Ok(())
}

/// The delegate is done: what they filled in is kept, and the owner goes on.
pub(super) fn resolve<'a>(
    turn: &mut Turn<'a>,
    mut task: Task,
    work: &Work<'a>,
    fields: &Map<String, Json>,
    expected_version: Option<i64>,
) -> Result<(), Stop> {
    if task.owner.is_none() || !is_holder(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Conflict, "not_delegated"));
    }
    let session = work.filled(turn, &task, fields, expected_version)?;
    task.assignee = task.owner.take();
    settle(turn, task, "task.resolved", json!({}));
    if let Some(mut session) = session {
        turn.write_or_refuse(&mut session)?;
    }
    Ok(())
}
