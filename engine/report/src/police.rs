//! The one way from an open plan to one that may be run: the viewer's rights become part of it.
//!
//! The row predicate of the core's projection stands on the scan of every branch: rows, totals and comparisons alike. What
//! reads a field the viewer may not see, or sees masked, is hidden: an aggregate, and every aggregate of a branch whose
//! time, filter or dimension does. So is what follows a link to a form of which the viewer does not read every row: the
//! number would tell of rows they do not read. (What was stored by a look-up is the record's own.) Clocks are read by
//! whoever reads their record and every field in which they show; the record itself they are not a stranger to.

use std::collections::HashMap;

use formwork_core::Viewer;
use formwork_core::access::Projection;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldRef, Slot};
use formwork_model::pack::form::Level;
use formwork_model::{Key, Pack, Value};
use std::sync::Arc;

use crate::fault::Denied;
use crate::plan::{Branch, MetricColumn, Open, Placement, Plan, Policed, Ranking, no_row};
use crate::reads::Reads;

impl Plan<Open> {
    /// Adds the viewer's rights.
    ///
    /// # Errors
    /// [`Denied`] when the viewer may read records of none of its datasets. A metric whose dataset they may not read,
    /// beside others they may, is hidden.
    pub fn police(mut self, viewer: &Viewer) -> Result<Plan<Policed>, Denied> {
        let mut rights = Rights { pack: self.pack.clone(), viewer, projections: HashMap::new() };
        let mut readable = false;
        for branch in &mut self.branches {
            readable |= rights.police(branch);
        }
        if !readable {
            let mut forms: Vec<Key> = self.branches.iter().map(|branch| branch.owner.clone()).collect();
            forms.sort();
            forms.dedup();
            return Err(Denied { forms });
        }
        let rankings = std::mem::take(&mut self.rankings)
            .into_iter()
            .map(|ranking| Ok(Ranking { position: ranking.position, plan: ranking.plan.police(viewer)? }));
        let rankings = rankings.collect::<Result<Vec<_>, Denied>>()?;
        let Plan { branches, shape, .. } = &mut self;
        shape.metrics.iter_mut().for_each(|column| hide(column, branches));
        let mut policed = self.with_viewer(viewer.clone());
        policed.rankings = rankings;
        Ok(policed)
    }
}

/// A metric is hidden as a whole: rows, total and comparison, all aggregates; a formula with each of its metrics.
fn hide(column: &mut MetricColumn, branches: &mut [Branch]) {
    let places = column.parts.iter().flat_map(|part| {
        let of = |placement: Placement| (placement.branch, placement.first..placement.first + part.aggregate_count());
        part.placements().map(of).collect::<Vec<_>>()
    });
    let places: Vec<(usize, std::ops::Range<usize>)> = places.collect();
    let mut all = places.iter().flat_map(|(branch, of)| &branches[*branch].aggregates[of.clone()]);
    column.hidden = all.any(|spec| spec.hidden);
    if column.hidden {
        for (branch, of) in places {
            branches[branch].aggregates[of].iter_mut().for_each(|spec| spec.hidden = true);
        }
    }
}

/// The viewer's projections, made as they are needed.
struct Rights<'a> {
    pack: Arc<Pack>,
    viewer: &'a Viewer,
    projections: HashMap<Key, Projection>,
}

impl Rights<'_> {
    /// Adds the predicate and hides what may not be seen; false where no row may be read.
    fn police(&mut self, branch: &mut Branch) -> bool {
        let readable = self.projection(&branch.owner).can_read();
        let predicate = self.projection(&branch.owner).row_predicate();
        let policy = branch.of_owner(&self.pack, &predicate).filter(|_| readable);
        let shared = policy.is_some() && self.shows_clocks(branch) && branch.expressions().all(|ir| self.shows(ir));
        branch.policy = policy.unwrap_or_else(no_row);
        for spec in &mut branch.aggregates {
            spec.hidden = !shared || !spec.expressions().all(|ir| self.shows(ir));
        }
        readable
    }

    /// Whether every field an expression reads, directly or through others, is shown to the viewer.
    fn shows(&mut self, ir: &Ir) -> bool {
        let mut reads = Reads::shown();
        reads.add(&self.pack.clone(), ir);
        let mut now = Reads::touched();
        now.add(&self.pack.clone(), ir);
        reads.fields.iter().all(|field| self.level(field) >= Level::Read)
            && now.reached.iter().all(|form| self.reads_every_row(form))
    }

    /// Whether the viewer reads every field in which the clocks of the branch show.
    fn shows_clocks(&mut self, branch: &Branch) -> bool {
        if branch.form == branch.owner {
            return true;
        }
        let pack = self.pack.clone();
        let workflows = pack.workflows().values().filter(|workflow| workflow.form.as_ref() == Some(&branch.owner));
        let mut shown = workflows.flat_map(|workflow| workflow.sla.values()).flat_map(|sla| [sla.due, sla.status]);
        let projection = self.projection(&branch.owner);
        shown.all(|position| position.is_none_or(|position| projection.levels().field(position) >= Level::Read))
    }

    fn reads_every_row(&mut self, form: &Key) -> bool {
        self.projection(form).row_predicate() == Ir::Literal(Value::Boolean(true))
    }

    fn level(&mut self, field: &FieldRef) -> Level {
        if self.pack.clocks().contains_key(&field.table.form) {
            // What they are of was asked for with the branch.
            return Level::Read;
        }
        let projection = self.projection(&field.table.form);
        let Slot::Field(position) = field.slot else {
            return if projection.exists() { Level::Read } else { Level::None };
        };
        match &field.table.table {
            None => projection.levels().field(position),
            Some(table) => match projection.form().field(table) {
                Some((parent, _)) => projection.levels().row_field(parent, position),
                None => Level::None,
            },
        }
    }

    fn projection(&mut self, form: &Key) -> &Projection {
        let (pack, viewer) = (&self.pack, self.viewer);
        self.projections.entry(form.clone()).or_insert_with(|| Projection::new(pack, form, viewer, None))
    }
}
