//! A record as it is stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Value;
use formwork_model::expr::ir::Slot;

/// A record: the system fields and one value per field of its form, in the form's order. Fields that have no column
/// (computed on reading, live look-ups, backlinks) hold null here and are filled by the projection.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// UUIDv7.
    pub id: Uuid,
    /// Counted from 1; each committed change adds one.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Who created it; none for the public and the system.
    pub created_by: Option<Uuid>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who changed it last.
    pub updated_by: Option<Uuid>,
    /// One value per field of the form.
    pub values: Vec<Value>,
}

impl Record {
    /// The value in that place.
    pub fn get(&self, slot: Slot) -> Value {
        let user = |id: Option<Uuid>| id.map_or(Value::Null, Value::Id);
        match slot {
            Slot::Field(index) => self.values.get(index).cloned().unwrap_or_default(),
            Slot::Id => Value::Id(self.id),
            Slot::Version => Value::Integer(self.version),
            Slot::CreatedAt => Value::DateTime(self.created_at),
            Slot::CreatedBy => user(self.created_by),
            Slot::UpdatedAt => Value::DateTime(self.updated_at),
            Slot::UpdatedBy => user(self.updated_by),
        }
    }
}
