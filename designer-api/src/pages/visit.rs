//! A request for a page: who makes it, in which language, and whether all of the page is wanted.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use formwork_core::Viewer;
use formwork_model::Pack;
use formwork_runtime::Engine;
use formwork_store::{Failure, Fault, User};

use crate::api::problem::Problem;
use crate::server::Server;
use crate::session::{Caller, cookie};
use crate::view::cell::Scribe;
use crate::view::format::Local;
use crate::view::query::{Pairs, pairs};

/// Carries one notice over a redirect: the key of its text.
const NOTICE_COOKIE: &str = "fw_notice";

/// A request for a page. Made once, by the layer around all pages.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) server: Arc<Server>,
    pub(crate) caller: Caller,
    pub(crate) uri: Uri,
    pub(crate) method: Method,
    /// The block that is drawn again; none for the whole page.
    pub(crate) block: Option<String>,
    /// Key of a notice carried over a redirect.
    pub(super) flash: Option<String>,
    /// Whether single keys act.
    pub(super) keys: bool,
}

impl Visit {
    /// The visit a request is; refused where its token or origin is.
    pub(crate) async fn new(server: &Arc<Server>, request: &mut Parts) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<Arc<Server>>>::from_request_parts(request, server).await?;
        Ok(Self::of(server, caller, request))
    }

    /// A visit of nobody, for when it cannot be told who it is.
    pub(crate) fn anonymous(server: &Arc<Server>, request: &Parts) -> Self {
        let language = crate::session::preferred_language(&request.headers);
        let caller = Caller { user: None, language, address: None };
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
            flash: cookie(headers, NOTICE_COOKIE).map(str::to_owned),
            keys: cookie(headers, super::search::KEYS_COOKIE) != Some("off"),
        }
    }

    /// Whether the page is drawn, or the whole of its middle: a smaller block needs neither navigation nor counts.
    pub(crate) fn draws_main(&self) -> bool {
        self.block.as_deref().is_none_or(|block| block == "main")
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
}

impl FromRequestParts<Arc<Server>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, Problem> {
        let visit = parts.extensions.get::<Visit>().cloned();
        visit.ok_or_else(|| fault("a page without its layer".to_owned(), std::fmt::Error))
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
