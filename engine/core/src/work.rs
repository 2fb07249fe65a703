//! Who may do what with a task (workflow.md §2.4).

use formwork_model::Pack;

use crate::instance::{Pool, Task, TaskStatus};
use crate::viewer::{Viewer, ViewerKind};
use formwork_model::pack::workflow::Workflow;

/// Whether the viewer may claim the task: they serve its queue, hold its role or are of its team, and four eyes do not bar
/// them.
pub(crate) fn is_candidate(viewer: &Viewer, task: &Task) -> bool {
    is_of_pool(viewer, task) && !is_barred(viewer, task)
}

/// Whether four eyes bar the viewer from the task.
pub(crate) fn is_barred(viewer: &Viewer, task: &Task) -> bool {
    viewer.user.is_some_and(|user| task.barred.contains(&user))
}

/// Whether the viewer serves the queue of the task, holds its role or is of its team.
pub(crate) fn is_of_pool(viewer: &Viewer, task: &Task) -> bool {
    match &task.pool {
        Pool::Queue(queue) => viewer.queues.contains(queue),
        Pool::Role(role) => viewer.roles.contains(role),
        Pool::Team(team) => viewer.team.as_ref() == Some(team),
        Pool::Person => false,
    }
}

/// Whether the viewer holds the task.
pub(crate) fn is_holder(viewer: &Viewer, task: &Task) -> bool {
    viewer.user.is_some() && task.assignee == viewer.user
}

/// Whether the task is the viewer's, though somebody else works on it now.
pub(crate) fn is_owner(viewer: &Viewer, task: &Task) -> bool {
    viewer.user.is_some() && task.owner == viewer.user
}

/// Whether the viewer has started the instance of the task.
pub(crate) fn is_starter(viewer: &Viewer, task: &Task) -> bool {
    viewer.user.is_some() && task.starter == viewer.user
}

/// Whether the viewer has a copy of the task.
pub(crate) fn has_copy(viewer: &Viewer, task: &Task) -> bool {
    task.copies.iter().any(|(person, _)| viewer.user == Some(*person))
}

/// Whether the viewer may give people a copy: they hold the task, lead it, or could claim it.
pub(crate) fn may_copy(pack: &Pack, viewer: &Viewer, task: &Task) -> bool {
    let is_free = task.assignee.is_none() && is_candidate(viewer, task);
    is_holder(viewer, task) || is_free || is_lead(pack, viewer, task)
}

/// Whether the viewer may remind of the task: they started the instance, lead the task, or have a copy of it.
pub(crate) fn may_remind(pack: &Pack, viewer: &Viewer, task: &Task) -> bool {
    is_starter(viewer, task) || is_lead(pack, viewer, task) || has_copy(viewer, task)
}

/// Whether the viewer leads the queue or the team of the task.
pub(crate) fn is_lead(pack: &Pack, viewer: &Viewer, task: &Task) -> bool {
    match &task.pool {
        Pool::Queue(queue) => {
            let lead = pack.queues().get(queue).and_then(|queue| queue.lead.as_ref());
            lead.is_some_and(|lead| viewer.roles.contains(lead))
        }
        Pool::Team(team) => viewer.leads.contains(team),
        Pool::Role(_) | Pool::Person => false,
    }
}

/// Whether the viewer may know of the task by themselves, without reading its record.
pub(crate) fn knows_of(pack: &Pack, viewer: &Viewer, task: &Task) -> bool {
    let closed_it = viewer.user.is_some() && task.closed.is_some_and(|(_, by)| by == viewer.user);
    viewer.kind == ViewerKind::System
        || closed_it
        || is_holder(viewer, task)
        || is_owner(viewer, task)
        || is_starter(viewer, task)
        || is_of_pool(viewer, task)
        || is_lead(pack, viewer, task)
        || has_copy(viewer, task)
}

/// The verbs the viewer would not be refused, of somebody who may know of the task.
///
/// `workflow` is the task's, in the version its instance is pinned to.
pub(crate) fn verbs(pack: &Pack, viewer: &Viewer, task: &Task, workflow: Option<&Workflow>) -> Vec<&'static str> {
    let mut verbs = Vec::new();
    let form = workflow.and_then(|workflow| workflow.graph.nodes.get(&task.step)?.task_form());
    if task.status == TaskStatus::Open && viewer.user.is_some() {
        let holds = is_holder(viewer, task) && task.owner.is_none();
        if task.assignee.is_none() && is_candidate(viewer, task) {
            verbs.push("claim");
        }
        if holds {
            verbs.push("complete");
            if task.pool != Pool::Person {
                verbs.push("release");
            }
        }
        if (holds || is_lead(pack, viewer, task)) && form.is_none_or(|form| form.transfer) {
            verbs.push("transfer");
        }
        if holds && form.is_some_and(|form| form.delegate) {
            verbs.push("delegate");
        }
        if is_holder(viewer, task) && task.owner.is_some() {
            verbs.push("resolve");
        }
        if holds && form.is_some_and(|form| !form.return_to.is_empty()) {
            verbs.push("return");
        }
        if may_copy(pack, viewer, task) && form.is_none_or(|form| form.copy) {
            verbs.push("cc");
        }
        if may_remind(pack, viewer, task) && !is_holder(viewer, task) {
            verbs.push("remind");
        }
        if is_starter(viewer, task) && workflow.is_some_and(|workflow| workflow.withdraw.is_some()) {
            verbs.push("withdraw");
        }
    }
    verbs.push("comment");
    verbs
}
