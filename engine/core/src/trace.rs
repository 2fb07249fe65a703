//! Traces: what live pages must know of a change that cannot be seen in what is stored afterwards.
//!
//! Whoever saw something before a change is told of it even where they see it no longer: a record whose row rules now
//! hold for others only, a task that went to another queue. So the change keeps how it stood, and only where that decides
//! who saw it.

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use formwork_model::expr::ir::Slot;
use formwork_model::expr::references;
use formwork_model::pack::form::{Condition, Form};
use formwork_model::{Key, Pack, Value};

use crate::change::{ChangeSet, RecordChange};
use crate::facts::Facts;
use crate::instance::{Pool, Task};
use crate::record::Record;

/// What a change leaves behind for those who watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// A task that is new or was changed.
    Task {
        /// The task.
        id: Uuid,
        /// Whose it was, where it is somebody else's now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Hands>,
    },
    /// Something concerns this person, beside what was changed.
    Notice {
        /// Whom.
        person: Uuid,
    },
    /// A record that some may have read and read no longer.
    Record {
        /// The form.
        form: Key,
        /// As it was.
        before: Former,
    },
}

/// In whose hands a task was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hands {
    /// Who could claim it.
    pub pool: Pool,
    /// Who held it.
    pub assignee: Option<Uuid>,
    /// Whose it was while somebody else worked on it.
    pub owner: Option<Uuid>,
}

/// A record as it was: its stored values by key, since the pack may be deployed anew before it is looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Former {
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    values: IndexMap<Key, Value>,
}

impl Hands {
    fn of(task: &Task) -> Self {
        Self { pool: task.pool.clone(), assignee: task.assignee, owner: task.owner }
    }

    /// The task as it was in these hands.
    pub(crate) fn holding(&self, task: &Task) -> Task {
        Task { pool: self.pool.clone(), assignee: self.assignee, owner: self.owner, ..task.clone() }
    }
}

impl Former {
    fn of(form: &Form, record: &Record) -> Self {
        let stored = form.fields.iter().zip(&record.values).filter(|(field, _)| field.is_stored());
        Self {
            id: record.id,
            version: record.version,
            created_at: record.created_at,
            created_by: record.created_by,
            updated_at: record.updated_at,
            updated_by: record.updated_by,
            values: stored.map(|(field, value)| (field.key.clone(), value.clone())).collect(),
        }
    }

    /// The record in the layout of the form.
    pub(crate) fn record(&self, form: &Form) -> Record {
        let value = |key: &Key| self.values.get(key).cloned().unwrap_or_default();
        Record {
            id: self.id,
            version: self.version,
            created_at: self.created_at,
            created_by: self.created_by,
            updated_at: self.updated_at,
            updated_by: self.updated_by,
            values: form.fields.iter().map(|field| value(&field.key)).collect(),
        }
    }
}

/// The traces of a change; `facts` are those it was decided on.
pub(crate) fn traces(pack: &Pack, facts: &Facts, change: &ChangeSet) -> Vec<Trace> {
    let tasks = change.tasks.iter().map(|task| {
        let hands = stored(facts, task.id).map(Hands::of).filter(|before| *before != Hands::of(task));
        Trace::Task { id: task.id, before: hands }
    });
    let records = change.records.iter().filter_map(|change| {
        let form = pack.forms().get(&change.form)?;
        let before = change.before.as_ref().filter(|_| may_have_left(form, change))?;
        Some(Trace::Record { form: change.form.clone(), before: Former::of(form, before) })
    });
    tasks.chain(records).collect()
}

/// A task as it was before.
pub(crate) fn stored(facts: &Facts, task: Uuid) -> Option<&Task> {
    let alone = facts.tasks.get(&task).and_then(Option::as_ref);
    alone.or_else(|| facts.open_tasks.values().flatten().find(|known| known.id == task))
}

/// Whether the row rules may have held for somebody before the change and hold no longer: something they read is
/// different now, or the record is gone.
fn may_have_left(form: &Form, change: &RecordChange) -> bool {
    let rules = form.access.values().filter_map(|access| match &access.read {
        Condition::When(rule) => Some(&rule.ir),
        Condition::Always | Condition::Never => None,
    });
    let mut rules = rules.peekable();
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return rules.peek().is_some() };
    rules.flat_map(references).filter(|read| read.frame == Some(0)).any(|read| {
        // What a link leads to is another record; which one, the field of this record says.
        match read.hops.first().unwrap_or(&read.field).slot {
            Slot::Field(position) if form.fields.get(position).is_some_and(|field| !field.is_stored()) => true,
            slot => before.get(slot) != after.get(slot),
        }
    })
}
