//! `/` leads to the home of the viewer's role; `/home` is a plain way to everything they may see.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use chrono::Timelike;
use serde::Serialize;

use formwork_core::facts::BoxPage;
use formwork_model::pack::analytics::TaskBox;

use super::errors::Refusal;
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::server::Server;
use crate::view::format::parse_instant;
use crate::view::nav;

/// Tasks looked at for the sentence about the inbox.
const TASKS_MAX: u32 = 99;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/", get(root)).route("/home", get(home))
}

/// What the home page shows (templates/pages/home/home.html).
#[derive(Debug, Serialize)]
struct HomeView {
    greeting: String,
    inbox: Option<Door>,
}

/// A way in.
#[derive(Debug, Serialize)]
struct Door {
    href: &'static str,
    text: String,
    count: String,
}

/// The roles of a person are tried in the order they hold them, then `*`; a page they may not open is passed over.
async fn root(visit: Visit) -> Result<Response, Refusal> {
    let deployed = visit.engine().deployed();
    for pack in &deployed.packs {
        let viewer = visit.viewer(pack);
        let own = viewer.roles.iter().filter_map(|role| pack.home().get(role));
        for target in own.chain(pack.home().get("*")) {
            if let Some(path) = nav::address(visit.engine(), pack, &viewer, target) {
                return Ok(see_other(&path, None));
            }
        }
    }
    Ok(see_other("/home", None))
}

async fn home(visit: Visit) -> Result<Response, Refusal> {
    let user = visit.user()?;
    let local = visit.anywhere();
    let part = match local.now.with_timezone(&local.zone).hour() {
        5..=11 => "home.morning",
        12..=17 => "home.afternoon",
        _ => "home.evening",
    };
    let view = HomeView { greeting: visit.say(part, &[("name", &user.facts.name)]), inbox: inbox(&visit).await? };
    let page = Page { title: visit.say("home.title", &[]), ..Page::default() };
    Ok(visit.draw("pages/home/home.html", page, "home", view).await?)
}

async fn inbox(visit: &Visit) -> Result<Option<Door>, Refusal> {
    let has_work = visit.engine().deployed().packs.iter().any(|pack| !pack.workflows().is_empty());
    if !has_work {
        return Ok(None);
    }
    let user = Some(visit.user()?);
    let mine = visit.engine().tasks(user, &visit.caller.language, BoxPage::first(TaskBox::Mine, TASKS_MAX)).await?;
    let items = mine["items"].as_array().cloned().unwrap_or_default();
    let now = visit.anywhere().now;
    let is_over =
        |item: &&serde_json::Value| item["due_at"].as_str().and_then(parse_instant).is_some_and(|due| due < now);
    let over = items.iter().filter(is_over).count();
    let key = if over == 0 { "home.tasks" } else { "home.tasks.over" };
    let text = visit.say(key, &[("n", &items.len().to_string()), ("over", &over.to_string())]);
    Ok(Some(Door { href: "/inbox", text, count: super::shell::count_text(&mine) }))
}
