//! `/admin/teams`: teams, who is of them and who leads them.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use uuid::Uuid;

use formwork_model::Key;
use formwork_runtime::people::Membership;
use formwork_store::{Team, User, UserFilter};

use super::admin;
use crate::api::people::MEMBERS_MAX;
use crate::pages::errors::Refusal;
use crate::pages::people::{Error, errors_of};
use crate::pages::shell::Page;
use crate::pages::visit::{Visit, see_other};
use crate::server::Server;
use crate::view::field::Link;
use crate::view::people::role_title;
use crate::view::query::{Pairs, address, first, parse};

/// People offered to be taken in.
const OFFERED: u32 = 20;
/// Names of members in the list of teams.
const NAMES: usize = 5;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new().route("/admin/teams", get(list).post(add)).route("/admin/teams/{team}", get(show).post(act))
}

/// The list (templates/pages/admin/teams.html).
#[derive(Debug, Serialize)]
struct ListView {
    rows: Vec<Row>,
    key: String,
    name: String,
    errors: Vec<Error>,
}

/// A team in the list.
#[derive(Debug, Serialize)]
struct Row {
    href: String,
    key: String,
    name: String,
    leads: String,
    members: String,
    count: usize,
}

/// One team (templates/pages/admin/team.html).
#[derive(Debug, Serialize)]
struct TeamView {
    action: String,
    key: String,
    name: String,
    q: String,
    people: Vec<Person>,
    others: Vec<Person>,
    more: bool,
    errors: Vec<Error>,
}

/// Somebody who is of it or leads it, or may.
#[derive(Debug, Serialize)]
struct Person {
    id: String,
    name: String,
    login: String,
    roles: String,
    active: bool,
    member: bool,
    lead: bool,
    /// The name of the team they are of, where it is another.
    team: String,
}

async fn list(visit: Visit) -> Result<Response, Refusal> {
    admin(&visit)?;
    draw_list(&visit, &Vec::new(), Vec::new()).await
}

async fn draw_list(visit: &Visit, typed: &Pairs, errors: Vec<Error>) -> Result<Response, Refusal> {
    let engine = visit.engine();
    let mut rows = Vec::new();
    for team in engine.teams().await? {
        let people = engine.people_of_team(&team.key, MEMBERS_MAX).await?;
        let names = |chosen: &dyn Fn(&User) -> bool| {
            let chosen = people.iter().filter(|user| chosen(user)).take(NAMES);
            chosen.map(|user| user.facts.name.as_str()).collect::<Vec<_>>().join(&visit.say("ui.comma", &[]))
        };
        let is_member = |user: &User| user.facts.team.as_ref() == Some(&team.key);
        rows.push(Row {
            href: format!("/admin/teams/{}", team.key),
            leads: names(&|user| user.facts.leads.contains(&team.key)),
            members: names(&is_member),
            count: people.iter().filter(|user| is_member(user)).count(),
            key: team.key.to_string(),
            name: team.name,
        });
    }
    let text = |name: &str| first(typed, name).unwrap_or_default().to_owned();
    let rejected = !errors.is_empty();
    let view = ListView { rows, key: text("key"), name: text("name"), errors };
    let page = Page { title: visit.say("admin.teams", &[]), rejected, status: status(rejected), ..Page::default() };
    Ok(visit.draw("pages/admin/teams.html", page, "teams", view).await?)
}

