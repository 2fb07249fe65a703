//! The tables of a pack for expressions that callers write: filters. What a viewer does not read in full is not in them,
//! so that no message and no hint can name it.

use std::collections::HashMap;

use formwork_model::expr::ir::Slot;
use formwork_model::expr::scope::{FieldShape, TableShape};
use formwork_model::expr::{Shapes, TableRef, Type};
use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::{Key, Pack};
use std::sync::Arc;

use super::Projection;
use crate::viewer::Viewer;

/// The tables, queues, roles and settings of a checked pack, as far as the viewer reads them.
pub fn shapes(pack: &Arc<Pack>, viewer: &Viewer) -> Shapes {
    let projections: HashMap<&Key, Projection> =
        pack.forms().keys().map(|key| (key, Projection::new(pack, key, viewer, None))).collect();
    let mut tables = HashMap::new();
    for (key, form) in pack.forms() {
        let projection = &projections[key];
        let (levels, is_read) = (projection.levels(), projection.can_read());
        for (position, field) in form.fields.iter().enumerate().filter(|(_, field)| !field.kind.rows().is_empty()) {
            let table = TableRef { form: key.clone(), table: Some(field.key.clone()) };
            let shown = |place: usize| is_read && levels.row_field(position, place) >= Level::Read;
            tables.insert(table, table_shape(field.kind.rows(), shown));
        }
        let shown = |position: usize| {
            is_read
                && levels.field(position) >= Level::Read
                && match (&form.fields[position].kind, form.fields[position].ty()) {
                    (FieldKind::Backlink { link, .. }, Type::Rows(table)) => {
                        reads_link(&projections[&table.form], link)
                    }
                    _ => true,
                }
        };
        tables.insert(TableRef::form(key), table_shape(&form.fields, shown));
    }
    Shapes {
        tables,
        queues: pack.queues().keys().cloned().collect(),
        roles: pack.roles().keys().cloned().collect(),
        calendars: pack.calendars().keys().cloned().collect(),
        settings: pack.settings().iter().map(|(key, (ty, _))| (key.clone(), ty.clone())).collect(),
    }
}

/// Whether the viewer reads records of the form, and where that link of theirs leads.
pub(super) fn reads_link(projection: &Projection, link: &Key) -> bool {
    let level = |(position, _): (usize, &Field)| projection.levels().field(position);
    projection.can_read() && projection.form().field(link).map_or(Level::None, level) >= Level::Read
}

fn table_shape(fields: &[Field], shown: impl Fn(usize) -> bool) -> TableShape {
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
    TableShape { fields: fields.iter().enumerate().filter(|(position, _)| shown(*position)).map(shape).collect() }
}
