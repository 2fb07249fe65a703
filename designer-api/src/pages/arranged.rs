//! How somebody arranged a list for themselves: saved views, and which columns in which order.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;
use serde_json::json;

use formwork_model::Key;
use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::View;
use formwork_runtime::Engine;
use formwork_runtime::own::{NewView, SavedView};

use super::errors::Refusal;
use super::list::{heading, seen};
use super::visit::{Visit, see_other};
use crate::server::Server;
use crate::view::cell::Scribe;
use crate::view::columns::{Columns, columns_of, named, offered};
use crate::view::field::{Choice, Tab};
use crate::view::posted::Posted;
use crate::view::query::{Pairs, address, first, parse};
use crate::view::seen::Seen;

const COLUMNS: &str = "columns";

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/records/{form}/views", post(save)).route("/records/{form}/columns", post(arrange))
}

/// What one can do with the list as it is (templates/pages/records/list.html).
#[derive(Debug, Default, Serialize)]
pub(super) struct Arranged {
    pub(super) path: String,
    /// The address behind `?` without the page.
    pub(super) query: String,
    pub(super) view: String,
    pub(super) columns: Vec<Choice>,
    /// Whether the columns are the reader's choice.
    pub(super) chosen: bool,
    /// Whether the chooser is open: it was just used.
    pub(super) open: bool,
    pub(super) saved: Option<Current>,
    pub(super) roles: Vec<Choice>,
}

/// The saved view one is in.
#[derive(Debug, Serialize)]
pub(super) struct Current {
    id: String,
    name: String,
    mine: bool,
    modified: bool,
    reset: String,
    roles: Vec<Key>,
}

/// The columns a reader sees: those in the address, else those they chose for this view, else those of the view.
pub(super) async fn columns(
    visit: &Visit,
    seen: &Seen,
    view: Option<(&Key, &View)>,
    pairs: &Pairs,
) -> Result<(Columns, bool), Refusal> {
    if let Some(wanted) = first(pairs, COLUMNS) {
        let columns = named(seen, wanted.split(','));
        if !columns.is_empty() {
            return Ok((columns, false));
        }
    }
    if let Some(user) = &visit.caller.user {
        let name = view.map_or("", |(key, _)| &**key);
        let scope = Engine::scope(&seen.pack, &seen.form.key);
        let kept = visit.engine().store().kept(user.id, COLUMNS, &scope, name).await?;
        let kept = kept.map(|kept| {
            let names = kept.body.as_array().into_iter().flatten().filter_map(|name| name.as_str());
            named(seen, names)
        });
        if let Some(columns) = kept.filter(|columns| !columns.is_empty()) {
            return Ok((columns, true));
        }
    }
    Ok((columns_of(seen, view.map(|(_, view)| view)), false))
}

/// The reader's views as tabs, behind those of the pack.
pub(super) async fn views(visit: &Visit, seen: &Seen) -> Result<Vec<SavedView>, Refusal> {
    let Some(user) = &visit.caller.user else { return Ok(Vec::new()) };
    let scope = Engine::scope(&seen.pack, &seen.form.key);
    Ok(visit.engine().views(user.id, &seen.viewer, &scope).await?)
}

/// The address of a saved view.
fn href(path: &str, view: &SavedView) -> String {
    let query = if view.query.is_empty() { String::new() } else { format!("{}&", view.query) };
    format!("{path}?{query}saved={}", view.id)
}

/// Tabs of saved views.
pub(super) fn tabs(path: &str, views: &[SavedView], pairs: &Pairs) -> Vec<Tab> {
    let current = first(pairs, "saved");
    let tab = |view: &SavedView| Tab {
        label: view.name.clone(),
        href: href(path, view),
        active: current == Some(view.id.as_str()),
        count: String::new(),
    };
    views.iter().map(tab).collect()
}

