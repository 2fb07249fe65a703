//! Work that comes due: timers, schedules, messages and imports, each in a loop of its own, so that none waits for another.
//!
//! Every node runs the same loops; nothing here is exclusive. A timer is claimed by the stimulus that fires it (its row is
//! locked and removed in that transaction), a schedule by its start keys, a message and an import by a lease. What fails waits longer
//! each time, and what stands behind it goes on.

mod clocks;
mod failing;
mod housekeeping;
mod messages;
mod schedules;
mod timers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration as Wait;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, Notify};
use tracing::error;
use uuid::Uuid;

use formwork_model::Key;
use formwork_store::Fault;

use crate::Engine;
use failing::Failing;

/// Rows taken at once.
const BATCH: u32 = 64;
/// Polling is the truth; being woken is a hint.
const POLL: Wait = Wait::from_secs(1);
/// Attempts of a message or of an occurrence of a schedule (workflow.md §4).
const RETRY_MAX: u32 = 8;

/// What the loops of this node remember.
#[derive(Debug, Default)]
pub(crate) struct Due {
    timers: Mutex<Failing<Uuid>>,
    schedules: Mutex<Failing<String>>,
    /// The version of each pack that running clocks were counted by.
    recounted: Mutex<HashMap<Key, String>>,
    wake_timers: Notify,
    wake_messages: Notify,
    wake_imports: Notify,
}

impl Due {
    /// Something was committed: there may be a timer or a message.
    pub(crate) fn wake(&self) {
        self.wake_timers.notify_one();
        self.wake_messages.notify_one();
    }

    /// An import is to be worked on.
    pub(crate) fn wake_imports(&self) {
        self.wake_imports.notify_one();
    }
}

impl Engine {
    /// Runs due work until the future is dropped.
    pub async fn run_dispatcher(self: Arc<Self>) {
        tokio::join!(
            self.run_timers(),
            self.run_schedules(),
            self.run_messages(),
            self.run_imports(),
            self.run_housekeeping()
        );
    }

    async fn run_imports(&self) {
        loop {
            passed(self.work_imports().await);
            let _ = tokio::time::timeout(POLL, self.due.wake_imports.notified()).await;
        }
    }

    /// Runs everything that is due now; how much it did.
    pub async fn run_due(&self) -> Result<usize, Fault> {
        self.keep_house().await?;
        let fired = self.recount_clocks().await? + self.fire_timers().await? + self.run_due_schedules().await?;
        Ok(fired + self.deliver_messages().await? + self.work_imports().await?)
    }

    /// Moves a virtual clock to `target`, stopping at every instant at which something comes due.
    pub async fn advance_to(&self, target: DateTime<Utc>) -> Result<(), Fault> {
        loop {
            while self.run_due().await? > 0 {}
            match self.next_due_instant().await?.filter(|at| *at <= target) {
                Some(at) => self.clock().move_to(at),
                None => break,
            };
        }
        self.clock().move_to(target);
        while self.run_due().await? > 0 {}
        Ok(())
    }

    /// The next instant after now at which a timer, a message or a schedule comes due.
    async fn next_due_instant(&self) -> Result<Option<DateTime<Utc>>, Fault> {
        let stored = self.store().next_due(self.clock().now()).await?;
        Ok(stored.into_iter().chain(self.next_occurrence()).min())
    }

    /// Until the next stored timer or message comes due, at most [`POLL`].
    async fn until_next_due(&self) -> Wait {
        let next = self.store().next_due(self.clock().now()).await.ok().flatten();
        next.map_or(POLL, |at| self.clock().until(at).min(POLL))
    }
}

/// A pass over due work; a fault of the store itself is logged, and the loop goes on.
fn passed(result: Result<usize, Fault>) -> usize {
    result.unwrap_or_else(|fault| {
        error!(error = ?fault, "due work failed, trying again");
        0
    })
}
