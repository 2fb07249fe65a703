//! `/notices`: what concerns the visitor, the newest first; pressing one marks it read and goes there.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::Value as Json;

use formwork_runtime::notices::UNREAD_MAX;

use super::errors::Refusal;
use super::shell::Page;
use super::visit::{Visit, mark, see_other};
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::cell::plain;
use crate::view::format::{Time, parse_instant};
use crate::view::posted::Posted;
use crate::view::query::{address, first, is_local};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/notices", get(show)).route("/notices/count", get(count)).route("/notices/read", post(read))
}

/// What concerns one (templates/pages/notices/notices.html).
#[derive(Debug, Serialize)]
struct NoticesView {
    items: Vec<NoticeView>,
    /// The newest: up to it all is marked; "" where nothing is unread.
    until: String,
    next: String,
}

#[derive(Debug, Serialize)]
struct NoticeView {
    id: String,
    text: String,
    subject: String,
    href: String,
    icon: &'static str,
    at: Option<Time>,
    unread: bool,
}

async fn show(visit: Visit) -> Result<Response, Refusal> {
    let pairs = visit.pairs();
    let after = first(&pairs, "after").and_then(|after| after.parse().ok());
    let told = visit.engine().notices(visit.user()?, &visit.caller.language, after).await?;
    let items: Vec<NoticeView> =
        told["items"].as_array().into_iter().flatten().map(|item| notice(&visit, item)).collect();
    let is_all_read = told["unread"] == 0;
    let until = items.first().filter(|_| !is_all_read).map(|newest| newest.id.clone());
    let next = told["next"].as_i64().map(|next| address("/notices", [("after", next.to_string().as_str())]));
    let view = NoticesView { items, until: until.unwrap_or_default(), next: next.unwrap_or_default() };
    let page = Page { title: visit.say("notices.title", &[]), ..Page::default() };
    Ok(visit.draw("pages/notices/notices.html", page, "box", view).await?)
}

fn notice(visit: &Visit, item: &Json) -> NoticeView {
    let kind = item["kind"].as_str().unwrap_or_default();
    let local = visit.anywhere();
    let by = item["actor"]["name"].as_str().map_or_else(|| local.say("activity.system", &[]), str::to_owned);
    let (task, import) = (&item["task"], &item["import"]);
    let (subject, href, icon) = if let Some(id) = task["id"].as_str() {
        let title = task["record"]["title"].as_str().unwrap_or_default();
        let subject =
            if title.is_empty() { plain(&task["label"]) } else { format!("{} · {title}", plain(&task["label"])) };
        let name = if kind == "task.copied" { "cc" } else { "mine" };
        (subject, address("/inbox", [("box", name), ("task", id)]), "inbox")
    } else if let Some(id) = import["id"].as_str() {
        (plain(&import["name"]), format!("/imports/{id}"), "form")
    } else {
        (local.say("notices.gone", &[]), String::new(), "info")
    };
    NoticeView {
        id: plain(&item["id"]),
        text: local.say(&format!("noticed.{kind}"), &[("by", &by)]),
        subject,
        href,
        icon,
        at: item["at"].as_str().and_then(parse_instant).map(|at| local.time(at)),
        unread: item["read"] != true,
    }
}

/// What stands beside the bell.
async fn count(visit: Visit) -> Result<Response, Refusal> {
    let mut response = visit.notices_count(visit.user()?).await?.into_response();
    mark(response.headers_mut());
    Ok(response)
}

async fn read(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let user = visit.user()?;
    let posted = Posted::new(visit.uri.path(), &body);
    let number = |name| posted.own(name).and_then(|text| text.parse::<i64>().ok());
    match (number("_id"), number("_until")) {
        (Some(id), _) => visit.engine().read_notices(user, id, true).await?,
        (None, Some(until)) => visit.engine().read_notices(user, until, false).await?,
        _ => return Err(Problem::malformed("which notice was read is not said").into()),
    };
    Ok(see_other(posted.own("_next").filter(|next| is_local(next)).unwrap_or("/notices"), None))
}

impl Visit {
    /// How many notices the user has not read: "3", "99+", "" for none.
    pub(super) async fn notices_count(&self, user: &formwork_store::User) -> Result<String, Problem> {
        Ok(match self.engine().unread(user).await? {
            0 => String::new(),
            count if count >= i64::from(UNREAD_MAX) => format!("{}+", UNREAD_MAX - 1),
            count => count.to_string(),
        })
    }
}
