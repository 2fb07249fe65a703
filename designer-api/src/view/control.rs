//! What a control holds for a value, and what `/evaluate` says of both.

use serde_json::{Map, Value as Json};

use formwork_model::pack::form::{Field, FieldKind, Level};

use super::cell::{Scribe, plain};
use super::format::{Local, parse_instant};
use super::seen::Seen;

/// Adds to what `/evaluate` says how values look on a page: `text` is how people read a read-only one, `control` what the
/// control of another one holds.
pub(crate) fn add_texts(fields: &mut Map<String, Json>, seen: &Seen, scribe: Scribe<'_>) {
    for (pointer, state) in fields {
        let mut parts = pointer.split('/').skip(1);
        let Some((_, field)) = parts.next().and_then(|key| seen.form.field(key)) else { continue };
        let child = parts.nth(1).and_then(|key| field.kind.rows().iter().find(|child| *child.key == *key));
        if state["readonly"] != true {
            state["control"] = Json::String(control_text(child.unwrap_or(field), &state["value"], scribe.local));
            continue;
        }
        // A masked value is a mask already, and stays as it is.
        let cell = match child {
            Some(child) => scribe.row_cell(child, &state["value"], Level::Read),
            None => scribe.cell(seen, field, &state["value"], Level::Read),
        };
        state["text"] = Json::String(cell.text);
    }
}

/// What a control holds for a value: the text that is posted back when nobody touches it.
pub(crate) fn control_text(field: &Field, value: &Json, local: &Local) -> String {
    match (&field.kind, value) {
        (FieldKind::DateTime, Json::String(text)) => match parse_instant(text) {
            Some(at) => at.with_timezone(&local.zone).format("%Y-%m-%dT%H:%M").to_string(),
            None => text.clone(),
        },
        (_, Json::Object(map)) => map.get("id").map(plain).unwrap_or_default(),
        (_, Json::Array(_)) => String::new(),
        (_, other) => plain(other),
    }
}

/// Whether values stand flush right.
pub(crate) fn is_number(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Integer { .. } | FieldKind::Decimal { .. } | FieldKind::Money { .. })
}

/// The offset of the zone, as `UTC+08`.
pub(crate) fn zone_label(local: &Local) -> String {
    local.now.with_timezone(&local.zone).format("UTC%:z").to_string().replace(":00", "")
}
