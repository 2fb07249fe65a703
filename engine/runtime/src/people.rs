//! People: passwords, sessions and API tokens.

use std::net::IpAddr;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use formwork_core::facts::UserFacts;
use formwork_model::Key;
use formwork_store::{Failure, Fault, User};

use crate::Engine;

/// Longest login, in characters: what is longer is nobody's.
const LOGIN_MAX: usize = 200;
/// How long a session lasts.
const SESSION: Duration = Duration::days(14);

/// What a new user is given.
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

impl Engine {
    /// Adds a user, or replaces the one with that login and keeps their id.
    pub async fn add_user(&self, new: NewUser) -> Result<User, Failure> {
        let login = new.login.trim().to_lowercase();
        let known = self.store().user_by_login(&login).await?;
        let password_hash = self.gate.hash(move || hash_password(&new.password)).await?;
        let user = User {
            id: known.map_or_else(|| self.new_id(), |user| user.id),
            login,
            password_hash,
            facts: UserFacts { name: new.name, active: true, roles: new.roles, queues: new.queues },
            language: new.language,
            theme: "system".to_owned(),
        };
        self.store().put_user(&user).await?;
        Ok(user)
    }

    /// Checks a password and opens a session: the user and the secret for the cookie, or nothing. An unknown login takes
    /// as long as a wrong password. Who tries too often, by login or from one address, is told to wait.
    pub async fn log_in(
        &self,
        login: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<(User, String)>, Failure> {
        let login: String = login.trim().to_lowercase().chars().take(LOGIN_MAX).collect();
        self.gate.admit(&login, address)?;
        let user = self.store().user_by_login(&login).await?;
        let hash = user.as_ref().map_or_else(|| DECOY.to_owned(), |user| user.password_hash.clone());
        let password = password.to_owned();
        let matches = self.gate.hash(move || Ok(password_matches(&password, &hash))).await?;
        let Some(user) = user.filter(|user| matches && user.facts.active) else { return Ok(None) };
        let secret = new_secret();
        self.store().put_session(&fingerprint(&secret), user.id, self.clock().now() + SESSION).await?;
        Ok(Some((user, secret)))
    }

    /// The user of a session cookie.
    pub async fn session(&self, secret: &str) -> Result<Option<User>, Fault> {
        self.store().session(&fingerprint(secret), self.clock().now()).await
    }

    /// Closes a session.
    pub async fn log_out(&self, secret: &str) -> Result<(), Fault> {
        self.store().end_session(&fingerprint(secret)).await
    }

    /// Makes an API token that acts as this user within `scopes`, until its end if it has one; the secret is shown once
    /// and kept as a fingerprint.
    pub async fn add_token(
        &self,
        user: Uuid,
        name: &str,
        scopes: &[String],
        until: Option<DateTime<Utc>>,
    ) -> Result<String, Fault> {
        let secret = format!("fw_{}", new_secret());
        self.store().put_token(&fingerprint(&secret), user, name, scopes, until).await?;
        Ok(secret)
    }

    /// The user and the scopes of an API token.
    pub async fn token(&self, secret: &str) -> Result<Option<(User, Vec<String>)>, Fault> {
        self.store().token(&fingerprint(secret), self.clock().now()).await
    }
}

/// A random password for a new administrator: 120 bits.
pub fn new_password() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 15]>())
}

fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Secrets are random, so a plain hash is enough to store them by.
fn fingerprint(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_password(password: &str) -> Result<String, Fault> {
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
