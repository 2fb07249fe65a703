//! `/admin/audit`: who logged in and who was refused, who changed whose rights, who deployed what.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use formwork_store::{AuditFilter, Audited};

use super::Choice;
use crate::api::operations::file;
use crate::pages::errors::Refusal;
use crate::pages::shell::Page;
use crate::pages::visit::Visit;
use crate::server::Server;
use crate::view::people::{queue_title, role_title};
use crate::view::query::{address, changed, first};

/// Rows of a page.
const LIMIT: u32 = 50;
/// Kinds one can look for: of a group of them, what they begin with.
const KINDS: [&str; 10] = [
    "session.",
    "session.refused",
    "user.",
    "password.",
    "token.",
    "team.",
    "pack.",
    "instance.",
    "message.",
    "audit.",
];

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/admin/audit", get(show)).route("/admin/audit.csv", get(export))
}

/// The page (templates/pages/admin/audit.html).
#[derive(Debug, Serialize)]
struct AuditView {
    q: String,
    kinds: Vec<Choice>,
    from: String,
    to: String,
    filtered: bool,
    export: String,
    rows: Vec<Row>,
    first: String,
    next: String,
}

/// A row of it.
#[derive(Debug, Serialize)]
struct Row {
    at: String,
    exact: String,
    iso: String,
    who: String,
    what: String,
    tone: &'static str,
    subject: String,
    address: String,
    details: Vec<String>,
}

/// What the address asks for. Days are those of the reader's zone.
fn filter(visit: &Visit) -> AuditFilter {
    let pairs = visit.pairs();
    let day = |name: &str| first(&pairs, name).and_then(|text| text.parse::<NaiveDate>().ok());
    let midnight = |day: NaiveDate| -> Option<DateTime<Utc>> {
        let zone = visit.anywhere().zone;
        let local = day.and_time(NaiveTime::MIN).and_local_timezone(zone);
        local.earliest().map(|at| at.with_timezone(&Utc))
    };
    AuditFilter {
        text: first(&pairs, "q").unwrap_or_default().trim().to_owned(),
        kind: first(&pairs, "kind").unwrap_or_default().to_owned(),
        from: day("from").and_then(midnight),
        // The last day is whole.
        to: day("to").and_then(|day| day.checked_add_days(Days::new(1))).and_then(midnight),
    }
}

async fn show(visit: Visit) -> Result<Response, Refusal> {
    visit.caller.require_role(&["auditor"])?;
    let pairs = visit.pairs();
    let filter = filter(&visit);
    let before = first(&pairs, "before").and_then(|before| before.parse().ok());
    let mut rows = visit.engine().audited(&filter, before, LIMIT + 1).await?;
    let more = rows.len() > LIMIT as usize;
    rows.truncate(LIMIT as usize);
    let text = |name: &str| first(&pairs, name).unwrap_or_default().to_owned();
    let here = |added: &[(&str, &str)]| changed("/admin/audit", &pairs, |name| name == "before", added);
    let next = rows.last().filter(|_| more).map(|row| here(&[("before", &row.number.to_string())]));
    let asked = pairs.iter().filter(|(name, value)| name != "before" && !value.is_empty());
    let asked: Vec<(&str, &str)> = asked.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let kind = |key: &str| Choice {
        value: key.to_owned(),
        label: visit.say(&format!("audit.group.{}", key.trim_end_matches('.')), &[]),
        selected: filter.kind == key,
    };
    let view = AuditView {
        q: filter.text.clone(),
        kinds: KINDS.map(kind).into(),
        from: text("from"),
        to: text("to"),
        filtered: !asked.is_empty(),
        export: address("/admin/audit.csv", asked),
        rows: rows.iter().map(|row| told(&visit, row)).collect(),
        first: if before.is_some() { here(&[]) } else { String::new() },
        next: next.unwrap_or_default(),
    };
    let page = Page { title: visit.say("admin.audit", &[]), wide: true, ..Page::default() };
    Ok(visit.draw("pages/admin/audit.html", page, "audit", view).await?)
}

async fn export(visit: Visit) -> Result<Response, Refusal> {
    visit.caller.require_role(&["auditor"])?;
    let filter = filter(&visit);
    visit.engine().tell_exported(&visit.caller.by()?).await?;
    Ok(file(visit.server.clone(), filter).await?)
}

fn told(visit: &Visit, row: &Audited) -> Row {
    let audit = &row.audit;
    let local = visit.anywhere();
    let what = format!("audit.kind.{}", audit.kind);
    let words = crate::i18n::catalogue(&visit.caller.language);
    Row {
        at: local.instant(audit.at),
        exact: local.exact(audit.at),
        iso: crate::view::format::iso(audit.at),
        who: if audit.who.is_empty() { visit.say("audit.nobody", &[]) } else { audit.who.clone() },
        what: words.get(&what).cloned().unwrap_or_else(|| audit.kind.clone()),
        tone: match audit.kind.as_str() {
            "session.refused" => "warn",
            "user.disabled" => "bad",
            _ => "",
        },
        subject: audit.subject.clone(),
        address: audit.address.clone().unwrap_or_default(),
        details: details(visit, &audit.data),
    }
}

/// What else there is to know, one line a member: `Roles: Agent → Agent, Team lead`.
fn details(visit: &Visit, data: &Json) -> Vec<String> {
    let words = crate::i18n::catalogue(&visit.caller.language);
    let members = data.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let label = words.get(&format!("audit.data.{name}")).cloned().unwrap_or_else(|| name.clone());
            let text = match (value.get("from"), value.get("to")) {
                (Some(from), Some(to)) => format!("{} → {}", plain(visit, name, from), plain(visit, name, to)),
                _ => plain(visit, name, value),
            };
            format!("{label}{}{text}", visit.say("ui.colon", &[]))
        })
        .collect()
}

/// A value in words: roles and queues by their titles, reasons from the catalogue.
fn plain(visit: &Visit, name: &str, value: &Json) -> String {
    let (engine, language) = (visit.engine(), visit.caller.language.as_str());
    match value {
        Json::Null => "–".to_owned(),
        Json::Array(items) if items.is_empty() => "–".to_owned(),
        Json::Array(items) => {
            let texts: Vec<String> = items.iter().map(|item| plain(visit, name, item)).collect();
            texts.join(&visit.say("ui.comma", &[]))
        }
        Json::Bool(is) => visit.say(if *is { "field.yes" } else { "field.no" }, &[]),
        Json::String(text) => match name {
            "roles" => role_title(engine, language, text),
            "queues" => queue_title(engine, language, text),
            "hash" => text.chars().take(12).collect(),
            "why" | "which" => {
                let key = format!("audit.{name}.{text}");
                crate::i18n::catalogue(language).get(&key).cloned().unwrap_or_else(|| text.clone())
            }
            _ => text.clone(),
        },
        other => other.to_string(),
    }
}
