//! The transaction script around the pure core: deployed packs, time, people, due work, messages, imports, numbers.
//!
//! ```text
//! request ─► Engine::submit ─► store (decide ⇄ load, write, COMMIT) ─► reply
//!                                   │ timers, outbox rows
//!            dispatcher ◄───────────┘      ─► submit (timers, schedules), deliver (messages)
//! ```

pub mod analytics;
pub mod archive;
pub mod boards;
pub mod cases;
pub mod channels;
pub mod clock;
pub mod demo;
pub mod deploy;
pub mod dispatcher;
pub mod files;
mod gate;
pub mod imports;
pub mod live;
pub mod notices;
pub mod operations;
pub mod own;
pub mod people;
pub mod questions;
pub mod registry;
mod replica;
pub mod timeline;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde_json::Value as Json;
use uuid::Uuid;

use formwork_core::ids::Ids;
use formwork_core::{Act, Rejection, RejectionKind, Stimulus, Viewer};
use formwork_model::{Key, Pack};
use formwork_store::{Committed, Failure, Fault, Question, Store, Submission, User};

pub use channels::{Channels, Sender, Webhook};
pub use clock::Clock;
pub use registry::{Deployed, Registry};

use deploy::Plans;
use gate::Gate;
use replica::Replica;

/// Most times a stimulus is decided anew because a deployment came first.
const DEPLOYMENTS_MAX: u32 = 3;
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
    live: live::Live,
    plans: Plans,
    /// The hour in which old rows were removed last.
    cleaned: AtomicI64,
    gate: Gate,
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
        store.free_imports().await?;
        Ok(Arc::new(Self {
            replica: Replica::new(environment.replica_bytes_max),
            sender: Sender::new(environment.channels, environment.message_file),
            clock: environment.clock,
            seeds: environment.seeds,
            due: dispatcher::Due::default(),
            live: live::Live::default(),
            plans: Plans::default(),
            cleaned: AtomicI64::new(0),
            gate: Gate::new(),
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

    /// Reads the deployments again if there is a newer one: another node may have deployed.
    pub async fn follow(&self) -> Result<(), Fault> {
        if self.store.newest_deployment().await? != self.deployed().number {
            self.reload().await?;
        }
        Ok(())
    }

    /// A new id, ordered by time.
    pub fn new_id(&self) -> Uuid {
        Ids::new(self.clock.now(), self.seeds.next()).next()
    }

    /// The user as a viewer of a pack; the public where there is none.
    pub fn viewer(&self, pack: &Pack, user: Option<&User>, language: &str) -> Viewer {
        match user {
            Some(user) => Viewer::of(pack, user.id, &user.facts, language),
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
        let stimulus = Stimulus { at: self.clock.now(), seed: self.seeds.next(), actor, act };
        let mut submission =
            Submission { pack: pack.clone(), packs: self.deployed().by_hash.clone(), stimulus, idempotency };
        for _ in 0..DEPLOYMENTS_MAX {
            match self.store.submit(submission.clone()).await {
                Err(Failure::Outdated) => self.renew(&mut submission).await?,
                done => {
                    let committed = done?;
                    self.due.wake();
                    self.live.wake();
                    return Ok(committed);
                }
            }
        }
        Err(Failure::Busy(1))
    }

    /// Makes the submission one for the pack that is deployed now: another node, or somebody else, was faster.
    async fn renew(&self, submission: &mut Submission) -> Result<(), Failure> {
        self.reload().await?;
        let deployed = self.deployed();
        submission.packs = deployed.by_hash.clone();
        let Some(pack) = deployed.pack(submission.pack.key()).cloned() else {
            return Err(Fault::new(format!("pack `{}` is not deployed", submission.pack.key())).into());
        };
        // Roles may include others now.
        let actor = &mut submission.stimulus.actor;
        if let Some(id) = actor.user {
            let language = actor.language.clone();
            let user = self.store.user(id).await?;
            *actor = self.viewer(&pack, user.as_ref(), &language);
        }
        let finding: Vec<(&Key, &mut Vec<usize>)> = match &mut submission.stimulus.act {
            Act::Upsert { form, by, .. } => vec![(form, by)],
            Act::Feed { entries, .. } => entries.iter_mut().map(|entry| (&entry.form, &mut entry.by)).collect(),
            _ => Vec::new(),
        };
        for (form, by) in finding {
            let fields = &submission.pack.form(form).fields;
            let places = by.iter().map(|&at| Some(pack.forms().get(form)?.field(&fields[at].key)?.0));
            let Some(places) = places.collect::<Option<Vec<_>>>() else {
                let title = format!("the fields that find a record of `{form}` are no longer there");
                return Err(Failure::Rejected(Box::new(Rejection::new(
                    RejectionKind::Conflict,
                    "deployed_anew",
                    title,
                ))));
            };
            *by = places;
        }
        submission.pack = pack;
        Ok(())
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
