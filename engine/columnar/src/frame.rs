//! A form in memory: columns of all records as of a change, and the records changed since.
//!
//! ```text
//! scan ─► base (columns, immutable) ◄── current columns = live rows of the base ∪ changed records
//!         changed: id → record, or gone ┘        compacted into a new base when it has grown
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::DateTime;
use formwork_core::Record;
use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::Form;
use formwork_model::{Key, Value};
use formwork_report::Fault;
use polars::prelude::{BooleanChunked, Column, DataFrame, NewChunkedArray, Series};
use uuid::Uuid;

use crate::column::id_units;
use crate::engine;
use crate::layout::{ColumnLayout, ID, Layout};

/// Changed records are compacted beyond this number, or beyond an eighth of the base where that is more.
const CHANGED_MAX: usize = 4_096;
/// Bytes a changed record is taken to need, beside its columns' share.
const CHANGED_BYTES: usize = 512;

/// The records of a form, in columns. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Frame {
    form: Arc<Form>,
    layout: Arc<Layout>,
    base: Arc<Base>,
    changed: Arc<HashMap<Uuid, Option<Record>>>,
}

/// An immutable copy.
#[derive(Debug)]
struct Base {
    columns: DataFrame,
    position: HashMap<Uuid, usize>,
    /// Child rows of the records that have any, by field.
    rows: HashMap<Uuid, Vec<(usize, Value)>>,
}

impl Frame {
    /// The frame of these stored records.
    ///
    /// # Errors
    /// [`Fault::Engine`], [`Fault::Overflow`] for values the form cannot hold.
    pub fn new(form: Arc<Form>, records: &[Record]) -> Result<Self, Fault> {
        let layout = Arc::new(Layout::new(&form));
        let base = Arc::new(Base::new(&layout, records)?);
        Ok(Self { form, layout, base, changed: Arc::default() })
    }

