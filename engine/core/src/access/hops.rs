//! What a caller's condition may learn from other forms: nothing of rows the caller does not read.
//!
//! ```text
//! customer.tier          ─► when(<row rule of customer, over customer>, customer.tier, null)
//! any(contacts, c)       ─► any(contacts, <row rule of the contact> and c)
//! ```

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldPath, FieldRef, Fold, Function, Name, Root, Rows};
use formwork_model::{Key, Pack, Value};
use uuid::Uuid;

use super::query::and;
use super::row_condition;
use crate::viewer::Viewer;

/// The condition with the viewer's row rules at each hop and backlink: what is not readable is null, or not there.
///
/// # Errors
/// The form whose row rule cannot be asked over a link, because it counts rows of its own.
pub(crate) fn within_rights(pack: &Pack, viewer: &Viewer, ir: &Ir) -> Result<Ir, Key> {
    match ir {
        Ir::Field(path) => field(pack, viewer, path),
        Ir::Fold(fold, rows, each) => {
            let each = each.as_ref().map(|each| within_rights(pack, viewer, each)).transpose()?;
            let each = match (rows, rows.origin()) {
                (_, Rows::Backlink { link, .. }) => {
                    let rule = row_condition(pack.form(&link.table.form), viewer);
                    match rows {
                        // Inside a fold the row is the innermost frame: the rule stands there as it was written.
                        Rows::Backlink { .. } => counted(*fold, rule, each),
                        // Which rows are chosen must not depend on those that are not readable.
                        _ if rule == truth(true) => each,
                        _ => return Err(link.table.form.clone()),
                    }
                }
                _ => each,
            };
            let rows = rows.map(&mut |each| within_rights(pack, viewer, each))?;
            Ok(Ir::Fold(*fold, rows, each.map(Box::new)))
        }
        other => rebuilt(other, &mut |part| within_rights(pack, viewer, part)),
    }
}

/// A row rule as the public meets it. Nobody is nobody in particular: without this, `created_by == user.id` would hold
/// for every record that any stranger has filed, for both sides are null.
pub(super) fn for_public(rule: &Ir) -> Ir {
    let mut replaced = |part: &Ir| Ok::<Ir, std::convert::Infallible>(for_public(part));
    match rule {
        Ir::Name(Name::UserId) => Ir::Literal(Value::Id(Uuid::nil())),
        other => match rebuilt(other, &mut replaced) {
            Ok(rule) => rule,
            Err(never) => match never {},
        },
    }
}

/// The same node with its parts replaced.
pub(crate) fn rebuilt<E>(ir: &Ir, part: &mut dyn FnMut(&Ir) -> Result<Ir, E>) -> Result<Ir, E> {
    let mut one = |ir: &Ir| part(ir).map(Box::new);
    Ok(match ir {
        Ir::Literal(_) | Ir::Name(_) | Ir::Field(_) => ir.clone(),
        Ir::Unary(op, a) => Ir::Unary(*op, one(a)?),
        Ir::Binary(op, a, b) => Ir::Binary(*op, one(a)?, one(b)?),
        Ir::In(a, list) => Ir::In(one(a)?, list.iter().map(part).collect::<Result<_, E>>()?),
        Ir::InList(a, list) => Ir::InList(one(a)?, one(list)?),
        Ir::List(list) => Ir::List(list.iter().map(part).collect::<Result<_, E>>()?),
        Ir::Call(function, arguments) => Ir::Call(*function, arguments.iter().map(part).collect::<Result<_, E>>()?),
        Ir::Fold(fold, rows, each) => {
            let rows = rows.map(part)?;
            Ir::Fold(*fold, rows, each.as_deref().map(part).transpose()?.map(Box::new))
        }
    })
}

/// A field, null where a record on the way to it is not readable.
fn field(pack: &Pack, viewer: &Viewer, path: &FieldPath) -> Result<Ir, Key> {
    let mut guard = truth(true);
    for (index, _) in path.hops.iter().enumerate() {
        let form = &path.hops.get(index + 1).unwrap_or(&path.field).table.form;
        let rule = row_condition(pack.form(form), viewer);
        let way = &path.hops[..=index];
        guard = and(guard, over(&rule, path.root, way).ok_or_else(|| form.clone())?);
    }
    Ok(shown_if(guard, Ir::Field(path.clone()), Ir::Literal(Value::Null)))
}

/// What a fold counts of rows that are readable under `rule` only.
fn counted(fold: Fold, rule: Ir, each: Option<Ir>) -> Option<Ir> {
    match (fold, each) {
        (_, each) if rule == truth(true) => each,
        (Fold::Count | Fold::Any, None) => Some(rule),
        (Fold::Count | Fold::Any, Some(each)) => Some(and(rule, each)),
        (Fold::All, each) => each.map(|each| shown_if(rule, each, truth(true))),
        (_, each) => each.map(|each| shown_if(rule, each, Ir::Literal(Value::Null))),
    }
}

/// A rule over frame 0, asked of the record at the end of a way; none where it counts rows.
fn over(rule: &Ir, root: Root, way: &[FieldRef]) -> Option<Ir> {
    match rule {
        Ir::Field(path) if path.root == Root::Frame(0) => {
            let hops = way.iter().chain(&path.hops).cloned().collect();
            Some(Ir::Field(FieldPath { root, hops, ..path.clone() }))
        }
        Ir::Field(_) | Ir::Fold(..) => None,
        other => rebuilt(other, &mut |part| over(part, root, way).ok_or(())).ok(),
    }
}

fn shown_if(guard: Ir, shown: Ir, otherwise: Ir) -> Ir {
    if guard == truth(true) { shown } else { Ir::Call(Function::When, vec![guard, shown, otherwise]) }
}

fn truth(value: bool) -> Ir {
    Ir::Literal(Value::Boolean(value))
}
