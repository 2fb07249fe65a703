//! `formwork user`: people, what they may, and their API tokens. What is done here stands in the audit log, too.

use anyhow::{anyhow, bail};
use chrono::{Duration, Utc};
use clap::{Args, Subcommand};

use formwork_runtime::people::By;
use formwork_runtime::people::admin::{NewPerson, PersonChange};
use formwork_runtime::people::own::{NewToken, session_id};
use formwork_runtime::{Clock, Engine};
use formwork_store::{Failure, User, UserFilter};

use super::Outcome;
use super::environment::{File, StoreOptions, start_engine};
use crate::session::SCOPES;
use crate::view::people::problem_text;

/// Users of one page of a list.
const PAGE: u32 = 200;

/// Manage users.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user and print a password for one log-in, once
    Add(Add),
    /// List users: login, name, state, roles, queues, team
    List(List),
    /// Change name, roles, queues or language of a user
    Change(Change),
    /// Give a user a new password for one log-in, printed once; all their sessions end
    Reset(Login),
    /// Keep a user from logging in; all their sessions end
    Disable(Login),
    /// Let a user log in again
    Enable(Login),
    /// Log a user out everywhere
    SignOut(Login),
    /// Make an API token for a user and print it once
    Token(Token),
    /// List the API tokens of a user
    Tokens(Login),
    /// Revoke an API token of a user
    Revoke(Revoke),
}

/// A new user.
#[derive(Debug, Args)]
pub(super) struct Add {
    login: String,
    /// Shown to people; the login where absent
    #[arg(long)]
    name: Option<String>,
    /// Roles: those of the pack, or designer, publisher, admin, auditor
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Queues they serve
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<String>,
    /// zh-CN or en
    #[arg(long, default_value = "en", value_parser = ["zh-CN", "en"])]
    language: String,
    #[command(flatten)]
    store: StoreOptions,
}

/// All users.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    store: StoreOptions,
}

/// What is changed of a user.
#[derive(Debug, Args)]
pub(super) struct Change {
    login: String,
    /// Shown to people
    #[arg(long)]
    name: Option<String>,
    /// Roles given
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Roles taken away
    #[arg(long = "without-role", value_name = "ROLE")]
    without_roles: Vec<String>,
    /// Queues taken into
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<String>,
    /// Queues taken out of
    #[arg(long = "without-queue", value_name = "QUEUE")]
    without_queues: Vec<String>,
    /// zh-CN or en
    #[arg(long, value_parser = ["zh-CN", "en"])]
    language: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
}

/// One user.
#[derive(Debug, Args)]
pub(super) struct Login {
    login: String,
    #[command(flatten)]
    store: StoreOptions,
}

/// A new token.
#[derive(Debug, Args)]
pub(super) struct Token {
    login: String,
    /// What it may do of what its user may; several may be given, none lets it do nothing
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = SCOPES.map(|(scope, _)| scope))]
    scopes: Vec<String>,
    /// What uses it
    #[arg(long, default_value = "command line")]
    name: String,
    /// After how many days it ends; never where absent
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    #[command(flatten)]
    store: StoreOptions,
}

/// A token to revoke.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    login: String,
    /// As `formwork user tokens` lists it
    token: String,
    #[command(flatten)]
    store: StoreOptions,
}

impl UserCommand {
    pub(super) async fn run(self) -> Outcome {
        let store = match &self {
            UserCommand::Add(add) => &add.store,
            UserCommand::List(list) => &list.store,
            UserCommand::Change(change) => &change.store,
            UserCommand::Reset(one)
            | UserCommand::Disable(one)
            | UserCommand::Enable(one)
            | UserCommand::SignOut(one)
            | UserCommand::Tokens(one) => &one.store,
            UserCommand::Token(token) => &token.store,
            UserCommand::Revoke(revoke) => &revoke.store,
        };
        let engine = start_engine(store, File::read()?, Clock::System).await?;
        let done = self.carry_out(&engine).await;
        engine.store().close().await;
        done.map(|()| true)
    }

