//! Give people a copy of a task (抄送): they read what its holder reads, also after it closed.

use serde_json::json;
use uuid::Uuid;

use formwork_model::pack::workflow::TaskForm;

use super::settle;
use crate::Stop;
use crate::form::gather;
use crate::instance::Task;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::may_copy;

/// Most people with a copy of one task.
const COPIES_MAX: usize = 50;

/// See the module. Who has a copy already, or holds the task, is passed over.
pub(super) fn cc(turn: &mut Turn<'_>, mut task: Task, form: &TaskForm, users: &[Uuid]) -> Result<(), Stop> {
    if !form.copy || !may_copy(turn.context.pack, turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "cc_not_allowed"));
    }
    if users.is_empty() {
        return Err(turn.refuse(RejectionKind::Invalid, "target_absent"));
    }
    let mut given: Vec<Uuid> = Vec::new();
    for user in users {
        let has_it = task.copies.iter().any(|(known, _)| known == user) || task.assignee == Some(*user);
        if !has_it && !given.contains(user) {
            given.push(*user);
        }
    }
    if task.copies.len() + given.len() > COPIES_MAX {
        return Err(turn.refuse_at(RejectionKind::Conflict, "cc_limit", &COPIES_MAX.to_string()));
    }
    let mut needs = Vec::new();
    let mut all_there = true;
    for user in &given {
        let known = gather(&mut needs, turn.context.user(*user))?;
        all_there &= known.is_none_or(|facts| facts.is_some_and(|facts| facts.active));
    }
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    if !all_there {
        return Err(turn.refuse(RejectionKind::Invalid, "target_absent"));
    }
    task.copies.extend(given.iter().map(|user| (*user, turn.context.at)));
    settle(turn, task, "task.copied", json!({"users": given}));
    Ok(())
}
