//! Users, roles and queues, for administrators. A password for one log-in is told in the answer and nowhere else.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use formwork_core::wire::instant_text;
use formwork_model::Key;
use formwork_runtime::Engine;
use formwork_runtime::people::By;
use formwork_runtime::people::admin::{NewPerson, PLATFORM_ROLES, PersonChange};
use formwork_store::{Failure, Session, Token, User, UserFilter};

use super::problem::{Answer, Problem};
use super::request::if_match;
use crate::server::Server;
use crate::session::Caller;
use crate::view::people::{queue_title, role_title, worded};

/// Users of a page, unless fewer are asked for.
const LIMIT: u32 = 100;
/// Members of a queue that are told.
pub(crate) const MEMBERS_MAX: u32 = 500;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/api/admin/users", get(list).post(add))
        .route("/api/admin/users/{user}", get(one).patch(change))
        .route("/api/admin/users/{user}/password", post(reset))
        .route("/api/admin/users/{user}/sessions", get(sessions).delete(end_sessions))
        .route("/api/admin/users/{user}/tokens", get(tokens))
        .route("/api/admin/users/{user}/tokens/{token}", delete(revoke))
        .route("/api/admin/roles", get(roles))
        .route("/api/admin/queues", get(queues))
        .route("/api/admin/queues/{queue}/members/{user}", put(join).delete(leave))
}

/// The caller, if they look after users.
pub(super) fn admin(caller: &Caller) -> Result<By, Problem> {
    caller.require_role(&["admin"])?;
    caller.by()
}

/// Which users.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    q: Option<String>,
    role: Option<String>,
    queue: Option<String>,
    team: Option<String>,
    active: Option<bool>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(State(server): State<Arc<Server>>, caller: Caller, Query(which): Query<Which>) -> Answer<Json<Value>> {
    admin(&caller)?;
    let limit = which.limit.unwrap_or(LIMIT);
    if !(1..=200).contains(&limit) {
        return Err(Problem::malformed("`limit` is 1 to 200"));
    }
    let filter = UserFilter {
        text: which.q.unwrap_or_default().trim().to_owned(),
        role: which.role.map(Key::from),
        queue: which.queue.map(Key::from),
        team: which.team.map(Key::from),
        active: which.active,
    };
    let mut users = server.engine.people(&filter, which.after.as_deref(), limit + 1).await?;
    let more = users.len() > limit as usize;
    users.truncate(limit as usize);
    let next = users.last().filter(|_| more).map(|user| user.login.clone());
    Ok(Json(json!({"items": users.iter().map(body).collect::<Vec<_>>(), "next": next})))
}

