//! `formwork user`: people and their API tokens.

use anyhow::bail;
use chrono::{Duration, Utc};
use clap::{Args, Subcommand};

use formwork_model::Key;
use formwork_runtime::Clock;
use formwork_runtime::people::{NewUser, new_password};

use super::Outcome;
use super::environment::{File, StoreOptions, start_engine};
use crate::session::SCOPES;

/// Manage users.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user (or replace the one with that login) and print the password once
    Add(Add),
    /// Make an API token for a user and print it once
    Token(Token),
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

/// A new token.
#[derive(Debug, Args)]
pub(super) struct Token {
    login: String,
    /// What it may do of what its user may; several may be given, none lets it do nothing
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = SCOPES.map(|(scope, _)| scope))]
    scopes: Vec<String>,
    /// After how many days it ends; never where absent
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    #[command(flatten)]
    store: StoreOptions,
}

impl UserCommand {
    pub(super) async fn run(self) -> Outcome {
        match self {
            UserCommand::Add(add) => add.run().await,
            UserCommand::Token(token) => token.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> Outcome {
        let engine = start_engine(&self.store, File::read()?, Clock::System).await?;
        let password = new_password();
        let keys = |texts: &[String]| texts.iter().map(|text| Key::from(text.as_str())).collect();
        let user = engine
            .add_user(NewUser {
                name: self.name.unwrap_or_else(|| self.login.clone()),
                login: self.login,
                password: password.clone(),
                roles: keys(&self.roles),
                queues: keys(&self.queues),
                language: self.language,
            })
            .await?;
        println!("{}: {password}", user.login);
        engine.store().close().await;
        Ok(true)
    }
}

impl Token {
    async fn run(self) -> Outcome {
        let engine = start_engine(&self.store, File::read()?, Clock::System).await?;
        let Some(user) = engine.store().user_by_login(&self.login).await? else {
            bail!("there is no user `{}`", self.login)
        };
        let until = self.days.map(|days| Utc::now() + Duration::days(days.into()));
        println!("{}", engine.add_token(user.id, "command line", &self.scopes, until).await?);
        engine.store().close().await;
        Ok(true)
    }
}
