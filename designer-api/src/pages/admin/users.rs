//! `/admin/users`: who there is, what they may, and what helps them on: another password, logging them out.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use uuid::Uuid;

use formwork_model::Key;
use formwork_runtime::people::admin::{LANGUAGES, NewPerson, PersonChange};
use formwork_store::{User, UserFilter};

use super::{Choice, admin};
use crate::pages::errors::Refusal;
use crate::pages::people::{Error, SessionRow, TokenRow, errors_of, session_row, ticked, token_row};
use crate::pages::shell::Page;
use crate::pages::visit::{Visit, see_other};
use crate::server::Server;
use crate::view::field::Link;
use crate::view::format::Time;
use crate::view::people::{queue_title, role_title};
use crate::view::query::{Pairs, changed, first, parse};

/// Users of a page.
const LIMIT: u32 = 50;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/admin/users", get(list).post(add))
        .route("/admin/users/new", get(new))
        .route("/admin/users/{user}", get(show).post(act))
}

/// The list (templates/pages/admin/users.html).
#[derive(Debug, Serialize)]
struct ListView {
    q: String,
    roles: Vec<Choice>,
    states: Vec<Choice>,
    filtered: bool,
    rows: Vec<Row>,
    first: String,
    next: String,
}

/// A user in the list.
#[derive(Debug, Serialize)]
struct Row {
    href: String,
    name: String,
    login: String,
    roles: String,
    queues: String,
    state: &'static str,
}

/// One user, also one to be added (templates/pages/admin/user.html).
#[derive(Debug, Serialize)]
struct UserView {
    action: String,
    is_new: bool,
    is_self: bool,
    login: String,
    name: String,
    version: i64,
    roles: Vec<Choice>,
    queues: Vec<Choice>,
    languages: Vec<Choice>,
    teams: Vec<TeamLink>,
    state: &'static str,
    until: Option<Time>,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
    errors: Vec<Error>,
}

/// A team somebody is of or leads.
#[derive(Debug, Serialize)]
struct TeamLink {
    href: String,
    name: String,
    member: bool,
    lead: bool,
}

/// A password that is told once (templates/pages/admin/password.html).
#[derive(Debug, Serialize)]
struct PasswordView {
    href: String,
    name: String,
    login: String,
    password: String,
    until: Option<Time>,
}

async fn list(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    let pairs = visit.pairs();
    let q = first(&pairs, "q").unwrap_or_default().trim().to_owned();
    let (role, state) = (first(&pairs, "role"), first(&pairs, "state"));
    let filter = UserFilter {
        text: q.clone(),
        role: role.map(Key::from),
        queue: None,
        team: None,
        active: state.map(|state| state == "active"),
    };
    let after = first(&pairs, "after");
    let mut users = visit.engine().people(&filter, after, LIMIT + 1).await?;
    let more = users.len() > LIMIT as usize;
    users.truncate(LIMIT as usize);
    let here = |added: &[(&str, &str)]| changed("/admin/users", &pairs, |name| name == "after", added);
    let next = users.last().filter(|_| more).map(|last| here(&[("after", &last.login)])).unwrap_or_default();
    let roles = visit.engine().roles().into_iter().map(|key| choice(&visit, "role", &key, role == Some(&*key)));
    let states = ["active", "disabled"].map(|key| Choice {
        value: key.to_owned(),
        label: visit.say(&format!("admin.user.state.{key}"), &[]),
        selected: state == Some(key),
    });
    let view = ListView {
        filtered: !q.is_empty() || role.is_some() || state.is_some(),
        q,
        roles: roles.collect(),
        states: states.into(),
        rows: users.iter().map(|user| row(&visit, user)).collect(),
        first: if after.is_some() { here(&[]) } else { String::new() },
        next,
    };
    let page = Page { title: visit.say("admin.users", &[]), ..Page::default() };
    Ok(visit.draw("pages/admin/users.html", page, "users", view).await?)
}

