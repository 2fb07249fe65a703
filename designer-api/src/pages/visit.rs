//! A request for a page: who makes it, in which language, and whether all of the page is wanted.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use formwork_core::Viewer;
use formwork_model::Pack;
use formwork_model::pack::analytics::TaskBox;
use formwork_runtime::Engine;
use formwork_store::{Failure, Fault, User};

use crate::api::problem::{Answer, Problem};
use crate::server::Server;
use crate::session::{Caller, cookie};
use crate::view::cell::Scribe;
use crate::view::field::Link;
use crate::view::format::Local;
use crate::view::history::initials;
use crate::view::nav;
use crate::view::query::{Pairs, pairs};

/// Carries one notice over a redirect: the key of its text.
const NOTICE_COOKIE: &str = "fw_notice";
/// Tasks counted for the side bar; beyond it stands a plus.
const COUNT_MAX: u32 = 99;

/// A request for a page. Made once, by the layer around all pages.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) server: Arc<Server>,
    pub(crate) caller: Caller,
    pub(crate) uri: Uri,
    pub(crate) method: Method,
    /// The block that is drawn again; none for the whole page.
    pub(crate) block: Option<String>,
    notice: Option<String>,
}

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
    undo: String,
}

impl Visit {
    /// The visit a request is; refused where its token or origin is.
    pub(crate) async fn new(server: &Arc<Server>, request: &mut Parts) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<Arc<Server>>>::from_request_parts(request, server).await?;
        Ok(Self::of(server, caller, request))
    }

    /// A visit of nobody, for when it cannot be told who it is.
    pub(crate) fn anonymous(server: &Arc<Server>, request: &Parts) -> Self {
        let caller =
            Caller { user: None, scopes: None, language: crate::session::preferred_language(&request.headers) };
        Self::of(server, caller, request)
    }

    fn of(server: &Arc<Server>, caller: Caller, request: &Parts) -> Self {
        let headers = &request.headers;
        Self {
            server: server.clone(),
            caller,
            uri: request.uri.clone(),
            method: request.method.clone(),
            block: wanted_block(headers),
            notice: cookie(headers, NOTICE_COOKIE).map(str::to_owned),
        }
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.server.engine
    }

    /// The user, or 401.
    pub(crate) fn user(&self) -> Result<&User, Problem> {
        self.caller.require_user()
    }

    /// As a viewer of a pack.
    pub(crate) fn viewer(&self, pack: &Pack) -> Viewer {
        self.caller.viewer(self.engine(), pack)
    }

    /// How this reader is spoken to about a pack.
    pub(crate) fn local(&self, pack: &Pack) -> Local {
        Local { language: self.caller.language.clone(), zone: *pack.timezone(), now: self.engine().clock().now() }
    }

    /// How this reader is spoken to about nothing in particular: in the zone of the first pack.
    pub(crate) fn anywhere(&self) -> Local {
        let zone = self.engine().deployed().packs.first().map_or(chrono_tz::UTC, |pack| *pack.timezone());
        Local { language: self.caller.language.clone(), zone, now: self.engine().clock().now() }
    }

    /// Writes values of a pack for this reader.
    pub(crate) fn scribe<'a>(&'a self, pack: &'a Arc<Pack>, viewer: &'a Viewer, local: &'a Local) -> Scribe<'a> {
        Scribe { engine: self.engine(), pack, viewer, local }
    }

    /// The text of the catalogue.
    pub(crate) fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.anywhere().say(key, values)
    }

    /// This page's address, with its query.
    pub(crate) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// The parameters of this page.
    pub(crate) fn pairs(&self) -> Pairs {
        pairs(&self.uri)
    }

    /// Draws a page, or the block of it that was asked for; `name` is what the template calls `view`.
    pub(crate) async fn draw(&self, template: &str, page: Page, name: &str, view: impl Serialize) -> Answer {
        let notices: Vec<Notice> = self.notice.as_deref().and_then(|key| self.flash(key)).into_iter().collect();
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
        let nav = if self.block.is_none() {
            self.nav(page.place.as_deref().unwrap_or(self.path())).await?
        } else {
            Vec::new()
        };
        let context = Value::from_pairs([
            ("lang", Value::from(self.caller.language.as_str())),
            ("theme", Value::from(self.caller.user.as_ref().map_or("system", |user| user.theme.as_str()))),
            ("version", Value::from(env!("CARGO_PKG_VERSION"))),
            ("site", Value::from(context! { name => self.site() })),
            ("viewer", Value::from(self.viewer_context())),
            ("nav", Value::from(Serde(&nav))),
            (
                "page",
                Value::from(context! {
                    title => page.title.as_str(),
                    path => if self.method == Method::GET { self.path() } else { self.uri.path() },
                    wide => page.wide,
                    rejected => page.rejected,
                    breadcrumb => Value::from(Serde(&page.breadcrumb)),
                }),
            ),
            ("notices", Value::from(Serde(notices))),
            ("banners", Value::from(self.banners())),
            (name, Value::from(Serde(&view))),
        ]);
        let drawn = self.server.templates.draw(&self.caller.language, template, self.block.as_deref(), context);
        drawn.map_err(|error| fault(format!("drawing {template}: {error:#}"), error))
    }

    /// A notice in this page.
    pub(crate) fn notice(&self, tone: &'static str, text: String) -> Notice {
        Notice { tone, text, undo: String::new() }
    }

    fn flash(&self, key: &str) -> Option<Notice> {
        let name = format!("notice.{key}");
        let text = crate::i18n::catalogue(&self.caller.language).get(&name)?;
        Some(self.notice("ok", text.clone()))
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
        let deployed = self.engine().deployed();
        let title = |role: &str| {
            let found = deployed.packs.iter().find_map(|pack| pack.roles().get(role));
            found.map_or_else(
                || self.role(role).unwrap_or_else(|| role.to_owned()),
                |role| role.title.get(&self.caller.language).to_owned(),
            )
        };
        let roles: Vec<String> = user.facts.roles.iter().map(|role| title(role)).collect();
        Some(context! {
            name => user.facts.name.as_str(),
            login => user.login.as_str(),
            roles => roles,
            initials => initials(&user.facts.name),
            keys => true,
        })
    }

    /// The title of a role of the platform.
    pub(crate) fn role(&self, key: &str) -> Option<String> {
        crate::i18n::catalogue(&self.caller.language).get(&format!("role.{key}")).cloned()
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
        let mut groups = nav::groups(self.engine(), &packs, place);
        if let Some(inbox) = groups.iter_mut().flat_map(|group| &mut group.items).find(|item| item.href == "/inbox") {
            let language = &self.caller.language;
            let mine = self.engine().tasks(Some(user), language, TaskBox::Mine, COUNT_MAX, None).await?;
            inbox.count = count_text(&mine);
        }
        Ok(groups)
    }
}

