//! File a record, and start the workflows that wait for it.

use serde_json::{Map, Value as Json};

use formwork_model::Key;

use super::{forbidden, projection};
use crate::Stop;
use crate::access::Levels;
use crate::change::{Reply, Written};
use crate::form::Session;
use crate::stimulus::Effects;
use crate::turn::Turn;
use crate::viewer::ViewerKind;
use crate::workflow::start_created;

/// See the module.
pub(crate) fn create(
    turn: &mut Turn<'_>,
    form: &Key,
    values: &Map<String, Json>,
    effects: Effects,
) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    if !projection.can_create() {
        return Err(forbidden(turn));
    }
    let levels = (turn.actor().kind != ViewerKind::System).then(|| projection.levels());
    let mut session = filled(turn, form, values, levels)?;
    session.draw_numbers();
    finish(turn, session, effects)
}

/// A new record with the values submitted, without its running numbers: an upsert may find one that has them.
pub(super) fn filled<'a>(
    turn: &mut Turn<'a>,
    form: &Key,
    values: &Map<String, Json>,
    levels: Option<&Levels>,
) -> Result<Session<'a>, Stop> {
    let id = turn.ids.next();
    turn.context.fresh = Some(id);
    let mut session = Session::create(turn.context, turn.context.pack.form(form), id);
    session.apply_defaults(values, true)?;
    session.take(values, levels, &mut turn.ids)?;
    session.apply_defaults(values, false)?;
    Ok(session)
}

/// Checks once to learn all facts that lack, runs the workflows, checks the final state, writes.
pub(super) fn finish<'a>(turn: &mut Turn<'a>, mut session: Session<'a>, effects: Effects) -> Result<(), Stop> {
    let errors = session.check()?;
    let mut needs = session.take_needs();
    if !session.was_understood() {
        return match needs.is_empty() {
            true => Err(Box::new(crate::form::invalid(&turn.actor().language, errors)).into()),
            false => Err(Stop::Need(needs)),
        };
    }
    if effects.starts {
        start_created(turn, &mut session, effects.notify, &mut needs)?;
    }
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    let written = turn.write_or_refuse(&mut session)?;
    debug_assert_eq!(written, Written::Created, "a new record is always a change");
    let record = session.record();
    turn.change.reply =
        Reply::Record { form: session.form().key.clone(), id: record.id, version: record.version, outcome: written };
    Ok(())
}
