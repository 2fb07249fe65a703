//! What a caller's condition may learn from other forms: nothing of rows the caller does not read.
//!
//! ```text
//! customer.tier          ─► when(<row rule of customer, over customer>, customer.tier, null)
//! any(contacts, c)       ─► any(contacts, <row rule of the contact> and c)
//! ```

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldPath, FieldRef, Fold, Function, Root, Rows};
use formwork_model::{Key, Pack, Value};

use super::query::and;
use super::row_condition;
use crate::viewer::Viewer;

/// The condition with the viewer's row rules at each hop and backlink: what is not readable is null, or not there.
///
/// # Errors
/// The form whose row rule cannot be asked over a link, because it counts rows of its own.
pub(super) fn within_rights(pack: &Pack, viewer: &Viewer, ir: &Ir) -> Result<Ir, Key> {
    let one = |ir: &Ir| within_rights(pack, viewer, ir).map(Box::new);
    let all = |list: &[Ir]| list.iter().map(|ir| within_rights(pack, viewer, ir)).collect::<Result<Vec<Ir>, Key>>();
    Ok(match ir {
        Ir::Literal(_) | Ir::Name(_) => ir.clone(),
        Ir::Field(path) => field(pack, viewer, path)?,
        Ir::Unary(op, a) => Ir::Unary(*op, one(a)?),
        Ir::Binary(op, a, b) => Ir::Binary(*op, one(a)?, one(b)?),
        Ir::In(a, list) => Ir::In(one(a)?, all(list)?),
        Ir::InList(a, list) => Ir::InList(one(a)?, one(list)?),
        Ir::List(list) => Ir::List(all(list)?),
        Ir::Call(function, arguments) => Ir::Call(*function, all(arguments)?),
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
            Ir::Fold(*fold, rows, each.map(Box::new))
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
    let one = |ir: &Ir| over(ir, root, way).map(Box::new);
    let all = |list: &[Ir]| list.iter().map(|ir| over(ir, root, way)).collect::<Option<Vec<Ir>>>();
    Some(match rule {
        Ir::Literal(_) | Ir::Name(_) => rule.clone(),
        Ir::Field(path) if path.root == Root::Frame(0) => {
            let hops = way.iter().chain(&path.hops).cloned().collect();
            Ir::Field(FieldPath { root, hops, ..path.clone() })
        }
        Ir::Field(_) | Ir::Fold(..) => return None,
        Ir::Unary(op, a) => Ir::Unary(*op, one(a)?),
        Ir::Binary(op, a, b) => Ir::Binary(*op, one(a)?, one(b)?),
        Ir::In(a, list) => Ir::In(one(a)?, all(list)?),
        Ir::InList(a, list) => Ir::InList(one(a)?, one(list)?),
        Ir::List(list) => Ir::List(all(list)?),
        Ir::Call(function, arguments) => Ir::Call(*function, all(arguments)?),
    })
}

fn shown_if(guard: Ir, shown: Ir, otherwise: Ir) -> Ir {
    if guard == truth(true) { shown } else { Ir::Call(Function::When, vec![guard, shown, otherwise]) }
}

fn truth(value: bool) -> Ir {
    Ir::Literal(Value::Boolean(value))
}
