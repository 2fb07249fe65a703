//! Send a task back to an earlier step (退回): everything between runs again and earlier signatures are void, or it comes
//! straight back once that step is done, and signatures given stay.

use serde_json::json;

use formwork_model::Key;
use formwork_model::pack::workflow::Resume;

use super::{Work, settle};
use crate::Stop;
use crate::instance::{Instance, Task, TaskStatus};
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::work::is_holder;
use crate::workflow::Run;

/// Longest reason, in characters.
const REASON_MAX: usize = 1_000;

/// See the module.
pub(super) fn send_back<'a>(
    turn: &mut Turn<'a>,
    mut task: Task,
    mut instance: Instance,
    work: &Work<'a>,
    (to, resume): (Option<&Key>, Option<Resume>),
    reason: &str,
) -> Result<(), Stop> {
    if !is_holder(turn.actor(), &task) || task.owner.is_some() {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
    let allowed = &work.form.return_to;
    if allowed.is_empty() {
        return Err(turn.refuse(RejectionKind::Forbidden, "verb_not_allowed"));
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return Err(turn.refuse(RejectionKind::Invalid, "reason_required"));
    }
    let target = match to {
        Some(to) => allowed.iter().find(|step| *step == to),
        None => allowed.first(),
    };
    let visited = |step: &&Key| instance.state.steps.get(*step).is_some_and(|state| state.count > 0);
    let Some(target) = target.filter(visited) else {
        return Err(turn.refuse(RejectionKind::Invalid, "return_target_invalid"));
    };
    let allowed = &work.form.resume;
    let Some(resume) = resume.or(allowed.first().copied()).filter(|resume| allowed.contains(resume)) else {
        return Err(turn.refuse(RejectionKind::Forbidden, "resume_not_allowed"));
    };
    let mut session = work.filled(turn, &task, &serde_json::Map::new(), None)?;
    task.status = TaskStatus::Done;
    task.closed = Some((turn.context.at, turn.actor().user));
    task.outcome = Some("returned".to_owned());
    settle(turn, task.clone(), "task.returned", json!({"to": target, "resume": resume.name(), "reason": reason}));
    instance.revision += 1;
    let mut run = Run::new(turn, work.pack, work.workflow, session.as_mut(), instance);
    let result = run.settle().and_then(|()| run.send_back(&task, target, resume));
    run.finish(result)?;
    if let Some(mut session) = session {
        turn.write_or_refuse(&mut session)?;
    }
    Ok(())
}
