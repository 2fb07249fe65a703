//! The one way from an open plan to one that may be run: the viewer's rights become part of it.
//!
//! The row predicate of the core's projection stands on the scan of every branch: rows, totals and comparisons alike. What
//! reads a field the viewer may not see, or sees masked, is hidden: an aggregate, and every aggregate of a branch whose
//! time, filter or dimension does. So is what follows a link to a form of which the viewer does not read every row: the
//! number would tell of rows they do not read. (What was stored by a look-up is the record's own.)

use std::collections::HashMap;

use formwork_core::Viewer;
use formwork_core::access::Projection;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldRef, Slot};
use formwork_model::pack::form::Level;
use formwork_model::{Key, Pack, Value};
use std::sync::Arc;

use crate::fault::Denied;
use crate::plan::{Branch, MetricColumn, Open, Placement, Plan, Policed, no_row};
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
            let mut forms: Vec<Key> = self.branches.iter().map(|branch| branch.form.clone()).collect();
            forms.sort();
            forms.dedup();
            return Err(Denied { forms });
        }
        let Plan { branches, shape, .. } = &mut self;
        shape.metrics.iter_mut().for_each(|column| hide(column, branches));
        Ok(self.with_viewer(viewer.clone()))
    }
}

/// A metric is hidden as a whole: rows, total and comparison, all aggregates.
fn hide(column: &mut MetricColumn, branches: &mut [Branch]) {
    let count = column.aggregate_count();
    let placements: Vec<Placement> = [Some(column.rows), column.total, column.previous].into_iter().flatten().collect();
    let of = |placement: Placement| placement.first..placement.first + count;
    column.hidden = placements
        .iter()
        .any(|placement| branches[placement.branch].aggregates[of(*placement)].iter().any(|spec| spec.hidden));
    if column.hidden {
        for placement in placements {
            branches[placement.branch].aggregates[of(placement)].iter_mut().for_each(|spec| spec.hidden = true);
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
        let readable = self.projection(&branch.form).can_read();
        branch.policy = if readable { self.projection(&branch.form).row_predicate() } else { no_row() };
        let shared = readable && branch.expressions().all(|ir| self.shows(ir));
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

    fn reads_every_row(&mut self, form: &Key) -> bool {
        self.projection(form).row_predicate() == Ir::Literal(Value::Boolean(true))
    }

    fn level(&mut self, field: &FieldRef) -> Level {
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
