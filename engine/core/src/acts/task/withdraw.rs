//! Take back an instance one has started (撤回).

use serde_json::Map;

use formwork_model::pack::workflow::WithdrawUntil;

use super::Work;
use crate::Stop;
use crate::change::Reply;
use crate::instance::{Instance, Task};
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::is_starter;
use crate::workflow::Run;

/// See the module.
pub(super) fn withdraw<'a>(
    turn: &mut Turn<'a>,
    task: &Task,
    mut instance: Instance,
    work: &Work<'a>,
) -> Result<(), Stop> {
    if !is_starter(turn.actor(), task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_starter"));
    }
    let Some(rule) = &work.workflow.withdraw else {
        return Err(turn.refuse(RejectionKind::Forbidden, "withdraw_off"));
    };
    let mut session = work.filled(turn, task, &Map::new(), None)?;
    instance.revision += 1;
    let run = Run::new(turn, work.pack, work.workflow, session.as_mut(), instance);
    let is_too_late = match &rule.until {
        WithdrawUntil::End => false,
        WithdrawUntil::FirstDecision => run.is_decided(),
        WithdrawUntil::Before(step) => run.has_reached(step),
    };
    if is_too_late {
        return Err(turn.refuse(RejectionKind::Conflict, "withdraw_too_late"));
    }
    run.withdraw(&rule.set)?;
    turn.change.reply = Reply::Task { id: task.id, state: "cancelled" };
    if let Some(mut session) = session {
        turn.write_or_refuse(&mut session)?;
    }
    Ok(())
}
