//! Who works on imports: one at a time on each node, under a lease, so that another node, or this one after it died, goes
//! on where it was.

use std::collections::HashMap;
use std::time::{Duration as Wait, Instant};

use chrono::Duration;
use serde_json::json;
use tracing::{error, warn};

use formwork_core::stimulus::Pass;
use formwork_store::{Fault, ImportJob};

use super::jobs::{Counts, Plan, Tally};
use super::run::Run;
use super::{ImportError, Sheet};
use crate::Engine;

/// How long nobody else takes an import up after its worker was last heard of.
const LEASE: Duration = Duration::seconds(15);
/// How often the worker is heard of.
const BEAT: Wait = Wait::from_millis(300);
/// Stretches of work that may break off without a row done before an import is given up.
const TRIES_MAX: u32 = 3;

/// Why the work on an import ended.
pub(super) enum Ended {
    /// All of it is done.
    Done,
    /// Whoever began it had it stopped.
    Stopped,
    /// Somebody else works on it, or it was begun anew.
    Lost,
}

/// An import being worked on.
pub(super) struct Work<'e> {
    pub(super) engine: &'e Engine,
    pub(super) job: ImportJob,
    pub(super) plan: Plan,
    heard: Instant,
}

impl Engine {
    /// Works on every import that is to be worked on; how many there were.
    pub async fn work_imports(&self) -> Result<usize, Fault> {
        let mut worked = 0;
        loop {
            let now = self.clock().now();
            let Some(job) = self.store().claim_import(now, now + LEASE).await? else { return Ok(worked) };
            worked += 1;
            self.work_import(job).await?;
        }
    }

    /// One import, to its end. A fault leaves it as it is: it is taken up again when its lease has ended, a few times.
    async fn work_import(&self, mut job: ImportJob) -> Result<(), Fault> {
        let plan = match self.import_plan(&job).await {
            Ok(plan) => plan,
            Err(ImportError::Fault(fault)) => return Err(fault),
            Err(problem) => return self.fail(job, problem.code()).await,
        };
        let mut counts = plan.counts.clone();
        let before = tally(&mut counts, &job.state).clone();
        let state = job.state.clone();
        tally(&mut counts, &state).tries += 1;
        job.counts = json!(counts);
        let now = self.clock().now();
        if self.store().beat_import(&job, now, now + LEASE).await?.is_none() {
            return Ok(());
        }
        if before.tries >= TRIES_MAX {
            return self.fail(job, "fault").await;
        }
        let mut work = Work { engine: self, job, plan, heard: Instant::now() };
        work.plan.counts = counts;
        let ended = match state.as_str() {
            "checking" => work.check().await,
            "undoing" => work.undo().await,
            _ => work.run().await,
        };
        match ended {
            Ok(ended) => work.end(ended).await,
            Err(ImportError::Fault(fault)) => {
                error!(import = %work.job.id, error = ?fault, "the work on an import broke off");
                Ok(())
            }
            Err(problem) => self.fail(work.job, problem.code()).await,
        }
    }

    async fn fail(&self, mut job: ImportJob, problem: &str) -> Result<(), Fault> {
        warn!(import = %job.id, problem, "an import failed");
        // What was only looked at has failed at nothing yet.
        job.state = if job.state == "checking" { "draft" } else { "failed" }.to_owned();
        job.problem = Some(problem.to_owned());
        self.store().end_import(&job, self.clock().now()).await.map(drop)
    }
}

/// The tally of the pass that a state is of.
pub(super) fn tally<'c>(counts: &'c mut Counts, state: &str) -> &'c mut Tally {
    match state {
        "checking" => &mut counts.check,
        "undoing" => &mut counts.undo,
        _ => &mut counts.run,
    }
}

impl Work<'_> {
    /// Looks what would happen, from the start.
    async fn check(&mut self) -> Result<Ended, ImportError> {
        self.engine.store().forget_import_rows(self.job.id, Pass::Check).await?;
        let began = Tally { began_at: Some(self.engine.clock().now()), ..Tally::default() };
        self.rows(Pass::Check, began, HashMap::new()).await
    }

    /// Writes, from where it was: rows that are kept are done with.
    async fn run(&mut self) -> Result<Ended, ImportError> {
        let (mut began, mut done) = (Tally::default(), HashMap::new());
        for (row, outcome) in self.engine.store().import_outcomes(self.job.id, Pass::Run).await? {
            began.count(&outcome);
            done.insert(row.unsigned_abs(), !matches!(outcome.as_str(), "rejected" | "skipped"));
        }
        began.began_with = began.read;
        began.began_at = Some(self.engine.clock().now());
        self.rows(Pass::Run, began, done).await
    }

    async fn rows(&mut self, pass: Pass, mut began: Tally, done: HashMap<u64, bool>) -> Result<Ended, ImportError> {
        if self.job.state == "cancelling" {
            return Ok(Ended::Stopped);
        }
        began.tries = tally(&mut self.plan.counts, &self.job.state).tries;
        let import = self.plan.import(&self.job.form)?;
        let bytes = self.engine.import_bytes(self.job.id).await?;
        let sheet = Sheet::new(&bytes, self.plan.reading())?;
        let kept = Some((self.job.id, pass));
        let mut run = Run::new(self.engine, &self.plan.pack, &import, self.plan.viewer.clone(), kept);
        for row in sheet.rows() {
            if let Some(accepted) = done.get(&row.number) {
                run.pass_over(&row, *accepted);
                continue;
            }
            if run.take(row).await? {
                let so_far = began.plus(&run.done);
                if let Some(ended) = self.is_to_stop(so_far, false).await? {
                    return Ok(ended);
                }
            }
        }
        run.finish().await?;
        let so_far = began.plus(&run.done);
        *tally(&mut self.plan.counts, &self.job.state) = so_far;
        Ok(Ended::Done)
    }

    /// Says how far it is, now and then or at once; whether to go on.
    pub(super) async fn is_to_stop(&mut self, so_far: Tally, at_once: bool) -> Result<Option<Ended>, Fault> {
        let place = tally(&mut self.plan.counts, &self.job.state);
        // Rows were done: what breaks off now may be tried again as often as before.
        *place = Tally { tries: 0, ..so_far };
        if !at_once && self.heard.elapsed() < BEAT {
            return Ok(None);
        }
        self.heard = Instant::now();
        self.job.counts = json!(self.plan.counts);
        let now = self.engine.clock().now();
        Ok(match self.engine.store().beat_import(&self.job, now, now + LEASE).await? {
            Some(state) if state == self.job.state => None,
            Some(state) if state == "cancelling" => Some(Ended::Stopped),
            _ => Some(Ended::Lost),
        })
    }

    /// Keeps how it ended.
    async fn end(mut self, ended: Ended) -> Result<(), Fault> {
        let now = self.engine.clock().now();
        let state = self.job.state.clone();
        let place = tally(&mut self.plan.counts, &state);
        place.ended_at = Some(now);
        place.tries = 0;
        self.job.counts = json!(self.plan.counts);
        self.job.state = match (ended, state.as_str()) {
            (Ended::Lost, _) => return Ok(()),
            (Ended::Stopped, _) => "cancelled",
            (Ended::Done, "checking") => "checked",
            (Ended::Done, "undoing") => "undone",
            (Ended::Done, _) => "done",
        }
        .to_owned();
        self.engine.store().end_import(&self.job, now).await.map(drop)
    }
}
