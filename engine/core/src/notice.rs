//! Notices: what a change means to people beside whoever made it. Only who and what about is kept; the words are made
//! when somebody reads them, as far as they may read what it is about by then.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::change::ChangeSet;
use crate::facts::Facts;
use crate::instance::{Task, TaskStatus};
use crate::trace::stored;
use crate::viewer::Viewer;

/// Something that concerns a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Whom.
    pub person: Uuid,
    /// `task.given`, `task.copied`, `task.reminded`.
    pub kind: &'static str,
    /// The task.
    pub task: Uuid,
    /// Who did it; none for the public and the system.
    pub by: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Whom a change concerns; nobody is told what they did themselves.
pub(crate) fn notices(facts: &Facts, change: &ChangeSet, actor: &Viewer, at: DateTime<Utc>) -> Vec<Notice> {
    let open = change.tasks.iter().filter(|task| task.status == TaskStatus::Open);
    let told = open.flat_map(|task| of_task(stored(facts, task.id), task).into_iter().map(|told| (task.id, told)));
    let told = told.filter(|(_, (person, _))| actor.user != Some(*person));
    told.map(|(task, (person, kind))| Notice { person, kind, task, by: actor.user, at }).collect()
}

fn of_task(before: Option<&Task>, task: &Task) -> Vec<(Uuid, &'static str)> {
    let mut told = Vec::new();
    let held = before.and_then(|before| before.assignee);
    match task.assignee {
        Some(assignee) if held != Some(assignee) => told.push((assignee, "task.given")),
        Some(assignee) if before.is_some_and(|before| before.reminders != task.reminders) => {
            told.push((assignee, "task.reminded"));
        }
        _ => {}
    }
    let had = |person: &Uuid| before.is_some_and(|before| before.copies.iter().any(|(known, _)| known == person));
    told.extend(task.copies.iter().filter(|(person, _)| !had(person)).map(|(person, _)| (*person, "task.copied")));
    told
}
