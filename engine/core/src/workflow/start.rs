//! How instances begin: one start key starts at most one instance, ever.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use formwork_model::pack::workflow::{Start, StartOn, Target, Workflow};
use formwork_model::{Key, Value};

use super::run::Run;
use crate::Stop;
use crate::facts::Need;
use crate::form::{Session, gather};
use crate::instance::{Instance, InstanceStatus, State};
use crate::scene::Scene;
use crate::turn::Turn;
use crate::wire::render;

/// Number of the format of [`State`].
const STATE_FORMAT: u8 = 1;
/// Longest start key.
const KEY_MAX: usize = 200;

/// Starts the workflows that wait for this record to be created. What lacks is added to `needs`; nothing starts then.
pub(crate) fn start_created<'a>(
    turn: &mut Turn<'a>,
    session: &mut Session<'a>,
    notify: bool,
    needs: &mut Vec<Need>,
) -> Result<(), Stop> {
    let pack = turn.context.pack;
    let mut due: Vec<(&'a Arc<Workflow>, String, &'a Target)> = Vec::new();
    for workflow in pack.workflows().values() {
        if workflow.form.as_ref() != Some(&session.form().key) {
            continue;
        }
        for start in workflow.starts.values() {
            let StartOn::Created { when } = &start.on else { continue };
            let scene = Scene::over(turn.context, session.record());
            let wanted = match when {
                Some(when) => gather(needs, scene.holds(when))?.unwrap_or(false),
                None => true,
            };
            if !wanted {
                continue;
            }
            let key = gather(needs, start_key(&scene, start, || session.record().id.to_string()))?;
            let Some(key) = key else { continue };
            // Nobody can have started anything for the id of a record that is being made.
            let existing = match start.key {
                None => Some(None),
                Some(_) => gather(needs, existing_start(turn, &workflow.key, &key))?,
            };
            let repeated = due.iter().any(|(other, known, _)| other.key == workflow.key && *known == key);
            if existing == Some(None) && !repeated {
                due.push((workflow, key, &start.next));
            }
        }
    }
    if !needs.is_empty() {
        return Ok(());
    }
    for (workflow, key, next) in due {
        begin(turn, workflow, Some(session), key, next, notify)?;
    }
    Ok(())
}

/// The start key an author wrote, else the default of the kind of start.
pub(crate) fn start_key(scene: &Scene<'_>, start: &Start, default: impl FnOnce() -> String) -> Result<String, Stop> {
    let Some(expr) = &start.key else { return Ok(default()) };
    let text = match scene.value(expr)? {
        Value::Null => return Ok(default()),
        value => match render(&value, &expr.ty) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        },
    };
    Ok(text.chars().take(KEY_MAX).collect())
}

/// The instance that key has started before, if any.
pub(crate) fn existing_start(turn: &Turn<'_>, workflow: &Key, key: &str) -> Result<Option<Uuid>, Stop> {
    match turn.context.facts.start_keys.get(&(workflow.clone(), key.to_owned())) {
        Some(existing) => Ok(*existing),
        None => Err(Stop::Need(vec![Need::StartKey(workflow.clone(), key.to_owned())])),
    }
}

/// Starts an instance of the running pack and runs it to rest.
pub(crate) fn begin<'a>(
    turn: &mut Turn<'a>,
    workflow: &'a Arc<Workflow>,
    session: Option<&mut Session<'a>>,
    key: String,
    next: &'a Target,
    notify: bool,
) -> Result<Uuid, Stop> {
    let instance = new_instance(turn, workflow, session.as_deref(), key, notify);
    let data = json!({"workflow": workflow.key, "key": instance.key});
    turn.event("instance.started", instance.record.clone(), Some(instance.id), None, data);
    let pack = turn.context.pack;
    let mut run = Run::new(turn, pack, workflow, session, instance);
    let result = run.follow(next, 0);
    run.finish(result)
}

/// A new instance; its start key is taken.
fn new_instance<'a>(
    turn: &mut Turn<'a>,
    workflow: &Arc<Workflow>,
    session: Option<&Session<'a>>,
    key: String,
    notify: bool,
) -> Instance {
    let id = turn.ids.next();
    turn.change.start_keys.push((workflow.key.clone(), key.clone(), id));
    Instance {
        id,
        workflow: workflow.key.clone(),
        pack_hash: turn.context.pack.hash().clone(),
        record: session.map(|session| (session.form().key.clone(), session.record().id)),
        key,
        status: InstanceStatus::Running,
        started_at: turn.context.at,
        started_by: turn.actor().user,
        revision: 1,
        state: State {
            format: STATE_FORMAT,
            next_activation: 1,
            notify,
            vars: workflow.vars.iter().map(|(key, var)| (key.clone(), var.default.clone())).collect(),
            ..State::default()
        },
    }
}
