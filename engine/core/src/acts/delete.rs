//! Delete a record: links to it forbid it or are emptied, as each link says; its open work ends.

use serde_json::json;
use uuid::Uuid;

use formwork_model::expr::Type;
use formwork_model::pack::form::{FieldKind, OnDelete};
use formwork_model::{Key, Value};

use super::{forbidden, known, projection};
use crate::Stop;
use crate::change::{RecordChange, Reply};
use crate::diff::diff;
use crate::facts::Need;
use crate::form::Session;
use crate::instance::{InstanceStatus, TaskStatus};
use crate::rejection::RejectionKind;
use crate::turn::Turn;

/// See the module.
pub(crate) fn delete(turn: &mut Turn<'_>, form: &Key, id: Uuid, expected_version: Option<i64>) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    let (stored, full) = known(turn, &projection, id)?;
    if !projection.deletes(turn.context, full)? {
        return Err(forbidden(turn));
    }
    turn.check_version(expected_version, stored.version)?;
    free_of_links(turn, form, id)?;
    end_open_work(turn, form, id)?;
    let change = RecordChange { form: form.clone(), before: Some(stored.clone()), after: None };
    let operations = diff(projection.form(), Some(stored), None);
    let data = json!({"version": stored.version, "diff": operations});
    turn.event("record.deleted", Some((form.clone(), id)), None, None, data);
    turn.change.records.push(change);
    turn.change.reply = Reply::Deleted;
    Ok(())
}

/// Empties the links that say so; refuses where another kind of link, or a rule, holds on to the record.
fn free_of_links(turn: &mut Turn<'_>, form: &Key, id: Uuid) -> Result<(), Stop> {
    let pack = turn.context.pack;
    let mut links = Vec::new();
    for (other, shape) in pack.forms() {
        for (position, field) in shape.fields.iter().enumerate() {
            if let FieldKind::Link { ty: Type::Link(to), on_delete, .. } = &field.kind
                && to == form
            {
                links.push((other, position, *on_delete, (other.clone(), field.key.clone(), id)));
            }
        }
    }
    let facts = turn.context.facts;
    let missing = links.iter().filter(|(.., key)| !facts.backlinks.contains_key(key));
    let needs: Vec<Need> = missing
        .map(|(.., (form, link, to))| Need::Backlinks { form: form.clone(), link: link.clone(), to: *to })
        .collect();
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    let mut sessions: Vec<Session<'_>> = Vec::new();
    for (other, position, on_delete, key) in links {
        for record in facts.backlinks.get(&key).into_iter().flatten().filter(|record| record.id != id) {
            if on_delete == OnDelete::Restrict {
                return Err(turn.refuse(RejectionKind::Conflict, "linked"));
            }
            let known = sessions.iter().position(|session| session.record().id == record.id);
            let index = known.unwrap_or_else(|| {
                sessions.push(Session::update(turn.context, pack.form(other), record));
                sessions.len() - 1
            });
            sessions[index].assign(position, Value::Null);
        }
    }
    for mut session in sessions {
        if turn.write(&mut session)?.is_err() {
            return Err(turn.refuse(RejectionKind::Conflict, "linked"));
        }
    }
    Ok(())
}

/// Cancels the open tasks of the record and ends their instances. Timers that are left find nothing to do.
fn end_open_work(turn: &mut Turn<'_>, form: &Key, id: Uuid) -> Result<(), Stop> {
    let facts = turn.context.facts;
    let record = (form.clone(), id);
    let Some(tasks) = facts.record_tasks.get(&record) else {
        return Err(Stop::Need(vec![Need::RecordTasks(form.clone(), id)]));
    };
    let open: Vec<_> = tasks.iter().filter(|task| task.status == TaskStatus::Open).collect();
    let missing = open.iter().map(|task| task.instance).filter(|instance| !facts.instances.contains_key(instance));
    let needs: Vec<Need> = missing.map(Need::Instance).collect();
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    for task in open {
        let mut cancelled = task.clone();
        cancelled.status = TaskStatus::Cancelled;
        cancelled.closed = Some((turn.context.at, turn.actor().user));
        let step = Some((task.step.clone(), task.activation));
        turn.event("task.cancelled", Some(record.clone()), Some(task.instance), step, json!({"task": task.id}));
        turn.change.tasks.push(cancelled);
        let is_ended = turn.change.instances.iter().any(|instance| instance.id == task.instance);
        if let Some(Some(instance)) = facts.instances.get(&task.instance).filter(|_| !is_ended) {
            let mut ended = instance.clone();
            ended.status = InstanceStatus::Completed;
            ended.revision += 1;
            ended.state.tokens.clear();
            let data = json!({"outcome": "record_deleted"});
            turn.event("instance.completed", Some(record.clone()), Some(ended.id), None, data);
            turn.change.instances.push(ended);
        }
    }
    Ok(())
}
