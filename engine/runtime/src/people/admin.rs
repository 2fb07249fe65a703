//! Looking after users: added, changed, disabled, given another password, taken into queues. Each is told in the audit
//! log in its own transaction.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use chrono::Duration;

use formwork_core::facts::UserFacts;
use formwork_core::{FieldError, Rejection, RejectionKind};
use formwork_model::Key;
use formwork_store::{Failure, Session, Token, User, UserFilter};

use super::{By, hash_password, login_of};
use crate::Engine;

/// Roles of the platform itself, which no pack declares.
pub const PLATFORM_ROLES: [&str; 4] = ["designer", "publisher", "admin", "auditor"];
/// Languages that people can be spoken to in.
pub const LANGUAGES: [&str; 2] = ["zh-CN", "en"];
/// The role of those who look after users: somebody must be left who has it.
const ADMIN: &str = "admin";
/// Longest login and longest name, in characters.
const TEXT_MAX: usize = 100;
/// For how long a password is good that somebody else gave.
const ONE_TIME: Duration = Duration::days(7);
/// How often a change is tried again that somebody else came before.
const TRIES: usize = 5;

/// A user to add.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// What they log in with.
    pub login: String,
    /// Shown to people; the login where empty.
    #[serde(default)]
    pub name: String,
    /// Roles held directly.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Queues served.
    #[serde(default)]
    pub queues: Vec<String>,
    /// `zh-CN`, `en`; Chinese where absent.
    #[serde(default)]
    pub language: Option<String>,
}

/// What is changed of a user; what is none stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonChange {
    /// Shown to people.
    #[serde(default)]
    pub name: Option<String>,
    /// Roles held directly, all of them.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// Queues served, all of them.
    #[serde(default)]
    pub queues: Option<Vec<String>>,
    /// `zh-CN`, `en`.
    #[serde(default)]
    pub language: Option<String>,
    /// Whether they may log in.
    #[serde(default)]
    pub active: Option<bool>,
    /// The team they are a member of, or none; where their teams are looked after.
    #[serde(skip)]
    pub team: Option<Option<Key>>,
    /// Teams they lead, all of them.
    #[serde(skip)]
    pub leads: Option<Vec<Key>>,
}

impl Engine {
    /// Every role somebody can be given: those of the deployed packs, then those of the platform.
    pub fn roles(&self) -> Vec<Key> {
        let deployed = self.deployed();
        let mut roles: Vec<Key> = deployed.packs.iter().flat_map(|pack| pack.roles().keys().cloned()).collect();
        roles.extend(PLATFORM_ROLES.map(Key::from));
        let mut seen = std::collections::HashSet::new();
        roles.retain(|role| seen.insert(role.clone()));
        roles
    }

    /// Every queue of the deployed packs.
    pub fn queues(&self) -> Vec<Key> {
        let deployed = self.deployed();
        let mut queues: Vec<Key> = deployed.packs.iter().flat_map(|pack| pack.queues().keys().cloned()).collect();
        let mut seen = std::collections::HashSet::new();
        queues.retain(|queue| seen.insert(queue.clone()));
        queues
    }

    /// Users by login, after that of `after`.
    pub async fn people(&self, filter: &UserFilter, after: Option<&str>, limit: u32) -> Result<Vec<User>, Failure> {
        Ok(self.store().find_users(filter, after, limit).await?)
    }

    /// One user, or that there is none.
    pub async fn person(&self, id: Uuid) -> Result<User, Failure> {
        self.store().user(id).await?.ok_or_else(|| no_user(&id.to_string()))
    }