fn row(visit: &Visit, user: &User) -> Row {
    let (engine, language) = (visit.engine(), visit.caller.language.as_str());
    let comma = visit.say("ui.comma", &[]);
    let titles = |keys: &[Key], title: &dyn Fn(&str) -> String| {
        keys.iter().map(|key| title(key)).collect::<Vec<_>>().join(&comma)
    };
    Row {
        href: format!("/admin/users/{}", user.id),
        name: user.facts.name.clone(),
        login: user.login.clone(),
        roles: titles(&user.facts.roles, &|key| role_title(engine, language, key)),
        queues: match user.facts.queues.len() {
            0..=2 => titles(&user.facts.queues, &|key| queue_title(engine, language, key)),
            count => visit.say("admin.user.queues", &[("n", &count.to_string())]),
        },
        state: state(user),
    }
}

/// `active`, `disabled`, or `given`: the password was given by somebody else and not changed yet.
fn state(user: &User) -> &'static str {
    match (user.facts.active, user.password_until.is_some()) {
        (false, _) => "disabled",
        (true, true) => "given",
        (true, false) => "active",
    }
}

fn choice(visit: &Visit, what: &str, key: &str, selected: bool) -> Choice {
    let (engine, language) = (visit.engine(), visit.caller.language.as_str());
    let label = if what == "role" { role_title(engine, language, key) } else { queue_title(engine, language, key) };
    Choice { value: key.to_owned(), label, selected }
}

async fn new(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    draw_new(&visit, &Vec::new(), Vec::new()).await
}

async fn draw_new(visit: &Visit, typed: &Pairs, errors: Vec<Error>) -> Result<Response, Refusal> {
    let text = |name: &str| first(typed, name).unwrap_or_default().to_owned();
    let view = UserView {
        action: "/admin/users".to_owned(),
        is_new: true,
        is_self: false,
        login: text("login"),
        name: text("name"),
        version: 0,
        roles: choices(visit, "role", &[], &ticked(typed, "role")),
        queues: choices(visit, "queue", &[], &ticked(typed, "queue")),
        languages: languages(visit, first(typed, "language").unwrap_or(&visit.caller.language)),
        teams: Vec::new(),
        state: "active",
        until: None,
        sessions: Vec::new(),
        tokens: Vec::new(),
        errors,
    };
    draw(visit, visit.say("admin.user.new", &[]), view).await
}

async fn draw(visit: &Visit, title: String, view: UserView) -> Result<Response, Refusal> {
    let rejected = !view.errors.is_empty();
    let page = Page {
        title,
        breadcrumb: vec![Link { label: visit.say("admin.users", &[]), href: "/admin/users".to_owned() }],
        place: Some("/admin/users".to_owned()),
        rejected,
        status: if rejected { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK },
        ..Page::default()
    };
    Ok(visit.draw("pages/admin/user.html", page, "user", view).await?)
}

async fn add(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let typed = parse(&body);
    let text = |name: &str| first(&typed, name).unwrap_or_default().to_owned();
    let new = NewPerson {
        login: text("login"),
        name: text("name"),
        roles: ticked(&typed, "role"),
        queues: ticked(&typed, "queue"),
        language: first(&typed, "language").map(str::to_owned),
    };
    match visit.engine().add_person(&by, new).await {
        Ok((user, password)) => tell(&visit, &user, password).await,
        Err(failure) => draw_new(&visit, &typed, errors_of(&visit, failure)?).await,
    }
}

