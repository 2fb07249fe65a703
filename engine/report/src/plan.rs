//! The plan of a question: branches for an executor, and what is made of their partial aggregates.
//!
//! ```text
//! Plan<Open> ── police(viewer) ──► Plan<Policed> ── executor.run ──► Partials ── finish ──► Table
//! ```
//! Only a [`Plan<Policed>`] can be run: its fields are private to this crate, and [`Plan::police`] is the one way across.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use formwork_core::Viewer;
use formwork_model::expr::{Expr, Ir, TableRef, Type};
use formwork_model::pack::analytics::{AggregateFold, Grain, Measure, Metric, Range, Visual};
use formwork_model::{Key, Pack, Text, Value};
use rust_decimal::Decimal;

use crate::buckets::Buckets;
use crate::clocks;
use crate::fault::Fault;
use crate::partial::DimensionKey;
use crate::range::{self, Period};
use crate::reads::Reads;
use crate::table::{Row, RowKey, Table};

/// A plan nobody may run yet.
#[derive(Debug, Clone)]
pub struct Open {
    _private: (),
}

/// A plan that holds the viewer's rights.
#[derive(Debug, Clone)]
pub struct Policed {
    viewer: Viewer,
}

/// A question, ready to be policed (`Open`) or run (`Policed`).
#[derive(Debug, Clone)]
pub struct Plan<S> {
    pub(crate) pack: Arc<Pack>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) shape: Shape,
    /// Questions to be answered first: which values of a dimension are shown.
    pub(crate) rankings: Vec<Ranking<S>>,
    state: S,
}

/// Which values of a dimension are shown: the keys of the rows of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Ranking<S> {
    /// The position among the keys of the branches.
    pub(crate) position: usize,
    /// The question: the metric by the dimension over the whole range, the greatest first.
    pub(crate) plan: Plan<S>,
}

/// One scan and aggregation: a dataset, a time column, a period, a set of keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub(crate) dataset: Key,
    pub(crate) form: Key,
    /// The form whose records the rows are, or are of: theirs are the rights.
    pub(crate) owner: Key,
    pub(crate) time_key: Key,
    pub(crate) time: Ir,
    pub(crate) time_is_date: bool,
    pub(crate) range: Range,
    pub(crate) period: Period,
    pub(crate) grain: Option<Grain>,
    pub(crate) keys: Vec<BranchKey>,
    pub(crate) filter: Option<Ir>,
    /// No row before the plan is policed: an unpoliced branch that escaped would find nothing.
    pub(crate) policy: Ir,
    pub(crate) aggregates: Vec<AggregateSpec>,
}

/// What a branch is broken down by, beside time.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchKey {
    /// The dimension of the dataset.
    pub dimension: Key,
    /// Its expression, over frame 0.
    pub ir: Ir,
    /// Its type.
    pub ty: Type,
    /// Ascending edges of half-open classes, where it has classes.
    pub edges: Vec<Decimal>,
    /// The values that are told apart, where not all are: any other is [`DimensionKey::Other`].
    pub kept: Option<BTreeSet<DimensionKey>>,
}

/// One filtered aggregate of a branch.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateSpec {
    /// Which.
    pub fold: AggregateFold,
    /// Of what, over frame 0; none for a count.
    pub compute: Option<Ir>,
    /// Only rows for which this is true.
    pub filter: Option<Ir>,
    /// The type of what is aggregated; none for a count.
    pub ty: Option<Type>,
    /// Numbers are integers of `10^-scale`.
    pub scale: u8,
    /// The viewer may not see it: it is not computed.
    pub hidden: bool,
}

/// What is made of the partial aggregates.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Key of the metric or report.
    pub(crate) key: Key,
    pub(crate) label: Text,
    pub(crate) by: Vec<ByColumn>,
    pub(crate) metrics: Vec<MetricColumn>,
    pub(crate) sort: Vec<(SortColumn, bool)>,
    pub(crate) limit: usize,
    pub(crate) range: Range,
    pub(crate) visual: Option<Visual>,
}

/// A column that tells rows apart.
#[derive(Debug, Clone)]
pub(crate) struct ByColumn {
    pub(crate) key: Key,
    pub(crate) label: Text,
    pub(crate) kind: ByKind,
}

/// What tells rows apart.
#[derive(Debug, Clone)]
pub(crate) enum ByKind {
    Grain(Grain),
    /// The position among the branches' keys, with expression, type and classes.
    Dimension {
        position: usize,
        expr: Expr,
        edges: Vec<Decimal>,
        /// Whether values that are not among the first are a row.
        other: bool,
    },
}

