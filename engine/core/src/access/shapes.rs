//! The tables of a pack for expressions that callers write: filters.

use std::collections::HashMap;

use formwork_model::expr::ir::Slot;
use formwork_model::expr::scope::{FieldShape, TableShape};
use formwork_model::expr::{Shapes, TableRef};
use formwork_model::pack::form::{Field, FieldKind};
use formwork_model::{Key, Pack};

/// The tables, queues, roles and settings of a checked pack.
pub fn shapes(pack: &Pack) -> Shapes {
    let mut tables = HashMap::new();
    for (key, form) in pack.forms() {
        for field in form.fields.iter().filter(|field| !field.kind.rows().is_empty()) {
            let table = TableRef { form: key.clone(), table: Some(field.key.clone()) };
            tables.insert(table, table_shape(field.kind.rows()));
        }
        tables.insert(TableRef::form(key), table_shape(&form.fields));
    }
    Shapes {
        tables,
        queues: pack.queues().keys().cloned().collect(),
        roles: pack.roles().keys().cloned().collect(),
        settings: pack.settings().iter().map(|(key, (ty, _))| (key.clone(), ty.clone())).collect(),
    }
}

fn table_shape(fields: &[Field]) -> TableShape {
    let shape = |(position, field): (usize, &Field)| {
        let backlink: Option<Key> = match &field.kind {
            FieldKind::Backlink { link, .. } => Some(link.clone()),
            _ => None,
        };
        let shape = FieldShape {
            slot: Slot::Field(position),
            ty: field.ty().clone(),
            backlink,
            stored: field.is_stored(),
            bound: field.bound(),
        };
        (field.key.clone(), shape)
    };
    TableShape { fields: fields.iter().enumerate().map(shape).collect() }
}
