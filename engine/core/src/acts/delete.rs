//! Delete a record: links to it forbid it or are emptied, as each link says; its open work ends.

use serde_json::json;
use uuid::Uuid;

use formwork_model::expr::Type;
use formwork_model::pack::form::{FieldKind, OnDelete};
use formwork_model::{Key, Value};

use super::task::pinned;
use super::{forbidden, known, projection};
use crate::Stop;
use crate::change::{RecordChange, Reply};
use crate::diff::diff;
use crate::facts::Need;
use crate::form::{Session, gather};
use crate::instance::Instance;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::workflow::{Run, give_up};

/// See the module.
pub(crate) fn delete(turn: &mut Turn<'_>, form: &Key, id: Uuid, expected_version: Option<i64>) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    let (stored, full) = known(turn, &projection, id)?;
    turn.not_of_a_log(projection.form())?;
    if !projection.deletes(turn.context, full)? {
        return Err(forbidden(turn));
    }
    turn.check_version(expected_version, stored.version)?;
    free_of_links(turn, form, id)?;
    end_open_work(turn, form, id)?;
    give_up(turn, form, id)?;
    let change = RecordChange { form: form.clone(), before: Some(stored.clone()), after: None };
    let operations = diff(projection.form(), Some(stored), None);
    let data =
        json!({"version": stored.version, "diff": operations, "created": [stored.created_at, stored.created_by]});
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

/// Cancels the instances that work on the record, with everything that waits for them.
fn end_open_work(turn: &mut Turn<'_>, form: &Key, id: Uuid) -> Result<(), Stop> {
    let facts = turn.context.facts;
    let Some(live) = facts.record_instances.get(&(form.clone(), id)) else {
        return Err(Stop::Need(vec![Need::RecordInstances(form.clone(), id)]));
    };
    let mut needs = Vec::new();
    for instance in live {
        gather(&mut needs, cancelled(turn, instance.clone()))?;
    }
    if needs.is_empty() { Ok(()) } else { Err(Stop::Need(needs)) }
}

fn cancelled(turn: &mut Turn<'_>, mut instance: Instance) -> Result<(), Stop> {
    let (pack, workflow) = pinned(turn, &instance)?;
    instance.revision += 1;
    Run::new(turn, pack, workflow, None, instance).cancel("record_deleted")
}