/// The password is on this page and nowhere else: it cannot be loaded again.
async fn tell(visit: &Visit, user: &User, password: String) -> Result<Response, Refusal> {
    let view = PasswordView {
        href: format!("/admin/users/{}", user.id),
        name: user.facts.name.clone(),
        login: user.login.clone(),
        password,
        until: user.password_until.map(|until| visit.anywhere().time(until)),
    };
    let page = Page {
        title: visit.say("admin.password.title", &[("name", &user.facts.name)]),
        breadcrumb: vec![Link { label: visit.say("admin.users", &[]), href: "/admin/users".to_owned() }],
        place: Some("/admin/users".to_owned()),
        ..Page::default()
    };
    let mut response = visit.draw("pages/admin/password.html", page, "given", view).await?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn show(visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Refusal> {
    admin(&visit)?;
    draw_user(&visit, id, None, Vec::new()).await
}

/// The user as they are, or as was typed.
async fn draw_user(visit: &Visit, id: Uuid, typed: Option<&Pairs>, errors: Vec<Error>) -> Result<Response, Refusal> {
    let user = visit.engine().person(id).await?;
    let local = visit.anywhere();
    let (sessions, tokens) = (visit.engine().sessions_of(id).await?, visit.engine().tokens_of(id).await?);
    let held = |keys: &[Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (roles, queues) = match typed {
        Some(typed) => (ticked(typed, "role"), ticked(typed, "queue")),
        None => (held(&user.facts.roles), held(&user.facts.queues)),
    };
    let text = |name: &str, stored: &str| typed.and_then(|typed| first(typed, name)).unwrap_or(stored).to_owned();
    let view = UserView {
        action: format!("/admin/users/{id}"),
        is_new: false,
        is_self: visit.user()?.id == id,
        login: user.login.clone(),
        name: text("name", &user.facts.name),
        version: user.revision,
        roles: choices(visit, "role", &user.facts.roles, &roles),
        queues: choices(visit, "queue", &user.facts.queues, &queues),
        languages: languages(visit, &text("language", &user.language)),
        teams: teams_of(visit, &user).await?,
        state: state(&user),
        until: user.password_until.map(|until| local.time(until)),
        sessions: sessions.into_iter().map(|session| session_row(visit, session, None)).collect(),
        tokens: tokens.into_iter().map(|token| token_row(visit, token)).collect(),
        errors,
    };
    draw(visit, user.facts.name.clone(), view).await
}

/// The teams a user is of or leads, in the order of all teams.
async fn teams_of(visit: &Visit, user: &User) -> Result<Vec<TeamLink>, Refusal> {
    let teams = visit.engine().teams().await?.into_iter().map(|team| TeamLink {
        href: format!("/admin/teams/{}", team.key),
        member: user.facts.team.as_ref() == Some(&team.key),
        lead: user.facts.leads.contains(&team.key),
        name: team.name,
    });
    Ok(teams.filter(|team| team.member || team.lead).collect())
}

async fn act(visit: Visit, Path(id): Path<Uuid>, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let engine = visit.engine();
    let typed = parse(&body);
    let here = format!("/admin/users/{id}");
    let active = |active: bool| PersonChange { active: Some(active), ..PersonChange::default() };
    let (done, notice) = match first(&typed, "_act").unwrap_or_default() {
        "save" => {
            let change = PersonChange {
                name: Some(
                    typed.iter().find(|(name, _)| name == "name").map(|(_, value)| value.clone()).unwrap_or_default(),
                ),
                roles: Some(ticked(&typed, "role")),
                queues: Some(ticked(&typed, "queue")),
                language: first(&typed, "language").map(str::to_owned),
                active: None,
                ..PersonChange::default()
            };
            let version = first(&typed, "_version").and_then(|version| version.parse().ok());
            (engine.change_person(&by, id, &change, version).await.map(drop), "saved")
        }
        "disable" => (engine.change_person(&by, id, &active(false), None).await.map(drop), "user_disabled"),
        "enable" => (engine.change_person(&by, id, &active(true), None).await.map(drop), "user_enabled"),
        "sign_out" => (engine.end_sessions_of(&by, id).await.map(drop), "signed_out"),
        "revoke" => {
            let token = first(&typed, "token").unwrap_or_default();
            (engine.revoke_token(&by, id, token).await, "token_revoked")
        }
        "reset" => {
            let (user, password) = engine.reset_password(&by, id).await?;
            return tell(&visit, &user, password).await;
        }
        _ => return Ok(see_other(&here, None)),
    };
    match done {
        Ok(()) => Ok(see_other(&here, Some(notice))),
        Err(failure) => draw_user(&visit, id, Some(&typed), errors_of(&visit, failure)?).await,
    }
}

/// All there are, and what is held though no pack has it any more.
fn choices(visit: &Visit, what: &str, held: &[Key], ticked: &[String]) -> Vec<Choice> {
    let mut keys = if what == "role" { visit.engine().roles() } else { visit.engine().queues() };
    let lost: Vec<Key> = held.iter().filter(|key| !keys.contains(key)).cloned().collect();
    keys.extend(lost);
    keys.iter().map(|key| choice(visit, what, key, ticked.iter().any(|ticked| **ticked == **key))).collect()
}

fn languages(visit: &Visit, selected: &str) -> Vec<Choice> {
    let label = |key: &str| visit.say(&format!("admin.language.{key}"), &[]);
    LANGUAGES.map(|key| Choice { value: key.to_owned(), label: label(key), selected: key == selected }).into()
}
