//! `formwork team`: teams, who is of them and who leads them. What is done here stands in the audit log, too.

use clap::{Args, Subcommand};

use formwork_runtime::people::{By, Membership};
use formwork_runtime::{Clock, Engine};
use formwork_store::Team;

use super::Outcome;
use super::environment::{File, StoreOptions, start_engine};
use super::users::{told, user};

/// Most people of a team that are listed.
const LISTED: u32 = 500;

/// Manage teams.
#[derive(Debug, Subcommand)]
pub(super) enum TeamCommand {
    /// Add a team
    Add(Named),
    /// List teams: key, name, who leads them, who is of them
    List(List),
    /// Call a team something else
    Rename(Named),
    /// Remove a team that nobody is of, nobody leads and no open task waits for
    Remove(One),
    /// Make a user a member of a team; they leave the one they are of
    Join(Join),
    /// Take a user out of a team, also as its lead
    Leave(Leave),
}

/// A team and its name.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// What definitions call it: small letters, digits and _
    key: String,
    /// What people call it
    name: String,
    #[command(flatten)]
    store: StoreOptions,
}

/// All teams.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    store: StoreOptions,
}

/// A team.
#[derive(Debug, Args)]
pub(super) struct One {
    key: String,
    #[command(flatten)]
    store: StoreOptions,
}

/// Who joins which team as what.
#[derive(Debug, Args)]
pub(super) struct Join {
    key: String,
    login: String,
    /// As its lead, too
    #[arg(long)]
    lead: bool,
    /// As its lead only: they stay of the team they are of
    #[arg(long, conflicts_with = "lead")]
    lead_only: bool,
    #[command(flatten)]
    store: StoreOptions,
}

/// Who leaves which team.
#[derive(Debug, Args)]
pub(super) struct Leave {
    key: String,
    login: String,
    #[command(flatten)]
    store: StoreOptions,
}

impl TeamCommand {
    pub(super) async fn run(self) -> Outcome {
        let store = match &self {
            TeamCommand::Add(named) | TeamCommand::Rename(named) => &named.store,
            TeamCommand::List(list) => &list.store,
            TeamCommand::Remove(one) => &one.store,
            TeamCommand::Join(join) => &join.store,
            TeamCommand::Leave(leave) => &leave.store,
        };
        let engine = start_engine(store, File::read()?, Clock::System).await?;
        let done = self.carry_out(&engine).await;
        engine.store().close().await;
        done.map(|()| true)
    }

    async fn carry_out(self, engine: &Engine) -> anyhow::Result<()> {
        let by = By::command_line();
        match self {
            TeamCommand::Add(named) => {
                let team = engine.add_team(&by, &named.key, &named.name).await.map_err(told)?;
                println!("{}", line(engine, &team).await?);
            }
            TeamCommand::List(_) => {
                for team in engine.teams().await.map_err(told)? {
                    println!("{}", line(engine, &team).await?);
                }
            }
            TeamCommand::Rename(named) => {
                let team = engine.rename_team(&by, &named.key, &named.name).await.map_err(told)?;
                println!("{}", line(engine, &team).await?);
            }
            TeamCommand::Remove(one) => {
                engine.remove_team(&by, &one.key).await.map_err(told)?;
                println!("{}: removed", one.key);
            }
            TeamCommand::Join(join) => {
                let is = Membership { member: !join.lead_only, lead: join.lead || join.lead_only };
                set(engine, &by, &join.key, &join.login, is).await?;
            }
            TeamCommand::Leave(leave) => {
                set(engine, &by, &leave.key, &leave.login, Membership { member: false, lead: false }).await?;
            }
        }
        Ok(())
    }
}

async fn set(engine: &Engine, by: &By, key: &str, login: &str, is: Membership) -> anyhow::Result<()> {
    let user = user(engine, login).await?;
    engine.set_membership(by, key, user.id, is).await.map_err(told)?;
    println!("{}", line(engine, &engine.team(key).await.map_err(told)?).await?);
    Ok(())
}

/// A team in one line.
async fn line(engine: &Engine, team: &Team) -> anyhow::Result<String> {
    let people = engine.people_of_team(&team.key, LISTED).await.map_err(told)?;
    let (mut leads, mut members) = (Vec::new(), Vec::new());
    for user in &people {
        if user.facts.leads.contains(&team.key) {
            leads.push(user.login.as_str());
        }
        if user.facts.team.as_ref() == Some(&team.key) {
            members.push(user.login.as_str());
        }
    }
    let list = |logins: Vec<&str>| if logins.is_empty() { "-".to_owned() } else { logins.join(",") };
    Ok(format!("{}  {}  leads {}  members {}", team.key, team.name, list(leads), list(members)))
}