    /// Applies changes: a record as it is now, or that it is gone.
    ///
    /// # Errors
    /// As [`Frame::new`], when it compacts.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = (Uuid, Option<Record>)>) -> Result<(), Fault> {
        Arc::make_mut(&mut self.changed).extend(changes);
        if self.changed.len() > CHANGED_MAX.max(self.base.columns.height() / 8) {
            *self = Self::new(self.form.clone(), &self.records()?)?;
        }
        Ok(())
    }

    /// The form's key.
    pub fn form(&self) -> &Key {
        &self.form.key
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let columns = self.base.columns.estimated_size();
        columns + self.base.position.len() * 48 + self.base.rows.len() * 256 + self.changed.len() * CHANGED_BYTES
    }

    /// How many records there are.
    pub fn height(&self) -> usize {
        self.ids().count()
    }

    /// The stored record.
    ///
    /// # Errors
    /// [`Fault::Engine`].
    pub fn record(&self, id: Uuid) -> Result<Option<Record>, Fault> {
        match (self.changed.get(&id), self.base.position.get(&id)) {
            (Some(changed), _) => Ok(changed.clone()),
            (None, Some(position)) => self.base.record(&self.layout, id, *position).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// All records as they are stored.
    ///
    /// # Errors
    /// [`Fault::Engine`].
    pub fn records(&self) -> Result<Vec<Record>, Fault> {
        self.ids().filter_map(|id| self.record(id).transpose()).collect()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// These columns of all current records, and their ids.
    pub(crate) fn current(&self, names: &[String]) -> Result<DataFrame, Fault> {
        let wanted = || std::iter::once(ID).chain(names.iter().map(String::as_str).filter(|name| *name != ID));
        let base = self.base.columns.select(wanted()).map_err(engine)?;
        if self.changed.is_empty() {
            return Ok(base);
        }
        let ids = base.column(ID).map_err(engine)?.i128().map_err(engine)?;
        let changed: HashSet<i128> = self.changed.keys().copied().map(id_units).collect();
        let live = ids.iter().map(|id| Some(id.is_some_and(|id| !changed.contains(&id))));
        let live = BooleanChunked::from_iter_options("live".into(), live);
        let mut current = base.filter(&live).map_err(engine)?;
        let records: Vec<&Record> = self.changed.values().flatten().collect();
        let layouts: Vec<&ColumnLayout> =
            wanted().filter_map(|name| self.layout.columns.iter().find(|column| column.name == name)).collect();
        let fresh = encode(layouts.into_iter(), &records)?;
        current.vstack_mut(&fresh).map_err(engine)?;
        Ok(current)
    }

    /// The values of one column for these records, null where there is no record: a to-one look-up, which cannot
    /// multiply rows.
    pub(crate) fn gather(&self, column: &ColumnLayout, ids: &[Option<Uuid>], name: &str) -> Result<Series, Fault> {
        let held = self.base.columns.column(&column.name).map_err(engine)?.as_materialized_series();
        let value = |id: &Option<Uuid>| match id {
            None => Ok(Value::Null),
            Some(id) => match (self.changed.get(id), self.base.position.get(id)) {
                (Some(Some(record)), _) => Ok(record.get(column.slot)),
                (None, Some(position)) => column.held.value(held, *position, column.decimal),
                _ => Ok(Value::Null),
            },
        };
        let values = ids.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        column.held.column(name, values.iter())
    }

    /// The records whose field holds that id.
    pub(crate) fn linked(&self, column: &ColumnLayout, to: Uuid) -> Result<Vec<Record>, Fault> {
        let held = self.base.columns.column(&column.name).map_err(engine)?.as_materialized_series();
        let ids = self.base.columns.column(ID).map_err(engine)?.as_materialized_series();
        let (links, ids) = (held.i128().map_err(engine)?, ids.i128().map_err(engine)?);
        let wanted = id_units(to);
        let places = links.iter().enumerate().filter(|(_, link)| *link == Some(wanted));
        let unchanged = places.filter_map(|(place, _)| Some((place, crate::column::id_of_units(ids.get(place)?))));
        let mut found = Vec::new();
        for (place, id) in unchanged.filter(|(_, id)| !self.changed.contains_key(id)) {
            found.push(self.base.record(&self.layout, id, place)?);
        }
        let changed = self.changed.values().flatten().filter(|record| record.get(column.slot).as_id() == Some(to));
        found.extend(changed.cloned());
        Ok(found)
    }

    /// The rows of a table of clocks that are of these records: their first field leads there.
    pub(crate) fn linked_from(&self, to: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
        let Some(column) = self.layout.column(Slot::Field(0)) else { return Ok(Vec::new()) };
        let wanted: HashSet<i128> = to.iter().copied().map(id_units).collect();
        let held = self.base.columns.column(&column.name).map_err(engine)?.as_materialized_series();
        let ids = self.base.columns.column(ID).map_err(engine)?.as_materialized_series();
        let rows = held.i128().map_err(engine)?.iter().zip(ids.i128().map_err(engine)?.iter());
        let of_base = rows.filter(|(link, _)| link.is_some_and(|link| wanted.contains(&link)));
        let mut found: HashSet<Uuid> = of_base.filter_map(|(_, id)| id.map(crate::column::id_of_units)).collect();
        let changed =
            self.changed.iter().filter_map(|(id, record)| Some((id, record.as_ref()?.get(column.slot).as_id()?)));
        found.extend(changed.filter(|(_, link)| wanted.contains(&id_units(*link))).map(|(id, _)| *id));
        Ok(found.into_iter().collect())
    }

    fn ids(&self) -> impl Iterator<Item = Uuid> {
        let base = self.base.position.keys().filter(|id| !self.changed.contains_key(*id)).copied();
        base.chain(self.changed.iter().filter(|(_, record)| record.is_some()).map(|(id, _)| *id))
    }
}

impl Base {
    fn new(layout: &Layout, records: &[Record]) -> Result<Self, Fault> {
        let borrowed: Vec<&Record> = records.iter().collect();
        let columns = encode(layout.columns.iter(), &borrowed)?;
        let position = records.iter().enumerate().map(|(place, record)| (record.id, place)).collect();
        let held = |record: &Record| {
            let filled = layout.tables.iter().filter(|table| !record.values[**table].rows().is_empty());
            filled.map(|table| (*table, record.values[*table].clone())).collect::<Vec<_>>()
        };
        let rows =
            records.iter().map(|record| (record.id, held(record))).filter(|(_, rows)| !rows.is_empty()).collect();
        Ok(Self { columns, position, rows })
    }

    fn record(&self, layout: &Layout, id: Uuid, position: usize) -> Result<Record, Fault> {
        let mut record = Record {
            id,
            version: 0,
            created_at: DateTime::UNIX_EPOCH,
            created_by: None,
            updated_at: DateTime::UNIX_EPOCH,
            updated_by: None,
            values: vec![Value::Null; layout.field_count],
        };
        for (column, held) in layout.columns.iter().zip(self.columns.columns()) {
            let value = column.held.value(held.as_materialized_series(), position, column.decimal)?;
            Layout::set(&mut record, column.slot, value);
        }
        for table in &layout.tables {
            record.values[*table] = Value::Rows(Vec::new());
        }
        for (table, rows) in self.rows.get(&id).into_iter().flatten() {
            record.values[*table] = rows.clone();
        }
        Ok(record)
    }
}

/// Records as columns, in the order of the layouts.
fn encode<'a>(layouts: impl Iterator<Item = &'a ColumnLayout>, records: &[&Record]) -> Result<DataFrame, Fault> {
    let column = |layout: &ColumnLayout| {
        let values: Vec<Value> = records.iter().map(|record| record.get(layout.slot)).collect();
        layout.held.column(&layout.name, values.iter()).map(Column::from)
    };
    let columns = layouts.map(column).collect::<Result<Vec<_>, _>>()?;
    DataFrame::new(records.len(), columns).map_err(engine)
}
