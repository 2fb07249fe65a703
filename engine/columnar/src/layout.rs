//! The columns of a form: which there are, what they are called and how their values are held.

use formwork_core::Record;
use formwork_model::Value;
use formwork_model::expr::Type;
use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::{FieldKind, Form};

use crate::column::Held;

/// The name of the column of record ids.
pub(crate) const ID: &str = "id";

/// A column of a form's frame.
#[derive(Debug, Clone)]
pub(crate) struct ColumnLayout {
    /// Its name in the frame.
    pub(crate) name: String,
    /// The place of its values in a record.
    pub(crate) slot: Slot,
    /// How values are held.
    pub(crate) held: Held,
    /// Whether numbers are decimals.
    pub(crate) decimal: bool,
}

/// The columns of a form, the system fields first, and the positions of its child tables, which stay rows.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) columns: Vec<ColumnLayout>,
    pub(crate) tables: Vec<usize>,
    pub(crate) field_count: usize,
}

impl Layout {
    /// The columns of a form: every stored field.
    pub(crate) fn new(form: &Form) -> Self {
        let system = [Slot::Id, Slot::Version, Slot::CreatedAt, Slot::CreatedBy, Slot::UpdatedAt, Slot::UpdatedBy];
        let fields = form.fields.iter().enumerate().filter(|(_, field)| field.is_stored());
        let declared = fields.filter_map(|(index, field)| column(Slot::Field(index), field.ty()));
        let columns = system.into_iter().filter_map(|slot| column(slot, &system_type(slot))).chain(declared).collect();
        let is_table = |index: &usize| matches!(form.fields[*index].kind, FieldKind::Table { .. });
        let tables = (0..form.fields.len()).filter(is_table).collect();
        Self { columns, tables, field_count: form.fields.len() }
    }

    /// The column of a slot; none for what has no column.
    pub(crate) fn column(&self, slot: Slot) -> Option<&ColumnLayout> {
        self.columns.iter().find(|column| column.slot == slot)
    }

    /// Puts a value where it belongs in a record.
    pub(crate) fn set(record: &mut Record, slot: Slot, value: Value) {
        match (slot, value) {
            (Slot::Field(index), value) => record.values[index] = value,
            (Slot::Id, Value::Id(id)) => record.id = id,
            (Slot::Version, Value::Integer(version)) => record.version = version,
            (Slot::CreatedAt, Value::DateTime(at)) => record.created_at = at,
            (Slot::UpdatedAt, Value::DateTime(at)) => record.updated_at = at,
            (Slot::CreatedBy, value) => record.created_by = value.as_id(),
            (Slot::UpdatedBy, value) => record.updated_by = value.as_id(),
            // These are never null.
            (Slot::Id | Slot::Version | Slot::CreatedAt | Slot::UpdatedAt, _) => {}
        }
    }
}

fn column(slot: Slot, ty: &Type) -> Option<ColumnLayout> {
    let decimal = matches!(ty, Type::Decimal { .. } | Type::Money);
    Some(ColumnLayout { name: name(slot), slot, held: Held::of(ty)?, decimal })
}

/// The name of a slot's column.
pub(crate) fn name(slot: Slot) -> String {
    match slot {
        Slot::Field(index) => format!("f{index}"),
        Slot::Id => ID.to_owned(),
        Slot::Version => "version".to_owned(),
        Slot::CreatedAt => "created_at".to_owned(),
        Slot::CreatedBy => "created_by".to_owned(),
        Slot::UpdatedAt => "updated_at".to_owned(),
        Slot::UpdatedBy => "updated_by".to_owned(),
    }
}

fn system_type(slot: Slot) -> Type {
    match slot {
        Slot::Version => Type::Integer,
        Slot::CreatedAt | Slot::UpdatedAt => Type::DateTime,
        // Ids are held alike, whatever they point to.
        _ => Type::User,
    }
}
