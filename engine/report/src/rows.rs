//! Expressions on records, row by row: the reference interpreter, and what an executor does where its engine cannot.
//!
//! Fields without a column are computed when a record is first touched. Two records may need each other's computed
//! fields, so completeness has levels: [`virtuals`] puts these fields in one order across forms, a record at level `k` has
//! the first `k` of them, and computing the `k`-th only touches records at level `k`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use formwork_core::eval::{Environment, EvalError, Missing, Records, RowView, evaluate};
use formwork_core::{Record, Viewer};
use formwork_model::expr::Ir;
use formwork_model::expr::ir::FieldRef;
use formwork_model::{Key, Pack, Value};
use uuid::Uuid;

use crate::fault::Fault;
use crate::scale;
use crate::virtuals::{Virtual, virtuals};

/// Where stored records come from. Fields without a column hold null.
pub trait Source {
    /// The record, if there is one.
    ///
    /// # Errors
    /// [`Fault::NotLoaded`].
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<Record>, Fault>;

    /// The records of `link`'s form whose field `link` holds that record.
    ///
    /// # Errors
    /// [`Fault::NotLoaded`].
    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<Vec<Record>, Fault>;
}

/// Evaluates expressions on records of a source, at one instant, for one viewer.
pub struct Rows<'a> {
    pack: &'a Pack,
    viewer: &'a Viewer,
    as_of: DateTime<Utc>,
    source: &'a dyn Source,
    virtuals: Vec<Virtual>,
    touched: RefCell<Touched>,
}

/// Records touched so far.
#[derive(Default)]
struct Touched {
    records: HashMap<(Key, Uuid), Leveled<Option<Arc<Record>>>>,
    backlinks: HashMap<(FieldRef, Uuid), Leveled<Vec<Arc<Record>>>>,
}

/// Something complete up to a level.
struct Leveled<T> {
    level: usize,
    held: T,
}

