//! `formwork serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;
use tokio::net::TcpListener;

use formwork_runtime::deploy::DeployError;
use formwork_runtime::people::By;
use formwork_runtime::people::admin::NewPerson;
use formwork_runtime::{Clock, Engine};

use super::environment::{File, StoreOptions, start_engine};
use super::{Folder, Outcome, definitions, print};
use crate::server::{Server, router};
use crate::view::templates::Templates;

/// Serve.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Folders of packs, deployed first
    #[arg(value_name = "PACK")]
    packs: Vec<Folder>,
    /// Load the packs' demo recipes and one user per role, password `demo`; only on loopback
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Address and port
    #[arg(long, env = "FORMWORK_LISTEN")]
    listen: Option<String>,
    /// A clock that only moves when told to, for demonstrations and tests
    #[arg(long)]
    virtual_clock: bool,
}

impl Serve {
    pub(super) async fn run(self) -> Outcome {
        tracing_subscriber::fmt()
            .with_env_filter(
                tracing_subscriber::EnvFilter::try_from_env("FORMWORK_LOG").unwrap_or_else(|_| "info".into()),
            )
            .with_writer(std::io::stderr)
            .init();
        let file = File::read()?;
        let listen = self.listen.clone().or_else(|| file.listen.clone()).unwrap_or_else(|| "127.0.0.1:8080".into());
        let address: SocketAddr = listen.parse().with_context(|| format!("`{listen}` is not an address and a port"))?;
        if self.demo && !address.ip().is_loopback() {
            bail!(
                "--demo makes users whose password everybody knows: it is refused on {address}, which is not loopback"
            );
        }
        // The port is taken first, so that a second server fails before it touches anything.
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let clock = if self.virtual_clock { Clock::standing_at(Utc::now()) } else { Clock::System };
        let mut file = file;
        // A demonstration writes to a file what it has no address for.
        file.channels.pretend = self.demo;
        let engine = start_engine(&self.store, file, clock).await?;
        if !self.deploy_packs(&engine).await? {
            return Ok(false);
        }
        let demo_users = if self.demo { load_demo(&engine).await? } else { Vec::new() };
        if !self.demo {
            first_administrator(&engine).await?;
        }
        let server = Arc::new(Server {
            engine: engine.clone(),
            templates: Templates::new(),
            demo_users,
            meters: Default::default(),
            strangers: Default::default(),
            virtual_clock: self.virtual_clock,
        });
        let dispatcher = tokio::spawn(engine.clone().run_dispatcher());
        println!("Formwork serves http://{}", listener.local_addr()?);
        let service = router(server).into_make_service_with_connect_info::<SocketAddr>();
        let ending = engine.clone();
        let stop = async move {
            stopped().await;
            // Nobody waits for an answer that never ends.
            ending.stop_live();
        };
        axum::serve(listener, service).with_graceful_shutdown(stop).await?;
        dispatcher.abort();
        engine.store().close().await;
        Ok(true)
    }

    async fn deploy_packs(&self, engine: &Engine) -> anyhow::Result<bool> {
        for folder in &self.packs {
            let bundle = definitions::read(folder)?;
            match engine.deploy_if_safe(&bundle).await {
                Ok(()) => {}
                Err(DeployError::Invalid(found)) => {
                    print::diagnostics(&bundle.files, &found);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        for pack in &engine.deployed().packs {
            for channel in engine.channels().without_address(pack) {
                tracing::warn!(pack = %pack.key(), "channel `{channel}` has no address: its messages fail");
            }
        }
        if engine.deployed().packs.is_empty() {
            eprintln!("nothing is deployed yet: name a pack, for example `formwork serve examples/hello`");
        }
        Ok(true)
    }
}

/// Demo users and demo records of every deployed pack, once; (login, name) of the users.
async fn load_demo(engine: &Engine) -> anyhow::Result<Vec<(String, String)>> {
    let users = engine.add_demo_users().await?;
    let made = engine.load_demo_records().await?;
    if made > 0 {
        println!("{made} demo records loaded");
    }
    Ok(users)
}

/// Somebody must be able to log in: the first start makes an administrator and prints the password once.
async fn first_administrator(engine: &Engine) -> anyhow::Result<()> {
    if !engine.store().users().await?.is_empty() {
        return Ok(());
    }
    let new = NewPerson {
        login: "admin".into(),
        name: "Administrator".into(),
        roles: ["admin", "publisher", "designer"].map(str::to_owned).to_vec(),
        queues: Vec::new(),
        language: Some("en".to_owned()),
    };
    let (user, password) = engine.add_person(&By::command_line(), new).await?;
    println!("administrator: login `{}`, password `{password}` for one log-in (shown once)", user.login);
    Ok(())
}

/// Ctrl-C or SIGTERM.
async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("a handler for SIGTERM can be installed");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
