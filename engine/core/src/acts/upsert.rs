//! Create a record, or update the one whose unique fields hold the same values: imports and seed rows.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::pack::form::Level;
use formwork_model::{Key, Value};

use super::{create, forbidden, projection, update};
use crate::access::Projection;
use crate::facts::Need;
use crate::form::invalid;
use crate::stimulus::Effects;
use crate::turn::Turn;
use crate::viewer::ViewerKind;
use crate::{Stop, wire};

/// See the module.
pub(crate) fn upsert(
    turn: &mut Turn<'_>,
    form: &Key,
    by: &[usize],
    values: &Map<String, Json>,
    effects: Effects,
) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    if let Some(id) = found(turn, &projection, by, values)? {
        let mut others = values.clone();
        others.retain(|key, _| by.iter().all(|&position| *projection.form().fields[position].key != **key));
        turn.change.reply = update::apply(turn, &projection, id, None, &others)?;
        return Ok(());
    }
    let levels = (turn.actor().kind != ViewerKind::System).then(|| projection.levels());
    let mut session = create::filled(turn, form, values, levels)?;
    let found: Vec<Value> = by.iter().map(|position| session.record().values[*position].clone()).collect();
    if found.is_empty() || found.iter().any(Value::is_null) {
        let errors = session.check()?;
        let needs = session.take_needs();
        return match needs.is_empty() && !errors.is_empty() {
            true => Err(Box::new(invalid(&turn.actor().language, errors)).into()),
            false if !needs.is_empty() => Err(Stop::Need(needs)),
            // Nulls are distinct: nothing can be found by them.
            false => {
                session.draw_numbers();
                create::finish(turn, session, effects)
            }
        };
    }
    let uniques = &projection.form().uniques;
    let unique = uniques.iter().find(|(_, unique)| unique.filter.is_some() && unique.fields == by);
    let unique = unique.map(|(key, _)| key.clone());
    let need = Need::Unique { form: form.clone(), fields: by.to_vec(), values: found, unique };
    match turn.context.facts.unique(&need) {
        None => {
            // The links and numbers of the row lack facts, too: one round trip for all.
            let mut needs = session.take_needs();
            needs.push(need);
            Err(Stop::Need(needs))
        }
        Some(Some(id)) => {
            turn.change.reply = update::apply(turn, &projection, id, None, values)?;
            Ok(())
        }
        Some(None) if !projection.can_create() => Err(forbidden(turn)),
        Some(None) => {
            session.draw_numbers();
            create::finish(turn, session, effects)
        }
    }
}

/// The record that holds the values of the key, where the actor may see a part of it and not write it: so a record is
/// found by its running number.
fn found(
    turn: &Turn<'_>,
    projection: &Projection,
    by: &[usize],
    values: &Map<String, Json>,
) -> Result<Option<Uuid>, Stop> {
    let mut key = Vec::with_capacity(by.len());
    let is_written = |position: &usize| {
        projection.levels().field(*position) == Level::Write && !projection.form().fields[*position].is_derived()
    };
    if turn.actor().kind == ViewerKind::System || by.iter().all(is_written) {
        return Ok(None);
    }
    for &position in by {
        let field = &projection.form().fields[position];
        let seen = projection.levels().field(position) >= Level::Read;
        let value = values.get(&*field.key).filter(|_| seen);
        match value.map(|value| wire::parse(turn.context.pack, field, value)) {
            Some(Ok(wire::Input::Value(value))) if !value.is_null() => key.push(value),
            _ => return Ok(None),
        }
    }
    let form = projection.form();
    let has_filter = form.uniques.values().any(|unique| unique.filter.is_some() && unique.fields == by);
    if by.is_empty() || has_filter {
        return Ok(None);
    }
    let need = Need::Unique { form: form.key.clone(), fields: by.to_vec(), values: key, unique: None };
    match turn.context.facts.unique(&need) {
        Some(found) => Ok(found),
        None => Err(Stop::Need(vec![need])),
    }
}
