//! Do a task (办理): an outcome, changes to the record within the levels of the task, then the workflow goes on.

use serde_json::{Map, Value as Json, json};

use formwork_model::pack::workflow::Outcome;

use super::{Work, settle};
use crate::Stop;
use crate::form::Session;
use crate::instance::{Instance, Task, TaskStatus};
use crate::messages::message;
use crate::rejection::{FieldError, Rejection, RejectionKind};
use crate::turn::Turn;
use crate::work::{is_barred, is_holder, is_owner};
use crate::workflow::Run;

/// See the module. Pointers of errors are into `fields`.
pub(super) fn complete<'a>(
    turn: &mut Turn<'a>,
    mut task: Task,
    mut instance: Instance,
    work: &Work<'a>,
    outcome: &str,
    fields: &Map<String, Json>,
    expected_version: Option<i64>,
) -> Result<(), Stop> {
    if is_owner(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Conflict, "delegated_out"));
    }
    if !is_holder(turn.actor(), &task) || task.owner.is_some() {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
    if is_barred(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "four_eyes"));
    }
    let Some(chosen) = work.form.outcomes.get(outcome) else {
        return Err(turn.refuse(RejectionKind::Invalid, "unknown_outcome"));
    };
    let mut session = work.filled(turn, &task, fields, expected_version)?;
    if let (Some(session), Some(own_form)) = (&session, work.own_form) {
        missing(turn, session, own_form, chosen)?;
    }
    task.status = TaskStatus::Done;
    task.closed = Some((turn.context.at, turn.actor().user));
    task.outcome = Some(outcome.to_owned());
    settle(turn, task.clone(), "task.completed", json!({"outcome": outcome}));
    instance.revision += 1;
    let mut run = Run::new(turn, work.pack, work.workflow, session.as_mut(), instance);
    let result = run.settle().and_then(|()| run.complete(&task, outcome, chosen));
    run.finish(result)?;
    if let Some(mut session) = session {
        turn.write_or_refuse(&mut session)?;
    }
    Ok(())
}

/// Refuses an outcome whose required fields are empty.
fn missing(
    turn: &Turn<'_>,
    session: &Session<'_>,
    own_form: &formwork_model::pack::form::Form,
    outcome: &Outcome,
) -> Result<(), Stop> {
    let language = &turn.actor().language;
    let keys = outcome.required.iter().filter_map(|position| own_form.fields.get(*position)).map(|field| &field.key);
    let empty = keys.filter_map(|key| session.form().field(key)).filter(|(position, _)| {
        let value = &session.record().values[*position];
        value.is_null() || matches!(value, formwork_model::Value::Rows(rows) if rows.is_empty())
    });
    let errors: Vec<FieldError> = empty
        .map(|(_, field)| FieldError {
            code: "required".to_owned(),
            pointer: format!("/{}", field.key),
            message: message(language, "required", field.label.get(language), ""),
            hint: None,
        })
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let title = message(language, "required_missing", "", "");
    let mut rejection = Rejection::new(RejectionKind::Invalid, "required_missing", title);
    rejection.errors = errors;
    Err(Box::new(rejection).into())
}
