//! Say something about a record: whoever reads it may.

use serde_json::json;
use uuid::Uuid;

use formwork_model::Key;

use super::{known, projection};
use crate::Stop;
use crate::change::{Reply, Written};
use crate::rejection::RejectionKind;
use crate::turn::Turn;

/// Longest comment, in code points.
const COMMENT_MAX: usize = 10_000;

/// See the module.
pub(crate) fn comment(turn: &mut Turn<'_>, form: &Key, id: Uuid, text: &str) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    let (stored, _) = known(turn, &projection, id)?;
    let text = worded(turn, text)?;
    turn.event("comment", Some((form.clone(), id)), None, None, json!({"text": text}));
    let version = stored.version;
    turn.change.reply = Reply::Record { form: form.clone(), id, version, outcome: Written::Unchanged };
    Ok(())
}

/// The comment without blanks around it; refused where nothing or too much is left.
pub(super) fn worded(turn: &Turn<'_>, text: &str) -> Result<String, Stop> {
    let text = text.trim();
    if text.is_empty() || text.contains('\0') {
        return Err(turn.refuse(RejectionKind::Invalid, "comment_empty"));
    }
    if text.chars().count() > COMMENT_MAX {
        return Err(turn.refuse(RejectionKind::Invalid, "comment_too_long"));
    }
    Ok(text.to_owned())
}
