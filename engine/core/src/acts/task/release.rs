//! Put a task back into its pool (放回).

use serde_json::json;

use super::settle;
use crate::Stop;
use crate::instance::{Pool, Task};
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::is_holder;

/// See the module.
pub(super) fn release(turn: &mut Turn<'_>, mut task: Task) -> Result<(), Stop> {
    if task.assignee.is_none() {
        return Err(turn.refuse(RejectionKind::Conflict, "not_claimed"));
    }
    if !is_holder(turn.actor(), &task) || task.owner.is_some() {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
    if task.pool == Pool::Person {
        return Err(turn.refuse(RejectionKind::Conflict, "direct_task"));
    }
    task.assignee = None;
    settle(turn, task, "task.released", json!({}));
    Ok(())
}
