//! A condition of an older pack, asked of records that are laid out by a newer one.

use std::convert::Infallible;

use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldPath, FieldRef, Rows, Slot};
use formwork_model::{Pack, Value};

use crate::access::rebuilt;

/// The same condition over the fields as they stand in `pack`; a field that has gone is null, as it is to everything else
/// of the older pack, and rows that have gone are none.
pub(super) fn relaid(ir: &Ir, pack: &Pack) -> Ir {
    match ir {
        Ir::Field(path) => path_relaid(path, pack).map_or(Ir::Literal(Value::Null), Ir::Field),
        Ir::Fold(fold, rows, each) => match rows_relaid(rows, pack) {
            Some(rows) => Ir::Fold(*fold, rows, each.as_ref().map(|each| Box::new(relaid(each, pack)))),
            None => Ir::Literal(Value::Null),
        },
        other => match rebuilt(other, &mut |part| Ok::<Ir, Infallible>(relaid(part, pack))) {
            Ok(ir) => ir,
            Err(never) => match never {},
        },
    }
}

fn path_relaid(path: &FieldPath, pack: &Pack) -> Option<FieldPath> {
    let hops = path.hops.iter().map(|hop| field_relaid(hop, pack)).collect::<Option<_>>()?;
    Some(FieldPath { hops, field: field_relaid(&path.field, pack)?, ..path.clone() })
}

fn rows_relaid(rows: &Rows, pack: &Pack) -> Option<Rows> {
    Some(match rows {
        Rows::Table { frame, field } => Rows::Table { frame: *frame, field: field_relaid(field, pack)? },
        Rows::Backlink { frame, link } => Rows::Backlink { frame: *frame, link: field_relaid(link, pack)? },
        other => other.clone(),
    })
}

fn field_relaid(field: &FieldRef, pack: &Pack) -> Option<FieldRef> {
    let Slot::Field(_) = field.slot else { return Some(field.clone()) };
    let form = pack.forms().get(&field.table.form)?;
    let position = match &field.table.table {
        None => form.field(&field.key)?.0,
        Some(table) => form.field(table)?.1.kind.rows().iter().position(|child| child.key == field.key)?,
    };
    Some(FieldRef { slot: Slot::Field(position), ..field.clone() })
}
