//! Search over everything one may read: each form's own list is asked, so that what one may not read neither matches nor
//! counts.
//!
//! A form's readable text fields are looked through for the text as it is written (A to Z are the same as a to z), on
//! both stores without an extension, so that Chinese, which has no spaces between words, is found like everything else.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use formwork_model::expr::Type;
use formwork_model::pack::form::{FieldKind, Level};
use formwork_model::{Key, Pack};
use formwork_runtime::questions::ListRequest;

use super::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::Caller;
use crate::view::cell::plain;
use crate::view::query::address;
use crate::view::seen::{Seen, path_of};

/// Longest text to search for, in characters.
const TEXT_MAX: usize = 200;
/// Most records of a form in one answer.
const LIMIT_MAX: u32 = 20;
const LIMIT: u32 = 5;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/api/search", get(search))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchQuery {
    q: String,
    limit: Option<u32>,
}

/// What a form has that matches.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) form: String,
    pub(crate) label: String,
    /// The list of all of them.
    pub(crate) href: String,
    pub(crate) more: bool,
    pub(crate) items: Vec<Hit>,
}

/// A record that matches.
#[derive(Debug, Serialize)]
pub(crate) struct Hit {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) href: String,
    /// The field that holds the text, where that is not the title.
    pub(crate) field: String,
    pub(crate) text: String,
    /// Whether a number, an address or a telephone is exactly what was searched for.
    pub(crate) exact: bool,
}

async fn search(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Answer<Json<Value>> {
    caller.require_user()?;
    let groups = found(&server, &caller, &query.q, query.limit.unwrap_or(LIMIT)).await?;
    Ok(Json(serde_json::json!({"items": groups})))
}

/// What matches, by form, the newest first; nothing for nothing.
pub(crate) async fn found(server: &Server, caller: &Caller, text: &str, limit: u32) -> Answer<Vec<Group>> {
    let text = wanted(text);
    if text.chars().count() > TEXT_MAX {
        return Err(Problem::malformed(format!("at most {TEXT_MAX} characters to search for")));
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let deployed = server.engine.deployed();
    let forms = deployed.packs.iter().flat_map(|pack| pack.forms().keys().map(move |form| (pack, form)));
    let groups = forms.map(|(pack, form)| group(server, caller, pack, form, &text, limit.clamp(1, LIMIT_MAX)));
    let groups = try_join_all(groups.collect::<Vec<_>>()).await?;
    Ok(groups.into_iter().flatten().collect())
}

/// The text to look for: a telephone number is stored without the gaps people read it with.
fn wanted(text: &str) -> String {
    let text = text.trim();
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let is_number = digits.len() >= 5 && digits.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits } else { text.to_owned() }
}

async fn group(
    server: &Server,
    caller: &Caller,
    pack: &Arc<Pack>,
    form: &Key,
    text: &str,
    limit: u32,
) -> Answer<Option<Group>> {
    let viewer = caller.viewer(&server.engine, pack);
    let seen = Seen::new(pack, form, &viewer);
    if !seen.can_read() || seen.form.views.is_empty() {
        return Ok(None);
    }
    let texts: Vec<usize> = seen
        .fields()
        .filter(|(_, field, level)| *field.ty() == Type::Text && field.is_stored() && *level >= Level::Read)
        .map(|(position, ..)| position)
        .collect();
    let path = path_of(&server.engine, pack, "records", form, |pack, key| pack.forms().contains_key(key));
    let fields = texts.iter().map(|at| seen.form.fields[*at].key.to_string()).chain(["id".to_owned()]).collect();
    let by_id = text.parse::<Uuid>().ok();
    let request = ListRequest { q: Some(text.to_owned()), fields: Some(fields), limit, ..ListRequest::default() };
    let page = match by_id {
        None => server.engine.list(pack, &viewer, form, request).await?,
        Some(id) => match server.engine.record(pack, &viewer, form, id).await {
            Ok(record) => serde_json::json!({"items": [record], "next": null}),
            Err(formwork_store::Failure::Rejected(_)) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        },
    };
    let small = text.to_ascii_lowercase();
    let items: Vec<Hit> = page["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let id = plain(&item["id"]);
            let title = item["title"].as_str().filter(|title| !title.is_empty()).unwrap_or(&id).to_owned();
            let held = texts.iter().map(|at| &seen.form.fields[*at]);
            let held = held.map(|field| (field, plain(&item[&*field.key])));
            let held: Vec<_> = held.filter(|(_, value)| value.to_ascii_lowercase().contains(&small)).collect();
            let names = |kind: &FieldKind| {
                matches!(kind, FieldKind::Series { .. } | FieldKind::Phone { .. } | FieldKind::Email)
            };
            let is_all = |value: &str| value.eq_ignore_ascii_case(text) || value.strip_prefix("+86") == Some(text);
            let exact = by_id.is_some() || held.iter().any(|(field, value)| names(&field.kind) && is_all(value));
            let other = held.iter().find(|_| !title.to_ascii_lowercase().contains(&small));
            Hit {
                href: format!("{path}/{id}"),
                field: other.map(|(field, _)| field.label.get(&caller.language).to_owned()).unwrap_or_default(),
                text: other.map(|(_, value)| around(value, &small)).unwrap_or_default(),
                id,
                title,
                exact,
            }
        })
        .collect();
    // The list of all: the widest view there is.
    let all = seen.form.views.iter().find(|(_, view)| view.filter.is_none()).or(seen.form.views.first());
    let pairs = all.map(|(key, _)| ("view", &**key)).into_iter().chain([("q", text)]);
    let group = Group {
        form: path.trim_start_matches("/records/").to_owned(),
        label: seen.form.label.get(&caller.language).to_owned(),
        href: address(&path, pairs),
        more: page["next"].is_string(),
        items,
    };
    Ok((!group.items.is_empty()).then_some(group))
}

/// The text around what matched.
fn around(value: &str, small: &str) -> String {
    const BEFORE: usize = 20;
    const LENGTH: usize = 80;
    let at = value.to_ascii_lowercase().find(small).map_or(0, |byte| value[..byte].chars().count());
    let from = at.saturating_sub(BEFORE);
    let part: String = value.chars().skip(from).take(LENGTH).collect();
    let part = part.replace(['\r', '\n'], " ");
    let (head, tail) = (if from > 0 { "…" } else { "" }, if value.chars().count() > from + LENGTH { "…" } else { "" });
    format!("{head}{part}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_is_found_as_it_is_read() {
        assert_eq!(wanted(" 138 0000-1234 "), "13800001234");
        assert_eq!(wanted("+86 138 0000 1234"), "+8613800001234");
        assert_eq!(wanted("Lost bag 12"), "Lost bag 12");
        assert_eq!(wanted("1 2"), "1 2");
    }

    #[test]
    fn the_match_is_in_sight() {
        let long = format!("{}门窗未关{}", "早".repeat(50), "晚".repeat(90));
        let part = around(&long, "门窗");
        assert!(part.starts_with("…早") && part.contains("门窗未关") && part.ends_with('…'), "{part}");
        assert_eq!(around("Lost\nBag", "bag"), "Lost Bag");
    }
}
