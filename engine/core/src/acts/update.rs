//! Change a record: the row rule holds before and after.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::Key;

use super::{forbidden, known, projection};
use crate::Stop;
use crate::access::Projection;
use crate::change::{Reply, Written};
use crate::form::Session;
use crate::turn::Turn;
use crate::viewer::ViewerKind;

/// See the module.
pub(crate) fn update(
    turn: &mut Turn<'_>,
    form: &Key,
    id: Uuid,
    expected_version: Option<i64>,
    patch: &Map<String, Json>,
) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    turn.not_of_a_log(projection.form())?;
    let outcome = apply(turn, &projection, id, expected_version, patch)?;
    turn.change.reply = outcome;
    Ok(())
}

/// Changes the record and says what came of it.
pub(super) fn apply(
    turn: &mut Turn<'_>,
    projection: &Projection,
    id: Uuid,
    expected_version: Option<i64>,
    patch: &Map<String, Json>,
) -> Result<Reply, Stop> {
    let form = &projection.form().key;
    let (stored, full) = known(turn, projection, id)?;
    if !projection.updates(turn.context, full)? {
        return Err(forbidden(turn));
    }
    turn.check_version(expected_version, stored.version)?;
    let levels = (turn.actor().kind != ViewerKind::System).then(|| projection.levels());
    let mut session = Session::update(turn.context, turn.context.pack.form(form), stored);
    session.take(patch, levels, &mut turn.ids)?;
    let outcome = turn.write_or_refuse(&mut session)?;
    if outcome == Written::Updated && !projection.updates(turn.context, session.record())? {
        return Err(forbidden(turn));
    }
    let version = if outcome == Written::Unchanged { stored.version } else { session.record().version };
    Ok(Reply::Record { form: form.clone(), id, version, outcome })
}
