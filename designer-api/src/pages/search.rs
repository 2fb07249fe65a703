//! `/search`: what matches a text, over all one may read; and the switch for single keys.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;

use super::errors::Refusal;
use super::shell::Page;
use super::visit::{Visit, see_other};
use crate::api::search::{Group, found};
use crate::server::Server;
use crate::view::posted::Posted;
use crate::view::query::first;

/// Records of a form on the page.
const HITS: u32 = 10;
/// Says that single keys are off in this browser.
pub(crate) const KEYS_COOKIE: &str = "fw_keys";

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/search", get(search)).route("/keys", post(keys))
}

/// What the search shows (templates/pages/search/search.html).
#[derive(Debug, Serialize)]
struct SearchView {
    q: String,
    groups: Vec<Group>,
}

async fn search(visit: Visit) -> Result<Response, Refusal> {
    visit.user()?;
    let pairs = visit.pairs();
    let q = first(&pairs, "q").unwrap_or_default().trim().to_owned();
    let groups = found(&visit.server, &visit.caller, &q, HITS).await?;
    // A number somebody reads from a letter leads straight to its record.
    let mut exact = groups.iter().flat_map(|group| &group.items).filter(|hit| hit.exact);
    if let (Some(hit), None, None, None) = (exact.next(), exact.next(), visit.block.as_ref(), first(&pairs, "all")) {
        return Ok(see_other(&hit.href, None));
    }
    let page = Page { title: visit.say("search.title", &[]), ..Page::default() };
    Ok(visit.draw("pages/search/search.html", page, "search", SearchView { q, groups }).await?)
}

/// Switches single keys on or off, in this browser.
async fn keys(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    visit.user()?;
    let posted = Posted::new(visit.uri.path(), &body);
    let off = posted.own("_keys") == Some("off");
    let mut response = see_other(posted.back().unwrap_or("/"), None);
    let cookie = match off {
        true => format!("{KEYS_COOKIE}=off; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"),
        false => format!("{KEYS_COOKIE}=; Path=/; Max-Age=0"),
    };
    let cookie = HeaderValue::from_str(&cookie).unwrap_or_else(|_| HeaderValue::from_static(""));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
