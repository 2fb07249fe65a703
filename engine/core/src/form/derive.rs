//! Values that follow from others: defaults, running numbers, look-ups and computed fields.

use chrono::Datelike;
use serde_json::{Map, Value as Json};

use formwork_model::expr::ir::Slot;
use formwork_model::expr::{Expr, Type};
use formwork_model::pack::Setting;
use formwork_model::pack::form::{Field, FieldKind, Form, SeriesPart, SeriesReset, Snapshot};
use formwork_model::{Key, Value};

use super::session::Session;
use crate::Stop;
use crate::eval::RowView;
use crate::facts::Need;
use crate::record::Record;
use crate::scene::{Context, Scene};
use crate::wire::fitted;

/// The stored record with the fields that have no column filled in.
pub(crate) fn completed(context: Context<'_>, form: &Form, record: &Record) -> Result<Record, Stop> {
    let mut full = record.clone();
    for &position in &form.compute_order {
        let field = &form.fields[position];
        if !field.is_stored() || matches!(field.kind, FieldKind::Table { .. }) {
            full.values[position] = derived(context, form, &full, position, |child| !child.is_stored())?;
        }
    }
    Ok(full)
}

/// The value of a derived field, from the others. `which` are the fields of child rows to compute.
fn derived(
    context: Context<'_>,
    form: &Form,
    record: &Record,
    position: usize,
    which: impl Fn(&Field) -> bool,
) -> Result<Value, Stop> {
    let field = &form.fields[position];
    match (&field.kind, &field.compute) {
        (FieldKind::Lookup { via, field, .. }, _) => linked_value(context, form, record, *via, field),
        (FieldKind::Table { fields, compute_order, .. }, _) => {
            let mut rows = record.values[position].rows().to_vec();
            for row in &mut rows {
                for &place in compute_order.iter().filter(|place| which(&fields[**place])) {
                    let Some(compute) = &fields[place].compute else { continue };
                    let scene = Scene::new(context, vec![RowView::from(&*row), RowView::from(record)]);
                    row.values[place] = computed(&scene, &compute.expr, fields[place].ty())?;
                }
            }
            Ok(Value::Rows(rows))
        }
        (_, Some(compute)) => computed(&Scene::over(context, record), &compute.expr, field.ty()),
        _ => Ok(record.values[position].clone()),
    }
}

fn computed(scene: &Scene<'_>, expr: &Expr, ty: &Type) -> Result<Value, Stop> {
    let value = scene.value(expr)?;
    fitted(value, ty).ok_or_else(|| Stop::Overflow(format!("`{}` is too large to be stored", expr.source)))
}

/// The value of a field of the record that a link field leads to; null where it leads nowhere.
fn linked_value(context: Context<'_>, form: &Form, record: &Record, via: usize, field: &Key) -> Result<Value, Stop> {
    let link = &form.fields[via];
    let (Some(id), Type::Link(to)) = (record.values[via].as_id(), link.ty()) else { return Ok(Value::Null) };
    let slot = match context.pack.form(to).field(field) {
        Some((position, _)) => Slot::Field(position),
        None => Slot::of_system(field, to).map_or(Slot::Id, |(slot, _)| slot),
    };
    Ok(context.record_with(to, id, slot)?.map(|other| other.get(slot)).unwrap_or_default())
}

