//! The records a look-up wants: the condition lowered, and whether it still finds the same.

use std::collections::BTreeSet;

use sea_query::{Expr, Order, SelectStatement};

use formwork_core::eval::Find;
use formwork_core::{Rejection, RejectionKind};
use formwork_model::Key;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::Rows;

use super::page::{from, select};
use super::records::{RecordLoad, Target};
use super::{Context, Load};
use crate::Failure;
use crate::dialect::ColumnKind;
use crate::layout::FormLayout;
use crate::lower::{Lowering, ROOT, Unsupported, column};
use crate::statement::Select;

/// Loads the records a look-up wants, one more than it may find. They are not locked: on an engine with several writers
/// they are asked for again before anything is written ([`versions`]).
pub(super) fn load(context: &Context, find: &Find) -> Result<Load, Failure> {
    let layout = context.layout.form(&find.form)?.clone();
    let mut records = wanted(context, &layout, find)?;
    records.expr(Expr::cust(layout.selection.clone()));
    let main = select(context.dialect, records, layout.kinds.clone());
    Ok(RecordLoad::of(context.dialect, layout, main, Target::Found(find.clone())))
}

/// The ids and versions of the records a look-up wants now.
pub(crate) fn versions(context: &Context, find: &Find) -> Result<Select, Failure> {
    let layout = context.layout.form(&find.form)?;
    let mut records = wanted(context, layout, find)?;
    records.expr(column(ROOT, "id")).expr(column(ROOT, "version"));
    Ok(select(context.dialect, records, [ColumnKind::Id, ColumnKind::Integer]))
}

fn wanted(context: &Context, layout: &FormLayout, find: &Find) -> Result<SelectStatement, Failure> {
    let lowered = Lowering::new(context.dialect, &context.pack, &context.layout).condition(&find.condition);
    let condition = lowered.map_err(|unsupported| unfit(&find.form, &unsupported))?;
    let mut records = from(layout);
    records.and_where(condition).order_by_expr(column(ROOT, "id"), Order::Asc).limit(u64::from(find.most) + 1);
    Ok(records)
}

/// What the caller is told whose values make a look-up impossible, for instance a number with too many places.
fn unfit(form: &Key, unsupported: &Unsupported) -> Failure {
    let title = format!("`{form}` cannot be looked into with these values: {unsupported}");
    Failure::Rejected(Box::new(Rejection::new(RejectionKind::Invalid, "lookup_unfit", title)))
}

/// The forms whose records decide what the look-up finds: its own, and those its condition leads to.
pub(crate) fn forms(find: &Find) -> BTreeSet<Key> {
    let mut forms = BTreeSet::from([find.form.clone()]);
    find.condition.walk(&mut |node| match node {
        Ir::Field(path) => {
            forms.extend(path.hops.iter().chain([&path.field]).map(|field| field.table.form.clone()));
        }
        Ir::Fold(_, rows, _) => {
            if let Rows::Table { field, .. } | Rows::Backlink { link: field, .. } = rows.origin() {
                forms.insert(field.table.form.clone());
            }
        }
        _ => {}
    });
    forms
}