impl<'a> Rows<'a> {
    /// `expressions` are those that will be evaluated: only the fields they read are computed.
    pub fn new<'b>(
        pack: &'a Pack,
        viewer: &'a Viewer,
        as_of: DateTime<Utc>,
        source: &'a dyn Source,
        expressions: impl Iterator<Item = &'b Ir>,
    ) -> Self {
        let virtuals = virtuals(pack, expressions);
        Self { pack, viewer, as_of, source, virtuals, touched: RefCell::default() }
    }

    /// The stored record of a form with its computed fields.
    ///
    /// # Errors
    /// [`Fault::Evaluation`], [`Fault::NotLoaded`].
    pub fn completed(&self, form: &Key, record: Record) -> Result<Record, Fault> {
        self.raised(form, record, 0, self.virtuals.len())
    }

    /// The value of an expression over a completed record.
    ///
    /// # Errors
    /// [`Fault::Evaluation`], [`Fault::NotLoaded`].
    pub fn value(&self, ir: &Ir, record: &Record) -> Result<Value, Fault> {
        self.at_level(ir, &[RowView::from(record)], self.virtuals.len())
    }

    /// The same expression with every part that reads no row replaced by its value.
    ///
    /// # Errors
    /// [`Fault::Evaluation`].
    pub fn bound(&self, ir: &Ir) -> Result<Ir, Fault> {
        let touched = self.touched.borrow();
        let view = View { touched: &touched, level: 0 };
        formwork_core::eval::bind(ir, &self.environment(&view)).map_err(fault)
    }

    fn environment<'b>(&'b self, records: &'b dyn Records) -> Environment<'b> {
        Environment::new(self.as_of, *self.pack.timezone(), self.viewer, self.pack, records)
    }

    /// Evaluates with every record touched at least at that level; loads what is missing and starts again.
    fn at_level(&self, ir: &Ir, rows: &[RowView], level: usize) -> Result<Value, Fault> {
        loop {
            let found = {
                let touched = self.touched.borrow();
                let view = View { touched: &touched, level };
                evaluate(ir, &self.environment(&view).with_rows(rows))
            };
            match found {
                Ok(value) => return Ok(value),
                Err(EvalError::Missing(missing)) => {
                    missing.into_iter().try_for_each(|missing| self.load(missing, level))?;
                }
                Err(error) => return Err(fault(error)),
            }
        }
    }

    fn load(&self, missing: Missing, level: usize) -> Result<(), Fault> {
        match missing {
            Missing::Record { form, id } => {
                let stored = self.source.record(&form, id)?;
                let held = stored.map(|record| self.raised(&form, record, 0, level)).transpose()?.map(Arc::new);
                self.touched.borrow_mut().records.insert((form, id), Leveled { level, held });
            }
            Missing::Backlink { form, link, to } => {
                let link = self.link(&form, &link)?;
                let stored = self.source.backlink(&link, to)?;
                let raised = stored.into_iter().map(|record| self.raised(&form, record, 0, level).map(Arc::new));
                let held = raised.collect::<Result<_, _>>()?;
                self.touched.borrow_mut().backlinks.insert((link, to), Leveled { level, held });
            }
            // The checker lets no look-up into what is computed on reading.
            Missing::Found(find) => return Err(Fault::NotLoaded(find.form)),
        }
        Ok(())
    }

    /// The record with the computed fields from one level up to another.
    fn raised(&self, form: &Key, mut record: Record, from: usize, to: usize) -> Result<Record, Fault> {
        for (level, field) in self.virtuals.iter().enumerate().take(to).skip(from) {
            if field.table.form != *form {
                continue;
            }
            match &field.table.table {
                None => {
                    let value = self.at_level(&field.ir, &[RowView::from(&record)], level)?;
                    set(&mut record.values, field.position, scale::fitted(value, &field.ty)?);
                }
                Some(table) => self.raise_rows(field, table, &mut record, level)?,
            }
        }
        Ok(record)
    }

    /// The same for a field of the child rows: the row is frame 0, the record frame 1.
    fn raise_rows(&self, field: &Virtual, table: &Key, record: &mut Record, level: usize) -> Result<(), Fault> {
        let Some((position, _)) = self.pack.form(&field.table.form).field(table) else { return Ok(()) };
        let mut rows = record.values.get(position).map(Value::rows).unwrap_or_default().to_vec();
        for row in &mut rows {
            let value = self.at_level(&field.ir, &[RowView::from(&*row), RowView::from(&*record)], level)?;
            set(&mut row.values, field.position, scale::fitted(value, &field.ty)?);
        }
        set(&mut record.values, position, Value::Rows(rows));
        Ok(())
    }

    fn link(&self, form: &Key, link: &Key) -> Result<FieldRef, Fault> {
        let found = self.pack.forms().get(form).and_then(|of| of.field(link));
        let (index, _) = found.ok_or_else(|| Fault::NotLoaded(form.clone()))?;
        let table = formwork_model::expr::TableRef::form(form);
        Ok(FieldRef { table, key: link.clone(), slot: formwork_model::expr::ir::Slot::Field(index) })
    }
}

/// The records touched, as far as they are complete enough.
struct View<'a> {
    touched: &'a Touched,
    level: usize,
}

impl Records for View<'_> {
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<RowView<'_>>, Missing> {
        match self.touched.records.get(&(form.clone(), id)) {
            Some(found) if found.level >= self.level => Ok(found.held.as_deref().map(RowView::from)),
            _ => Err(Missing::Record { form: form.clone(), id }),
        }
    }

    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<&[Arc<Record>], Missing> {
        match self.touched.backlinks.get(&(link.clone(), to)) {
            Some(found) if found.level >= self.level => Ok(&found.held),
            _ => Err(Missing::Backlink { form: link.table.form.clone(), link: link.key.clone(), to }),
        }
    }
}

fn set(values: &mut Vec<Value>, position: usize, value: Value) {
    if values.len() <= position {
        values.resize(position + 1, Value::Null);
    }
    values[position] = value;
}

fn fault(error: EvalError) -> Fault {
    match error {
        EvalError::Overflow => Fault::Overflow,
        other => Fault::Evaluation(format!("{other:?}")),
    }
}
