//! What people do for themselves: their password, where they are logged in, their API tokens.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use formwork_core::{Rejection, RejectionKind};
use formwork_store::{Failure, Token, User};

use super::admin::{Errors, refusal};
use super::{By, fingerprint, hash_password, new_secret};
use crate::Engine;

/// Shortest password somebody may choose, in characters.
pub const PASSWORD_MIN: usize = 10;
/// Longest, in characters: hashing is no reason to read a book.
const PASSWORD_MAX: usize = 200;
/// Fewest different characters.
const DIFFERENT_MIN: usize = 5;
/// Longest name of a token, in characters.
const NAME_MAX: usize = 80;
/// Most tokens of one user.
const TOKENS_MAX: usize = 50;

/// An API token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What its user calls it.
    pub name: String,
    /// What it may do of what its user may.
    pub scopes: Vec<String>,
    /// Its end, if it has one.
    pub until: Option<DateTime<Utc>>,
}

/// The name of the session that a secret opens, as lists of sessions tell it.
pub fn session_id(secret: &str) -> String {
    fingerprint(secret).chars().take(16).collect()
}

impl Engine {
    /// Changes one's own password. All other sessions end; that of `secret` goes on.
    pub async fn change_password(
        &self,
        by: &By,
        user: &User,
        old: &str,
        new: &str,
        secret: Option<&str>,
    ) -> Result<(), Failure> {
        let mut errors = Errors::default();
        let length = new.chars().count();
        let different = new.chars().collect::<std::collections::HashSet<_>>().len();
        if length < PASSWORD_MIN {
            errors.add("password_short", "/new");
        } else if length > PASSWORD_MAX {
            errors.add("too_long", "/new");
        } else if different < DIFFERENT_MIN || new.to_lowercase() == user.login {
            errors.add("password_easy", "/new");
        } else if new == old {
            errors.add("password_same", "/new");
        }
        errors.none()?;
        // Whoever found an open screen must not guess the password there: only this counts as a try.
        self.gate.admit(&user.login, by.address)?;
        if !self.is_password(Some(user), old).await? {
            errors.add("password_wrong", "/old");
        }
        errors.none()?;
        let password = new.to_owned();
        let hash = self.gate.hash(move || hash_password(&password)).await?;
        let kept = secret.map(fingerprint);
        let audit = self.told(by, "password.changed", "", json!(null));
        self.store().set_password(user.id, &hash, None, kept.as_deref(), &audit).await?;
        self.check_listeners(user.id);
        Ok(())
    }

    /// Ends one of one's own sessions, or all but that of `secret`; how many.
    pub async fn end_sessions(
        &self,
        by: &By,
        user: Uuid,
        one: Option<&str>,
        secret: Option<&str>,
    ) -> Result<u64, Failure> {
        let which = if one.is_some() { "one" } else { "others" };
        let audit = self.told(by, "session.ended", "", json!({"which": which}));
        let kept = if one.is_some() { None } else { secret.map(fingerprint) };
        let ended = self.store().end_sessions(user, one, kept.as_deref(), &audit).await?;
        self.check_listeners(user);
        Ok(ended)
    }

    /// Makes an API token that acts as this user within its scopes, until its end if it has one; the secret is shown once
    /// and kept as a fingerprint. `scopes` are those there are.
    pub async fn add_token(&self, by: &By, user: &User, new: NewToken, scopes: &[&str]) -> Result<String, Failure> {
        let mut errors = Errors::default();
        let name = new.name.trim();
        if name.is_empty() {
            errors.add("required", "/name");
        } else if name.chars().count() > NAME_MAX {
            errors.add("too_long", "/name");
        } else if name.chars().any(char::is_control) {
            errors.add("control_character", "/name");
        }
        if new.scopes.is_empty() {
            errors.add("required", "/scopes");
        }
        for (place, scope) in new.scopes.iter().enumerate() {
            if !scopes.contains(&scope.as_str()) {
                errors.add("unknown_scope", &format!("/scopes/{place}"));
            }
        }
        let now = self.clock().now();
        if new.until.is_some_and(|until| until <= now) {
            errors.add("past", "/until");
        }
        errors.none()?;
        if self.store().tokens_of(user.id, now).await?.len() >= TOKENS_MAX {
            let title = format!("nobody has more than {TOKENS_MAX} tokens: revoke one first");
            return Err(refusal(Rejection::new(RejectionKind::Conflict, "too_many_tokens", title)));
        }
        let secret = format!("fw_{}", new_secret());
        let token = Token {
            id: String::new(),
            name: name.to_owned(),
            scopes: new.scopes,
            created_at: Some(now),
            until: new.until,
        };
        let data = json!({"token": session_id(&secret), "name": token.name, "scopes": token.scopes});
        let audit = self.told(by, "token.added", &user.login, data);
        self.store().put_token(&fingerprint(&secret), user.id, &token, &audit).await?;
        Ok(secret)
    }
}
