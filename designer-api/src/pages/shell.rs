//! What stands around every page: side bar, who one is, notices, banners.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse};
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use formwork_core::facts::BoxPage;
use formwork_model::pack::analytics::TaskBox;
use formwork_store::User;

use super::visit::{Visit, fault, mark};
use crate::api::problem::{Answer, Problem};
use crate::view::clock::words;
use crate::view::field::Link;
use crate::view::history::initials;
use crate::view::nav;
use crate::view::people::role_title;

/// Tasks counted for the side bar; beyond it stands a plus.
const COUNT_MAX: u32 = 99;

/// What a page is beside its own view.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Title of the page and of the window.
    pub(crate) title: String,
    /// The way back up.
    pub(crate) breadcrumb: Vec<Link>,
    /// Without a reading width.
    pub(crate) wide: bool,
    /// A form came back with errors.
    pub(crate) rejected: bool,
    /// The entry of the side bar one is at, where it is not this address.
    pub(crate) place: Option<String>,
    /// Instead of 200.
    pub(crate) status: StatusCode,
}

/// A notice of a page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Notice {
    tone: &'static str,
    text: String,
    /// Where to post to take it back; "" where that cannot be done.
    undo: String,
}

impl Visit {
    /// Draws a page, or the block of it that was asked for; `name` is what the template calls `view`.
    pub(crate) async fn draw(&self, template: &str, page: Page, name: &str, view: impl Serialize) -> Answer {
        let notices: Vec<Notice> = self.flash.as_deref().and_then(|key| self.flashed(key)).into_iter().collect();
        let html = self.html(template, &page, name, view, &notices).await?;
        let mut response = (page.status, Html(html)).into_response();
        mark(response.headers_mut());
        if !notices.is_empty() {
            response
                .headers_mut()
                .append(header::SET_COOKIE, HeaderValue::from_static("fw_notice=; Path=/; Max-Age=0"));
        }
        Ok(response)
    }

    /// The text of a page or of a block of it.
    pub(crate) async fn html(
        &self,
        template: &str,
        page: &Page,
        name: &str,
        view: impl Serialize,
        notices: &[Notice],
    ) -> Result<String, Problem> {
        let place = page.place.as_deref().unwrap_or(self.path());
        let nav = if self.draws_main() { self.nav(place).await? } else { Vec::new() };
        let unread = match &self.caller.user {
            Some(user) if self.draws_main() => self.notices_count(user).await?,
            _ => String::new(),
        };
        let context = Value::from_pairs([
            ("lang", Value::from(self.caller.language.as_str())),
            ("theme", Value::from(self.caller.user.as_ref().map_or("system", |user| user.theme.as_str()))),
            ("version", Value::from(env!("CARGO_PKG_VERSION"))),
            ("site", context! { name => self.site() }),
            ("viewer", Value::from(self.viewer_context())),
            ("nav", Value::from(Serde(&nav))),
            ("unread", Value::from(unread)),
            (
                "page",
                context! {
                    title => page.title.as_str(),
                    path => if self.method == Method::GET { self.path() } else { place },
                    wide => page.wide,
                    rejected => page.rejected,
                    at => chrono::Utc::now().timestamp_millis(),
                    breadcrumb => Value::from(Serde(&page.breadcrumb)),
                },
            ),
            ("notices", Value::from(Serde(notices))),
            ("banners", Value::from(self.banners())),
            ("clock_words", Value::from(words(&self.anywhere()))),
            (name, Value::from(Serde(&view))),
        ]);
        let drawn = self.server.templates.draw(&self.caller.language, template, self.block.as_deref(), context);
        drawn.map_err(|error| fault(format!("drawing {template}: {error:#}"), error))
    }

    /// A notice in this page.
    pub(crate) fn notice(&self, tone: &'static str, text: String) -> Notice {
        Notice { tone, text, undo: String::new() }
    }

    /// What a redirect carried: the key of a text, then, apart by colons, a number, a token to undo it with, and the fields
    /// that saving has emptied.
    fn flashed(&self, flash: &str) -> Option<Notice> {
        let mut parts = flash.split(':');
        let key = parts.next()?;
        crate::i18n::catalogue(&self.caller.language).get(&format!("notice.{key}"))?;
        let count = parts.next().unwrap_or_default();
        let text = self.say(&format!("notice.{key}"), &[("n", count)]);
        let token =
            parts.next().filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let cleared = parts.next().map(|told| super::cleared::words(self, told)).unwrap_or_default();
        let text = if cleared.is_empty() { text } else { format!("{text}{}{cleared}", self.say("ui.sentence", &[])) };
        let undo = token.map(|token| format!("/undo/{token}")).unwrap_or_default();
        Some(Notice { undo, ..self.notice(if key.ends_with("failed") { "bad" } else { "ok" }, text) })
    }

    /// The first pack's title.
    fn site(&self) -> String {
        let deployed = self.engine().deployed();
        deployed
            .packs
            .first()
            .map_or_else(|| "Formwork".to_owned(), |pack| pack.title().get(&self.caller.language).to_owned())
    }

    fn viewer_context(&self) -> Option<Value> {
        let user = self.caller.user.as_ref()?;
        let title = |role: &formwork_model::Key| role_title(self.engine(), &self.caller.language, role);
        let roles: Vec<String> = user.facts.roles.iter().map(title).collect();
        Some(context! {
            name => user.facts.name.as_str(),
            login => user.login.as_str(),
            roles => roles,
            initials => initials(&user.facts.name),
            keys => self.keys,
        })
    }

    fn banners(&self) -> Vec<Value> {
        let mut banners = Vec::new();
        if self.server.virtual_clock {
            let now = self.anywhere().instant(self.engine().clock().now());
            banners.push(context! { tone => "warn", text => self.say("banner.virtual_clock", &[("now", &now)]) });
        }
        banners
    }

    async fn nav(&self, place: &str) -> Result<Vec<nav::Group>, Problem> {
        let Some(user) = &self.caller.user else { return Ok(Vec::new()) };
        let deployed = self.engine().deployed();
        let packs: Vec<_> = deployed.packs.iter().map(|pack| (pack.clone(), self.viewer(pack))).collect();
        let mut groups = nav::groups(self.engine(), &packs, super::admin::group(self), place);
        if let Some(inbox) = groups.iter_mut().flat_map(|group| &mut group.items).find(|item| item.href == "/inbox") {
            inbox.count = self.inbox_count(user).await?;
        }
        Ok(groups)
    }

    /// How many tasks are the user's own.
    pub(super) async fn inbox_count(&self, user: &User) -> Result<String, Problem> {
        let mine =
            self.engine().tasks(Some(user), &self.caller.language, BoxPage::first(TaskBox::Mine, COUNT_MAX)).await?;
        Ok(count_text(&mine))
    }
}

/// How many items a page of tasks holds: "3", "99+", "" for none.
pub(crate) fn count_text(tasks: &serde_json::Value) -> String {
    match (tasks["items"].as_array().map_or(0, Vec::len), tasks["next"].is_null()) {
        (0, _) => String::new(),
        (count, true) => count.to_string(),
        (count, false) => format!("{count}+"),
    }
}
