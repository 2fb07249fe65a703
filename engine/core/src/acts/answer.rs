//! Somebody who is not logged in adds to a record that they have proven to know: a comment that everybody may see.

use formwork_model::Key;

use super::comment::{say, worded};
use crate::Stop;
use crate::questions::proven;
use crate::rejection::RejectionKind;
use crate::turn::Turn;

/// See the module. Whoever does not know the record is told that there is none.
pub(crate) fn answer(turn: &mut Turn<'_>, form: &Key, proofs: &[String], text: &str) -> Result<(), Stop> {
    let Some((_, _, record)) = proven(turn.context, form, proofs)? else {
        return Err(turn.refuse(RejectionKind::NotFound, "record_not_found"));
    };
    let text = worded(turn, text)?;
    say(turn, form, record, text, true)
}
