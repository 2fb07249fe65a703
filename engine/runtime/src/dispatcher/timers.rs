//! Timers, one after the other in due order.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::warn;
use uuid::Uuid;

use formwork_core::Act;
use formwork_store::{DueTimer, Failure, Fault};

use super::failing::Failing;
use super::{BATCH, passed};
use crate::Engine;

impl Engine {
    pub(super) async fn run_timers(self: &Arc<Self>) {
        loop {
            passed(self.recount_clocks().await);
            if passed(self.fire_timers().await) == 0 {
                let wait = self.until_next_due().await;
                let _ = tokio::time::timeout(wait, self.due.wake_timers.notified()).await;
            }
        }
    }

    /// Fires what is due now. One that fails is passed over until its wait is over; those behind it fire.
    pub(super) async fn fire_timers(&self) -> Result<usize, Fault> {
        let mut failing = self.due.timers.lock().await;
        let now = self.clock().now();
        let (mut fired, mut seen, mut after) = (0, HashSet::new(), None);
        loop {
            let page = self.store().due_timers(now, after, BATCH).await?;
            for timer in &page {
                seen.insert(timer.id);
                if failing.waits(&timer.id, now) {
                    continue;
                }
                match self.fire(timer, now, &mut failing).await {
                    Fired::Yes => fired += 1,
                    Fired::No => {}
                    Fired::Busy => return Ok(fired),
                }
            }
            match page.last() {
                Some(last) if page.len() == BATCH as usize => after = Some((last.due_at, last.id)),
                _ => break,
            }
        }
        failing.keep(|id| seen.contains(id));
        Ok(fired)
    }

    async fn fire(&self, timer: &DueTimer, now: DateTime<Utc>, failing: &mut Failing<Uuid>) -> Fired {
        let deployed = self.deployed();
        // Another node knows a pack this one has not read yet.
        let Some(pack) = deployed.pack(&timer.pack) else { return Fired::No };
        match self.submit_as_system(pack, Act::Timer { id: timer.id }).await {
            Ok(_) => {
                failing.done(&timer.id);
                Fired::Yes
            }
            Err(Failure::Busy(_)) => Fired::Busy,
            Err(failure) => {
                if failing.failed(timer.id, now) == 1 {
                    warn!(timer = %timer.id, ?failure, "a timer could not fire; it is tried again, ever more rarely");
                }
                Fired::No
            }
        }
    }
}

enum Fired {
    Yes,
    No,
    /// The queue is full: people come first, the timers wait as rows.
    Busy,
}
