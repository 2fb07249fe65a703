//! Say something about a task, open or closed (评论).

use serde_json::json;

use crate::Stop;
use crate::acts::comment::worded;
use crate::change::Reply;
use crate::instance::{Task, TaskStatus};
use crate::turn::Turn;

/// See the module.
pub(super) fn comment(turn: &mut Turn<'_>, task: &Task, text: &str) -> Result<(), Stop> {
    let text = worded(turn, text)?;
    let step = Some((task.step.clone(), task.activation));
    let data = json!({"text": text, "task": task.id});
    turn.event("comment", task.record.clone(), Some(task.instance), step, data);
    let state = if task.status == TaskStatus::Open { "open" } else { "done" };
    turn.change.reply = Reply::Task { id: task.id, state };
    Ok(())
}