async fn add(State(server): State<Arc<Server>>, caller: Caller, Json(new): Json<NewPerson>) -> Answer {
    let by = admin(&caller)?;
    let (user, password) = server.engine.add_person(&by, new).await.map_err(|f| in_words(&caller, f))?;
    let location = format!("/api/admin/users/{}", user.id);
    let mut response = (StatusCode::CREATED, Json(with_password(&user, &password))).into_response();
    set(&mut response, header::LOCATION, &location);
    set(&mut response, header::ETAG, &format!("\"{}\"", user.revision));
    set(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}

async fn one(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer {
    admin(&caller)?;
    Ok(told(&server.engine.person(id).await?))
}

async fn change(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(change): Json<PersonChange>,
) -> Answer {
    let by = admin(&caller)?;
    let expected = if_match(&headers)?;
    let user = server.engine.change_person(&by, id, &change, expected).await.map_err(|f| in_words(&caller, f))?;
    Ok(told(&user))
}

async fn reset(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer {
    let by = admin(&caller)?;
    let (user, password) = server.engine.reset_password(&by, id).await?;
    let mut response = Json(with_password(&user, &password)).into_response();
    set(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}

async fn sessions(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<Value>> {
    admin(&caller)?;
    let user = server.engine.person(id).await?;
    let sessions = server.engine.sessions_of(user.id).await?;
    let items: Vec<Value> = sessions.iter().map(|session| session_body(session, None)).collect();
    Ok(Json(json!({"items": items})))
}

async fn end_sessions(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<Value>> {
    let by = admin(&caller)?;
    Ok(Json(json!({"ended": server.engine.end_sessions_of(&by, id).await?})))
}

async fn tokens(State(server): State<Arc<Server>>, caller: Caller, Path(id): Path<Uuid>) -> Answer<Json<Value>> {
    admin(&caller)?;
    let user = server.engine.person(id).await?;
    let items: Vec<Value> = server.engine.tokens_of(user.id).await?.iter().map(token_body).collect();
    Ok(Json(json!({"items": items})))
}

async fn revoke(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((id, token)): Path<(Uuid, String)>,
) -> Answer<StatusCode> {
    let by = admin(&caller)?;
    server.engine.revoke_token(&by, id, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn roles(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    admin(&caller)?;
    let deployed = server.engine.deployed();
    let items: Vec<Value> = server
        .engine
        .roles()
        .iter()
        .map(|key| {
            let declared = deployed.packs.iter().find_map(|pack| Some((pack, pack.roles().get(key)?)));
            json!({
                "key": key,
                "title": role_title(&server.engine, &caller.language, key),
                "pack": declared.map(|(pack, _)| pack.key().clone()),
                "includes": declared.map(|(_, role)| role.includes.clone()).unwrap_or_default(),
                "platform": PLATFORM_ROLES.contains(&&**key),
            })
        })
        .collect();
    Ok(Json(json!({"items": items})))
}

async fn queues(State(server): State<Arc<Server>>, caller: Caller) -> Answer<Json<Value>> {
    admin(&caller)?;
    let deployed = server.engine.deployed();
    let mut items = Vec::new();
    for key in server.engine.queues() {
        let lead = deployed.packs.iter().find_map(|pack| pack.queues().get(&key)).and_then(|queue| queue.lead.clone());
        let members = members(&server.engine, &key).await?;
        let members: Vec<Value> = members
            .iter()
            .map(|user| {
                json!({"id": user.id, "login": user.login, "name": user.facts.name, "active": user.facts.active})
            })
            .collect();
        let title = queue_title(&server.engine, &caller.language, &key);
        items.push(json!({"key": key, "title": title, "lead": lead, "members": members}));
    }
    Ok(Json(json!({"items": items})))
}

/// Who serves a queue.
pub(crate) async fn members(engine: &Engine, queue: &Key) -> Result<Vec<User>, Failure> {
    let filter = UserFilter { queue: Some(queue.clone()), ..UserFilter::default() };
    engine.people(&filter, None, MEMBERS_MAX).await
}

async fn join(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((queue, id)): Path<(String, Uuid)>,
) -> Answer<StatusCode> {
    let by = admin(&caller)?;
    server.engine.set_member(&by, &queue, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn leave(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((queue, id)): Path<(String, Uuid)>,
) -> Answer<StatusCode> {
    let by = admin(&caller)?;
    server.engine.set_member(&by, &queue, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn in_words(caller: &Caller, failure: Failure) -> Problem {
    worded(&caller.language, failure).into()
}

fn told(user: &User) -> Response {
    let mut response = Json(body(user)).into_response();
    set(&mut response, header::ETAG, &format!("\"{}\"", user.revision));
    response
}

fn with_password(user: &User, password: &str) -> Value {
    json!({"user": body(user), "password": password})
}

/// A user as administrators see them.
fn body(user: &User) -> Value {
    json!({
        "id": user.id,
        "login": user.login,
        "name": user.facts.name,
        "active": user.facts.active,
        "roles": user.facts.roles,
        "queues": user.facts.queues,
        "team": user.facts.team,
        "leads": user.facts.leads,
        "language": user.language,
        "one_time_password_until": user.password_until.map(instant_text),
        "version": user.revision,
    })
}

/// A session; `own` is that of the caller.
pub(super) fn session_body(session: &Session, own: Option<&str>) -> Value {
    json!({
        "id": session.id,
        "started_at": session.started_at.map(instant_text),
        "until": instant_text(session.until),
        "address": session.address,
        "agent": session.agent,
        "current": own == Some(session.id.as_str()),
    })
}

/// A token, without its secret.
pub(super) fn token_body(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": token.created_at.map(instant_text),
        "until": token.until.map(instant_text),
    })
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
