//! Create a record, or update the one whose unique fields hold the same values: imports and seed rows.

use serde_json::{Map, Value as Json};

use formwork_model::{Key, Value};

use super::{create, forbidden, projection, update};
use crate::Stop;
use crate::facts::Need;
use crate::form::invalid;
use crate::stimulus::Effects;
use crate::turn::Turn;
use crate::viewer::ViewerKind;

/// See the module.
pub(crate) fn upsert(
    turn: &mut Turn<'_>,
    form: &Key,
    by: &[usize],
    values: &Map<String, Json>,
    effects: Effects,
) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
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
