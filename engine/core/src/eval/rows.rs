//! Rows in scope and where other rows come from.

use std::borrow::Cow;
use std::sync::Arc;

use formwork_model::expr::ir::{FieldRef, Name, Slot};
use formwork_model::pack::calendar::Calendar;
use formwork_model::value::Row;
use formwork_model::{Key, Pack, Value};
use uuid::Uuid;

use super::find::Find;
use crate::facts::{Facts, Need};
use crate::record::Record;

/// A row an expression stands in: a record, or a row of a child table. Cheap to copy.
///
/// Computed and live fields are read from the values like all others: whoever offers a record must have filled them.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    id: Uuid,
    values: &'a [Value],
    record: Option<&'a Record>,
}

impl<'a> RowView<'a> {
    /// A row of which nothing is read.
    pub(super) const NOTHING: Self = Self { id: Uuid::nil(), values: &[], record: None };

    /// The row's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The value in that place; nothing for a place the row does not have.
    pub fn get(&self, slot: Slot) -> Option<Cow<'a, Value>> {
        match (slot, self.record) {
            (Slot::Field(index), _) => self.values.get(index).map(Cow::Borrowed),
            (Slot::Id, _) => Some(Cow::Owned(Value::Id(self.id))),
            (slot, record) => record.map(|record| Cow::Owned(record.get(slot))),
        }
    }
}

impl<'a> From<&'a Record> for RowView<'a> {
    fn from(record: &'a Record) -> Self {
        Self { id: record.id, values: &record.values, record: Some(record) }
    }
}

impl<'a> From<&'a Row> for RowView<'a> {
    fn from(row: &'a Row) -> Self {
        Self { id: row.id, values: &row.values, record: None }
    }
}

/// A record that is not at hand; load it and evaluate again.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// A record a link leads to.
    Record {
        /// Its form.
        form: Key,
        /// Its id.
        id: Uuid,
    },
    /// The records whose link leads to this one.
    Backlink {
        /// Their form.
        form: Key,
        /// Their link field.
        link: Key,
        /// The record linked to.
        to: Uuid,
    },
    /// The records a look-up wants.
    Found(Find),
}

impl From<Missing> for Need {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Record { form, id } => Need::Record(form, id),
            Missing::Backlink { form, link, to } => Need::Backlinks { form, link, to },
            Missing::Found(find) => Need::Found(find),
        }
    }
}

/// Records at hand.
pub trait Records {
    /// The record of that form; none where there is no such record (its fields are null then).
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<RowView<'_>>, Missing>;

    /// The same where only that field is read: a record that is offered with derived values need not have them then.
    fn record_for(&self, form: &Key, id: Uuid, _field: &FieldRef) -> Result<Option<RowView<'_>>, Missing> {
        self.record(form, id)
    }

    /// The records whose field `link` (of another form) holds the record `to`.
    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<&[Arc<Record>], Missing>;

    /// The records a look-up wants, in the order of their ids; none where there are more than there may be. Only where
    /// loading happens.
    fn found(&self, find: &Find) -> Result<Option<Vec<RowView<'_>>>, Missing> {
        Err(Missing::Found(find.clone()))
    }
}

impl Records for Facts {
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<RowView<'_>>, Missing> {
        match self.records.get(&(form.clone(), id)) {
            Some(record) => Ok(record.as_deref().map(RowView::from)),
            None => Err(Missing::Record { form: form.clone(), id }),
        }
    }

    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<&[Arc<Record>], Missing> {
        let form = &link.table.form;
        match self.backlinks.get(&(form.clone(), link.key.clone(), to)) {
            Some(records) => Ok(records),
            None => Err(Missing::Backlink { form: form.clone(), link: link.key.clone(), to }),
        }
    }

    fn found(&self, find: &Find) -> Result<Option<Vec<RowView<'_>>>, Missing> {
        let Some(found) = self.found_of(find) else { return Err(Missing::Found(find.clone())) };
        let Some(ids) = found else { return Ok(None) };
        let rows = ids.iter().map(|id| self.record(&find.form, *id));
        Ok(Some(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?))
    }
}

/// Names whose values are neither fields nor the environment's own: settings, variables, outputs, inputs, columns.
pub trait Names {
    /// The value; nothing where the name is not in scope, which is a defect (the checker has let none through).
    fn value(&self, name: &Name) -> Option<Value>;

    /// A business calendar of the pack.
    fn calendar(&self, _key: &str) -> Option<&Calendar> {
        None
    }

    /// `rng`: a number from 0 to `below` − 1, always the same for the same seed, row and place in the expression.
    fn random(&self, _place: i64, _below: i64) -> Option<i64> {
        None
    }

    /// `ref`: the link to the k-th generated record of a form, or to the one with that natural key.
    fn reference(&self, _form: &str, _which: &Value) -> Option<Value> {
        None
    }
}

/// A pack knows its settings.
impl Names for Pack {
    fn value(&self, name: &Name) -> Option<Value> {
        match name {
            Name::Setting(key) => self.settings().get(key).map(|(_, value)| value.clone()),
            _ => None,
        }
    }

    fn calendar(&self, key: &str) -> Option<&Calendar> {
        self.calendars().get(key).map(|calendar| &**calendar)
    }
}

/// No names and no records: for expressions over constants and one row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Names for Nothing {
    fn value(&self, _name: &Name) -> Option<Value> {
        None
    }
}

impl Records for Nothing {
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<RowView<'_>>, Missing> {
        Err(Missing::Record { form: form.clone(), id })
    }

    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<&[Arc<Record>], Missing> {
        Err(Missing::Backlink { form: link.table.form.clone(), link: link.key.clone(), to })
    }
}
