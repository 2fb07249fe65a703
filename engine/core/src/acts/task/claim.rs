//! Take a task from its pool (领取).

use serde_json::json;

use super::settle;
use crate::Stop;
use crate::instance::Task;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::{is_barred, is_candidate, is_of_pool};

/// See the module.
pub(super) fn claim(turn: &mut Turn<'_>, mut task: Task) -> Result<(), Stop> {
    if task.assignee.is_some() {
        return Err(turn.refuse(RejectionKind::Conflict, "already_claimed"));
    }
    if is_of_pool(turn.actor(), &task) && is_barred(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "four_eyes"));
    }
    let user = turn.actor().user.filter(|_| is_candidate(turn.actor(), &task));
    let Some(user) = user else { return Err(turn.refuse(RejectionKind::Forbidden, "not_candidate")) };
    task.assignee = Some(user);
    settle(turn, task, "task.claimed", json!({}));
    Ok(())
}
