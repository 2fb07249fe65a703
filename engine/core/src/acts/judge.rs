//! Accept or dismiss a suggestion: whoever is shown it may, and then it is suggested to nobody again.

use serde_json::json;
use uuid::Uuid;

use formwork_model::Key;

use super::{known, projection};
use crate::Stop;
use crate::change::{Judgment, Reply, Written};
use crate::questions::{judged, proposed};
use crate::rejection::RejectionKind;
use crate::turn::Turn;

/// See the module.
pub(crate) fn judge(
    turn: &mut Turn<'_>,
    form: &Key,
    id: Uuid,
    decision: &Key,
    rule: &Key,
    is_accepted: bool,
) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    let (stored, full) = known(turn, &projection, id)?;
    let hits = match turn.context.pack.decisions().get(decision).filter(|found| found.form == *form) {
        Some(found) => proposed(turn.context, full, found)?,
        None => None,
    };
    // Whoever is not shown what this table suggests does not learn what became of it.
    let Some(hits) = hits else { return Err(turn.refuse(RejectionKind::NotFound, "suggestion_not_found")) };
    if !hits.contains(rule) {
        return Err(match judged(turn.context, form, id)?.contains(&(decision.clone(), rule.clone())) {
            true => turn.refuse(RejectionKind::Conflict, "suggestion_judged"),
            false => turn.refuse(RejectionKind::NotFound, "suggestion_not_found"),
        });
    }
    let kind = if is_accepted { "suggestion.accepted" } else { "suggestion.dismissed" };
    turn.event(kind, Some((form.clone(), id)), None, None, json!({"decision": decision, "rule": rule}));
    turn.change.judgments.push(Judgment {
        record: (form.clone(), id),
        decision: decision.clone(),
        rule: rule.clone(),
        is_accepted,
        by: turn.actor().user,
        at: turn.context.at,
    });
    turn.change.reply = Reply::Record { form: form.clone(), id, version: stored.version, outcome: Written::Unchanged };
    Ok(())
}
