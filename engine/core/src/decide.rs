//! The one entry: a stimulus and what is known become what one transaction writes.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::SubsecRound;
use formwork_model::Pack;

use crate::Stop;
use crate::acts;
use crate::change::ChangeSet;
use crate::facts::Facts;
use crate::feed::Row;
use crate::ids::Ids;
use crate::notice::notices;
use crate::scene::{Completed, Context};
use crate::stimulus::{Act, Stimulus};
use crate::trace::traces;
use crate::turn::Turn;

/// Decides a stimulus for the running `pack`; `packs` holds, by hash, those that running instances are pinned to.
///
/// Pure: the same arguments give the same answer. [`Stop::Need`] names facts to load before calling again, as many at
/// once as can be known; [`Stop::Reject`] refuses the caller, and nothing is to be written.
pub fn decide(
    pack: &Arc<Pack>,
    packs: &HashMap<String, Arc<Pack>>,
    stimulus: &Stimulus,
    facts: &Facts,
) -> Result<ChangeSet, Stop> {
    let mut change = change_of(pack, packs, stimulus, facts)?;
    change.notices = notices(facts, &change, &stimulus.actor, stimulus.at.trunc_subsecs(6));
    change.traces = traces(pack, facts, &change);
    Ok(change)
}

fn change_of(
    pack: &Arc<Pack>,
    packs: &HashMap<String, Arc<Pack>>,
    stimulus: &Stimulus,
    facts: &Facts,
) -> Result<ChangeSet, Stop> {
    // Both stores keep microseconds.
    let at = stimulus.at.trunc_subsecs(6);
    match &stimulus.act {
        Act::Feed { entries, effects, mark } => {
            return Row::new(pack, packs, stimulus, at, facts).feed(entries, *effects, mark.as_ref());
        }
        Act::Unfeed { records, mark } => return Row::new(pack, packs, stimulus, at, facts).unfeed(records, mark),
        _ => {}
    }
    let (kept, pinned) = (Completed::default(), Completed::default());
    let mut turn = Turn {
        context: Context::new(pack, facts, at, &stimulus.actor, &kept),
        packs,
        pinned: &pinned,
        ids: Ids::new(at, stimulus.seed),
        change: ChangeSet::default(),
    };
    match act(&mut turn, &stimulus.act) {
        Ok(()) => Ok(turn.change),
        Err(Stop::TooMany(too_many)) => Err(Box::new(too_many.refusal(pack, &stimulus.actor.language)).into()),
        Err(stop) => Err(stop),
    }
}

fn act<'a>(turn: &mut Turn<'a>, act: &'a Act) -> Result<(), Stop> {
    match act {
        Act::Create { form, values, effects } => acts::create(turn, form, values, *effects),
        Act::Update { form, id, expected_version, patch } => acts::update(turn, form, *id, *expected_version, patch),
        Act::Delete { form, id, expected_version } => acts::delete(turn, form, *id, *expected_version),
        Act::Undo { form, id, expected_version } => acts::undo(turn, form, *id, *expected_version),
        Act::Upsert { form, by, values, effects } => acts::upsert(turn, form, by, values, *effects),
        // Decided above, record by record.
        Act::Feed { .. } | Act::Unfeed { .. } => Ok(()),
        Act::Task { id, verb } => acts::task(turn, *id, verb),
        Act::Start { workflow, record, key } => acts::start(turn, workflow, *record, key),
        Act::Scheduled { workflow, start, due_at, row } => acts::scheduled(turn, workflow, start, *due_at, *row),
        Act::Timer { id } => acts::timer(turn, *id),
        Act::Message { name, key, id, data } => acts::message(turn, name, key, id.as_deref(), data),
        Act::Instance { id, verb, reason } => acts::instance(turn, *id, verb, reason),
        Act::Clocks { form, id } => acts::clocks(turn, form, *id),
        Act::Comment { form, id, text, is_public } => acts::comment(turn, form, *id, text, *is_public),
        Act::Judge { form, id, decision, rule, is_accepted } => {
            acts::judge(turn, form, *id, decision, rule, *is_accepted)
        }
        Act::Answer { form, proofs, text } => acts::answer(turn, form, proofs, text),
    }
}
