//! The plan of a question: branches for an executor, and what is made of their partial aggregates.
//!
//! ```text
//! Plan<Open> ── police(viewer) ──► Plan<Policed> ── executor.run ──► Partials ── finish ──► Table
//! ```
//! Only a [`Plan<Policed>`] can be run: its fields are private to this crate, and [`Plan::police`] is the one way across.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use formwork_core::Viewer;
use formwork_model::expr::{Expr, Ir, Type};
use formwork_model::pack::analytics::{AggregateFold, Grain, Measure, Metric, Range, Visual};
use formwork_model::{Key, Pack, Text, Value};
use rust_decimal::Decimal;

use crate::buckets::Buckets;
use crate::fault::Fault;
use crate::partial::DimensionKey;
use crate::range::{self, Period};
use crate::reads::Reads;

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
    state: S,
}

/// One scan and aggregation: a dataset, a time column, a period, a set of keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub(crate) dataset: Key,
    pub(crate) form: Key,
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
    },
}

/// A column of numbers.
#[derive(Debug, Clone)]
pub(crate) struct MetricColumn {
    pub(crate) metric: Arc<Metric>,
    pub(crate) rows: Placement,
    pub(crate) total: Option<Placement>,
    pub(crate) previous: Option<Placement>,
    pub(crate) hidden: bool,
}

/// Where a metric's partial aggregates are: the branch and one aggregate, or two for a ratio.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) branch: usize,
    pub(crate) first: usize,
}

impl MetricColumn {
    /// How many aggregates stand side by side at its placements.
    pub(crate) fn aggregate_count(&self) -> usize {
        match self.metric.measure {
            Measure::Single(_) => 1,
            Measure::Ratio { .. } => 2,
        }
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
        Self { pack, branches, shape, state: Open { _private: () } }
    }

    /// Crosses over. Private to the crate, and called by `police` only.
    pub(crate) fn with_viewer(self, viewer: Viewer) -> Plan<Policed> {
        Plan { pack: self.pack, branches: self.branches, shape: self.shape, state: Policed { viewer } }
    }
}

impl Plan<Policed> {
    /// Whose rights it holds; `user.…` in expressions is theirs.
    pub fn viewer(&self) -> &Viewer {
        &self.state.viewer
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

    /// The form whose records are scanned.
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
        key_of(value, &self.ty, &self.edges)
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
