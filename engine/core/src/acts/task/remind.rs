//! Remind whoever is to do a task (催办). It stands at their task in the inbox, and in its history.

use chrono::TimeDelta;
use serde_json::json;

use super::settle;
use crate::Stop;
use crate::instance::Task;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::{is_holder, may_remind};

/// One person reminds of one task this often at most.
const EVERY: TimeDelta = TimeDelta::hours(1);

/// See the module.
pub(super) fn remind(turn: &mut Turn<'_>, mut task: Task) -> Result<(), Stop> {
    let Some(user) = turn.actor().user.filter(|_| may_remind(turn.context.pack, turn.actor(), &task)) else {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    };
    if is_holder(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Conflict, "nobody_to_remind"));
    }
    let at = turn.context.at;
    let last = task.reminders.iter().find(|(by, _)| *by == user).map(|(_, last)| *last);
    if let Some(wait) = last.map(|last| last + EVERY - at).filter(|wait| *wait > TimeDelta::zero()) {
        let minutes = (wait + TimeDelta::seconds(59)).num_minutes().to_string();
        return Err(turn.refuse_at(RejectionKind::Conflict, "remind_too_soon", &minutes));
    }
    task.reminders.retain(|(by, _)| *by != user);
    task.reminders.push((user, at));
    settle(turn, task, "task.reminded", json!({}));
    Ok(())
}
