//! The rows a branch is working on: columns that shrink as rows are filtered, and the same rows as records where the
//! engine cannot evaluate an expression.

use std::cell::OnceCell;
use std::collections::HashMap;

use formwork_core::Record;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{FieldPath, FieldRef};
use formwork_model::{Key, Value};
use formwork_report::Fault;
use formwork_report::rows::Rows;
use polars::prelude::{BooleanChunked, Column, DataFrame, Expr, IntoLazy, NewChunkedArray, Series};
use uuid::Uuid;

use crate::column::{Held, id_of_units};
use crate::engine;
use crate::frame::Frame;
use crate::layout::{ID, name};

/// A column an expression may use.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) held: Held,
    pub(crate) decimal: bool,
}

/// The rows of a branch.
pub(crate) struct Working<'a> {
    frames: &'a HashMap<Key, Frame>,
    frame: &'a Frame,
    rows: &'a Rows<'a>,
    columns: DataFrame,
    /// Columns gathered over links, by path.
    gathered: HashMap<(Vec<FieldRef>, FieldRef), String>,
    /// The rows as records, made when they are first needed.
    records: OnceCell<Vec<Record>>,
}

impl<'a> Working<'a> {
    /// All records of a form, with these columns.
    pub(crate) fn new(
        frames: &'a HashMap<Key, Frame>,
        form: &Key,
        names: &[String],
        rows: &'a Rows<'a>,
    ) -> Result<Self, Fault> {
        let frame = frames.get(form).ok_or_else(|| Fault::NotLoaded(form.clone()))?;
        let columns = frame.current(names)?;
        Ok(Self { frames, frame, rows, columns, gathered: HashMap::new(), records: OnceCell::new() })
    }

    pub(crate) fn height(&self) -> usize {
        self.columns.height()
    }

    pub(crate) fn columns(&self) -> &DataFrame {
        &self.columns
    }

    /// The column of a field of the row itself or, over to-one links, of the record it leads to; none for a field
    /// without a column.
    pub(crate) fn column(&mut self, path: &FieldPath) -> Result<Option<Found>, Fault> {
        let Some((first, more)) = path.hops.split_first() else {
            let own = self.frame.layout().column(path.field.slot);
            return Ok(own.map(|own| Found { name: own.name.clone(), held: own.held, decimal: own.decimal }));
        };
        let target = |form: &Key| self.frames.get(form).ok_or_else(|| Fault::NotLoaded(form.clone()));
        let Some(last) = target(&path.field.table.form)?.layout().column(path.field.slot).cloned() else {
            return Ok(None);
        };
        let key = (path.hops.clone(), path.field.clone());
        if let Some(known) = self.gathered.get(&key) {
            return Ok(Some(Found { name: known.clone(), held: last.held, decimal: last.decimal }));
        }
        let mut ids = self.ids(&name(first.slot))?;
        for hop in more {
            let frame = target(&hop.table.form)?;
            let Some(link) = frame.layout().column(hop.slot) else { return Ok(None) };
            ids = ids_of(&frame.gather(link, &ids, "link")?)?;
        }
        let gathered = format!("over{}", self.gathered.len());
        let values = target(&path.field.table.form)?.gather(&last, &ids, &gathered)?;
        self.add(values)?;
        self.gathered.insert(key, gathered.clone());
        Ok(Some(Found { name: gathered, held: last.held, decimal: last.decimal }))
    }

    /// How many bits the largest number of a column needs, its sign apart.
    pub(crate) fn bits(&self, name: &str) -> Result<u32, Fault> {
        let column = self.columns.column(name).map_err(engine)?.as_materialized_series();
        let largest = column.i64().map_err(engine)?.iter().flatten().map(i64::unsigned_abs).max().unwrap_or(0);
        Ok(u64::BITS - largest.leading_zeros())
    }

    /// Adds a column.
    pub(crate) fn add(&mut self, values: Series) -> Result<(), Fault> {
        self.columns.with_column(Column::from(values)).map_err(engine)?;
        Ok(())
    }

    /// Adds computed columns.
    pub(crate) fn compute(&mut self, expressions: Vec<Expr>) -> Result<(), Fault> {
        if !expressions.is_empty() {
            self.columns =
                std::mem::take(&mut self.columns).lazy().with_columns(expressions).collect().map_err(engine)?;
        }
        Ok(())
    }

    /// Keeps the rows for which this is true.
    pub(crate) fn filter(&mut self, predicate: Expr) -> Result<(), Fault> {
        self.columns = std::mem::take(&mut self.columns).lazy().filter(predicate).collect().map_err(engine)?;
        self.records = OnceCell::new();
        Ok(())
    }

    /// Keeps the rows marked true.
    pub(crate) fn keep(&mut self, marked: impl Iterator<Item = bool>) -> Result<(), Fault> {
        let mask = BooleanChunked::from_iter_options("keep".into(), marked.map(Some));
        self.columns = self.columns.filter(&mask).map_err(engine)?;
        self.records = OnceCell::new();
        Ok(())
    }

    /// The value of an expression for each row, evaluated by the core.
    pub(crate) fn values(&self, ir: &Ir) -> Result<Vec<Value>, Fault> {
        self.records()?.iter().map(|record| self.rows.value(ir, record)).collect()
    }

    /// A column with this name, as one series.
    pub(crate) fn series(&self, name: &str) -> Result<&Series, Fault> {
        Ok(self.columns.column(name).map_err(engine)?.as_materialized_series())
    }

    /// The rows as records, computed fields filled in.
    fn records(&self) -> Result<&[Record], Fault> {
        if self.records.get().is_none() {
            let mut records = Vec::with_capacity(self.height());
            for id in self.ids(ID)?.into_iter().flatten() {
                let stored = self.frame.record(id)?.ok_or_else(|| Fault::Engine("a row has no record".to_owned()))?;
                records.push(self.rows.completed(self.frame.form(), stored)?);
            }
            // Empty before, or filled with the same.
            let _ = self.records.set(records);
        }
        Ok(self.records.get().map(Vec::as_slice).unwrap_or_default())
    }

    fn ids(&self, name: &str) -> Result<Vec<Option<Uuid>>, Fault> {
        ids_of(self.series(name)?)
    }
}

fn ids_of(column: &Series) -> Result<Vec<Option<Uuid>>, Fault> {
    Ok(column.i128().map_err(engine)?.iter().map(|id| id.map(id_of_units)).collect())
}
