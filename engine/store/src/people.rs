//! Users, sessions and tokens: the statements, the same on both engines.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Key;

use crate::codec::{self, Reader, USER};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::statement::Select;
use crate::{Fault, User};

pub(crate) async fn put_user(engine: &impl Engine, user: &User) -> Result<(), Fault> {
    let dialect = engine.dialect();
    let document = dialect_cast(dialect, "json");
    let boolean = ColumnKind::Boolean.bind(dialect, &formwork_model::Value::Boolean(user.facts.active));
    let active = boolean.map_err(|_| Fault::new("binding a truth"))?;
    let mut params = vec![
        text(&user.login),
        text(&user.password_hash),
        text(&user.facts.name),
        active,
        text(&keys(&user.facts.roles)?),
        text(&keys(&user.facts.queues)?),
        optional_key(user.facts.team.as_ref()),
        text(&keys(&user.facts.leads)?),
        text(&user.language),
        text(&user.theme),
        optional_instant(dialect, user.password_until),
        Bound::BigInt(Some(user.revision)),
        bind_id(dialect, user.id),
    ];
    let update = format!(
        "UPDATE fw_user SET login = $1, password_hash = $2, name = $3, active = $4, roles = $5{document}, \
         queues = $6{document}, team = $7, leads = $8{document}, language = $9, theme = $10, password_until = $11, \
         revision = $12 WHERE id = $13"
    );
    let touched = engine.change(vec![Command::new(update, params.clone())]).await?;
    if touched == [1] {
        return Ok(());
    }
    // A user with that login keeps the id that records know.
    let insert = format!(
        "INSERT INTO fw_user (login, password_hash, name, active, roles, queues, team, leads, language, theme, \
         password_until, revision, id) \
         VALUES ($1, $2, $3, $4, $5{document}, $6{document}, $7, $8{document}, $9, $10, $11, $12, $13) \
         ON CONFLICT (login) DO UPDATE SET \
         password_hash = excluded.password_hash, name = excluded.name, active = excluded.active, \
         roles = excluded.roles, queues = excluded.queues, team = excluded.team, leads = excluded.leads, language = excluded.language, theme = excluded.theme, \
         password_until = excluded.password_until, revision = excluded.revision"
    );
    engine.change(vec![Command::new(insert, std::mem::take(&mut params))]).await?;
    Ok(())
}

pub(crate) async fn user_by_login(engine: &impl Engine, login: &str) -> Result<Option<User>, Fault> {
    one_user(engine, "FROM fw_user WHERE login = $1", vec![text(login)]).await
}

pub(crate) async fn user(engine: &impl Engine, id: Uuid) -> Result<Option<User>, Fault> {
    one_user(engine, "FROM fw_user WHERE id = $1", vec![bind_id(engine.dialect(), id)]).await
}

pub(crate) async fn users(engine: &impl Engine) -> Result<Vec<User>, Fault> {
    let sql = format!("SELECT {} FROM fw_user ORDER BY login LIMIT 1000", USER.columns);
    engine.rows(Select::new(sql, Vec::new(), USER.kinds)).await?.into_iter().map(codec::user).collect()
}

pub(crate) async fn put_settings(
    engine: &impl Engine,
    user: Uuid,
    language: Option<&str>,
    theme: Option<&str>,
) -> Result<(), Fault> {
    let update = "UPDATE fw_user SET language = coalesce($1, language), theme = coalesce($2, theme) WHERE id = $3";
    let optional = |text: Option<&str>| Bound::String(text.map(str::to_owned));
    let params = vec![optional(language), optional(theme), bind_id(engine.dialect(), user)];
    engine.change(vec![Command::new(update, params)]).await.map(|_| ())
}

pub(crate) async fn session(engine: &impl Engine, token_hash: &str, at: DateTime<Utc>) -> Result<Option<User>, Fault> {
    let active = truth(engine.dialect());
    let from = format!(
        "FROM fw_user WHERE active = {active} AND id = (SELECT user_id FROM fw_session WHERE token_hash = $1 AND until > $2)"
    );
    one_user(engine, &from, vec![text(token_hash), bind_instant(engine.dialect(), at)]).await
}

pub(crate) async fn end_session(engine: &impl Engine, token_hash: &str) -> Result<(), Fault> {
    let delete = Command::new("DELETE FROM fw_session WHERE token_hash = $1", vec![text(token_hash)]);
    engine.change(vec![delete]).await.map(|_| ())
}

pub(crate) async fn token(
    engine: &impl Engine,
    token_hash: &str,
    at: DateTime<Utc>,
) -> Result<Option<(User, Vec<String>)>, Fault> {
    let sql = "SELECT user_id, scopes FROM fw_token WHERE token_hash = $1 AND (until IS NULL OR until > $2)".to_owned();
    let params = vec![text(token_hash), bind_instant(engine.dialect(), at)];
    let select = Select::new(sql, params, [ColumnKind::Id, ColumnKind::Json]);
    let Some(row) = engine.rows(select).await?.into_iter().next() else { return Ok(None) };
    let mut row = Reader::new(row);
    let (id, scopes) = (row.id()?, row.document()?);
    Ok(user(engine, id).await?.filter(|user| user.facts.active).map(|user| (user, scopes)))
}

/// True, as a literal.
pub(crate) fn truth(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "1",
        Dialect::Postgres => "TRUE",
    }
}

async fn one_user(engine: &impl Engine, from: &str, params: Vec<Bound>) -> Result<Option<User>, Fault> {
    let select = Select::new(format!("SELECT {} {from}", USER.columns), params, USER.kinds);
    engine.rows(select).await?.into_iter().next().map(codec::user).transpose()
}

/// `::json` on the engine whose parameters need it.
pub(crate) fn dialect_cast(dialect: Dialect, ty: &str) -> String {
    match dialect {
        Dialect::Sqlite => String::new(),
        Dialect::Postgres => format!("::text::{ty}"),
    }
}

pub(crate) fn text(text: &str) -> Bound {
    Bound::String(Some(text.to_owned()))
}

/// A key, or none.
pub(crate) fn optional_key(key: Option<&Key>) -> Bound {
    Bound::String(key.map(ToString::to_string))
}

/// An instant, or none.
pub(crate) fn optional_instant(dialect: Dialect, at: Option<DateTime<Utc>>) -> Bound {
    at.map_or_else(|| ColumnKind::DateTime.null(dialect), |at| bind_instant(dialect, at))
}

/// Keys as a JSON text.
pub(crate) fn keys(keys: &[Key]) -> Result<String, Fault> {
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    serde_json::to_string(&keys).map_err(|error| Fault::of("writing keys", error))
}
