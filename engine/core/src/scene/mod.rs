//! What an expression stands in: the facts at hand, seen through a pack, and the rows around it.
//!
//! Records are offered complete: computed fields without a column and live look-ups are filled in when they are first
//! asked for. A running instance is pinned to an older pack whose fields may stand in another order; then every record
//! is laid out as that pack has it.

mod completed;
mod relaid;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use uuid::Uuid;

use formwork_model::expr::ir::{FieldRef, InstanceAttribute, Name, Slot, StepAttribute};
use formwork_model::expr::{Expr, Ir, TableRef, references};
use formwork_model::pack::Setting;
use formwork_model::pack::calendar::Calendar;
use formwork_model::pack::form::{FieldKind, Form};
use formwork_model::{Key, Pack, Value};

use crate::Stop;
use crate::access::{and, bound_for, row_condition, within_rights};
use crate::eval::{Environment, Find, Missing, Names, Records, RowView, evaluate, evaluate_expr};
use crate::facts::{Facts, Need, UserFacts};
use crate::form::completed;
use crate::instance::Instance;
use crate::record::Record;
use crate::viewer::Viewer;

pub(crate) use completed::Completed;
use relaid::relaid;

/// Derived values that follow derived values of other records, at most so deep.
const DEPTH_MAX: u8 = 8;

/// What is known, at one instant, to one viewer.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The pack whose expressions are evaluated.
    pub pack: &'a Arc<Pack>,
    /// The pack the records are of, where that is another one.
    pub stored_as: Option<&'a Arc<Pack>>,
    /// What was loaded.
    pub facts: &'a Facts,
    /// Now.
    pub at: DateTime<Utc>,
    /// Who acts or looks.
    pub viewer: &'a Viewer,
    /// Records completed so far.
    pub completed: &'a Completed,
    /// Whether other records are offered only where the viewer reads them.
    pub is_shown: bool,
    /// A record that is being made: no stored one can link to it.
    pub fresh: Option<Uuid>,
}

impl<'a> Context<'a> {
    /// A context of the running pack.
    pub(crate) fn new(
        pack: &'a Arc<Pack>,
        facts: &'a Facts,
        at: DateTime<Utc>,
        viewer: &'a Viewer,
        completed: &'a Completed,
    ) -> Self {
        Self { pack, stored_as: None, facts, at, viewer, completed, is_shown: false, fresh: None }
    }

    /// The same as it may be shown: links lead nowhere where the viewer does not read the record, and what follows from
    /// it is null; backlinks name only records the viewer reads. For answers, never for deciding.
    pub(crate) fn as_shown(self) -> Self {
        Context { is_shown: true, ..self }
    }

    /// The same with everything there is: for conditions of the pack.
    pub(crate) fn as_it_is(self) -> Self {
        Context { is_shown: false, ..self }
    }