    /// Adds a user with a password for one log-in, which is told once: they must choose their own then.
    pub async fn add_person(&self, by: &By, new: NewPerson) -> Result<(User, String), Failure> {
        let login = login_of(&new.login);
        let mut errors = Errors::default();
        let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '+');
        if login.is_empty() {
            errors.add("required", "/login");
        } else if login.chars().count() > TEXT_MAX {
            errors.add("too_long", "/login");
        } else if !login.chars().all(is_plain) {
            errors.add("login_letters", "/login");
        }
        let name = if new.name.trim().is_empty() { login.clone() } else { self.name_of(&new.name, &mut errors) };
        let roles = self.keys_of("role", &new.roles, &[], &self.roles(), &mut errors);
        let queues = self.keys_of("queue", &new.queues, &[], &self.queues(), &mut errors);
        let language = new.language.unwrap_or_else(|| LANGUAGES[0].to_owned());
        check_language(&language, &mut errors);
        errors.none()?;
        let password = new_password();
        let (until, password_hash) = self.hashed(&password).await?;
        let user = User {
            id: self.new_id(),
            login,
            password_hash,
            facts: UserFacts { name, active: true, roles, queues, ..UserFacts::default() },
            language,
            theme: "system".to_owned(),
            password_until: Some(until),
            revision: 0,
        };
        let data = json!({"roles": words(&user.facts.roles), "queues": words(&user.facts.queues)});
        if !self.store().add_user(&user, &self.told(by, "user.added", &user.login, data)).await? {
            errors.add("login_taken", "/login");
            errors.none()?;
        }
        Ok((user, password))
    }

    /// Changes a user; `expected` is the revision the caller has seen.
    pub async fn change_person(
        &self,
        by: &By,
        id: Uuid,
        change: &PersonChange,
        expected: Option<i64>,
    ) -> Result<User, Failure> {
        for _ in 0..TRIES {
            let before = self.person(id).await?;
            if expected.is_some_and(|expected| expected != before.revision) {
                break;
            }
            let after = self.changed(&before, change)?;
            let data = difference(&before, &after);
            if data.is_empty() {
                return Ok(before);
            }
            let kept = (is_admin(&before) && !is_admin(&after)).then_some(ADMIN);
            if kept.is_some() {
                self.leaves_an_admin(id).await?;
            }
            let kind = match (before.facts.active, after.facts.active) {
                (true, false) => "user.disabled",
                (false, true) => "user.enabled",
                _ => "user.changed",
            };
            let audit = self.told(by, kind, &before.login, Json::Object(data));
            if self.store().change_user(&after, kept, &audit).await? {
                self.check_listeners(id);
                return Ok(User { revision: after.revision + 1, ..after });
            }
        }
        let title = "somebody else changed this user meanwhile";
        Err(refusal(Rejection::new(RejectionKind::Stale, "conflict", title)))
    }

    /// Gives a user another password for one log-in, which is told once. All their sessions end.
    pub async fn reset_password(&self, by: &By, id: Uuid) -> Result<(User, String), Failure> {
        let user = self.person(id).await?;
        let password = new_password();
        let (until, hash) = self.hashed(&password).await?;
        let audit = self.told(by, "password.reset", &user.login, Json::Null);
        self.store().set_password(id, &hash, Some(until), None, &audit).await?;
        self.check_listeners(id);
        Ok((User { password_until: Some(until), ..user }, password))
    }

    /// Takes a user into a queue, or out of it.
    pub async fn set_member(&self, by: &By, queue: &str, id: Uuid, serves: bool) -> Result<User, Failure> {
        let queue: Key = queue.into();
        if !self.queues().contains(&queue) {
            let title = format!("there is no queue `{queue}`");
            return Err(refusal(Rejection::new(RejectionKind::NotFound, "FW1001", title)));
        }
        let served = |user: &User| {
            let mut queues = user.facts.queues.clone();
            queues.retain(|served| *served != queue);
            if serves {
                queues.push(queue.clone());
            }
            let queues = Some(queues.iter().map(ToString::to_string).collect());
            PersonChange { queues, ..PersonChange::default() }
        };
        self.change_as_is(by, id, served).await
    }

    /// Changes a user by what follows from how they are, however others change them at the same time.
    pub(super) async fn change_as_is(
        &self,
        by: &By,
        id: Uuid,
        change: impl Fn(&User) -> PersonChange + Send,
    ) -> Result<User, Failure> {
        for _ in 0..TRIES {
            let user = self.person(id).await?;
            match self.change_person(by, id, &change(&user), Some(user.revision)).await {
                Err(Failure::Rejected(rejection)) if rejection.kind == RejectionKind::Stale => {}
                done => return done,
            }
        }
        Err(Failure::Busy(1))
    }

    /// The open sessions of a user.
    pub async fn sessions_of(&self, id: Uuid) -> Result<Vec<Session>, Failure> {
        Ok(self.store().sessions_of(id, self.clock().now()).await?)
    }

    /// Logs a user out everywhere; how many sessions ended.
    pub async fn end_sessions_of(&self, by: &By, id: Uuid) -> Result<u64, Failure> {
        let user = self.person(id).await?;
        let audit = self.told(by, "session.ended", &user.login, json!({"which": "all"}));
        let ended = self.store().end_sessions(id, None, None, &audit).await?;
        self.check_listeners(id);
        Ok(ended)
    }

    /// The API tokens of a user.
    pub async fn tokens_of(&self, id: Uuid) -> Result<Vec<Token>, Failure> {
        Ok(self.store().tokens_of(id, self.clock().now()).await?)
    }

    /// Revokes an API token of a user.
    pub async fn revoke_token(&self, by: &By, id: Uuid, token: &str) -> Result<(), Failure> {
        let user = self.person(id).await?;
        let audit = self.told(by, "token.revoked", &user.login, json!({"token": token}));
        if self.store().revoke_token(id, token, &audit).await? {
            self.check_listeners(id);
            return Ok(());
        }
        let title = format!("there is no token `{token}`");
        Err(refusal(Rejection::new(RejectionKind::NotFound, "FW1001", title)))
    }

    /// The user as the change makes them.
    fn changed(&self, before: &User, change: &PersonChange) -> Result<User, Failure> {
        let mut errors = Errors::default();
        let mut after = before.clone();
        if let Some(name) = &change.name {
            after.facts.name = self.name_of(name, &mut errors);
        }
        if let Some(roles) = &change.roles {
            after.facts.roles = self.keys_of("role", roles, &before.facts.roles, &self.roles(), &mut errors);
        }
        if let Some(queues) = &change.queues {
            after.facts.queues = self.keys_of("queue", queues, &before.facts.queues, &self.queues(), &mut errors);
        }
        if let Some(language) = &change.language {
            check_language(language, &mut errors);
            after.language.clone_from(language);
        }
        after.facts.active = change.active.unwrap_or(before.facts.active);
        after.facts.team = change.team.clone().unwrap_or(after.facts.team);
        after.facts.leads = change.leads.clone().unwrap_or(after.facts.leads);
        errors.none()?;
        Ok(after)
    }

    pub(super) fn name_of(&self, typed: &str, errors: &mut Errors) -> String {
        let name = typed.trim();
        if name.is_empty() {
            errors.add("required", "/name");
        } else if name.chars().count() > TEXT_MAX {
            errors.add("too_long", "/name");
        } else if name.chars().any(char::is_control) {
            errors.add("control_character", "/name");
        }
        name.to_owned()
    }

    /// Keys that exist, each once; one that is held already may stay though its pack has lost it.
    fn keys_of(&self, what: &str, wanted: &[String], held: &[Key], known: &[Key], errors: &mut Errors) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for (place, key) in wanted.iter().enumerate() {
            let key = Key::from(key.as_str());
            if !known.contains(&key) && !held.contains(&key) {
                errors.add(&format!("unknown_{what}"), &format!("/{what}s/{place}"));
            } else if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Somebody else must be left who looks after users.
    async fn leaves_an_admin(&self, id: Uuid) -> Result<(), Failure> {
        let filter = UserFilter { role: Some(ADMIN.into()), active: Some(true), ..UserFilter::default() };
        let admins = self.store().find_users(&filter, None, 2).await?;
        if admins.iter().any(|admin| admin.id != id) {
            return Ok(());
        }
        let title = "this is the last administrator: make another one first";
        Err(refusal(Rejection::new(RejectionKind::Conflict, "last_admin", title)))
    }

    /// A hash of a one-time password, and when that ends.
    async fn hashed(&self, password: &str) -> Result<(chrono::DateTime<chrono::Utc>, String), Failure> {
        let password = password.to_owned();
        let hash = self.gate.hash(move || hash_password(&password)).await?;
        Ok((self.clock().now() + ONE_TIME, hash))
    }
}

