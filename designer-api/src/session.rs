//! Who calls: a session cookie, an API token, or nobody.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use formwork_core::Viewer;
use formwork_model::Pack;
use formwork_runtime::Engine;
use formwork_store::User;

use crate::api::problem::Problem;
use crate::server::Server;

/// Name of the session cookie.
pub const COOKIE: &str = "fw_session";
/// Name of the cookie that holds the language somebody chose before they logged in.
pub const LANGUAGE_COOKIE: &str = "fw_language";

/// Whoever makes the request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user; none for the public.
    pub user: Option<User>,
    /// The scopes of an API token; none when a session is used, which may do all its user may.
    pub scopes: Option<Vec<String>>,
    /// Language of messages and texts.
    pub language: String,
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

    /// Whether the caller holds one of these platform roles, within the scope if an API token is used.
    pub fn require_role(&self, roles: &[&str], scope: &str) -> Result<&User, Problem> {
        let user = self.require_user()?;
        if !user.facts.roles.iter().any(|held| &**held == "admin" || roles.contains(&&**held)) {
            return Err(Problem::forbidden(&format!("the role {}", roles.join(" or "))));
        }
        match &self.scopes {
            Some(scopes) if !scopes.iter().any(|held| held == scope) => {
                Err(Problem::forbidden(&format!("a token with the scope `{scope}`")))
            }
            _ => Ok(user),
        }
    }
}

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        let language = |user: Option<&User>| match user {
            Some(user) => user.language.clone(),
            None => preferred_language(&parts.headers),
        };
        if let Some(secret) = bearer(&parts.headers) {
            let (user, scopes) = server.engine.token(secret).await?.ok_or_else(Problem::unauthenticated)?;
            return Ok(Self { language: language(Some(&user)), user: Some(user), scopes: Some(scopes) });
        }
        let user = match cookie(&parts.headers, COOKIE) {
            Some(secret) => server.engine.session(secret).await?,
            None => None,
        };
        if user.is_some() && !parts.method.is_safe() && is_cross_site(&parts.headers) {
            return Err(Problem::forbidden("a request from the same site"));
        }
        Ok(Self { language: language(user.as_ref()), user, scopes: None })
    }
}

impl OptionalFromRequestParts<Arc<Server>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Option<Self>, Problem> {
        <Self as FromRequestParts<Arc<Server>>>::from_request_parts(parts, server).await.map(Some)
    }
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
    fn the_first_language_we_speak_is_taken() {
        assert_eq!(preferred_language(&headers(&[("accept-language", "fr, zh-TW;q=0.8, en;q=0.5")])), "zh-CN");
        assert_eq!(preferred_language(&headers(&[("accept-language", "de")])), "en");
        assert_eq!(preferred_language(&headers(&[("cookie", "a=b; fw_language=zh-CN")])), "zh-CN");
    }
}