    /// The same for another viewer.
    pub(crate) fn for_viewer<'b>(self, viewer: &'b Viewer) -> Context<'b>
    where
        'a: 'b,
    {
        Context { viewer, ..self }
    }

    /// A record with all its derived values; none if there is no such record.
    pub(crate) fn record(&self, form: &Key, id: Uuid) -> Result<Option<&'a Record>, Stop> {
        self.complete_record(form, id).map_err(|missing| Stop::Need(vec![missing.into()]))
    }

    /// The record as it is stored; none if there is no such record.
    pub(crate) fn stored(&self, form: &Key, id: Uuid) -> Result<Option<&'a Record>, Stop> {
        match self.facts.records.get(&(form.clone(), id)) {
            Some(record) => Ok(record.as_deref()),
            None => Err(Stop::Need(vec![Need::Record(form.clone(), id)])),
        }
    }

    /// A user; none if there is no such user.
    pub(crate) fn user(&self, id: Uuid) -> Result<Option<&'a UserFacts>, Stop> {
        match self.facts.users.get(&id) {
            Some(user) => Ok(user.as_ref()),
            None => Err(Stop::Need(vec![Need::User(id)])),
        }
    }

    /// The name of a team; none if there is none of this key.
    pub(crate) fn team(&self, key: &Key) -> Result<Option<&'a String>, Stop> {
        match self.facts.teams.get(key) {
            Some(name) => Ok(name.as_ref()),
            None => Err(Stop::Need(vec![Need::Team(key.clone())])),
        }
    }

    fn complete_record(&self, form: &Key, id: Uuid) -> Result<Option<&'a Record>, Missing> {
        let Some(found) = self.facts.records.get(&(form.clone(), id)) else {
            return Err(Missing::Record { form: form.clone(), id });
        };
        let Some(record) = found.as_deref() else { return Ok(None) };
        let Some(shape) = self.pack.forms().get(form) else { return Ok(None) };
        if self.is_shown && !self.is_readable(shape, record)? {
            return Ok(None);
        }
        let kept = self.kept();
        let has_derived = shape.fields.iter().any(|field| !field.is_stored() && !is_backlink(&field.kind));
        if !has_derived && self.stored_as.is_none() {
            return Ok(Some(record));
        }
        if let Some(known) = kept.find(form, id) {
            return Ok(Some(known));
        }
        let record = self.laid_out(shape, record);
        if kept.depth.get() >= DEPTH_MAX {
            return Ok(Some(kept.keep(form, record)));
        }
        kept.depth.set(kept.depth.get() + 1);
        let full = completed(*self, shape, &record);
        kept.depth.set(kept.depth.get() - 1);
        match full {
            Ok(full) => Ok(Some(kept.keep(form, full))),
            Err(Stop::Need(needs)) => {
                Err(needs.into_iter().find_map(missing).unwrap_or(Missing::Record { form: form.clone(), id }))
            }
            // A derived value that cannot be computed is null to others.
            Err(_) => Ok(Some(kept.keep(form, record))),
        }
    }

    /// The record as far as these expressions over it need it: as it is stored where they read nothing that is derived,
    /// which spares what derived values would have to be loaded for.
    pub(crate) fn record_to_read(&self, form: &Key, id: Uuid, read: &[&Ir]) -> Result<Option<&'a Record>, Stop> {
        let is_plain = |ir: &&Ir| {
            let read = references(ir);
            read.iter()
                .all(|found| found.field.table.form != *form || self.is_plain(&found.field.table, found.field.slot))
        };
        match read.iter().all(is_plain) && self.is_as_stored() {
            true => self.stored(form, id),
            false => self.record(form, id),
        }
    }

    /// The same where that one value is read.
    pub(crate) fn record_with(&self, form: &Key, id: Uuid, slot: Slot) -> Result<Option<&'a Record>, Stop> {
        match self.is_as_stored() && self.is_plain(&TableRef::form(form), slot) {
            true => self.stored(form, id),
            false => self.record(form, id),
        }
    }

    /// Whether records are offered as they are stored, beside their derived values.
    fn is_as_stored(&self) -> bool {
        self.stored_as.is_none() && !self.is_shown
    }

    /// Whether the field has the same value in the record as it is stored.
    fn is_plain(&self, table: &TableRef, slot: Slot) -> bool {
        let Slot::Field(position) = slot else { return true };
        let found = self.pack.forms().get(&table.form).and_then(|form| form.fields.get(position));
        table.table.is_none()
            && found.is_some_and(|found| found.is_stored() && !matches!(found.kind, FieldKind::Table { .. }))
    }

    fn kept(&self) -> &'a Completed {
        if self.is_shown { self.completed.shown() } else { self.completed }
    }

    /// Whether the viewer's row condition holds for a record as it is stored.
    fn is_readable(&self, shape: &Form, record: &Record) -> Result<bool, Missing> {
        let condition = match row_condition(shape, self.viewer) {
            Ir::Literal(value) => return Ok(value.is_true()),
            condition => condition,
        };
        let whole = self.as_it_is();
        let full = completed(whole, shape, &whole.laid_out(shape, record));
        match full.and_then(|full| Scene::over(whole, &full).holds_ir(&condition)) {
            Ok(holds) => Ok(holds),
            Err(Stop::Need(needs)) => {
                let again = Missing::Record { form: shape.key.clone(), id: record.id };
                Err(needs.into_iter().find_map(missing).unwrap_or(again))
            }
            // A condition that cannot be computed lets nobody in.
            Err(_) => Ok(false),
        }
    }

    /// The record in the layout of [`Context::pack`].
    pub(crate) fn laid_out(&self, shape: &Form, record: &Record) -> Record {
        let stored_form = self.stored_as.and_then(|pack| pack.forms().get(&shape.key));
        let Some(stored_form) = stored_form else { return record.clone() };
        let value = |key: &str| {
            let position = stored_form.field(key).map(|(position, _)| position);
            position.and_then(|position| record.values.get(position)).cloned().unwrap_or_default()
        };
        let values = shape
            .fields
            .iter()
            .map(|field| match (&field.kind, stored_form.field(&field.key)) {
                (FieldKind::Table { fields, .. }, Some((_, stored))) => {
                    rows_laid_out(&value(&field.key), stored.kind.rows(), fields)
                }
                _ => value(&field.key),
            })
            .collect();
        Record { values, ..*record }
    }
}