fn status(rejected: bool) -> StatusCode {
    if rejected { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}

async fn add(visit: Visit, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let typed = parse(&body);
    let text = |name: &str| first(&typed, name).unwrap_or_default();
    match visit.engine().add_team(&by, text("key"), text("name")).await {
        Ok(team) => Ok(see_other(&format!("/admin/teams/{}", team.key), Some("team_added"))),
        Err(failure) => draw_list(&visit, &typed, errors_of(&visit, failure)?).await,
    }
}

async fn show(visit: Visit, Path(key): Path<String>) -> Result<Response, Refusal> {
    admin(&visit)?;
    let team = visit.engine().team(&key).await?;
    draw_team(&visit, team, None, Vec::new()).await
}

async fn draw_team(visit: &Visit, team: Team, typed: Option<&Pairs>, errors: Vec<Error>) -> Result<Response, Refusal> {
    let engine = visit.engine();
    let pairs = visit.pairs();
    let q = first(typed.unwrap_or(&pairs), "q").unwrap_or_default().trim().to_owned();
    let teams = engine.teams().await?;
    let people = engine.people_of_team(&team.key, MEMBERS_MAX).await?;
    let filter = UserFilter { text: q.clone(), active: Some(true), ..UserFilter::default() };
    let mut others: Vec<User> = Vec::new();
    let mut after: Option<String> = None;
    // A page of users may all be of the team: the next one is looked at until enough are found.
    while others.len() <= OFFERED as usize {
        let page = engine.people(&filter, after.as_deref(), 200).await?;
        let is_last = page.len() < 200;
        after = page.last().map(|user| user.login.clone());
        let concerned =
            |user: &User| user.facts.team.as_ref() == Some(&team.key) || user.facts.leads.contains(&team.key);
        others.extend(page.into_iter().filter(|user| !concerned(user)));
        if is_last {
            break;
        }
    }
    let more = others.len() > OFFERED as usize;
    others.truncate(OFFERED as usize);
    let rejected = !errors.is_empty();
    let view = TeamView {
        action: format!("/admin/teams/{}", team.key),
        key: team.key.to_string(),
        name: typed.and_then(|typed| first(typed, "name")).unwrap_or(&team.name).to_owned(),
        q,
        people: people.iter().map(|user| person(visit, &team, &teams, user)).collect(),
        others: others.iter().map(|user| person(visit, &team, &teams, user)).collect(),
        more,
        errors,
    };
    let page = Page {
        title: team.name.clone(),
        breadcrumb: vec![Link { label: visit.say("admin.teams", &[]), href: "/admin/teams".to_owned() }],
        place: Some("/admin/teams".to_owned()),
        rejected,
        status: status(rejected),
        ..Page::default()
    };
    Ok(visit.draw("pages/admin/team.html", page, "team", view).await?)
}

fn person(visit: &Visit, team: &Team, teams: &[Team], user: &User) -> Person {
    let titles = user.facts.roles.iter().map(|role| role_title(visit.engine(), &visit.caller.language, role));
    let other = user.facts.team.as_ref().filter(|key| **key != team.key);
    let name_of = |key: &Key| teams.iter().find(|team| team.key == *key).map(|team| team.name.clone());
    Person {
        id: user.id.to_string(),
        name: user.facts.name.clone(),
        login: user.login.clone(),
        roles: titles.collect::<Vec<_>>().join(&visit.say("ui.comma", &[])),
        active: user.facts.active,
        member: user.facts.team.as_ref() == Some(&team.key),
        lead: user.facts.leads.contains(&team.key),
        team: other.and_then(name_of).unwrap_or_default(),
    }
}

async fn act(visit: Visit, Path(key): Path<String>, body: Bytes) -> Result<Response, Refusal> {
    let by = admin(&visit)?;
    let engine = visit.engine();
    let team = engine.team(&key).await?;
    let typed = parse(&body);
    let path = format!("/admin/teams/{key}");
    let q = first(&typed, "q").unwrap_or_default();
    let back = if q.is_empty() { path.clone() } else { address(&path, [("q", q)]) };
    let done = match first(&typed, "_act") {
        Some("save") => {
            let name = first(&typed, "name").unwrap_or_default();
            engine.rename_team(&by, &key, name).await.map(|_| see_other(&path, Some("saved")))
        }
        Some("remove") => engine.remove_team(&by, &key).await.map(|()| see_other("/admin/teams", Some("team_removed"))),
        _ => match membership(&typed) {
            // As they are now, not as the page showed them: only what the button says is changed.
            Some((id, what)) => {
                let user = engine.person(id).await?;
                let of_it = user.facts.team.as_ref() == Some(&team.key);
                let leads = user.facts.leads.contains(&team.key);
                let is = match what {
                    What::Add => Membership { member: true, lead: leads },
                    What::Lead => Membership { member: of_it, lead: true },
                    What::Unlead => Membership { member: of_it, lead: false },
                    What::Remove => Membership { member: false, lead: false },
                };
                engine.set_membership(&by, &key, id, is).await.map(|_| see_other(&back, Some("team_changed")))
            }
            None => Ok(see_other(&back, None)),
        },
    };
    match done {
        Ok(response) => Ok(response),
        Err(failure) => draw_team(&visit, team, Some(&typed), errors_of(&visit, failure)?).await,
    }
}

/// What a button does about somebody.
enum What {
    Add,
    Lead,
    Unlead,
    Remove,
}

fn membership(typed: &Pairs) -> Option<(Uuid, What)> {
    let id = |name: &str| first(typed, name).and_then(|id| id.parse::<Uuid>().ok());
    id("_add")
        .map(|id| (id, What::Add))
        .or_else(|| id("_lead").map(|id| (id, What::Lead)))
        .or_else(|| id("_unlead").map(|id| (id, What::Unlead)))
        .or_else(|| id("_remove").map(|id| (id, What::Remove)))
}
