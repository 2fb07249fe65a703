//! What administrators do to users, and users to their own sessions and tokens: each change and the row of the audit log
//! that tells of it are one transaction.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::{Key, Value};

use crate::audit::{self, Audit, AuditFilter, Audited, containing};
use crate::codec::{self, Reader, USER};
use crate::dialect::ColumnKind::{DateTime as Time, Json, Text};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::people::{dialect_cast, keys, optional_instant, optional_key, text, truth};
use crate::statement::Select;
use crate::{Fault, User};

/// Which users are wanted; what is none or empty narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Part of the login or of the name.
    pub text: String,
    /// Held directly.
    pub role: Option<Key>,
    /// Served.
    pub queue: Option<Key>,
    /// Of which they are a member, or which they lead.
    pub team: Option<Key>,
    /// Whether they may log in.
    pub active: Option<bool>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// What definitions call it.
    pub key: Key,
    /// What people call it.
    pub name: String,
}

/// A session, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Tells it from others of its user.
    pub id: String,
    /// When they logged in; none where an older release did not say.
    pub started_at: Option<DateTime<Utc>>,
    /// Its end.
    pub until: DateTime<Utc>,
    /// Where from.
    pub address: Option<String>,
    /// What the browser called itself.
    pub agent: Option<String>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Tells it from others of its user.
    pub id: String,
    /// What its user calls it.
    pub name: String,
    /// What it may do of what its user may.
    pub scopes: Vec<String>,
    /// When it was made; none where an older release did not say.
    pub created_at: Option<DateTime<Utc>>,
    /// Its end, if it has one.
    pub until: Option<DateTime<Utc>>,
}

/// Letters of a fingerprint that tell sessions and tokens of one user apart. Of a hash of 256 random bits they give
/// nothing away.
const HANDLE: usize = 16;

/// Users, sessions and tokens as they are looked after.
#[async_trait]
pub trait People {
    /// Adds a user; false where somebody has that login.
    async fn add_user(&self, user: &User, audit: &Audit) -> Result<bool, Fault>;
    /// Changes name, roles, queues, teams, language and whether they may log in, if nobody did since `user.revision`; false
    /// where somebody did, where the team is gone, or where nobody else who may log in would hold the role `kept`. Whoever
    /// may no longer log in is logged out.
    async fn change_user(&self, user: &User, kept: Option<&str>, audit: &Audit) -> Result<bool, Fault>;
    /// Another password, which ends then if somebody else gave it; all sessions end but that of `kept`.
    async fn set_password(
        &self,
        user: Uuid,
        password_hash: &str,
        until: Option<DateTime<Utc>>,
        kept: Option<&str>,
        audit: &Audit,
    ) -> Result<(), Fault>;
    /// Users by login, after that of `after`.
    async fn find_users(&self, filter: &UserFilter, after: Option<&str>, limit: u32) -> Result<Vec<User>, Fault>;

    /// All teams, by key.
    async fn teams(&self) -> Result<Vec<Team>, Fault>;
    /// Adds a team; false where there is one of that key.
    async fn add_team(&self, team: &Team, audit: &Audit) -> Result<bool, Fault>;
    /// Calls a team something else; false where there is none of that key.
    async fn rename_team(&self, team: &Team, audit: &Audit) -> Result<bool, Fault>;
    /// Removes a team that nobody is of, nobody leads and no open task waits for; false where there is no such team.
    async fn remove_team(&self, key: &str, audit: &Audit) -> Result<bool, Fault>;

    /// Opens a session: the SHA-256 of the cookie's secret, the user, and what is known of it.
    async fn put_session(&self, token_hash: &str, user: Uuid, session: &Session, audit: &Audit) -> Result<(), Fault>;
    /// The open sessions of a user, the newest first; at most 200.
    async fn sessions_of(&self, user: Uuid, at: DateTime<Utc>) -> Result<Vec<Session>, Fault>;
    /// Ends one session of a user, or all but that of `kept`; how many. Nothing is told where none was there.
    async fn end_sessions(
        &self,
        user: Uuid,
        one: Option<&str>,
        kept: Option<&str>,
        audit: &Audit,
    ) -> Result<u64, Fault>;

    /// Adds an API token: the SHA-256 of its secret, its user, and what is known of it.
    async fn put_token(&self, token_hash: &str, user: Uuid, token: &Token, audit: &Audit) -> Result<(), Fault>;
    /// The tokens of a user that have not ended, the newest first; at most 200.
    async fn tokens_of(&self, user: Uuid, at: DateTime<Utc>) -> Result<Vec<Token>, Fault>;
    /// Revokes a token of a user; false where there is none.
    async fn revoke_token(&self, user: Uuid, id: &str, audit: &Audit) -> Result<bool, Fault>;