/// A column of numbers: a metric, and what it counts. A formula counts what its metrics count.
#[derive(Debug, Clone)]
pub(crate) struct MetricColumn {
    pub(crate) metric: Arc<Metric>,
    pub(crate) parts: Vec<Part>,
    pub(crate) hidden: bool,
}

/// A metric that counts rows, and where its partial aggregates are.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) metric: Arc<Metric>,
    pub(crate) rows: Placement,
    pub(crate) total: Option<Placement>,
    pub(crate) previous: Option<Placement>,
}

/// Where a metric's partial aggregates are: the branch and one aggregate, or two for a ratio.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) branch: usize,
    pub(crate) first: usize,
}

impl Part {
    /// How many aggregates stand side by side at its placements.
    pub(crate) fn aggregate_count(&self) -> usize {
        match self.metric.measure {
            Measure::Single(_) => 1,
            Measure::Ratio { .. } => 2,
            // A formula is no part: it has parts.
            Measure::Formula(_) => 0,
        }
    }

    /// All its placements.
    pub(crate) fn placements(&self) -> impl Iterator<Item = Placement> {
        [Some(self.rows), self.total, self.previous].into_iter().flatten()
    }
}

/// A column to sort by: position among the keys or the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SortColumn {
    By(usize),
    Metric(usize),
}

impl<S> Plan<S> {
    /// The pack the question is about.
    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// The key of the metric or report.
    pub fn key(&self) -> &Key {
        &self.shape.key
    }
}

impl Plan<Open> {
    pub(crate) fn open(pack: Arc<Pack>, branches: Vec<Branch>, shape: Shape) -> Self {
        Self { pack, branches, shape, rankings: Vec::new(), state: Open { _private: () } }
    }

    /// Crosses over. Private to the crate, and called by `police` only.
    pub(crate) fn with_viewer(self, viewer: Viewer) -> Plan<Policed> {
        // What ranks is policed with what it ranks: none is left over here.
        let (pack, branches, shape) = (self.pack, self.branches, self.shape);
        Plan { pack, branches, shape, rankings: Vec::new(), state: Policed { viewer } }
    }
}

impl Plan<Policed> {
    /// Whose rights it holds; `user.…` in expressions is theirs.
    pub fn viewer(&self) -> &Viewer {
        &self.state.viewer
    }

    /// The questions to be answered before this one, in the order in which [`Plan::ranked`] takes their answers.
    pub fn rankings(&self) -> impl Iterator<Item = &Plan<Policed>> {
        self.rankings.iter().map(|ranking| &ranking.plan)
    }

    /// The plan that tells apart the values the answers name, and counts all others as one.
    pub fn ranked(mut self, answers: &[Table]) -> Plan<Policed> {
        for (ranking, answer) in std::mem::take(&mut self.rankings).into_iter().zip(answers) {
            let value = |row: &Row| match row.keys.first() {
                Some(RowKey::Value(value)) => Some(value.clone()),
                _ => None,
            };
            let kept: BTreeSet<DimensionKey> = answer.rows.iter().filter_map(value).collect();
            let keys = self.branches.iter_mut().filter_map(|branch| branch.keys.get_mut(ranking.position));
            keys.for_each(|key| key.kept = Some(kept.clone()));
        }
        self
    }

    /// The forms whose records an executor needs: those scanned, linked and folded over.
    pub fn needs_forms(&self) -> Vec<Key> {
        let mut reads = Reads::touched();
        for branch in self.branches.iter().filter(|branch| !branch.is_hidden()) {
            reads.forms.insert(branch.form.clone());
            branch.all_expressions().for_each(|ir| reads.add(&self.pack, ir));
        }
        let mut forms: Vec<Key> = reads.forms.into_iter().collect();
        forms.sort();
        forms
    }

    /// What an executor runs, in order: partials are returned in the same order.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }
}

impl Branch {
    /// The dataset.
    pub fn dataset(&self) -> &Key {
        &self.dataset
    }

    /// The table that is scanned: a form, or the clocks of one.
    pub fn form(&self) -> &Key {
        &self.form
    }

    /// The time expression, over frame 0.
    pub fn time(&self) -> &Ir {
        &self.time
    }

    /// Whether the time is a civil date; otherwise it is an instant.
    pub fn time_is_date(&self) -> bool {
        self.time_is_date
    }