impl FromRequestParts<Arc<Server>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, Problem> {
        let visit = parts.extensions.get::<Visit>().cloned();
        visit.ok_or_else(|| fault("a page without its layer".to_owned(), std::fmt::Error))
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

/// To another page, with a notice there.
pub(crate) fn see_other(path: &str, notice: Option<&str>) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or_else(|_| HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    if let Some(notice) = notice {
        let cookie = format!("{NOTICE_COOKIE}={notice}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
        response
            .headers_mut()
            .append(header::SET_COOKIE, HeaderValue::from_str(&cookie).expect("keys of notices are ASCII"));
    }
    response
}

/// A page and its blocks live at one address: caches must tell them apart, and nobody keeps either.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("HX-Request-Type, HX-Target, Cookie, Accept-Language"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Ours, to be logged.
pub(crate) fn fault(context: String, source: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem(Failure::Fault(Fault { context, source: Some(Box::new(source)) }))
}

/// `HX-Request-Type: partial` with `HX-Target: section#list` wants the block `list`.
fn wanted_block(headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(HeaderName::from_static("hx-request-type")) != Some("partial") {
        return None;
    }
    let target = text(HeaderName::from_static("hx-target")).unwrap_or_default();
    let id = target.rsplit('#').next().filter(|id| !id.is_empty()).unwrap_or("main");
    Some(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_request_names_its_block() {
        let block = |pairs: &[(&'static str, &'static str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            wanted_block(&HeaderMap::from_iter(pairs))
        };
        assert_eq!(block(&[("hx-request-type", "partial"), ("hx-target", "section#list")]).as_deref(), Some("list"));
        assert_eq!(block(&[("hx-request-type", "partial")]).as_deref(), Some("main"));
        assert_eq!(block(&[("hx-request-type", "full"), ("hx-target", "body")]), None);
        assert_eq!(block(&[("hx-target", "section#list")]), None);
    }
}
