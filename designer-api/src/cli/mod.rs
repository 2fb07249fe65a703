//! The command line. Exit codes: 0 done, 1 a problem was found, 2 wrong usage.

mod cases;
mod definitions;
mod environment;
mod import;
mod print;
mod serve;
mod teams;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use environment::{StoreOptions, open_store};

/// Forms, workflows and reports from packs of JSON definitions.
#[derive(Debug, Parser)]
#[command(name = "formwork", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the deployed packs; packs named here are deployed first if that loses nothing
    Serve(serve::Serve),
    /// Check packs and show every problem
    Check(definitions::Packs),
    /// Bring the files of packs into the canonical layout
    Fmt(definitions::Fmt),
    /// Print the JSON Schema of a kind of definition (or list the kinds)
    Schema(definitions::Schema),
    /// Explain a problem's code, for example FW0203
    Explain(definitions::Explain),
    /// Play the cases of packs on a virtual clock
    Test(cases::Test),
    /// Show what deploying a pack would change
    Plan(definitions::Deploy),
    /// Deploy a pack
    Deploy(definitions::Deploy),
    /// Import a file by an import definition of a deployed pack
    Import(import::ImportFile),
    /// Manage users
    #[command(subcommand)]
    User(users::UserCommand),
    /// Manage teams
    #[command(subcommand)]
    Team(teams::TeamCommand),
}

/// Runs the command the process was started with.
pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(serve) => serve.run().await,
        Command::Check(packs) => packs.check(),
        Command::Fmt(fmt) => fmt.run(),
        Command::Schema(schema) => schema.run(),
        Command::Explain(explain) => explain.run(),
        Command::Test(test) => test.run().await,
        Command::Plan(deploy) => deploy.plan().await,
        Command::Deploy(deploy) => deploy.deploy().await,
        Command::Import(import) => import.run().await,
        Command::User(user) => user.run().await,
        Command::Team(team) => team.run().await,
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("formwork: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// What a command comes to: whether all was well, or why it could not run.
type Outcome = anyhow::Result<bool>;

/// A folder of a pack.
type Folder = PathBuf;