    /// Adds a row to the audit log.
    async fn audit(&self, audit: &Audit) -> Result<(), Fault>;
    /// Rows of the audit log, the newest first, before that number.
    async fn audited(&self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<Audited>, Fault>;
}

/// The part of a fingerprint that names a session or a token.
pub(crate) fn handle(token_hash: &str) -> String {
    token_hash.chars().take(HANDLE).collect()
}

#[async_trait]
impl<E: Engine> People for E {
    async fn add_user(&self, user: &User, audit: &Audit) -> Result<bool, Fault> {
        let dialect = self.dialect();
        let document = dialect_cast(dialect, "json");
        let insert = format!(
            "INSERT INTO fw_user (id, login, password_hash, name, active, roles, queues, team, leads, language, theme, \
             password_until, revision) \
             VALUES ($1, $2, $3, $4, $5, $6{document}, $7{document}, $8, $9{document}, $10, $11, $12, $13) \
             ON CONFLICT (login) DO NOTHING"
        );
        let params = vec![
            bind_id(dialect, user.id),
            text(&user.login),
            text(&user.password_hash),
            text(&user.facts.name),
            boolean(dialect, user.facts.active)?,
            text(&keys(&user.facts.roles)?),
            text(&keys(&user.facts.queues)?),
            optional_key(user.facts.team.as_ref()),
            text(&keys(&user.facts.leads)?),
            text(&user.language),
            text(&user.theme),
            optional_instant(dialect, user.password_until),
            Bound::BigInt(Some(user.revision)),
        ];
        let commands = vec![Command::guarding(insert, params), audit::note(dialect, audit)];
        Ok(self.change(commands).await?.first() == Some(&1))
    }

    async fn change_user(&self, user: &User, kept: Option<&str>, audit: &Audit) -> Result<bool, Fault> {
        let dialect = self.dialect();
        let document = dialect_cast(dialect, "json");
        let mut update = format!(
            "UPDATE fw_user SET name = $1, active = $2, roles = $3{document}, queues = $4{document}, language = $5, \
             team = $6, leads = $7{document}, revision = revision + 1 WHERE id = $8 AND revision = $9"
        );
        let mut params = vec![
            text(&user.facts.name),
            boolean(dialect, user.facts.active)?,
            text(&keys(&user.facts.roles)?),
            text(&keys(&user.facts.queues)?),
            text(&user.language),
            optional_key(user.facts.team.as_ref()),
            text(&keys(&user.facts.leads)?),
            bind_id(dialect, user.id),
            Bound::BigInt(Some(user.revision)),
        ];
        let mut commands = Vec::new();
        // Whoever removes one of the teams comes before this or after it.
        let teams = user.facts.team.iter().chain(&user.facts.leads).collect::<std::collections::BTreeSet<_>>();
        commands.extend(teams.into_iter().map(held));
        if let Some(role) = kept {
            if dialect == Dialect::Postgres {
                // Two who look at each other before either has gone would both see somebody left: one waits for the other.
                commands.insert(0, Command::new("LOCK TABLE fw_user IN SHARE ROW EXCLUSIVE MODE", Vec::new()));
            }
            params.push(text(&containing(&format!("\"{role}\""))));
            update += &format!(
                " AND EXISTS (SELECT 1 FROM fw_user o WHERE o.id <> $8 AND o.active = {} \
                 AND o.roles{} LIKE $10 ESCAPE '\\')",
                truth(dialect),
                as_text(dialect)
            );
        }
        let place = commands.len();
        commands.extend([Command::guarding(update, params), audit::note(dialect, audit)]);
        if !user.facts.active {
            commands.push(ending(dialect, user.id, None, None));
        }
        Ok(self.change(commands).await?.get(place) == Some(&1))
    }

    async fn set_password(
        &self,
        user: Uuid,
        password_hash: &str,
        until: Option<DateTime<Utc>>,
        kept: Option<&str>,
        audit: &Audit,
    ) -> Result<(), Fault> {
        let dialect = self.dialect();
        let update = "UPDATE fw_user SET password_hash = $1, password_until = $2 WHERE id = $3";
        let params = vec![text(password_hash), optional_instant(dialect, until), bind_id(dialect, user)];
        let commands =
            vec![Command::guarding(update, params), ending(dialect, user, None, kept), audit::note(dialect, audit)];
        self.change(commands).await.map(drop)
    }

