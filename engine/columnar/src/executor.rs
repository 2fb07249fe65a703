//! The executor over frames.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use formwork_core::Record;
use formwork_model::Key;
use formwork_model::expr::ir::FieldRef;
use formwork_report::buckets::Buckets;
use formwork_report::partial::BranchPartials;
use formwork_report::plan::{Branch, Policed};
use formwork_report::rows::Source;
use formwork_report::{Budget, Executor, Fault, Partials, Plan};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::branch::{Run, rows};
use crate::frame::Frame;

/// Frames at one change number, and the executor over them. A snapshot: nothing changes under a run.
#[derive(Debug, Clone)]
pub struct Columnar {
    frames: HashMap<Key, Frame>,
    seq: Option<i64>,
}

/// What running a branch took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchTrace {
    /// The dataset.
    pub dataset: String,
    /// Records of the form.
    pub rows_scanned: usize,
    /// Those that policy and filter kept.
    pub rows_kept: usize,
    /// Groups returned.
    pub groups: usize,
    /// What was evaluated row by row, because the engine cannot.
    pub row_by_row: Vec<String>,
}

impl Columnar {
    /// Over these frames, which hold the changes up to `seq`.
    pub fn new(frames: impl IntoIterator<Item = Frame>, seq: Option<i64>) -> Self {
        Self { frames: frames.into_iter().map(|frame| (frame.form().clone(), frame)).collect(), seq }
    }

    /// Runs a plan and tells what each branch took.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn run_traced(
        &self,
        plan: &Plan<Policed>,
        as_of: DateTime<Utc>,
        budget: &Budget,
    ) -> Result<(Partials, Vec<BranchTrace>), Fault> {
        let mut branches = Vec::new();
        let mut traces = Vec::new();
        for branch in plan.branches() {
            let (partials, trace) = self.run_branch(plan, branch, as_of, budget)?;
            branches.push(partials);
            traces.push(trace);
        }
        Ok((Partials { as_of, as_of_seq: self.seq, branches }, traces))
    }

    /// How the plan runs here, for people: per branch the rows scanned and kept and what was done row by row.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn explain(&self, plan: &Plan<Policed>, as_of: DateTime<Utc>, budget: &Budget) -> Result<Json, Fault> {
        let (_, traces) = self.run_traced(plan, as_of, budget)?;
        let shown = traces.iter().zip(plan.branches()).map(|(trace, branch)| {
            json!({
                "dataset": trace.dataset, "form": &**branch.form(), "route": "replica", "hidden": branch.is_hidden(),
                "policy": format!("{:?}", branch.policy()),
                "rows_scanned": trace.rows_scanned, "rows_kept": trace.rows_kept, "groups": trace.groups,
                "row_by_row": trace.row_by_row,
            })
        });
        Ok(json!({"as_of_seq": self.seq, "branches": shown.collect::<Vec<_>>()}))
    }

    fn run_branch(
        &self,
        plan: &Plan<Policed>,
        branch: &Branch,
        as_of: DateTime<Utc>,
        budget: &Budget,
    ) -> Result<(BranchPartials, BranchTrace), Fault> {
        let trace = BranchTrace { dataset: branch.dataset().to_string(), ..BranchTrace::default() };
        if branch.is_hidden() {
            let buckets: Buckets = branch.buckets(plan.pack(), as_of, || Ok(None))?;
            return Ok((BranchPartials { buckets, groups: Default::default() }, trace));
        }
        let rows = rows(plan, branch, as_of, self);
        let mut run = Run { pack: plan.pack(), branch, frames: &self.frames, as_of, budget, trace };
        let partials = run.run(&rows)?;
        run.trace.groups = partials.groups.len();
        Ok((partials, run.trace))
    }

    fn frame(&self, form: &Key) -> Result<&Frame, Fault> {
        self.frames.get(form).ok_or_else(|| Fault::NotLoaded(form.clone()))
    }
}

impl Executor for Columnar {
    fn run(&self, plan: &Plan<Policed>, as_of: DateTime<Utc>, budget: &Budget) -> Result<Partials, Fault> {
        self.run_traced(plan, as_of, budget).map(|(partials, _)| partials)
    }
}

impl Source for Columnar {
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<Record>, Fault> {
        self.frame(form)?.record(id)
    }

    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<Vec<Record>, Fault> {
        let frame = self.frame(&link.table.form)?;
        match frame.layout().column(link.slot).cloned() {
            Some(column) => frame.linked(&column, to),
            None => Ok(Vec::new()),
        }
    }
}
