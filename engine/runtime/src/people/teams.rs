//! Teams: whom a lead looks after. Unlike queues no pack declares them: they come and go with people, and definitions know
//! them by key (`"assign": {"team": …}`, `user.team`, `user.leads`).

use serde::Deserialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::{Rejection, RejectionKind};
use formwork_model::Key;
use formwork_store::{Failure, Team, User, UserFilter};

use super::By;
use super::admin::{Errors, PersonChange, refusal};
use crate::Engine;

/// Longest key of a team, in characters.
const KEY_MAX: usize = 48;
/// Most teams.
const TEAMS_MAX: usize = 1_000;

/// What somebody is to a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Whether they are of it. Everybody is of one team at most: they leave the one they are of.
    #[serde(default = "yes")]
    pub member: bool,
    /// Whether they lead it; one may lead several, and one need not be of it.
    #[serde(default)]
    pub lead: bool,
}

fn yes() -> bool {
    true
}

impl Engine {
    /// All teams, by key.
    pub async fn teams(&self) -> Result<Vec<Team>, Failure> {
        Ok(self.store().teams().await?)
    }

    /// One team, or that there is none.
    pub async fn team(&self, key: &str) -> Result<Team, Failure> {
        self.teams().await?.into_iter().find(|team| *team.key == *key).ok_or_else(|| no_team(key))
    }

    /// Who is of a team or leads it, by login.
    pub async fn people_of_team(&self, key: &Key, limit: u32) -> Result<Vec<User>, Failure> {
        let filter = UserFilter { team: Some(key.clone()), ..UserFilter::default() };
        self.people(&filter, None, limit).await
    }

    /// Adds a team.
    pub async fn add_team(&self, by: &By, key: &str, name: &str) -> Result<Team, Failure> {
        let (key, mut errors) = (key.trim(), Errors::default());
        let is_plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '_');
        if key.is_empty() {
            errors.add("required", "/key");
        } else if key.chars().count() > KEY_MAX {
            errors.add("too_long", "/key");
        } else if !key.starts_with(|letter: char| letter.is_ascii_lowercase()) || !key.chars().all(is_plain) {
            errors.add("key_letters", "/key");
        }
        let team = Team { key: key.into(), name: self.name_of(name, &mut errors) };
        errors.none()?;
        if self.teams().await?.len() >= TEAMS_MAX {
            let title = format!("there are no more than {TEAMS_MAX} teams: remove one first");
            return Err(refusal(Rejection::new(RejectionKind::Conflict, "too_many_teams", title)));
        }
        let audit = self.told(by, "team.added", &team.key, json!({"name": team.name}));
        if !self.store().add_team(&team, &audit).await? {
            errors.add("key_taken", "/key");
            errors.none()?;
        }
        Ok(team)
    }

    /// Calls a team something else.
    pub async fn rename_team(&self, by: &By, key: &str, name: &str) -> Result<Team, Failure> {
        let before = self.team(key).await?;
        let mut errors = Errors::default();
        let after = Team { key: before.key, name: self.name_of(name, &mut errors) };
        errors.none()?;
        if after.name != before.name {
            let data = json!({"name": {"from": before.name, "to": after.name}});
            let audit = self.told(by, "team.changed", &after.key, data);
            if !self.store().rename_team(&after, &audit).await? {
                return Err(no_team(key));
            }
        }
        Ok(after)
    }

    /// Removes a team that nobody is of, nobody leads and no open task waits for.
    pub async fn remove_team(&self, by: &By, key: &str) -> Result<(), Failure> {
        let team = self.team(key).await?;
        let audit = self.told(by, "team.removed", &team.key, json!({"name": team.name}));
        if self.store().remove_team(&team.key, &audit).await? {
            return Ok(());
        }
        self.team(key).await?;
        let title = "somebody is of this team or leads it, or an open task waits for it";
        Err(refusal(Rejection::new(RejectionKind::Conflict, "team_in_use", title)))
    }

    /// Makes a user what they are to be to a team; neither member nor lead takes them out of it.
    pub async fn set_membership(&self, by: &By, key: &str, id: Uuid, is: Membership) -> Result<User, Failure> {
        let key = self.team(key).await?.key;
        let change = |user: &User| {
            let of_it = user.facts.team.as_ref() == Some(&key);
            let team = match (is.member, of_it) {
                (true, _) => Some(Some(key.clone())),
                (false, true) => Some(None),
                (false, false) => None,
            };
            let mut leads = user.facts.leads.clone();
            leads.retain(|led| *led != key);
            if is.lead {
                leads.push(key.clone());
            }
            PersonChange { team, leads: Some(leads), ..PersonChange::default() }
        };
        self.change_as_is(by, id, change).await
    }

    /// Teams as administrators see them: `{"key", "name", "members": […]}`.
    pub async fn told_teams(&self, limit: u32) -> Result<Vec<Json>, Failure> {
        let mut told = Vec::new();
        for team in self.teams().await? {
            let people = self.people_of_team(&team.key, limit).await?;
            let members: Vec<Json> = people
                .iter()
                .map(|user| {
                    json!({
                        "id": user.id,
                        "login": user.login,
                        "name": user.facts.name,
                        "active": user.facts.active,
                        "member": user.facts.team.as_ref() == Some(&team.key),
                        "lead": user.facts.leads.contains(&team.key),
                    })
                })
                .collect();
            told.push(json!({"key": team.key, "name": team.name, "members": members}));
        }
        Ok(told)
    }
}

fn no_team(which: &str) -> Failure {
    refusal(Rejection::new(RejectionKind::NotFound, "FW1001", format!("there is no team `{which}`")))
}
