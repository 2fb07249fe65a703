//! People: passwords, sessions and API tokens; who looks after them is in [`admin`] and in `teams`, what they do for
//! themselves in [`own`].

pub mod admin;
pub mod own;
mod teams;

use std::net::IpAddr;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use formwork_core::facts::UserFacts;
use formwork_model::Key;
use formwork_store::{Audit, Failure, Fault, Session, User};

pub use teams::Membership;

use crate::Engine;

/// Longest login, in characters: what is longer is nobody's.
const LOGIN_MAX: usize = 200;
/// How long a session lasts.
const SESSION: Duration = Duration::days(14);
/// Longest name of a browser that is kept, in characters.
const AGENT_MAX: usize = 300;

/// A user whose password is known from the start: of a demonstration, of a test.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What they log in with.
    pub login: String,
    /// Shown to people.
    pub name: String,
    /// In clear; stored as argon2id.
    pub password: String,
    /// Roles held directly.
    pub roles: Vec<Key>,
    /// Queues served.
    pub queues: Vec<Key>,
    /// `zh-CN`, `en`.
    pub language: String,
}

/// Who does something that is told in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The user; none on the command line.
    pub user: Option<Uuid>,
    /// Their login.
    pub login: String,
    /// Where from.
    pub address: Option<IpAddr>,
}

/// Where somebody logs in from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address, as far as it is known.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub agent: String,
}

impl By {
    /// A user.
    pub fn user(user: &User, address: Option<IpAddr>) -> Self {
        Self { user: Some(user.id), login: user.login.clone(), address }
    }

    /// Whoever runs a command on the machine of the store.
    pub fn command_line() -> Self {
        Self { user: None, login: "command line".to_owned(), address: None }
    }
}

impl Engine {
    /// Adds a user with a password that is known, or replaces the one with that login and keeps their id.
    pub async fn add_user(&self, new: NewUser) -> Result<User, Failure> {
        let login = login_of(&new.login);
        let known = self.store().user_by_login(&login).await?;
        let password_hash = self.gate.hash(move || hash_password(&new.password)).await?;
        let user = User {
            id: known.map_or_else(|| self.new_id(), |user| user.id),
            login,
            password_hash,
            facts: UserFacts {
                name: new.name,
                active: true,
                roles: new.roles,
                queues: new.queues,
                ..UserFacts::default()
            },
            language: new.language,
            theme: "system".to_owned(),
            password_until: None,
            revision: 0,
        };
        self.store().put_user(&user).await?;
        Ok(user)
    }

    /// Checks a password and opens a session: the user and the secret for the cookie, or nothing. An unknown login takes
    /// as long as a wrong password. Who tries too often, by login or from one address, is told to wait; every other try
    /// stands in the audit log, without what was typed as a login that nobody has: it may have been a password.
    pub async fn log_in(
        &self,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<Option<(User, String)>, Failure> {
        let login: String = login_of(login).chars().take(LOGIN_MAX).collect();
        self.gate.admit(&login, origin.address)?;
        let user = self.store().user_by_login(&login).await?;
        let now = self.clock().now();
        let matches = self.is_password(user.as_ref(), password).await?;
        let by = By {
            user: user.as_ref().map(|user| user.id),
            login: user.as_ref().map(|user| user.login.clone()).unwrap_or_default(),
            address: origin.address,
        };
        let why = match &user {
            None => "unknown_login",
            Some(_) if !matches => "wrong_password",
            Some(user) if !user.facts.active => "disabled",
            Some(user) if user.password_until.is_some_and(|until| until <= now) => "password_over",
            Some(user) => {
                let secret = new_secret();
                let audit = self.told(&by, "session.opened", "", Json::Null);
                let session = Session {
                    id: String::new(),
                    started_at: Some(now),
                    until: now + SESSION,
                    address: origin.address.map(|address| address.to_string()),
                    agent: Some(origin.agent.replace('\0', "").chars().take(AGENT_MAX).collect()),
                };
                self.store().put_session(&fingerprint(&secret), user.id, &session, &audit).await?;
                return Ok(Some((user.clone(), secret)));
            }
        };
        self.store().audit(&self.told(&by, "session.refused", "", json!({"why": why}))).await?;
        Ok(None)
    }

    /// The user of a session cookie.
    pub async fn session(&self, secret: &str) -> Result<Option<User>, Fault> {
        self.store().session(&fingerprint(secret), self.clock().now()).await
    }

    /// Closes a session.
    pub async fn log_out(&self, secret: &str, address: Option<IpAddr>) -> Result<(), Fault> {
        let Some(user) = self.session(secret).await? else { return Ok(()) };
        let audit = self.told(&By::user(&user, address), "session.closed", "", Json::Null);
        let id = own::session_id(secret);
        self.store().end_sessions(user.id, Some(&id), None, &audit).await?;
        self.check_listeners(user.id);
        Ok(())
    }

    /// The user and the scopes of an API token.
    pub async fn token(&self, secret: &str) -> Result<Option<(User, Vec<String>)>, Fault> {
        self.store().token(&fingerprint(secret), self.clock().now()).await
    }

    /// Whether this is the password of a user; of nobody it takes as long.
    async fn is_password(&self, user: Option<&User>, password: &str) -> Result<bool, Failure> {
        let hash = user.map_or_else(|| DECOY.to_owned(), |user| user.password_hash.clone());
        let password = password.to_owned();
        let matches = self.gate.hash(move || Ok(password_matches(&password, &hash))).await?;
        Ok(matches && user.is_some())
    }

    /// A row of the audit log: who did what, to whom, now.
    pub(crate) fn told(&self, by: &By, kind: &str, subject: &str, data: Json) -> Audit {
        Audit {
            at: self.clock().now(),
            actor: by.user,
            who: by.login.clone(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            address: by.address.map(|address| address.to_string()),
            data,
        }
    }
}

/// A login as it is kept and compared.
fn login_of(typed: &str) -> String {
    typed.trim().to_lowercase()
}

fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Secrets are random, so a plain hash is enough to store them by.
fn fingerprint(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn hash_password(password: &str) -> Result<String, Fault> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Fault { context: format!("hashing a password: {error}"), source: None })
}

fn password_matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
}

/// Compared against when the login is unknown, so that the answer takes as long.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$5D6sGGbpOcR5pNQ7SMiSbGEI4/6bwYd2yTSnaFkNRK8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash_password("wáng 芳 42").expect("hashing works");
        assert!(hash.starts_with("$argon2id$"));
        assert!(password_matches("wáng 芳 42", &hash));
        assert!(!password_matches("wáng 芳 43", &hash));
        assert!(!password_matches("anything", DECOY));
    }
}