fn rows_laid_out(
    value: &Value,
    from: &[formwork_model::pack::form::Field],
    to: &[formwork_model::pack::form::Field],
) -> Value {
    let place = |key: &Key| from.iter().position(|field| field.key == *key);
    let places: Vec<Option<usize>> = to.iter().map(|field| place(&field.key)).collect();
    let rows = value.rows().iter().map(|row| {
        let values = places.iter().map(|place| place.and_then(|place| row.values.get(place)).cloned());
        formwork_model::value::Row { id: row.id, values: values.map(Option::unwrap_or_default).collect() }
    });
    Value::Rows(rows.collect())
}

fn is_backlink(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Backlink { .. })
}

fn missing(need: Need) -> Option<Missing> {
    match need {
        Need::Record(form, id) => Some(Missing::Record { form, id }),
        Need::Backlinks { form, link, to } => Some(Missing::Backlink { form, link, to }),
        _ => None,
    }
}

impl Records for Context<'_> {
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<RowView<'_>>, Missing> {
        Ok(self.complete_record(form, id)?.map(RowView::from))
    }

    fn record_for(&self, form: &Key, id: Uuid, field: &FieldRef) -> Result<Option<RowView<'_>>, Missing> {
        match self.is_as_stored() && self.is_plain(&field.table, field.slot) {
            true => Records::record(self.facts, form, id),
            false => Records::record(self, form, id),
        }
    }

    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<&[Arc<Record>], Missing> {
        if self.fresh == Some(to) {
            return Ok(&[]);
        }
        let found = self.facts.backlink(link, to)?;
        if self.stored_as.is_none() && !self.is_shown {
            return Ok(found);
        }
        if let Some(known) = self.kept().find_rows(link, to) {
            return Ok(known);
        }
        let Some(shape) = self.pack.forms().get(&link.table.form) else { return Ok(&[]) };
        let mut rows = Vec::with_capacity(found.len());
        for record in found {
            if !self.is_shown || self.is_readable(shape, record)? {
                rows.push(Arc::new(self.laid_out(shape, record)));
            }
        }
        Ok(self.kept().keep_rows(link, to, rows))
    }

    fn found(&self, find: &Find) -> Result<Option<Vec<RowView<'_>>>, Missing> {
        let asked = self.asked(find);
        let Some(found) = self.facts.found_of(&asked) else { return Err(Missing::Found(asked)) };
        let Some(ids) = found else { return Ok(None) };
        let rows = ids.iter().map(|id| Records::record(self, &find.form, *id));
        Ok(Some(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?))
    }
}

impl Context<'_> {
    /// The look-up as it is asked of the store: over the fields as they stand there, and where answers are shown, only
    /// into records the viewer reads.
    fn asked(&self, find: &Find) -> Find {
        let mut find = find.clone();
        if let Some(stored) = self.stored_as {
            find.condition = relaid(&find.condition, stored);
        }
        if self.is_shown {
            let condition = self.pack.forms().get(&find.form).map(|form| row_condition(form, self.viewer));
            let readable = within_rights(self.pack, self.viewer, &find.condition).ok().zip(condition);
            let readable =
                readable.and_then(|(wanted, rule)| bound_for(self.pack, self.viewer, self.at, &and(rule, wanted)).ok());
            // A condition that cannot be asked on the viewer's behalf shows nothing.
            find.condition = readable.unwrap_or(Ir::Literal(Value::Boolean(false)));
        }
        find
    }
}

/// The rows and names around an expression.
#[derive(Clone)]
pub(crate) struct Scene<'a> {
    context: Context<'a>,
    /// Innermost first.
    rows: Vec<RowView<'a>>,
    /// The stored record.
    pub old: Option<&'a Record>,
    /// The running workflow.
    pub instance: Option<&'a Instance>,
    /// What a message carries.
    pub event: Option<&'a IndexMap<Key, Value>>,
    /// Inputs of the decision.
    pub inputs: Option<&'a IndexMap<Key, Value>>,
    /// The input of the decision cell.
    pub cell: Option<&'a Value>,
}

