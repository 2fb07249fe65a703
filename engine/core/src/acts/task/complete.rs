//! Do a task (办理): an outcome, changes to the record within the levels of the task, then the workflow goes on.

use serde_json::{Map, Value as Json, json};

use formwork_model::pack::workflow::{Action, Outcome, UserStep};

use super::{pinned, settle};
use crate::Stop;
use crate::access::{Projection, TaskGrants};
use crate::form::{Session, invalid};
use crate::instance::{Instance, Task, TaskStatus};
use crate::messages::message;
use crate::rejection::{FieldError, Rejection, RejectionKind};
use crate::turn::Turn;
use crate::work::is_holder;
use crate::workflow::Run;

/// See the module. Pointers of errors are into `fields`.
pub(super) fn complete(
    turn: &mut Turn<'_>,
    mut task: Task,
    mut instance: Instance,
    outcome: &str,
    fields: &Map<String, Json>,
    expected_version: Option<i64>,
) -> Result<(), Stop> {
    if !is_holder(turn.actor(), &task) {
        return Err(turn.refuse(RejectionKind::Forbidden, "not_your_task"));
    }
    let (pack, workflow) = pinned(turn, &instance)?;
    let node = workflow.graph.nodes.get(&task.step);
    let Some(Action::User(step)) = node.map(|node| &node.action) else {
        return Err(Stop::Fault(format!("step `{}` is no task any more", task.step)));
    };
    let Some(chosen) = step.outcomes.get(outcome) else {
        return Err(turn.refuse(RejectionKind::Invalid, "unknown_outcome"));
    };
    let own_form = workflow.form.as_ref().and_then(|form| pack.forms().get(form));
    let mut session = match (&task.record, own_form) {
        (Some(_), Some(own_form)) => Some(filled(turn, &task, step, own_form, fields, expected_version)?),
        _ if fields.is_empty() => None,
        _ => return Err(turn.refuse(RejectionKind::Invalid, "field_not_writable")),
    };
    if let (Some(session), Some(own_form)) = (&session, own_form) {
        missing(turn, session, own_form, chosen)?;
    }
    task.status = TaskStatus::Done;
    task.closed = Some((turn.context.at, turn.actor().user));
    task.outcome = Some(outcome.to_owned());
    settle(turn, task.clone(), "task.completed", json!({"outcome": outcome}));
    instance.revision += 1;
    let mut run = Run::new(turn, pack, workflow, session.as_mut(), instance);
    let result = run.complete(&task, outcome, chosen);
    run.finish(result)?;
    if let Some(mut session) = session {
        turn.write_or_refuse(&mut session)?;
    }
    Ok(())
}

/// The record with the submitted fields taken, derived values following.
fn filled<'a>(
    turn: &mut Turn<'a>,
    task: &Task,
    step: &UserStep,
    own_form: &formwork_model::pack::form::Form,
    fields: &Map<String, Json>,
    expected_version: Option<i64>,
) -> Result<Session<'a>, Stop> {
    let context = turn.context;
    let gone = || turn.refuse(RejectionKind::NotFound, "record_not_found");
    let (form, id) =
        task.record.as_ref().filter(|(form, _)| context.pack.forms().contains_key(form)).ok_or_else(gone)?;
    let stored = context.stored(form, *id)?.ok_or_else(gone)?;
    turn.check_version(expected_version, stored.version)?;
    let grants = TaskGrants::new(step, own_form);
    let projection = Projection::new(context.pack, form, context.viewer, Some(&grants));
    let mut session = Session::update(context, context.pack.form(form), stored);
    session.take(fields, Some(projection.levels()), &mut turn.ids)?;
    // Asks for everything that the final check will want, in one round trip; its errors are of no interest yet.
    let mut trial = session.clone();
    let errors = trial.check()?;
    let needs = trial.take_needs();
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    if !session.was_understood() {
        let is_unwritable = |error: &FieldError| matches!(&*error.code, "not_writable" | "unknown_field");
        let mut rejection = invalid(&context.viewer.language, errors);
        if rejection.errors.iter().any(is_unwritable) {
            rejection.code = "field_not_writable".to_owned();
            rejection.title = message(&context.viewer.language, "field_not_writable", "", "");
        }
        return Err(Box::new(rejection).into());
    }
    session.derive()?;
    Ok(session)
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
