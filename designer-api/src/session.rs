//! Who calls: a session cookie, an API token, or nobody.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use formwork_core::{Rejection, RejectionKind, Viewer};
use formwork_model::Pack;
use formwork_runtime::Engine;
use formwork_runtime::people::{By, Origin};
use formwork_store::{Fault, User};

use crate::api::problem::Problem;
use crate::server::Server;

/// Name of the session cookie.
pub const COOKIE: &str = "fw_session";
/// Name of the cookie that holds the language somebody chose before they logged in.
pub const LANGUAGE_COOKIE: &str = "fw_language";

/// Whoever makes the request. A session may do all its user may; a token what its scopes say, which is seen to here, in
/// the one place that knows of tokens.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user; none for the public.
    pub user: Option<User>,
    /// Language of messages and texts.
    pub language: String,
    /// Where from, as far as the server was told.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// As a viewer of a pack.
    pub fn viewer(&self, engine: &Engine, pack: &Pack) -> Viewer {
        engine.viewer(pack, self.user.as_ref(), &self.language)
    }

    /// The user, or 401.
    pub fn require_user(&self) -> Result<&User, Problem> {
        self.user.as_ref().ok_or_else(Problem::unauthenticated)
    }

    /// The user as the audit log tells who did something; 401 for the public.
    pub fn by(&self) -> Result<By, Problem> {
        Ok(By::user(self.require_user()?, self.address))
    }

    /// The user, if they hold one of these platform roles. No role stands in for another: whoever looks after users does
    /// not deploy, unless somebody gave them that role, too.
    pub fn require_role(&self, roles: &[&str]) -> Result<&User, Problem> {
        let user = self.require_user()?;
        if !user.facts.roles.iter().any(|held| roles.contains(&&**held)) {
            return Err(Problem::forbidden(&format!("the role {}", roles.join(" or "))));
        }
        Ok(user)
    }
}

/// What a caller came with, for answers that last: it is asked again whether it still holds.
#[derive(Debug)]
pub(crate) enum Credential {
    /// The secret of a session.
    Session(String),
    /// An API token.
    Token(String),
}

/// Whoever watches what changes.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// The user, as they are now.
    pub(crate) user: User,
    /// Whether they may be told of tasks.
    pub(crate) tasks: bool,
}

impl Credential {
    /// What the request carries.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let token = bearer(headers).map(|secret| Self::Token(secret.to_owned()));
        token.or_else(|| cookie(headers, COOKIE).map(|secret| Self::Session(secret.to_owned())))
    }

    /// Who watches by it; nobody where it has ended, or its user is not active any more.
    pub(crate) async fn watcher(&self, engine: &Engine) -> Result<Option<Watcher>, Fault> {
        match self {
            Self::Session(secret) => {
                // Whose password was given by somebody else chooses their own first.
                let user = engine.session(secret).await?.filter(|user| user.password_until.is_none());
                Ok(user.map(|user| Watcher { user, tasks: true }))
            }
            Self::Token(secret) => {
                let held = engine.token(secret).await?;
                let holds = |scopes: &[String], wanted: &str| scopes.iter().any(|held| held == wanted);
                let held = held.filter(|(_, scopes)| holds(scopes, "records:read"));
                Ok(held.map(|(user, scopes)| Watcher { user, tasks: holds(&scopes, "tasks") }))
            }
        }
    }
}

/// The scopes of API tokens, and what each lets a token do of what its user may.
pub const SCOPES: [(&str, &str); 10] = [
    ("records:read", "read forms, records, their history and comments"),
    ("records:write", "file, change and delete records, and comment on them"),
    ("tasks", "see the boxes of the inbox, act on tasks, start workflows"),
    ("reports", "read metrics, reports and boards"),
    ("messages", "send events from outside"),
    ("admin", "see what stands still, and help it on"),
    ("packs", "check, plan and deploy packs"),
    ("imports", "import files"),
    ("people", "look after users, their roles, queues, teams, sessions and tokens"),
    ("audit", "read the audit log"),
];

/// What a token needs for a request: deny by default, so an address that is not named here is for sessions only.
pub(crate) fn scope_of(method: &Method, path: &str) -> Result<Option<&'static str>, Problem> {
    if path == "/metrics" {
        return Ok(Some("admin"));
    }
    let mut parts = path.strip_prefix("/api/").into_iter().flat_map(|path| path.split('/'));
    let (area, place) = (parts.next(), parts.next());
    Ok(Some(match area {
        // What a stolen token must not give: a password, another token, somebody else logged out.
        Some("me") if matches!(place, Some("password" | "tokens" | "sessions")) => return Err(only_sessions()),
        Some("admin") if matches!(place, Some("users" | "queues" | "teams" | "roles")) => "people",
        Some("admin") if place == Some("audit") => "audit",
        Some("session" | "openapi.json" | "public") => return Ok(None),
        // What is answered while a form is filled in is read, whatever the method; of tasks events tell only those who
        // hold the scope for them, too.
        Some("forms" | "events") => "records:read",
        Some("records" | "exports" | "search" | "me") if method.is_safe() => "records:read",
        Some("records" | "undo" | "me") => "records:write",
        Some("tasks" | "workflows" | "notices") => "tasks",
        Some("metrics" | "reports" | "boards") => "reports",
        Some("messages") => "messages",
        Some("admin" | "instances") => "admin",
        Some("packs") => "packs",
        Some("imports") => "imports",
        _ => return Err(only_sessions()),
    }))
}

fn only_sessions() -> Problem {
    Problem::forbidden("a session, not a token")
}

/// Code of the refusal of all but a change of the password.
pub(crate) const CHANGE_FIRST: &str = "password_change_required";

