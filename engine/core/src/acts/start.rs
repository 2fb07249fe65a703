//! Start a workflow by hand: whoever holds one of the start's roles may; one key, one instance.

use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::workflow::StartOn;

use super::{known, projection};
use crate::Stop;
use crate::change::Reply;
use crate::form::Session;
use crate::rejection::RejectionKind;
use crate::scene::Scene;
use crate::turn::Turn;
use crate::viewer::ViewerKind;
use crate::workflow::{begin, existing_start, start_key};

/// See the module.
pub(crate) fn start(turn: &mut Turn<'_>, workflow: &Key, record: Option<Uuid>, key: &str) -> Result<(), Stop> {
    let pack = turn.context.pack;
    let actor = turn.actor();
    let not_found = |turn: &Turn<'_>| turn.refuse(RejectionKind::NotFound, "workflow_not_found");
    let Some(workflow) = pack.workflows().get(workflow) else { return Err(not_found(turn)) };
    let by_hand = workflow.starts.values().filter_map(|start| match &start.on {
        StartOn::Manual { roles } => Some((start, roles)),
        _ => None,
    });
    let by_hand: Vec<_> = by_hand.collect();
    if by_hand.is_empty() {
        return Err(not_found(turn));
    }
    let is_theirs = |roles: &[Key]| actor.kind == ViewerKind::System || roles.iter().any(|role| actor.has_role(role));
    let Some((start, _)) = by_hand.into_iter().find(|(_, roles)| is_theirs(roles)) else {
        return Err(turn.refuse(RejectionKind::Forbidden, "forbidden"));
    };
    let mut session = match (&workflow.form, record) {
        (None, None) => None,
        (Some(form), Some(id)) => {
            let projection = projection(turn, form)?;
            let (stored, _) = known(turn, &projection, id)?;
            Some(Session::update(turn.context, pack.form(form), stored))
        }
        _ => return Err(turn.refuse(RejectionKind::NotFound, "record_not_found")),
    };
    if let Some(session) = &mut session {
        session.derive()?;
        let needs = session.take_needs();
        if !needs.is_empty() {
            return Err(Stop::Need(needs));
        }
    }
    let scene = match &session {
        Some(session) => Scene::over(turn.context, session.record()),
        None => Scene::new(turn.context, Vec::new()),
    };
    let key = start_key(&scene, start, || key.to_owned())?;
    if let Some(existing) = existing_start(turn, &workflow.key, &key)? {
        turn.change.reply = Reply::Instance(existing);
        return Ok(());
    }
    let instance = begin(turn, workflow, session.as_mut(), key, &start.next, true)?;
    if let Some(session) = &mut session {
        turn.write_or_refuse(session)?;
    }
    turn.change.reply = Reply::Instance(instance);
    Ok(())
}