    async fn find_users(&self, filter: &UserFilter, after: Option<&str>, limit: u32) -> Result<Vec<User>, Fault> {
        let dialect = self.dialect();
        let cast = as_text(dialect);
        let (mut conditions, mut params) = (Vec::new(), Vec::new());
        let mut add = |condition: &str, bound: Bound| {
            params.push(bound);
            conditions.push(condition.replace('?', &format!("${}", params.len())));
        };
        if let Some(after) = after {
            add("login > ?", text(after));
        }
        if !filter.text.is_empty() {
            let pattern = containing(&filter.text.to_lowercase());
            add("(login LIKE ? ESCAPE '\\' OR lower(name) LIKE ? ESCAPE '\\')", text(&pattern));
        }
        for (column, key) in [("roles", &filter.role), ("queues", &filter.queue)] {
            if let Some(key) = key {
                add(&format!("{column}{cast} LIKE ? ESCAPE '\\'"), text(&containing(&format!("\"{key}\""))));
            }
        }
        if let Some(active) = filter.active {
            add("active = ?", boolean(dialect, active)?);
        }
        if let Some(team) = &filter.team {
            params.extend([text(team), text(&containing(&format!("\"{team}\"")))]);
            let last = params.len();
            conditions.push(format!("(team = ${} OR leads{cast} LIKE ${last} ESCAPE '\\')", last - 1));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let sql = format!("SELECT {} FROM fw_user{condition} ORDER BY login LIMIT {limit}", USER.columns);
        self.rows(Select::new(sql, params, USER.kinds)).await?.into_iter().map(codec::user).collect()
    }

    async fn teams(&self) -> Result<Vec<Team>, Fault> {
        let sql = "SELECT team_key, name FROM fw_team ORDER BY team_key LIMIT 1000".to_owned();
        let team = |row| {
            let mut row = Reader::new(row);
            Ok(Team { key: row.key()?, name: row.text()? })
        };
        self.rows(Select::new(sql, Vec::new(), [Text, Text])).await?.into_iter().map(team).collect()
    }

    async fn add_team(&self, team: &Team, audit: &Audit) -> Result<bool, Fault> {
        let insert = "INSERT INTO fw_team (team_key, name) VALUES ($1, $2) ON CONFLICT (team_key) DO NOTHING";
        let insert = Command::guarding(insert, vec![text(&team.key), text(&team.name)]);
        Ok(self.change(vec![insert, audit::note(self.dialect(), audit)]).await?.first() == Some(&1))
    }

    async fn rename_team(&self, team: &Team, audit: &Audit) -> Result<bool, Fault> {
        let update = "UPDATE fw_team SET name = $1 WHERE team_key = $2";
        let update = Command::guarding(update, vec![text(&team.name), text(&team.key)]);
        Ok(self.change(vec![update, audit::note(self.dialect(), audit)]).await?.first() == Some(&1))
    }

    async fn remove_team(&self, key: &str, audit: &Audit) -> Result<bool, Fault> {
        let dialect = self.dialect();
        let delete = format!(
            "DELETE FROM fw_team WHERE team_key = $1 \
             AND NOT EXISTS (SELECT 1 FROM fw_user WHERE team = $1 OR leads{} LIKE $2 ESCAPE '\\') \
             AND NOT EXISTS (SELECT 1 FROM fw_task WHERE pool_kind = 'team' AND pool_key = $1 AND status = 'open')",
            as_text(dialect)
        );
        let params = vec![text(key), text(&containing(&format!("\"{key}\"")))];
        // First it is held: what others do with it at this moment is done before the next statement looks.
        let commands = vec![held(&key.into()), Command::guarding(delete, params), audit::note(dialect, audit)];
        Ok(self.change(commands).await?.get(1) == Some(&1))
    }

    async fn put_session(&self, token_hash: &str, user: Uuid, session: &Session, audit: &Audit) -> Result<(), Fault> {
        let dialect = self.dialect();
        let insert = "INSERT INTO fw_session (token_hash, user_id, until, started_at, address, agent) \
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let params = vec![
            text(token_hash),
            bind_id(dialect, user),
            bind_instant(dialect, session.until),
            optional_instant(dialect, session.started_at),
            Bound::String(session.address.clone()),
            Bound::String(session.agent.clone()),
        ];
        self.change(vec![Command::new(insert, params), audit::note(dialect, audit)]).await.map(drop)
    }

    async fn sessions_of(&self, user: Uuid, at: DateTime<Utc>) -> Result<Vec<Session>, Fault> {
        let sql = "SELECT token_hash, started_at, until, address, agent FROM fw_session \
                   WHERE user_id = $1 AND until > $2 ORDER BY until DESC, token_hash LIMIT 200";
        let params = vec![bind_id(self.dialect(), user), bind_instant(self.dialect(), at)];
        let rows = self.rows(Select::new(sql.to_owned(), params, [Text, Time, Time, Text, Text])).await?;
        let session = |row| {
            let mut row = Reader::new(row);
            Ok(Session {
                id: handle(&row.text()?),
                started_at: row.maybe_time()?,
                until: row.time()?,
                address: row.maybe_text()?,
                agent: row.maybe_text()?,
            })
        };
        rows.into_iter().map(session).collect()
    }