/// What somebody may open whose password was given by somebody else: a page to choose their own, and the way out.
const WITH_ONE_TIME: [&str; 5] = ["/me/password", "/logout", "/language", "/api/session", "/api/me/password"];

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        let language = |user: Option<&User>| match user {
            Some(user) => user.language.clone(),
            None => preferred_language(&parts.headers),
        };
        if let Some(secret) = bearer(&parts.headers) {
            let (user, scopes) = server.engine.token(secret).await?.ok_or_else(Problem::unauthenticated)?;
            match scope_of(&parts.method, parts.uri.path())? {
                Some(scope) if !scopes.iter().any(|held| held == scope) => {
                    return Err(Problem::forbidden(&format!("a token with the scope `{scope}`")));
                }
                _ => return Ok(Self { language: language(Some(&user)), user: Some(user), address: address(parts) }),
            }
        }
        let user = match cookie(&parts.headers, COOKIE) {
            Some(secret) => server.engine.session(secret).await?,
            None => None,
        };
        if user.is_some() && !parts.method.is_safe() && is_cross_site(&parts.headers) {
            return Err(Problem::forbidden("a request from the same site"));
        }
        let is_given = user.as_ref().is_some_and(|user| user.password_until.is_some());
        if is_given && !WITH_ONE_TIME.contains(&parts.uri.path()) {
            let title = "choose a password of your own first";
            return Err(Rejection::new(RejectionKind::Forbidden, CHANGE_FIRST, title).into());
        }
        Ok(Self { language: language(user.as_ref()), user, address: address(parts) })
    }
}

impl OptionalFromRequestParts<Arc<Server>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Option<Self>, Problem> {
        <Self as FromRequestParts<Arc<Server>>>::from_request_parts(parts, server).await.map(Some)
    }
}

/// Where a request comes from, as far as the server was told.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(address(parts)))
    }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

/// Where somebody logs in from.
pub(crate) fn origin(address: Option<IpAddr>, headers: &HeaderMap) -> Origin {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Origin { address, agent: agent.to_owned() }
}

/// Whether a browser reached us at its own machine: everywhere else cookies travel encrypted only.
pub(crate) fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Browsers say where a request comes from: `Sec-Fetch-Site`, or an `Origin` that must be this host. Programs that say
/// neither carry no ambient cookie of somebody else.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = text("host").unwrap_or_default();
            origin.split_once("://").is_none_or(|(_, origin_host)| origin_host != host)
        }
        (None, None) => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// The language chosen before logging in, else the first of `Accept-Language` that we speak, else English.
pub(crate) fn preferred_language(headers: &HeaderMap) -> String {
    if let Some(chosen) = cookie(headers, LANGUAGE_COOKIE).filter(|chosen| crate::i18n::LANGUAGES.contains(chosen)) {
        return chosen.to_owned();
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for tag in accepted.split(',').map(|entry| entry.split(';').next().unwrap_or_default().trim()) {
        if tag.to_ascii_lowercase().starts_with("zh") {
            return "zh-CN".to_owned();
        }
        if tag.to_ascii_lowercase().starts_with("en") {
            return "en".to_owned();
        }
    }
    "en".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_foreign_origin_is_cross_site() {
        assert!(is_cross_site(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_cross_site(&headers(&[("origin", "https://evil.example"), ("host", "crm.example")])));
        assert!(is_cross_site(&headers(&[("origin", "null"), ("host", "crm.example")])));
        assert!(!is_cross_site(&headers(&[("origin", "https://crm.example"), ("host", "crm.example")])));
        assert!(!is_cross_site(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!is_cross_site(&headers(&[])));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("crm.example", false),
            ("localhost.example", false),
            ("10.0.0.1:8080", false),
            ("127.0.0.1.example", false),
        ] {
            assert_eq!(is_loopback(&headers(&[("host", host)])), expected, "{host}");
        }
        assert!(!is_loopback(&headers(&[])));
    }

    #[test]
    fn every_route_of_the_api_has_a_scope_and_nothing_else_has() {
        let only_sessions = ["/api/me/password", "/api/me/sessions", "/api/me/tokens"];
        for (path, method, _) in crate::api::openapi::FIXED.iter().filter(|(path, ..)| path.starts_with("/api/")) {
            let method: Method = method.to_uppercase().parse().unwrap();
            let is_closed = only_sessions.iter().any(|closed| path.starts_with(closed));
            assert_eq!(scope_of(&method, path).is_err(), is_closed, "{path}");
        }
        let scope = |method: Method, path: &str| scope_of(&method, path).ok().flatten();
        assert_eq!(scope(Method::GET, "/api/records/ticket"), Some("records:read"));
        assert_eq!(scope(Method::DELETE, "/api/records/ticket/1"), Some("records:write"));
        assert_eq!(scope(Method::GET, "/api/admin/users/1"), Some("people"));
        assert_eq!(scope(Method::GET, "/api/admin/audit"), Some("audit"));
        assert!(scope_of(&Method::GET, "/inbox").is_err() && scope_of(&Method::GET, "/api/recordsx").is_err());
        for (path, method, _) in crate::api::openapi::FIXED {
            let method: Method = method.to_uppercase().parse().unwrap();
            if let Ok(Some(scope)) = scope_of(&method, path) {
                assert!(SCOPES.iter().any(|(known, _)| *known == scope), "{scope}");
            }
        }
    }

    #[test]
    fn the_first_language_we_speak_is_taken() {
        assert_eq!(preferred_language(&headers(&[("accept-language", "fr, zh-TW;q=0.8, en;q=0.5")])), "zh-CN");
        assert_eq!(preferred_language(&headers(&[("accept-language", "de")])), "en");
        assert_eq!(preferred_language(&headers(&[("cookie", "a=b; fw_language=zh-CN")])), "zh-CN");
    }
}
