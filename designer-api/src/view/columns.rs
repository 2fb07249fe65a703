//! The columns of a list: those of its view, or those its reader chose.

use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::{FieldKind, Level, View};

use super::seen::Seen;

/// Keys and places, in order.
pub(crate) type Columns = Vec<(String, Slot)>;

/// Columns where the form has no view.
const COLUMNS_MAX: usize = 6;
/// System fields that may be a column.
const SYSTEM: [&str; 4] = ["created_at", "created_by", "updated_at", "updated_by"];

/// The columns the viewer may read: those of the view, else the first fields of the form.
pub(crate) fn columns_of(seen: &Seen, view: Option<&View>) -> Columns {
    match view {
        Some(view) => {
            let columns = view.columns.iter().map(|column| (column.key.to_string(), column.slot));
            columns.filter(|(_, slot)| may(seen, *slot)).collect()
        }
        None => {
            let plain = seen.fields().filter(|(_, field, _)| {
                !matches!(field.kind, FieldKind::Table { .. } | FieldKind::Backlink { .. } | FieldKind::LongText { .. })
            });
            plain.take(COLUMNS_MAX).map(|(position, field, _)| (field.key.to_string(), Slot::Field(position))).collect()
        }
    }
}

/// The columns of these names, in this order; names of nothing the viewer may read are left out, as for somebody whose
/// rights shrank since they chose.
pub(crate) fn named<'a>(seen: &Seen, names: impl IntoIterator<Item = &'a str>) -> Columns {
    let mut columns = Columns::new();
    for name in names {
        let slot = match seen.form.field(name) {
            Some((position, _)) => Some(Slot::Field(position)),
            None if SYSTEM.contains(&name) => Slot::of_system(name, &seen.form.key).map(|(slot, _)| slot),
            None => None,
        };
        let is_new = !columns.iter().any(|(known, _)| known == name);
        columns.extend(slot.filter(|slot| is_new && may(seen, *slot)).map(|slot| (name.to_owned(), slot)));
    }
    columns
}

/// Everything that may be a column, in the order of the form.
pub(crate) fn offered(seen: &Seen) -> Columns {
    let fields = seen.fields().filter(|(_, field, _)| !matches!(field.kind, FieldKind::Backlink { .. }));
    let names: Vec<&str> = fields.map(|(_, field, _)| &*field.key).chain(SYSTEM).collect();
    named(seen, names)
}

fn may(seen: &Seen, slot: Slot) -> bool {
    !matches!(slot, Slot::Field(position) if seen.level(position) == Level::None)
}
