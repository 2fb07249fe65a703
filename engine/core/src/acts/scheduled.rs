//! A schedule came due: a start with nobody behind it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::workflow::StartOn;

use crate::Stop;
use crate::change::{ChangeSet, Reply};
use crate::form::Session;
use crate::scene::Scene;
use crate::turn::Turn;
use crate::wire::instant_text;
use crate::workflow::{begin, existing_start, open_incident, start_key};

/// See the module. The default key is the instant of the schedule and the row's id, so a repeated run starts nothing.
pub(crate) fn scheduled(
    turn: &mut Turn<'_>,
    workflow: &Key,
    start: &Key,
    due_at: DateTime<Utc>,
    row: Option<Uuid>,
) -> Result<(), Stop> {
    let pack = turn.context.pack;
    turn.change.reply = Reply::Gone;
    let Some(workflow) = pack.workflows().get(workflow) else { return Ok(()) };
    let Some(start) = workflow.starts.get(start) else { return Ok(()) };
    let StartOn::Schedule { each, .. } = &start.on else { return Ok(()) };
    let form = each.as_ref().map(|each| &each.form).or(workflow.form.as_ref());
    let mut session = match (form, row) {
        (Some(form), Some(id)) => {
            // A row that was deleted meanwhile needs no run.
            let Some(stored) = turn.context.stored(form, id)? else { return Ok(()) };
            let mut session = Session::update(turn.context, pack.form(form), stored);
            session.derive()?;
            let needs = session.take_needs();
            if !needs.is_empty() {
                return Err(Stop::Need(needs));
            }
            Some(session)
        }
        _ => None,
    };
    let scene = match &session {
        Some(session) => Scene::over(turn.context, session.record()),
        None => Scene::new(turn.context, Vec::new()),
    };
    let instant = instant_text(due_at);
    let key = start_key(&scene, start, || row.map_or(instant.clone(), |row| format!("{instant}:{row}")))?;
    if let Some(existing) = existing_start(turn, &workflow.key, &key)? {
        turn.change.reply = Reply::Instance(existing);
        return Ok(());
    }
    let id = begin(turn, workflow, session.as_mut(), key, &start.next, true)?;
    turn.change.reply = Reply::Instance(id);
    let Some(session) = &mut session else { return Ok(()) };
    if let Err(errors) = turn.write(session)? {
        // Everything rolls back but that it was tried, and failed.
        let done = std::mem::take(&mut turn.change);
        let Some(mut instance) = done.instances.into_iter().find(|instance| instance.id == id) else { return Ok(()) };
        let step = instance.state.tokens.first().map_or_else(|| Key::from("start"), |token| token.step.clone());
        turn.change = ChangeSet { start_keys: done.start_keys, reply: Reply::Instance(id), ..ChangeSet::default() };
        open_incident(turn, &mut instance, &step, "rule_broken", super::timer::told(&errors));
        turn.change.instances.push(instance);
    }
    Ok(())
}