    /// Dimensions.
    pub fn keys(&self) -> &[BranchKey] {
        &self.keys
    }

    /// The rows the dataset consists of.
    pub fn filter(&self) -> Option<&Ir> {
        self.filter.as_ref()
    }

    /// The rows the viewer may read.
    pub fn policy(&self) -> &Ir {
        &self.policy
    }

    /// What is aggregated; partials of a group stand in this order.
    pub fn aggregates(&self) -> &[AggregateSpec] {
        &self.aggregates
    }

    /// Whether the viewer may see nothing of it: there is nothing to run.
    pub fn is_hidden(&self) -> bool {
        self.aggregates.iter().all(|aggregate| aggregate.hidden)
    }

    /// The buckets of this branch at a run. `extent` gives the first and last time among the rows that policy and filter
    /// keep; it is asked only where the range is open and there is a grain.
    ///
    /// # Errors
    /// [`Fault::Refused`] for too many buckets, and what `extent` returns.
    pub fn buckets(
        &self,
        pack: &Pack,
        as_of: DateTime<Utc>,
        extent: impl FnOnce() -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, Fault>,
    ) -> Result<Buckets, Fault> {
        let zone = *pack.timezone();
        // The builder makes no branch for a period the range does not have.
        let open = range::Interval { from: None, to: None, running: false };
        let interval = range::resolve(&self.range, self.period, zone, as_of)?.unwrap_or(open);
        let extent = match self.grain.is_some() && (interval.from.is_none() || interval.to.is_none()) {
            true => extent()?,
            false => None,
        };
        Ok(Buckets::new(self.grain, zone, &interval, extent, as_of)?)
    }

    /// A condition over the records whose rights count, over the rows of the branch; none where it cannot be asked of them.
    pub(crate) fn of_owner(&self, pack: &Pack, condition: &Ir) -> Option<Ir> {
        match pack.clocks().get(&self.form) {
            None => Some(condition.clone()),
            Some(table) => clocks::lifted(condition, &clocks::link(table), &TableRef::form(&self.owner)),
        }
    }

    /// Every expression an executor evaluates.
    pub fn all_expressions(&self) -> impl Iterator<Item = &Ir> {
        let visible = self.aggregates.iter().filter(|aggregate| !aggregate.hidden);
        std::iter::once(&self.policy).chain(self.expressions()).chain(visible.flat_map(AggregateSpec::expressions))
    }

    /// The expressions every aggregate of the branch rests on.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Ir> {
        let keys = self.keys.iter().map(|key| &key.ir);
        std::iter::once(&self.time).chain(&self.filter).chain(keys)
    }
}

impl AggregateSpec {
    /// The expressions it evaluates.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Ir> {
        self.compute.iter().chain(&self.filter)
    }
}

impl AggregateSpec {
    /// What tells a value from others when different ones are counted; none for null.
    ///
    /// # Errors
    /// [`Fault::Evaluation`] for a value that is no key.
    pub fn distinct_key(&self, value: &Value) -> Result<Option<DimensionKey>, Fault> {
        let key = key_of(value, self.ty.as_ref().unwrap_or(&Type::Null), &[])?;
        Ok((key != DimensionKey::Null).then_some(key))
    }
}

impl BranchKey {
    /// The key of a row from the value of the expression.
    ///
    /// # Errors
    /// [`Fault::Evaluation`] for a value no dimension may hold.
    pub fn key_of(&self, value: &Value) -> Result<DimensionKey, Fault> {
        Ok(self.told(key_of(value, &self.ty, &self.edges)?))
    }

    /// The key as it is told: itself, or that it is another.
    pub fn told(&self, key: DimensionKey) -> DimensionKey {
        match &self.kept {
            Some(kept) if !kept.contains(&key) => DimensionKey::Other,
            _ => key,
        }
    }
}

fn key_of(value: &Value, ty: &Type, edges: &[Decimal]) -> Result<DimensionKey, Fault> {
    match (value, ty) {
        // `when(a, 1, 2.5)` is a decimal, whichever branch is taken.
        (Value::Integer(number), Type::Decimal { .. } | Type::Money) => {
            DimensionKey::of(&Value::Decimal((*number).into()), edges)
        }
        _ => DimensionKey::of(value, edges),
    }
}

/// The policy of a branch before it is policed, and of a form the viewer may not read: no row.
pub(crate) fn no_row() -> Ir {
    Ir::Literal(Value::Boolean(false))
}
