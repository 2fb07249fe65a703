//! Keeps the columnar copy fed from the store and runs plans over it, off the threads that serve requests.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use uuid::Uuid;

use formwork_columnar::{Columnar, FeedChange, FeedError, Frames, ReplicaFeed};
use formwork_core::Record;
use formwork_model::pack::form::Form;
use formwork_model::{Key, Pack};
use formwork_report::plan::Policed;
use formwork_report::{Budget, Executor, Fault as ReportFault, Partials, Plan, clocks};
use formwork_store::{Failure, Fault, Store};

use crate::Engine;

/// Plans that run at once; the others wait. Each may use every core.
const RUNS_AT_ONCE: usize = 2;

/// The frames of this process. They are brought up to date before each run, so an answer holds every change committed
/// before the question.
pub(crate) struct Replica {
    frames: Arc<Mutex<Frames>>,
    runs: Semaphore,
}

impl Replica {
    /// No frames yet.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { frames: Arc::new(Mutex::new(Frames::new(bytes_max))), runs: Semaphore::new(RUNS_AT_ONCE) }
    }
}

impl Engine {
    /// Runs a policed plan.
    pub(crate) async fn run_plan(&self, plan: &Arc<Plan<Policed>>, now: DateTime<Utc>) -> Result<Partials, Failure> {
        self.on_frames(plan, move |columnar, plan| columnar.run(plan, now, &Budget::default())).await
    }

    /// The executor's account of a plan: what it scans and how.
    pub(crate) async fn explain_plan(&self, plan: &Arc<Plan<Policed>>, now: DateTime<Utc>) -> Result<Json, Failure> {
        self.on_frames(plan, move |columnar, plan| columnar.explain(plan, now, &Budget::default())).await
    }

    /// Brings the frames up to date and runs `work` over a snapshot of them, on a thread that may block.
    async fn on_frames<T: Send + 'static>(
        &self,
        plan: &Arc<Plan<Policed>>,
        work: impl FnOnce(&Columnar, &Plan<Policed>) -> Result<T, ReportFault> + Send + 'static,
    ) -> Result<T, Failure> {
        let _turn = self.replica.runs.acquire().await.map_err(|error| fault("waiting for a turn", error))?;
        let feed = Feed { store: self.shared_store(), handle: Handle::current() };
        let (frames, plan) = (self.replica.frames.clone(), plan.clone());
        let run = tokio::task::spawn_blocking(move || {
            let columnar = {
                // A run that panicked leaves frames that are at worst behind: they catch up.
                let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
                frames.ready(&plan, &feed)?
            };
            work(&columnar, &plan)
        });
        let ran = run.await.map_err(|error| fault("running a plan", error))?;
        ran.map_err(crate::analytics::failed)
    }
}

/// The store as the replica reads it.
struct Feed {
    store: Arc<dyn Store>,
    handle: Handle,
}

impl ReplicaFeed for Feed {
    fn scan(&self, pack: &Arc<Pack>, form: &Key) -> Result<(i64, Vec<Record>), FeedError> {
        if let Some((table, of)) = clocks_of(pack, form) {
            let (seq, clocks) = self.handle.block_on(self.store.clocks(pack.key(), of, None))?;
            return Ok((seq, clocks.iter().map(|clock| clocks::row(table, clock)).collect()));
        }
        Ok(self.handle.block_on(self.store.scan(pack, form))?)
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<FeedChange>, FeedError> {
        let changes = self.handle.block_on(self.store.changes(after, limit))?;
        let changes = changes.into_iter().map(|change| FeedChange {
            seq: change.seq,
            pack: change.pack,
            form: change.form,
            id: change.id,
        });
        Ok(changes.collect())
    }

    fn records(&self, pack: &Arc<Pack>, form: &Key, ids: &[Uuid]) -> Result<Vec<Record>, FeedError> {
        if let Some((table, of)) = clocks_of(pack, form) {
            let (_, clocks) = self.handle.block_on(self.store.clocks(pack.key(), of, Some(ids)))?;
            return Ok(clocks.iter().map(|clock| clocks::row(table, clock)).collect());
        }
        Ok(self.handle.block_on(self.store.records(pack, form, ids))?)
    }
}

/// The table of clocks of that key, and the form they are of.
fn clocks_of<'a>(pack: &'a Pack, key: &'a Key) -> Option<(&'a Form, &'a str)> {
    let (of, _) = key.split_once(':')?;
    Some((pack.clocks().get(key)?, of))
}

fn fault(context: &str, error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault { context: context.to_owned(), source: Some(Box::new(error)) }
}
