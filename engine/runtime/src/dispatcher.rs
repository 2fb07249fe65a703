//! Work that comes due: timers, schedules and messages.
//!
//! Every node runs the same loop; nothing here is exclusive. A timer is claimed by the stimulus that fires it (its row is
//! locked and removed in that transaction), a schedule by its start keys, a message by a lease.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration as Wait;

use chrono::{DateTime, Duration, Utc};
use croner::Cron;
use tracing::{error, warn};

use formwork_core::Act;
use formwork_model::pack::workflow::{Each, StartOn, Workflow};
use formwork_model::{Key, Pack};
use formwork_store::{ClaimedMessage, Delivery, Failure, Fault};

use crate::Engine;
use crate::channels::Refused;

/// Rows taken at once.
const BATCH: u32 = 64;
/// Polling is the truth; being woken is a hint.
const POLL: Wait = Wait::from_secs(1);
/// How long a node may hold a message before another may try.
const LEASE: Duration = Duration::seconds(60);
/// Retries of a message: first wait, longest wait, attempts (workflow.md §4).
const RETRY_FIRST: Duration = Duration::seconds(5);
const RETRY_CAP: Duration = Duration::hours(1);
const RETRY_MAX: i32 = 8;

impl Engine {
    /// Runs due work until the future is dropped.
    pub async fn run_dispatcher(self: Arc<Self>) {
        loop {
            let done = match self.run_due().await {
                Ok(done) => done,
                Err(fault) => {
                    error!(error = ?fault, "due work failed, trying again");
                    0
                }
            };
            if done == 0 {
                let due = self.store().next_due().await.ok().flatten();
                let wait = due.map_or(POLL, |at| self.clock().until(at).min(POLL)).max(Wait::from_millis(5));
                self.woken_or(wait).await;
            }
        }
    }

    /// Runs everything that is due now; how much it did.
    pub async fn run_due(&self) -> Result<usize, Fault> {
        let mut done = 0;
        done += self.fire_timers().await?;
        done += self.run_schedules().await?;
        done += self.deliver_messages().await?;
        Ok(done)
    }

    /// Moves a virtual clock to `target`, stopping at every instant at which something comes due.
    pub async fn advance_to(&self, target: DateTime<Utc>) -> Result<(), Fault> {
        loop {
            while self.run_due().await? > 0 {}
            let next = self.next_due_instant().await?.filter(|at| *at <= target && *at > self.clock().now());
            match next {
                Some(at) => self.clock().move_to(at),
                None => break,
            };
        }
        self.clock().move_to(target);
        while self.run_due().await? > 0 {}
        Ok(())
    }