impl Session<'_> {
    /// Gives fields that the caller did not mention the value of a new record. The constant ones come before what was
    /// submitted is looked at (conditions read them), the computed ones after it.
    pub(crate) fn apply_defaults(&mut self, mentioned: &Map<String, Json>, constant: bool) -> Result<(), Stop> {
        let form = self.form;
        for (position, field) in form.fields.iter().enumerate() {
            let Some(default) = &field.default else { continue };
            let is_constant = matches!(default, Setting::Literal(_));
            let is_mentioned = mentioned.contains_key(&*field.key);
            if is_mentioned || is_constant != constant || !self.record.values[position].is_null() {
                continue;
            }
            let value = match self.scene().setting(default) {
                Err(Stop::Overflow(_)) => None,
                Err(Stop::TooMany(too_many)) => {
                    let error = self.found_too_many(format!("/{}", field.key), &too_many);
                    self.errors.push(error);
                    continue;
                }
                result => match self.gather(result)? {
                    Some(value) => fitted(value, field.ty()),
                    None => continue,
                },
            };
            match value {
                Some(value) => self.record.values[position] = value,
                None => self.errors.push(self.error(field, format!("/{}", field.key), "overflow")),
            }
        }
        Ok(())
    }

    /// Draws the running numbers of a new record.
    pub(crate) fn draw_numbers(&mut self) {
        let form = self.form;
        for (position, field) in form.fields.iter().enumerate() {
            let FieldKind::Series { pattern, reset } = &field.kind else { continue };
            if self.old.is_some() || !self.record.values[position].is_null() {
                continue;
            }
            let today = self.context.at.with_timezone(self.context.pack.timezone()).date_naive();
            let period = match reset {
                SeriesReset::Never => String::new(),
                SeriesReset::Year => today.format("%Y").to_string(),
                SeriesReset::Month => today.format("%Y%m").to_string(),
                SeriesReset::Day => today.format("%Y%m%d").to_string(),
            };
            let key = (form.key.clone(), field.key.clone(), period);
            match self.context.facts.series.get(&key) {
                Some(number) => self.record.values[position] = Value::Text(series_text(pattern, today, *number)),
                None => self.needs.push(Need::Series { form: key.0, field: key.1, period: key.2 }),
            }
        }
    }

    /// Look-ups and computed fields follow the values as they are now.
    pub(crate) fn derive(&mut self) -> Result<(), Stop> {
        let form = self.form;
        self.complete_old()?;
        self.overflows.clear();
        for &position in &form.compute_order {
            let field = &form.fields[position];
            if !self.takes_anew(position) {
                continue;
            }
            let value = match derived(self.context, form, &self.record, position, |_| true) {
                Err(Stop::Overflow(_)) => {
                    let error = self.error(field, format!("/{}", field.key), "overflow");
                    self.overflows.push(error);
                    continue;
                }
                Err(Stop::TooMany(too_many)) => {
                    let error = self.found_too_many(format!("/{}", field.key), &too_many);
                    self.overflows.push(error);
                    continue;
                }
                other => self.gather(other)?,
            };
            if let Some(value) = value {
                self.record.values[position] = value;
            }
        }
        Ok(())
    }

    /// Whether a derived field takes a value now: snapshots keep theirs until their moment comes.
    fn takes_anew(&self, position: usize) -> bool {
        let FieldKind::Lookup { via, snapshot, .. } = &self.form.fields[position].kind else { return true };
        match snapshot {
            Snapshot::Live => true,
            Snapshot::OnChange => self.is_changed(*via),
            Snapshot::OnCreate => self.old.is_none_or(|old| old.values[*via].is_null() && self.is_changed(*via)),
        }
    }

    pub(super) fn complete_old(&mut self) -> Result<(), Stop> {
        if let (Some(old), None) = (self.old, &self.old_complete) {
            let result = completed(self.context, self.form, old);
            self.old_complete = self.gather(result)?;
        }
        Ok(())
    }
}

fn series_text(pattern: &[SeriesPart], today: chrono::NaiveDate, number: i64) -> String {
    let mut text = String::new();
    for part in pattern {
        match part {
            SeriesPart::Text(fixed) => text.push_str(fixed),
            SeriesPart::Year => text.push_str(&format!("{:04}", today.year())),
            SeriesPart::Month => text.push_str(&format!("{:02}", today.month())),
            SeriesPart::Day => text.push_str(&format!("{:02}", today.day())),
            SeriesPart::Sequence(digits) => text.push_str(&format!("{number:0width$}", width = usize::from(*digits))),
        }
    }
    text
}
