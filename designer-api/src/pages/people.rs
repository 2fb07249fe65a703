//! What pages about people share: sessions, tokens, and what is wrong with what was typed.

use serde::Serialize;

use formwork_core::RejectionKind;
use formwork_store::{Failure, Session, Token};

use super::visit::Visit;
use crate::view::format::Time;
use crate::view::people::problem_text;
use crate::view::query::Pairs;

/// A session of a list.
#[derive(Debug, Serialize)]
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) agent: String,
    pub(super) address: String,
    pub(super) started: Option<Time>,
    pub(super) current: bool,
}

/// A token of a list.
#[derive(Debug, Serialize)]
pub(super) struct TokenRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) scopes: String,
    pub(super) created: Option<Time>,
    pub(super) until: Option<Time>,
}

/// What is wrong, and the control it is about; "" for all of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Error {
    pub(super) at: String,
    pub(super) text: String,
}

/// A session for a list; `own` is the visitor's.
pub(super) fn session_row(visit: &Visit, session: Session, own: Option<&str>) -> SessionRow {
    let local = visit.anywhere();
    SessionRow {
        current: own == Some(session.id.as_str()),
        id: session.id,
        agent: browser(session.agent.as_deref().unwrap_or_default()),
        address: session.address.unwrap_or_default(),
        started: session.started_at.map(|at| local.time(at)),
    }
}

/// A token for a list.
pub(super) fn token_row(visit: &Visit, token: Token) -> TokenRow {
    let local = visit.anywhere();
    TokenRow {
        id: token.id,
        name: token.name,
        scopes: token.scopes.join(", "),
        created: token.created_at.map(|at| local.time(at)),
        until: token.until.map(|at| local.time(at)),
    }
}

/// The browser and the system out of what a browser calls itself; its own words where they are none of the known.
fn browser(agent: &str) -> String {
    let of =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = of(&[
        ("MicroMessenger", "WeChat"),
        ("Edg/", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = of(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("HarmonyOS", "HarmonyOS"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

/// What a refusal says about what was typed; other failures stay failures.
pub(super) fn errors_of(visit: &Visit, failure: Failure) -> Result<Vec<Error>, Failure> {
    let language = visit.caller.language.as_str();
    match failure {
        Failure::Rejected(rejection) => match rejection.kind {
            RejectionKind::Invalid => Ok(rejection
                .errors
                .iter()
                .map(|error| Error {
                    at: error.pointer.split('/').nth(1).unwrap_or_default().to_owned(),
                    text: problem_text(language, &error.code),
                })
                .collect()),
            RejectionKind::Conflict | RejectionKind::Stale => {
                Ok(vec![Error { at: String::new(), text: problem_text(language, &rejection.code) }])
            }
            _ => Err(Failure::Rejected(rejection)),
        },
        failure => Err(failure),
    }
}

/// The values of a name, in order.
pub(super) fn ticked(pairs: &Pairs, name: &str) -> Vec<String> {
    pairs.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_told_by_name() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome · Windows");
        assert_eq!(
            browser("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            "Firefox · Linux"
        );
        assert_eq!(browser("curl/8.5.0"), "curl/8.5.0");
    }
}
