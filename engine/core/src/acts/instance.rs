//! An administrator helps an instance on: retry what an incident stopped, jump over it, or end it all. Each act is a row of
//! the history, with its reason.

use serde_json::json;
use uuid::Uuid;

use super::task::pinned;
use super::timer::{Found, session};
use crate::Stop;
use crate::change::Reply;
use crate::facts::Need;
use crate::instance::{Instance, InstanceStatus};
use crate::rejection::RejectionKind;
use crate::stimulus::InstanceVerb;
use crate::turn::Turn;
use crate::viewer::ViewerKind;
use crate::workflow::Run;

/// The role of the platform that may.
const ROLE: &str = "admin";
/// Longest reason, in characters.
const REASON_MAX: usize = 1_000;

/// See the module.
pub(crate) fn instance(turn: &mut Turn<'_>, id: Uuid, verb: &InstanceVerb, reason: &str) -> Result<(), Stop> {
    let actor = turn.actor();
    let not_found = |turn: &Turn<'_>| turn.refuse(RejectionKind::NotFound, "instance_not_found");
    if actor.kind != ViewerKind::System && !actor.has_role(ROLE) {
        return Err(not_found(turn));
    }
    let Some(found) = turn.context.facts.instances.get(&id) else { return Err(Stop::Need(vec![Need::Instance(id)])) };
    let Some(stored) = found else { return Err(not_found(turn)) };
    let live = match verb {
        InstanceVerb::Cancel => matches!(stored.status, InstanceStatus::Running | InstanceStatus::Failed),
        InstanceVerb::Retry | InstanceVerb::Jump { .. } => stored.status == InstanceStatus::Failed,
    };
    if !live {
        return Err(turn.refuse(RejectionKind::Conflict, "instance_runs"));
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return Err(turn.refuse(RejectionKind::Invalid, "reason_required"));
    }
    let mut running = stored.clone();
    running.revision += 1;
    turn.change.reply = Reply::Instance(id);
    let (kind, data) = match verb {
        InstanceVerb::Retry => ("instance.retried", json!({"reason": reason})),
        InstanceVerb::Jump { to } => ("instance.jumped", json!({"reason": reason, "to": to})),
        InstanceVerb::Cancel => {
            let (pack, workflow) = pinned(turn, stored)?;
            Run::new(turn, pack, workflow, None, running).cancel(reason)?;
            return end_clocks(turn, stored, workflow.sla.is_empty());
        }
    };
    turn.event(kind, stored.record.clone(), Some(id), None, data);
    go_on(turn, stored, running, verb)
}

/// The clocks of an instance end with it, and the record says so. That the record breaks a rule of its own keeps nobody
/// from ending the instance: then its fields stay as they are.
fn end_clocks(turn: &mut Turn<'_>, stored: &Instance, has_none: bool) -> Result<(), Stop> {
    if has_none {
        return Ok(());
    }
    if let Found::Session(mut session) = session(turn, stored)? {
        let _broken = turn.write(&mut session)?;
    }
    Ok(())
}

fn go_on(turn: &mut Turn<'_>, stored: &Instance, mut running: Instance, verb: &InstanceVerb) -> Result<(), Stop> {
    let (pack, workflow) = pinned(turn, stored)?;
    let mut session = match session(turn, stored)? {
        Found::Nothing => None,
        Found::Session(session) => Some(*session),
        Found::Deleted => return Err(turn.refuse(RejectionKind::NotFound, "record_not_found")),
    };
    running.status = InstanceStatus::Running;
    let stopped = running.state.pending.last().copied();
    let mut run = Run::new(turn, pack, workflow, session.as_mut(), running);
    let result = match verb {
        InstanceVerb::Jump { to } => {
            let target = workflow.graph.nodes.get_key_value(to).filter(|(_, node)| node.block.is_none());
            let (Some((to, _)), Some(stopped)) = (target, stopped) else {
                return Err(turn.refuse(RejectionKind::Invalid, "jump_target_invalid"));
            };
            run.jump(stopped, to)
        }
        _ => run.retry(),
    };
    run.finish(result)?;
    if let Some(mut session) = session {
        turn.write_or_refuse(&mut session)?;
    }
    Ok(())
}