    async fn end_sessions(
        &self,
        user: Uuid,
        one: Option<&str>,
        kept: Option<&str>,
        audit: &Audit,
    ) -> Result<u64, Fault> {
        let dialect = self.dialect();
        let ending = Command { guards: true, ..ending(dialect, user, one, kept) };
        let touched = self.change(vec![ending, audit::note(dialect, audit)]).await?;
        Ok(touched.first().copied().unwrap_or_default())
    }

    async fn put_token(&self, token_hash: &str, user: Uuid, token: &Token, audit: &Audit) -> Result<(), Fault> {
        let dialect = self.dialect();
        let scopes = serde_json::to_string(&token.scopes).map_err(|error| Fault::of("writing scopes", error))?;
        let insert = format!(
            "INSERT INTO fw_token (token_hash, user_id, name, scopes, until, created_at) \
             VALUES ($1, $2, $3, $4{}, $5, $6)",
            dialect_cast(dialect, "json")
        );
        let params = vec![
            text(token_hash),
            bind_id(dialect, user),
            text(&token.name),
            text(&scopes),
            optional_instant(dialect, token.until),
            optional_instant(dialect, token.created_at),
        ];
        self.change(vec![Command::new(insert, params), audit::note(dialect, audit)]).await.map(drop)
    }

    async fn tokens_of(&self, user: Uuid, at: DateTime<Utc>) -> Result<Vec<Token>, Fault> {
        let sql = "SELECT token_hash, name, scopes, created_at, until FROM fw_token \
                   WHERE user_id = $1 AND (until IS NULL OR until > $2) ORDER BY created_at DESC, token_hash LIMIT 200";
        let params = vec![bind_id(self.dialect(), user), bind_instant(self.dialect(), at)];
        let rows = self.rows(Select::new(sql.to_owned(), params, [Text, Text, Json, Time, Time])).await?;
        let token = |row| {
            let mut row = Reader::new(row);
            Ok(Token {
                id: handle(&row.text()?),
                name: row.text()?,
                scopes: row.document()?,
                created_at: row.maybe_time()?,
                until: row.maybe_time()?,
            })
        };
        rows.into_iter().map(token).collect()
    }

    async fn revoke_token(&self, user: Uuid, id: &str, audit: &Audit) -> Result<bool, Fault> {
        let dialect = self.dialect();
        let delete = format!("DELETE FROM fw_token WHERE user_id = $1 AND substr(token_hash, 1, {HANDLE}) = $2");
        let delete = Command::guarding(delete, vec![bind_id(dialect, user), text(id)]);
        Ok(self.change(vec![delete, audit::note(dialect, audit)]).await?.first() > Some(&0))
    }

    async fn audit(&self, audit: &Audit) -> Result<(), Fault> {
        self.change(vec![audit::note(self.dialect(), audit)]).await.map(drop)
    }

    async fn audited(&self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<Audited>, Fault> {
        audit::rows(self, filter, before, limit).await
    }
}

/// Ends one session of a user, or all but one that is kept.
fn ending(dialect: Dialect, user: Uuid, one: Option<&str>, kept: Option<&str>) -> Command {
    let mut sql = "DELETE FROM fw_session WHERE user_id = $1".to_owned();
    let mut params = vec![bind_id(dialect, user)];
    if let Some(one) = one {
        params.push(text(one));
        sql += &format!(" AND substr(token_hash, 1, {HANDLE}) = ${}", params.len());
    }
    if let Some(kept) = kept {
        params.push(text(kept));
        sql += &format!(" AND token_hash <> ${}", params.len());
    }
    Command::new(sql, params)
}

/// Holds a team until the end of the transaction; nothing behind it is done where there is none.
fn held(key: &Key) -> Command {
    Command::guarding("UPDATE fw_team SET name = name WHERE team_key = $1", vec![text(key)])
}

/// What makes a document a text to look into.
fn as_text(dialect: Dialect) -> &'static str {
    if dialect == Dialect::Postgres { "::text" } else { "" }
}

fn boolean(dialect: Dialect, is: bool) -> Result<Bound, Fault> {
    let bound = ColumnKind::Boolean.bind(dialect, &Value::Boolean(is));
    bound.map_err(|_| Fault::new(format!("binding {}", truth(dialect))))
}
