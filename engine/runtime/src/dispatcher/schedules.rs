//! Starts of workflows by schedule, each occurrence in a task of its own.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use croner::Cron;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tracing::{error, warn};

use formwork_core::{Act, Viewer};
use formwork_model::pack::workflow::{Each, StartOn, Workflow};
use formwork_model::{Key, Pack};
use formwork_store::{Failure, Fault};

use super::{BATCH, POLL, RETRY_MAX};
use crate::Engine;

/// A start of a workflow by schedule.
struct Schedule {
    pack: Arc<Pack>,
    workflow: Arc<Workflow>,
    start: Key,
    cron: String,
    each: Option<Each>,
}

impl Engine {
    pub(super) async fn run_schedules(self: &Arc<Self>) {
        let (mut under_way, mut names) = (JoinSet::new(), HashSet::new());
        loop {
            for schedule in self.schedules() {
                if names.insert(schedule.name()) {
                    let engine = self.clone();
                    under_way.spawn(async move {
                        engine.run_schedule(&schedule).await;
                        schedule.name()
                    });
                }
            }
            // Those that are over may run again at the next look; a long one keeps only its own name.
            tokio::time::sleep(self.next_occurrence().map_or(POLL, |at| self.clock().until(at).min(POLL))).await;
            while let Some(ended) = under_way.try_join_next() {
                match ended {
                    Ok(name) => names.remove(&name),
                    Err(error) => {
                        error!(%error, "a schedule's task broke");
                        names.clear();
                        true
                    }
                };
            }
        }
    }

    pub(super) async fn run_due_schedules(&self) -> Result<usize, Fault> {
        let mut runs = 0;
        for schedule in self.schedules() {
            runs += usize::from(self.run_schedule(&schedule).await);
        }
        Ok(runs)
    }

    /// The next occurrence of any schedule.
    pub(super) fn next_occurrence(&self) -> Option<DateTime<Utc>> {
        let now = self.clock().now();
        self.schedules().iter().filter_map(|schedule| occurrence_after(&schedule.cron, &schedule.pack, now)).min()
    }

    /// Runs the schedule if it is due and not waiting after a failure; whether it ran.
    async fn run_schedule(&self, schedule: &Schedule) -> bool {
        let (name, now) = (schedule.name(), self.clock().now());
        if self.due.schedules.lock().await.waits(&name, now) {
            return false;
        }
        match self.run_occurrence(schedule, now).await {
            Ok(ran) => {
                self.due.schedules.lock().await.done(&name);
                ran
            }
            Err(fault) => {
                if self.due.schedules.lock().await.failed(name.clone(), now) == 1 {
                    error!(schedule = name, error = ?fault, "a schedule failed; it is tried again, ever more rarely");
                }
                false
            }
        }
    }

    /// Runs the newest occurrence that passed since the last run (older missed ones are not caught up: `missed: once`).
    async fn run_occurrence(&self, schedule: &Schedule, now: DateTime<Utc>) -> Result<bool, Fault> {
        let Schedule { pack, workflow, start, cron, .. } = schedule;
        let Some(last) = self.store().schedule(pack.key(), &workflow.key, start).await? else {
            // First sight of this schedule: it counts from now, whichever node is first.
            self.store().move_schedule(pack.key(), &workflow.key, start, None, now).await?;
            return Ok(false);
        };
        let Some(due_at) = occurrence_before(cron, pack, now).filter(|at| *at > last) else {
            return Ok(false);
        };
        let failed = self.start_all(schedule, due_at, now).await?;
        // A row that cannot start does not keep the others; it is tried again with its occurrence, but not for ever.
        if let Some(fault) = failed {
            if self.due.schedules.lock().await.attempts(&schedule.name()) + 1 < RETRY_MAX {
                return Err(fault);
            }
            error!(schedule = schedule.name(), error = ?fault, "an occurrence of a schedule is given up");
        }
        // Only now: a node that died above is followed by one that starts again, and start keys make each start once.
        self.store().move_schedule(pack.key(), &workflow.key, start, Some(last), due_at).await?;
        Ok(true)
    }

    /// Runs a schedule now, whatever its next time: for cases. One that does not exist runs nothing.
    pub(crate) async fn run_schedule_now(&self, pack: &Arc<Pack>, workflow: &Key, start: &Key) -> Result<(), Fault> {
        let of = |known: &Schedule| {
            known.pack.key() == pack.key() && known.workflow.key == *workflow && known.start == *start
        };
        let Some(schedule) = self.schedules().into_iter().find(of) else { return Ok(()) };
        let now = self.clock().now();
        self.start_all(&schedule, now, now).await?.map_or(Ok(()), Err)
    }

    /// Starts the workflow of an occurrence, once or for each row; the fault of a row that could not start, if any.
    async fn start_all(
        &self,
        schedule: &Schedule,
        due_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<Fault>, Fault> {
        let Schedule { pack, workflow, start, each, .. } = schedule;
        let scheduled = |row| Act::Scheduled { workflow: workflow.key.clone(), start: start.clone(), due_at, row };
        let mut failed = None;
        match each {
            None => failed = self.start_scheduled(pack, scheduled(None)).await,
            Some(each) => {
                let filter = each.filter.as_ref().map(|expr| &expr.ir);
                let mut after = None;
                loop {
                    let rows = self.store().ids(pack, &each.form, filter, now, after, BATCH).await?;
                    let starts = rows.iter().map(|row| self.start_scheduled(pack, scheduled(Some(*row))));
                    failed = join_all(starts).await.into_iter().flatten().last().or(failed);
                    after = rows.last().copied();
                    if rows.len() < BATCH as usize {
                        break;
                    }
                }
            }
        }
        Ok(failed)
    }

    /// The fault, if there was one; what the rules refuse is no fault.
    async fn start_scheduled(&self, pack: &Arc<Pack>, act: Act) -> Option<Fault> {
        let language = pack.languages().first().map_or("en", String::as_str);
        match self.submit_patiently(pack, Viewer::system(language), act).await {
            Ok(_) => None,
            Err(Failure::Fault(fault)) => Some(fault),
            Err(failure) => {
                warn!(%failure, "a scheduled start was refused");
                None
            }
        }
    }

    fn schedules(&self) -> Vec<Schedule> {
        let deployed = self.deployed();
        let mut found = Vec::new();
        for pack in &deployed.packs {
            for workflow in pack.workflows().values() {
                for (start, definition) in &workflow.starts {
                    if let StartOn::Schedule { cron, each } = &definition.on {
                        found.push(Schedule {
                            pack: pack.clone(),
                            workflow: workflow.clone(),
                            start: start.clone(),
                            cron: cron.clone(),
                            each: each.clone(),
                        });
                    }
                }
            }
        }
        found
    }
}

impl Schedule {
    fn name(&self) -> String {
        format!("{}.{}.{}", self.pack.key(), self.workflow.key, self.start)
    }
}

fn occurrence_after(cron: &str, pack: &Pack, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(pack.timezone());
    Some(Cron::from_str(cron).ok()?.find_next_occurrence(&local, false).ok()?.with_timezone(&Utc))
}

fn occurrence_before(cron: &str, pack: &Pack, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(pack.timezone());
    Some(Cron::from_str(cron).ok()?.find_previous_occurrence(&local, true).ok()?.with_timezone(&Utc))
}