/// A password for one log-in: 80 bits, in letters and digits that nobody takes for others.
fn new_password() -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let letters: Vec<char> =
        rand::random::<[u8; 16]>().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(4).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn is_admin(user: &User) -> bool {
    user.facts.active && user.facts.roles.iter().any(|role| &**role == ADMIN)
}

fn check_language(language: &str, errors: &mut Errors) {
    if !LANGUAGES.contains(&language) {
        errors.add("unknown_language", "/language");
    }
}

/// What differs, as the audit log tells it: `{"roles": {"from": […], "to": […]}}`.
fn difference(before: &User, after: &User) -> Map<String, Json> {
    let told = |user: &User| {
        [
            ("name", json!(user.facts.name)),
            ("roles", words(&user.facts.roles)),
            ("queues", words(&user.facts.queues)),
            ("team", json!(user.facts.team.as_deref())),
            ("leads", words(&user.facts.leads)),
            ("language", json!(user.language)),
            ("active", json!(user.facts.active)),
        ]
    };
    let pairs = told(before).into_iter().zip(told(after)).filter(|(before, after)| before != after);
    pairs.map(|((name, from), (_, to))| (name.to_owned(), json!({"from": from, "to": to}))).collect()
}

fn words(keys: &[Key]) -> Json {
    keys.iter().map(|key| json!(&**key)).collect()
}

/// What is wrong with what was sent, place by place.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    /// One more.
    pub(super) fn add(&mut self, code: &str, pointer: &str) {
        let message = code.replace('_', " ");
        self.0.push(FieldError { code: code.to_owned(), pointer: pointer.to_owned(), message, hint: None });
    }

    /// All is well, or a refusal of all of them.
    pub(super) fn none(&mut self) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut rejection = Rejection::new(RejectionKind::Invalid, "FW1004", "what was sent is not valid");
        rejection.errors = std::mem::take(&mut self.0);
        Err(refusal(rejection))
    }
}

pub(super) fn refusal(rejection: Rejection) -> Failure {
    Failure::Rejected(Box::new(rejection))
}

fn no_user(which: &str) -> Failure {
    refusal(Rejection::new(RejectionKind::NotFound, "FW1001", format!("there is no user `{which}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_passwords_can_be_read_out() {
        let password = new_password();
        assert_eq!(password.len(), 19, "{password}");
        assert!(password.chars().all(|letter| letter == '-' || letter.is_ascii_alphanumeric()), "{password}");
        assert!(!password.contains(['i', 'l', 'o', 'u']), "{password}");
        assert_ne!(password, new_password());
    }
}