/// What the list offers: its columns to choose from, its query to save.
pub(super) fn arranged(
    seen: &Seen,
    scribe: Scribe<'_>,
    path: &str,
    pairs: &Pairs,
    view: &str,
    (columns, chosen): (&Columns, bool),
    views: &[SavedView],
) -> Arranged {
    let query = query_of(pairs);
    let saved = first(pairs, "saved").and_then(|id| views.iter().find(|view| view.id == id)).map(|view| Current {
        id: view.id.clone(),
        name: view.name.clone(),
        mine: view.mine,
        modified: sorted(&parse(view.query.as_bytes())) != sorted(&parse(query.as_bytes())),
        reset: href(path, view),
        roles: view.roles.clone(),
    });
    let language = &scribe.local.language;
    let roles = seen.pack.roles().iter().filter(|(key, _)| seen.viewer.has_role(key));
    let is_shared = |key: &Key| saved.as_ref().is_some_and(|saved| saved.roles.contains(key));
    let roles = roles.map(|(key, role)| Choice {
        value: key.to_string(),
        label: role.title.get(language).to_owned(),
        selected: is_shared(key),
    });
    let mut all = columns.clone();
    all.extend(offered(seen).into_iter().filter(|(key, _)| !columns.iter().any(|(known, _)| known == key)));
    let choice = |(index, (key, slot)): (usize, &(String, Slot))| Choice {
        value: key.clone(),
        label: heading(seen, scribe, key, *slot).label,
        selected: index < columns.len(),
    };
    Arranged {
        path: path.to_owned(),
        query,
        view: view.to_owned(),
        columns: all.iter().enumerate().map(choice).collect(),
        chosen,
        open: first(pairs, "_open") == Some(COLUMNS),
        roles: roles.collect(),
        saved,
    }
}

/// The address behind `?`, without the page and the view it was saved as.
pub(super) fn query_of(pairs: &Pairs) -> String {
    let kept = pairs.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "after" | "saved") && !name.starts_with('_') && !value.is_empty()
    });
    let written = address("", kept.map(|(name, value)| (name.as_str(), value.as_str())));
    written.strip_prefix('?').unwrap_or_default().to_owned()
}

fn sorted(pairs: &Pairs) -> Pairs {
    let mut pairs = pairs.clone();
    pairs.sort();
    pairs
}

async fn save(visit: Visit, Path(form): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let user = visit.user()?.id;
    let posted = Posted::new(visit.uri.path(), &body);
    let scope = Engine::scope(&seen.pack, &seen.form.key);
    let path = seen.path(visit.engine());
    let id = posted.own("_id");
    if let (Some("delete"), Some(id)) = (posted.own("_act"), id) {
        visit.engine().forget_view(user, &scope, id).await?;
        return Ok(see_other(&path, Some("view_deleted")));
    }
    let roles = parse(&body).into_iter().filter(|(name, _)| name == "_role").map(|(_, role)| Key::from(role.as_str()));
    let view = NewView {
        name: posted.own("_name").unwrap_or_default().to_owned(),
        query: query_of(&parse(posted.own("_query").unwrap_or_default().as_bytes())),
        roles: roles.collect(),
    };
    let saved = visit.engine().save_view(user, &seen.viewer, &scope, id, view).await?;
    Ok(see_other(&href(&path, &saved), Some("view_saved")))
}

async fn arrange(visit: Visit, Path(form): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let seen = seen(&visit, &form)?;
    let user = visit.user()?.id;
    let posted = Posted::new(visit.uri.path(), &body);
    let scope = Engine::scope(&seen.pack, &seen.form.key);
    let view = posted.own("_view").unwrap_or_default();
    if !view.is_empty() && !seen.form.views.contains_key(view) {
        return Err(crate::api::problem::Problem::not_found("view", view).into());
    }
    let mut query = parse(posted.own("_query").unwrap_or_default().as_bytes());
    query.retain(|(name, _)| name != COLUMNS);
    if posted.own("_reset").is_some() {
        visit.engine().store().forget(user, COLUMNS, &scope, view).await?;
    } else {
        let mut names: Vec<String> =
            parse(&body).into_iter().filter(|(name, _)| name == "_column").map(|(_, key)| key).collect();
        if let Some(at) = posted.own("_up").and_then(|up| names.iter().position(|name| name == up)) {
            names.swap(at, at.saturating_sub(1));
        }
        let columns = named(&seen, names.iter().map(String::as_str));
        let names: Vec<&String> = columns.iter().map(|(key, _)| key).collect();
        visit.engine().keep(user, COLUMNS, &scope, view, json!(names)).await?;
        query.push(("_open".to_owned(), COLUMNS.to_owned()));
    }
    let path = seen.path(visit.engine());
    Ok(see_other(&address(&path, query.iter().map(|(name, value)| (name.as_str(), value.as_str()))), None))
}
