//! The transaction script around the pure core: deployed packs, time, people, due work, messages, imports, numbers.
//!
//! ```text
//! request ─► Engine::submit ─► store (decide ⇄ load, write, COMMIT) ─► reply
//!                                   │ timers, outbox rows
//!            dispatcher ◄───────────┘      ─► submit (timers, schedules), deliver (messages)
//! ```

pub mod analytics;
pub mod cases;
pub mod channels;
pub mod clock;
pub mod demo;
pub mod deploy;
pub mod dispatcher;
pub mod files;
pub mod imports;
pub mod people;
pub mod questions;
pub mod registry;
mod replica;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::ids::Ids;
use formwork_core::{Act, Stimulus, Viewer};
use formwork_model::Pack;
use formwork_store::{Committed, Failure, Fault, Question, Store, Submission, User};

pub use channels::{Channels, Sender, Webhook};
pub use clock::Clock;
pub use registry::{Deployed, Registry};

use replica::Replica;

/// How long bulk work waits before it tries a full queue again.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_millis(50);

/// A running Formwork: one per process.
pub struct Engine {
    store: Arc<dyn Store>,
    clock: Clock,
    registry: Registry,
    sender: Sender,
    replica: Replica,
    seeds: Seeds,
    due: dispatcher::Due,
}

/// What the environment gives an engine.
pub struct Environment {
    /// Where now comes from.
    pub clock: Clock,
    /// Addresses and secrets of channels.
    pub channels: Channels,
    /// The file that file messages are appended to.
    pub message_file: PathBuf,
    /// Where seeds of ids come from.
    pub seeds: Seeds,
    /// Most memory for the columnar copy, in bytes.
    pub replica_bytes_max: usize,
}

/// Where the seeds of ids come from.
#[derive(Debug)]
pub enum Seeds {
    /// The operating system.
    Random,
    /// 1, 2, 3 …: the same run gives the same ids.
    Counting(AtomicU64),
}

impl Seeds {
    /// Whether the same run gives the same ids.
    fn is_repeatable(&self) -> bool {
        matches!(self, Seeds::Counting(_))
    }

    fn next(&self) -> u64 {
        match self {
            Seeds::Random => rand::random(),
            Seeds::Counting(next) => next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Engine {
    /// Starts over a store: reads what is deployed.
    pub async fn start(store: Arc<dyn Store>, environment: Environment) -> Result<Arc<Self>, Fault> {
        let registry = Registry::default();
        registry.reload(&*store).await?;
        Ok(Arc::new(Self {
            replica: Replica::new(environment.replica_bytes_max),
            sender: Sender::new(environment.channels, environment.message_file),
            clock: environment.clock,
            seeds: environment.seeds,
            due: dispatcher::Due::default(),
            registry,
            store,
        }))
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The store, to be kept.
    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where messages go.
    pub fn channels(&self) -> &Channels {
        self.sender.channels()
    }

    /// What is deployed now.
    pub fn deployed(&self) -> Arc<Deployed> {
        self.registry.deployed()
    }

    /// Reads the deployments again: another node may have deployed.
    pub async fn reload(&self) -> Result<(), Fault> {
        self.registry.reload(&*self.store).await
    }

    /// A new id, ordered by time.
    pub fn new_id(&self) -> Uuid {
        Ids::new(self.clock.now(), self.seeds.next()).next()
    }

    /// The user as a viewer of a pack; the public where there is none.
    pub fn viewer(&self, pack: &Pack, user: Option<&User>, language: &str) -> Viewer {
        match user {
            Some(user) => Viewer::person(pack, user.id, &user.facts.roles, user.facts.queues.clone(), language),
            None => Viewer::public(language),
        }
    }

    /// Lets something happen: one stimulus, one transaction, a reply after its durable commit. `idempotency` is the
    /// caller's key and a hash of the request.
    pub async fn submit(
        &self,
        pack: &Arc<Pack>,
        actor: Viewer,
        act: Act,
        idempotency: Option<(String, String)>,
    ) -> Result<Committed, Failure> {
        let scope = actor.user.map_or_else(|| "public".to_owned(), |user| user.to_string());
        let stimulus = Stimulus { at: self.clock.now(), seed: self.seeds.next(), actor, act };
        let submission = Submission {
            pack: pack.clone(),
            packs: self.deployed().by_hash.clone(),
            stimulus,
            idempotency: idempotency.map(|(key, hash)| (format!("{scope}:{key}"), hash)),
        };
        let committed = self.store.submit(submission).await?;
        self.due.wake();
        Ok(committed)
    }

    /// The same for bulk work: where the queue is full it waits its turn instead of giving up.
    pub async fn submit_patiently(&self, pack: &Arc<Pack>, actor: Viewer, act: Act) -> Result<Committed, Failure> {
        loop {
            match self.submit(pack, actor.clone(), act.clone(), None).await {
                Err(Failure::Busy(_)) => tokio::time::sleep(BUSY_WAIT).await,
                done => return done,
            }
        }
    }

    /// The engine acts by itself.
    async fn submit_as_system(&self, pack: &Arc<Pack>, act: Act) -> Result<Committed, Failure> {
        let language = pack.languages().first().map_or("en", String::as_str);
        self.submit(pack, Viewer::system(language), act, None).await
    }

    /// Answers a pure question of the core.
    pub async fn ask(&self, pack: &Arc<Pack>, question: Question) -> Result<Json, Failure> {
        self.store.ask(pack, question).await
    }
}

/// Whether this viewer is somebody with that platform role.
pub fn has_platform_role(user: Option<&User>, role: &str) -> bool {
    user.is_some_and(|user| user.facts.roles.iter().any(|held| &**held == role || &**held == "admin"))
}
