//! What saving emptied because it no longer shows: told in the notice that follows.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::Key;
use formwork_model::pack::form::{Level, WhenHidden};
use formwork_runtime::Engine;

use super::edit::states;
use super::errors::Refusal;
use super::visit::Visit;
use crate::view::seen::Seen;

/// The notice, and with it the fields that held something before or were sent with something, show no longer and are
/// empty now: as `<notice>:<pack>.<form>.<field>…`, for [`words`].
pub(super) async fn told(
    visit: &Visit,
    seen: &Seen,
    id: Uuid,
    sent: &Map<String, Json>,
    before: Option<&Json>,
    notice: String,
) -> Result<String, Refusal> {
    let is_some = |value: &Json| {
        !value.is_null() && value.as_str() != Some("") && value.as_array().is_none_or(|rows| !rows.is_empty())
    };
    let held = |key: &str| sent.get(key).or_else(|| before.map(|before| &before[key])).is_some_and(is_some);
    let mut held: Vec<&Key> = seen
        .fields()
        .filter(|(_, field, level)| {
            let may_go = field.visible_if.is_some() && field.when_hidden == WhenHidden::Clear && !field.is_derived();
            may_go && *level >= Level::Read && held(&field.key)
        })
        .map(|(_, field, _)| &field.key)
        .collect();
    if held.is_empty() || !seen.can_read() {
        return Ok(notice);
    }
    let now = visit.engine().record(&seen.pack, &seen.viewer, &seen.form.key, id).await?;
    held.retain(|key| now.get(&***key).is_some_and(|value| !is_some(value)));
    if held.is_empty() {
        return Ok(notice);
    }
    let states = states(visit, seen, Some(id), None, Map::new()).await?;
    held.retain(|key| states.get(&format!("/{key}")).is_some_and(|state| state["visible"] == false));
    if held.is_empty() {
        return Ok(notice);
    }
    let keys: Vec<&str> = held.iter().map(|key| &***key).collect();
    let parts = notice.matches(':').count();
    let padding = ":".repeat(3_usize.saturating_sub(parts));
    Ok(format!("{notice}{padding}{}.{}", Engine::scope(&seen.pack, &seen.form.key), keys.join(".")))
}

/// The sentence for what [`told`] added; "" where there is none, or of what the visitor may not read.
pub(super) fn words(visit: &Visit, told: &str) -> String {
    let mut parts = told.split('.');
    let (Some(pack), Some(form)) = (parts.next(), parts.next()) else { return String::new() };
    let deployed = visit.engine().deployed();
    let Some(pack) = deployed.pack(pack) else { return String::new() };
    let Some((form, _)) = pack.forms().get_key_value(form) else { return String::new() };
    let seen = Seen::new(pack, form, &visit.viewer(pack));
    let named = parts.filter_map(|key| {
        let (position, field) = seen.form.field(key)?;
        (seen.level(position) >= Level::Read).then(|| field.label.get(&visit.caller.language).to_owned())
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        return String::new();
    }
    let comma = visit.say("ui.comma", &[]);
    visit.say("notice.cleared", &[("fields", &named.join(&comma))])
}
