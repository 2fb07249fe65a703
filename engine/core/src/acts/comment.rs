//! Say something about a record: whoever reads it may. A public comment is for whoever follows the record without
//! logging in, too, and goes on where a workflow waits for one.

use indexmap::IndexMap;
use serde_json::json;
use uuid::Uuid;

use formwork_model::pack::workflow::CommentBy;
use formwork_model::{Key, Value};

use super::message::hear;
use super::{known, projection};
use crate::Stop;
use crate::change::{Reply, Written};
use crate::record::Record;
use crate::rejection::RejectionKind;
use crate::turn::Turn;
use crate::viewer::ViewerKind;

/// Longest comment, in code points.
const COMMENT_MAX: usize = 10_000;

/// See the module.
pub(crate) fn comment(turn: &mut Turn<'_>, form: &Key, id: Uuid, text: &str, is_public: bool) -> Result<(), Stop> {
    let projection = projection(turn, form)?;
    let (stored, _) = known(turn, &projection, id)?;
    let is_followed = projection.form().track().is_some();
    if is_public && !is_followed {
        return Err(turn.refuse(RejectionKind::Invalid, "comment_not_public"));
    }
    let text = worded(turn, text)?;
    say(turn, form, stored, text, is_public)
}

/// Writes the comment; whoever waits for a public one goes on.
pub(super) fn say(turn: &mut Turn<'_>, form: &Key, record: &Record, text: String, is_public: bool) -> Result<(), Stop> {
    let mut data = json!({"text": text});
    if is_public {
        data["public"] = json!(true);
    }
    turn.event("comment", Some((form.clone(), record.id)), None, None, data);
    if is_public {
        let by = if turn.actor().kind == ViewerKind::Public { CommentBy::Public } else { CommentBy::Staff };
        let carried = IndexMap::from([(Key::from("text"), Value::Text(text))]);
        hear(turn, &by.message(), &record.id.to_string(), &carried)?;
    }
    let (id, version) = (record.id, record.version);
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