impl<'a> Scene<'a> {
    /// A scene with these rows, innermost first.
    pub(crate) fn new(context: Context<'a>, rows: Vec<RowView<'a>>) -> Self {
        Self { context, rows, old: None, instance: None, event: None, inputs: None, cell: None }
    }

    /// A scene over one record.
    pub(crate) fn over(context: Context<'a>, record: &'a Record) -> Self {
        Self::new(context, vec![RowView::from(record)])
    }

    /// The value of an expression in its type.
    pub(crate) fn value(&self, expr: &Expr) -> Result<Value, Stop> {
        self.with(|environment| evaluate_expr(expr, environment).map_err(Stop::from))
    }

    /// Whether a condition holds; null is false.
    pub(crate) fn holds(&self, expr: &Expr) -> Result<bool, Stop> {
        Ok(self.value(expr)?.is_true())
    }

    /// Whether a condition that is no author's expression holds.
    pub(crate) fn holds_ir(&self, ir: &Ir) -> Result<bool, Stop> {
        Ok(self.value_ir(ir)?.is_true())
    }

    /// The value of a tree that is no author's expression.
    pub(crate) fn value_ir(&self, ir: &Ir) -> Result<Value, Stop> {
        self.with(|environment| evaluate(ir, environment).map_err(Stop::from))
    }

    /// The value of a definition.
    pub(crate) fn setting(&self, setting: &Setting) -> Result<Value, Stop> {
        match setting {
            Setting::Literal(value) => Ok(value.clone()),
            Setting::Expr(expr) => self.value(expr),
        }
    }

    fn with<T>(&self, run: impl FnOnce(&Environment<'_>) -> T) -> T {
        run(&Environment {
            now: self.context.at,
            zone: *self.context.pack.timezone(),
            viewer: self.context.viewer,
            rows: &self.rows,
            old: self.old.map(RowView::from),
            cell: self.cell,
            names: self,
            records: &self.context,
        })
    }
}

impl Names for Scene<'_> {
    fn value(&self, name: &Name) -> Option<Value> {
        match name {
            Name::Event(key) => Some(self.event?.get(key).cloned().unwrap_or_default()),
            Name::Input(key) => self.inputs?.get(key).cloned(),
            Name::Var(key) => Some(self.instance?.state.vars.get(key).cloned().unwrap_or_default()),
            Name::Instance(attribute) => {
                let instance = self.instance?;
                Some(match attribute {
                    InstanceAttribute::Id => Value::Text(instance.id.to_string()),
                    InstanceAttribute::Key => Value::Text(instance.key.clone()),
                    InstanceAttribute::StartedAt => Value::DateTime(instance.started_at),
                    InstanceAttribute::StartedBy => instance.started_by.map_or(Value::Null, Value::Id),
                })
            }
            Name::Step(step, attribute) => Some(step_value(self.instance?, step, *attribute)),
            Name::Output(step, output) => {
                let left = self.instance?.state.steps.get(step);
                Some(left.and_then(|left| left.outputs.get(output)).cloned().unwrap_or_default())
            }
            other => self.context.pack.value(other),
        }
    }

    /// Calendars are always the current ones.
    fn calendar(&self, key: &str) -> Option<&Calendar> {
        self.context.stored_as.unwrap_or(self.context.pack).calendar(key)
    }
}

fn step_value(instance: &Instance, step: &Key, attribute: StepAttribute) -> Value {
    let left = instance.state.steps.get(step);
    let instant = |at: Option<DateTime<Utc>>| at.map_or(Value::Null, Value::DateTime);
    match attribute {
        StepAttribute::Active => Value::Boolean(instance.state.tokens.iter().any(|token| token.step == *step)),
        StepAttribute::Count => Value::Integer(left.map_or(0, |left| left.count)),
        StepAttribute::EnteredAt => instant(left.and_then(|left| left.entered_at)),
        StepAttribute::LeftAt => instant(left.and_then(|left| left.left_at)),
        StepAttribute::Outcome => left.and_then(|left| left.outcome.clone()).map_or(Value::Null, Value::Text),
        StepAttribute::Actor => left.and_then(|left| left.actor).map_or(Value::Null, Value::Id),
    }
}
