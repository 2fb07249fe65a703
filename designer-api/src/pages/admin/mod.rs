//! `/admin/…`: what looks after the installation. Each page asks for the platform role it belongs to; none shows a record.

mod audit;
mod operations;
mod queues;
mod teams;
mod users;

use std::sync::Arc;

use axum::Router;
use serde::Serialize;

use formwork_runtime::people::By;

use super::visit::Visit;
use crate::api::problem::Problem;
use crate::server::Server;
use crate::view::nav::{Group, Item};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .merge(users::routes())
        .merge(queues::routes())
        .merge(teams::routes())
        .merge(operations::routes())
        .merge(audit::routes())
}

/// The visitor as the audit log tells them, if they look after users and operations.
fn admin(visit: &Visit) -> Result<By, Problem> {
    visit.caller.require_role(&["admin"])?;
    visit.caller.by()
}

/// A choice of a select or of boxes to tick.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    label: String,
    selected: bool,
}

/// The pages of administration: address, key of the title, icon, and the role they belong to.
const PAGES: [(&str, &str, &str, &str); 7] = [
    ("/admin/users", "admin.users", "user", "admin"),
    ("/admin/queues", "admin.queues", "queue", "admin"),
    ("/admin/teams", "admin.teams", "team", "admin"),
    ("/admin/incidents", "admin.incidents", "warn", "admin"),
    ("/admin/outbox", "admin.outbox", "send", "admin"),
    ("/admin/jobs", "admin.jobs", "download", "admin"),
    ("/admin/audit", "admin.audit", "report", "auditor"),
];

/// The role that the page at this address belongs to.
pub(super) fn role_of(path: &str) -> Option<&'static str> {
    let page = PAGES.iter().find(|(href, ..)| path.starts_with(href));
    page.map(|(.., role)| *role)
}

/// The group of the side bar for those who hold a role of the platform that has pages; none for others.
pub(super) fn group(visit: &Visit) -> Option<Group> {
    let user = visit.caller.user.as_ref()?;
    let may = |role: &str| user.facts.roles.iter().any(|held| &**held == role);
    let items: Vec<Item> = PAGES
        .into_iter()
        .filter(|(.., role)| may(role))
        .map(|(href, title, icon, _)| Item {
            label: visit.say(title, &[]),
            href: href.to_owned(),
            icon,
            active: false,
            count: String::new(),
            phone: false,
            key: String::new(),
        })
        .collect();
    (!items.is_empty()).then(|| Group { label: visit.say("admin.title", &[]), items })
}