    /// The next instant at which a timer, a message or a schedule comes due.
    async fn next_due_instant(&self) -> Result<Option<DateTime<Utc>>, Fault> {
        let now = self.clock().now();
        let mut next = self.store().next_due().await?;
        for (pack, _, schedule) in schedules(&self.deployed().packs) {
            if let Some(at) = occurrence_after(&schedule.cron, &pack, now) {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Ok(next)
    }

    // --- timers ----------------------------------------------------------------------------------------------------

    async fn fire_timers(&self) -> Result<usize, Fault> {
        let due = self.store().due_timers(self.clock().now(), BATCH).await?;
        let deployed = self.deployed();
        let mut fired = 0;
        for timer in due {
            let Some(pack) = deployed.pack(&timer.pack) else { continue };
            match self.submit_as_system(pack, Act::Timer { id: timer.id }).await {
                Ok(_) => fired += 1,
                Err(Failure::Fault(fault)) => return Err(fault),
                Err(failure) => warn!(timer = %timer.id, %failure, "a timer could not fire yet"),
            }
        }
        Ok(fired)
    }

    // --- schedules -------------------------------------------------------------------------------------------------

    async fn run_schedules(&self) -> Result<usize, Fault> {
        let mut runs = 0;
        for (pack, workflow, schedule) in schedules(&self.deployed().packs) {
            runs += usize::from(self.run_schedule(&pack, &workflow, &schedule).await?);
        }
        Ok(runs)
    }

    /// Runs the newest occurrence that passed since the last run (older missed ones are not caught up: `missed: once`).
    async fn run_schedule(
        &self,
        pack: &Arc<Pack>,
        workflow: &Arc<Workflow>,
        schedule: &Schedule,
    ) -> Result<bool, Fault> {
        let start = &schedule.start;
        let now = self.clock().now();
        let Some(last) = self.store().schedule(&workflow.key, start).await? else {
            // First sight of this schedule: it counts from now, whichever node is first.
            self.store().move_schedule(&workflow.key, start, None, now).await?;
            return Ok(false);
        };
        let Some(due_at) = occurrence_before(&schedule.cron, pack, now).filter(|at| *at > last) else {
            return Ok(false);
        };
        self.start_all(pack, workflow, schedule, due_at).await?;
        // Only now: a node that died above is followed by one that starts again, and start keys make each start once.
        self.store().move_schedule(&workflow.key, start, Some(last), due_at).await?;
        Ok(true)
    }

    /// Runs a schedule now, whatever its next time: for cases. One that does not exist runs nothing.
    pub(crate) async fn run_schedule_now(&self, pack: &Arc<Pack>, workflow: &Key, start: &Key) -> Result<(), Fault> {
        let all = schedules(std::slice::from_ref(pack));
        let found = all.iter().find(|(_, known, schedule)| known.key == *workflow && schedule.start == *start);
        match found {
            Some((pack, workflow, schedule)) => self.start_all(pack, workflow, schedule, self.clock().now()).await,
            None => Ok(()),
        }
    }

    /// Starts the workflow of an occurrence, once or for each row.
    async fn start_all(
        &self,
        pack: &Arc<Pack>,
        workflow: &Arc<Workflow>,
        schedule: &Schedule,
        due_at: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let start = &schedule.start;
        let now = self.clock().now();
        let scheduled = |row| Act::Scheduled { workflow: workflow.key.clone(), start: start.clone(), due_at, row };
        match &schedule.each {
            None => self.start_scheduled(pack, scheduled(None)).await?,
            Some(each) => {
                let filter = each.filter.as_ref().map(|expr| &expr.ir);
                let mut after = None;
                loop {
                    let rows = self.store().ids(pack, &each.form, filter, now, after, BATCH).await?;
                    for row in &rows {
                        self.start_scheduled(pack, scheduled(Some(*row))).await?;
                    }
                    after = rows.last().copied();
                    if rows.len() < BATCH as usize {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn start_scheduled(&self, pack: &Arc<Pack>, act: Act) -> Result<(), Fault> {
        match self.submit_as_system(pack, act).await {
            Ok(_) => Ok(()),
            Err(Failure::Fault(fault)) => Err(fault),
            Err(failure) => {
                warn!(%failure, "a scheduled start was refused");
                Ok(())
            }
        }
    }

    // --- messages --------------------------------------------------------------------------------------------------

    async fn deliver_messages(&self) -> Result<usize, Fault> {
        let now = self.clock().now();
        let claimed = self.store().claim_messages(now, now + LEASE, BATCH).await?;
        let count = claimed.len();
        for message in claimed {
            self.deliver(message).await?;
        }
        Ok(count)
    }

    async fn deliver(&self, claimed: ClaimedMessage) -> Result<(), Fault> {
        let deployed = self.deployed();
        let sent = match deployed.pack(&claimed.message.pack) {
            Some(pack) => self.sender.send(pack, &claimed.message, &claimed.key).await,
            None => Err(Refused { reason: "its pack is not deployed".into(), passing: false, retry_after: None }),
        };
        let at = self.clock().now();
        let delivery = match sent {
            Ok(()) => Delivery::Sent,
            Err(refused) if refused.passing && claimed.attempts + 1 < RETRY_MAX => {
                Delivery::Retry { at: at + wait_before_retry(claimed.attempts, &refused), reason: refused.reason }
            }
            Err(refused) => Delivery::Failed { reason: refused.reason },
        };
        if !self.store().settle_message(&claimed.key, claimed.epoch, &delivery, at).await? {
            warn!(key = claimed.key, "the lease of a message was lost: it may be sent again under the same key");
        }
        Ok(())
    }
}

/// 5 s, doubled each time up to an hour, ±20 % so that a crowd does not come back at once; never less than asked for.
fn wait_before_retry(attempts: i32, refused: &Refused) -> Duration {
    let doubled = RETRY_FIRST * 2_i32.pow(attempts.clamp(0, 16) as u32);
    let millis = doubled.min(RETRY_CAP).num_milliseconds();
    let jittered = Duration::milliseconds(millis * (80 + i64::from(rand::random::<u8>() % 41)) / 100);
    let asked = refused.retry_after.and_then(|wait| Duration::from_std(wait).ok()).unwrap_or_default();
    jittered.max(asked)
}

/// A start of a workflow by schedule.
struct Schedule {
    start: Key,
    cron: String,
    each: Option<Each>,
}

fn schedules(packs: &[Arc<Pack>]) -> Vec<(Arc<Pack>, Arc<Workflow>, Schedule)> {
    let mut found = Vec::new();
    for pack in packs {
        for workflow in pack.workflows().values() {
            for (key, start) in &workflow.starts {
                if let StartOn::Schedule { cron, each } = &start.on {
                    let schedule = Schedule { start: key.clone(), cron: cron.clone(), each: each.clone() };
                    found.push((pack.clone(), workflow.clone(), schedule));
                }
            }
        }
    }
    found
}

fn occurrence_after(cron: &str, pack: &Pack, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(pack.timezone());
    Some(Cron::from_str(cron).ok()?.find_next_occurrence(&local, false).ok()?.with_timezone(&Utc))
}

fn occurrence_before(cron: &str, pack: &Pack, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(pack.timezone());
    Some(Cron::from_str(cron).ok()?.find_previous_occurrence(&local, true).ok()?.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_each_time_and_obey_the_other_side() {
        let refused = Refused { reason: String::new(), passing: true, retry_after: None };
        for (attempts, low, high) in [(0, 4_000, 6_000), (3, 32_000, 48_000), (15, 2_880_000, 4_320_000)] {
            let wait = wait_before_retry(attempts, &refused).num_milliseconds();
            assert!((low..=high).contains(&wait), "attempt {attempts}: {wait} ms");
        }
        let patient = Refused { retry_after: Some(Wait::from_secs(7_200)), ..refused };
        assert_eq!(wait_before_retry(0, &patient), Duration::hours(2));
    }
}