    async fn carry_out(self, engine: &Engine) -> anyhow::Result<()> {
        let by = By::command_line();
        match self {
            UserCommand::Add(add) => add.run(engine, &by).await?,
            UserCommand::List(_) => list(engine).await?,
            UserCommand::Change(change) => change.run(engine, &by).await?,
            UserCommand::Reset(one) => {
                let user = user(engine, &one.login).await?;
                let (user, password) = engine.reset_password(&by, user.id).await.map_err(told)?;
                println!("{}: {password}", user.login);
            }
            UserCommand::Disable(one) => activate(engine, &by, &one.login, false).await?,
            UserCommand::Enable(one) => activate(engine, &by, &one.login, true).await?,
            UserCommand::SignOut(one) => {
                let user = user(engine, &one.login).await?;
                let ended = engine.end_sessions_of(&by, user.id).await.map_err(told)?;
                println!("{}: {ended} sessions ended", user.login);
            }
            UserCommand::Token(token) => {
                let user = user(engine, &token.login).await?;
                let until = token.days.map(|days| Utc::now() + Duration::days(days.into()));
                let new = NewToken { name: token.name, scopes: token.scopes, until };
                let secret = engine.add_token(&by, &user, new, &SCOPES.map(|(scope, _)| scope)).await.map_err(told)?;
                eprintln!("token {} of {}", session_id(&secret), user.login);
                println!("{secret}");
            }
            UserCommand::Tokens(one) => {
                let user = user(engine, &one.login).await?;
                for token in engine.tokens_of(user.id).await.map_err(told)? {
                    let until = token.until.map_or_else(|| "never ends".to_owned(), |until| format!("ends {until}"));
                    println!("{}  {}  {}  {until}", token.id, token.name, token.scopes.join(" "));
                }
            }
            UserCommand::Revoke(revoke) => {
                let user = user(engine, &revoke.login).await?;
                engine.revoke_token(&by, user.id, &revoke.token).await.map_err(told)?;
                println!("{}: revoked {}", user.login, revoke.token);
            }
        }
        Ok(())
    }
}

impl Add {
    async fn run(self, engine: &Engine, by: &By) -> anyhow::Result<()> {
        let new = NewPerson {
            login: self.login,
            name: self.name.unwrap_or_default(),
            roles: self.roles,
            queues: self.queues,
            language: Some(self.language),
        };
        let (user, password) = engine.add_person(by, new).await.map_err(told)?;
        println!("{}: {password}", user.login);
        Ok(())
    }
}

impl Change {
    async fn run(self, engine: &Engine, by: &By) -> anyhow::Result<()> {
        let user = user(engine, &self.login).await?;
        let keys = |held: &[formwork_model::Key], given: &[String], taken: &[String]| {
            let held = held.iter().map(ToString::to_string).chain(given.iter().cloned());
            held.filter(|key| !taken.contains(key)).collect::<Vec<_>>()
        };
        let change = PersonChange {
            name: self.name,
            roles: Some(keys(&user.facts.roles, &self.roles, &self.without_roles)),
            queues: Some(keys(&user.facts.queues, &self.queues, &self.without_queues)),
            language: self.language,
            active: None,
            ..PersonChange::default()
        };
        let user = engine.change_person(by, user.id, &change, Some(user.revision)).await.map_err(told)?;
        println!("{}", line(&user));
        Ok(())
    }
}

async fn list(engine: &Engine) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let users = engine.people(&UserFilter::default(), after.as_deref(), PAGE).await.map_err(told)?;
        for user in &users {
            println!("{}", line(user));
        }
        match users.last() {
            Some(last) if users.len() == PAGE as usize => after = Some(last.login.clone()),
            _ => return Ok(()),
        }
    }
}

/// A user in one line.
fn line(user: &User) -> String {
    let state = match (user.facts.active, user.password_until.is_some()) {
        (false, _) => "disabled",
        (true, true) => "one-time password",
        (true, false) => "active",
    };
    let list = |keys: &[formwork_model::Key]| {
        if keys.is_empty() { "-".to_owned() } else { keys.iter().map(|key| &**key).collect::<Vec<_>>().join(",") }
    };
    let (roles, queues) = (list(&user.facts.roles), list(&user.facts.queues));
    let team = user.facts.team.as_deref().unwrap_or("-");
    format!("{}  {}  {state}  roles {roles}  queues {queues}  team {team}", user.login, user.facts.name)
}

async fn activate(engine: &Engine, by: &By, login: &str, active: bool) -> anyhow::Result<()> {
    let user = user(engine, login).await?;
    let change = PersonChange { active: Some(active), ..PersonChange::default() };
    let user = engine.change_person(by, user.id, &change, None).await.map_err(told)?;
    println!("{}", line(&user));
    Ok(())
}

pub(super) async fn user(engine: &Engine, login: &str) -> anyhow::Result<User> {
    let login = login.trim().to_lowercase();
    match engine.store().user_by_login(&login).await? {
        Some(user) => Ok(user),
        None => bail!("there is no user `{login}`"),
    }
}

/// A refusal with its places, for people at a terminal.
pub(super) fn told(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Rejected(rejection) if !rejection.errors.is_empty() => {
            let errors =
                rejection.errors.iter().map(|error| format!("{}: {}", error.pointer, problem_text("en", &error.code)));
            anyhow!(errors.collect::<Vec<_>>().join("\n"))
        }
        Failure::Rejected(rejection) => anyhow!(rejection.title.clone()),
        failure => failure.into(),
    }
}
