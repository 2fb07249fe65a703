//! Who may do what with a task (workflow.md §2.4).

use formwork_model::Pack;

use crate::instance::{Pool, Task, TaskStatus};
use crate::viewer::{Viewer, ViewerKind};

/// Whether the viewer may claim the task: they serve its queue or hold its role.
pub(crate) fn is_candidate(viewer: &Viewer, task: &Task) -> bool {
    match &task.pool {
        Pool::Queue(queue) => viewer.queues.contains(queue),
        Pool::Role(role) => viewer.roles.contains(role),
        Pool::Person => false,
    }
}

/// Whether the viewer holds the task.
pub(crate) fn is_holder(viewer: &Viewer, task: &Task) -> bool {
    viewer.user.is_some() && task.assignee == viewer.user
}

/// Whether the viewer leads the queue of the task.
pub(crate) fn is_lead(pack: &Pack, viewer: &Viewer, task: &Task) -> bool {
    match &task.pool {
        Pool::Queue(queue) => {
            let lead = pack.queues().get(queue).and_then(|queue| queue.lead.as_ref());
            lead.is_some_and(|lead| viewer.roles.contains(lead))
        }
        _ => false,
    }
}

/// Whether the viewer may know of the task by themselves, without reading its record.
pub(crate) fn knows_of(pack: &Pack, viewer: &Viewer, task: &Task) -> bool {
    let closed_it = viewer.user.is_some() && task.closed.is_some_and(|(_, by)| by == viewer.user);
    viewer.kind == ViewerKind::System
        || closed_it
        || is_holder(viewer, task)
        || is_candidate(viewer, task)
        || is_lead(pack, viewer, task)
}

/// The verbs the viewer would not be refused, of somebody who may know of the task.
pub(crate) fn verbs(pack: &Pack, viewer: &Viewer, task: &Task) -> Vec<&'static str> {
    let mut verbs = Vec::new();
    if task.status == TaskStatus::Open && viewer.user.is_some() {
        let holds = is_holder(viewer, task);
        if task.assignee.is_none() && is_candidate(viewer, task) {
            verbs.push("claim");
        }
        if holds {
            verbs.push("complete");
            if task.pool != Pool::Person {
                verbs.push("release");
            }
        }
        if holds || is_lead(pack, viewer, task) {
            verbs.push("transfer");
        }
    }
    verbs.push("comment");
    verbs
}
