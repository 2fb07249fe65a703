//! Look after the clocks of a record though nothing happened to it: their calendar has another version.

use uuid::Uuid;

use formwork_model::Key;

use crate::Stop;
use crate::change::Reply;
use crate::facts::Need;
use crate::form::Session;
use crate::turn::Turn;

/// See the module. What the clocks write into the record stays as it was where the record breaks a rule of its own; the
/// clocks are right all the same.
pub(crate) fn clocks(turn: &mut Turn<'_>, form: &Key, id: Uuid) -> Result<(), Stop> {
    turn.change.reply = Reply::Gone;
    let Some(shape) = turn.context.pack.forms().get(form) else { return Ok(()) };
    let Some(stored) = turn.context.stored(form, id)? else { return Ok(()) };
    let mut session = Session::update(turn.context, shape, stored);
    session.derive()?;
    let needs: Vec<Need> = session.take_needs();
    if !needs.is_empty() {
        return Err(Stop::Need(needs));
    }
    let _broken = turn.write(&mut session)?;
    if !turn.change.clocks.is_empty() {
        turn.change.reply = Reply::Nothing;
    }
    Ok(())
}
