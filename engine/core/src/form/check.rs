//! The rules on the final state of a record: visibility and what it clears, then everything a visible field must hold.

use std::collections::HashMap;

use uuid::Uuid;

use formwork_model::Value;
use formwork_model::pack::form::{Field, FieldKind, Level, WhenHidden};
use formwork_model::value::Row;

use super::session::{Session, empty};
use crate::Stop;
use crate::eval::RowView;
use crate::rejection::FieldError;
use crate::scene::Scene;
use crate::wire::limits;

/// Clearing a hidden field may hide another; a chain longer than this is cut.
const ROUNDS_MAX: usize = 16;

/// Which fields are visible.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// By position.
    pub fields: Vec<bool>,
    /// By row and position in the row.
    pub rows: HashMap<Uuid, Vec<bool>>,
}

impl Shown {
    /// Whether a field of a row is visible.
    pub(crate) fn row_field(&self, row: Uuid, place: usize) -> bool {
        self.rows.get(&row).is_none_or(|fields| fields.get(place).copied().unwrap_or(true))
    }
}

/// Whether the `transitions` of a choice allow what it becomes.
fn allows(field: &Field, before: Option<&Value>, to: Option<&str>) -> bool {
    let FieldKind::Choice { transitions: Some(transitions), .. } = &field.kind else { return true };
    let Some(Value::Text(from)) = before else { return true };
    to == Some(from) || transitions.get(from.as_str()).is_some_and(|into| into.iter().any(|key| Some(&**key) == to))
}

impl Session<'_> {
    /// Whether a choice may become this option from what is stored.
    pub(super) fn may_become(&self, field: &Field, option: &str) -> bool {
        let place = self.form.field(&field.key).map(|(position, _)| position);
        let before = place.and_then(|position| self.old?.values.get(position));
        allows(field, before, Some(option))
    }

    /// Derives, hides, clears, and checks the final state; every error there is.
    ///
    /// While facts are missing (see [`Session::take_needs`]) the errors mean nothing.
    pub(crate) fn check(&mut self) -> Result<Vec<FieldError>, Stop> {
        self.derive()?;
        let shown = self.hide_and_clear()?;
        let mut errors = self.errors.clone();
        errors.extend(self.overflows.iter().cloned());
        let form = self.form;
        for (position, field) in form.fields.iter().enumerate() {
            if shown.fields[position] && !self.refused.contains(&position) {
                let found = self.check_field(position, field, &shown)?;
                errors.extend(found);
            }
        }
        // Over values that could not be taken, rules would say nonsense.
        if self.errors.is_empty() {
            errors.extend(self.check_rules(&shown)?);
            errors.extend(self.check_uniques()?);
        }
        Ok(errors.into_iter().map(|error| self.told(error)).collect())
    }

    /// Which fields are visible, after hidden ones were cleared and derived values followed.
    pub(crate) fn hide_and_clear(&mut self) -> Result<Shown, Stop> {
        let mut shown = self.shown()?;
        for _ in 0..ROUNDS_MAX {
            if !self.clear(&shown) {
                break;
            }
            self.derive()?;
            shown = self.shown()?;
        }
        Ok(shown)
    }

    fn shown(&mut self) -> Result<Shown, Stop> {
        let form = self.form;
        let mut shown = Shown::default();
        for (position, field) in form.fields.iter().enumerate() {
            let visible = self.holds_or(field.visible_if.as_ref(), None, true)?;
            shown.fields.push(visible);
            let conditional = field.kind.rows().iter().any(|child| child.visible_if.is_some());
            if !conditional {
                continue;
            }
            for row in self.record.values[position].rows().to_vec() {
                let mut visible = Vec::new();
                for child in field.kind.rows() {
                    visible.push(self.holds_or(child.visible_if.as_ref(), Some(&row), true)?);
                }
                shown.rows.insert(row.id, visible);
            }
        }
        Ok(shown)
    }

    /// Whether a condition holds over the record, or over a row of it; `otherwise` where there is none.
    pub(super) fn holds_or(
        &mut self,
        condition: Option<&formwork_model::expr::Expr>,
        row: Option<&Row>,
        otherwise: bool,
    ) -> Result<bool, Stop> {
        let Some(condition) = condition else { return Ok(otherwise) };
        let result = match row {
            None => self.scene().holds(condition),
            Some(row) => {
                Scene::new(self.context, vec![RowView::from(row), RowView::from(&self.record)]).holds(condition)
            }
        };
        Ok(self.gather(result)?.unwrap_or(false))
    }

    /// Empties what is hidden; whether anything changed.
    fn clear(&mut self, shown: &Shown) -> bool {
        let form = self.form;
        let mut changed = false;
        for (position, field) in form.fields.iter().enumerate() {
            let clears = |field: &Field| field.when_hidden == WhenHidden::Clear && !field.is_derived();
            let value = &mut self.record.values[position];
            if !shown.fields[position] && clears(field) {
                changed |= *value != empty(field);
                *value = empty(field);
            } else if let Value::Rows(rows) = value {
                for row in rows {
                    for (place, child) in field.kind.rows().iter().enumerate() {
                        if !shown.row_field(row.id, place) && clears(child) && !row.values[place].is_null() {
                            row.values[place] = Value::Null;
                            changed = true;
                        }
                    }
                }
            }
        }
        changed
    }

    fn check_field(&mut self, position: usize, field: &Field, shown: &Shown) -> Result<Vec<FieldError>, Stop> {
        let value = self.record.values[position].clone();
        let pointer = format!("/{}", field.key);
        let is_empty = value.is_null() || matches!(&value, Value::Rows(rows) if rows.is_empty());
        let mut errors = Vec::new();
        let before = self.old.and_then(|old| old.values.get(position));
        errors.extend(self.check_transition(field, before, &value, pointer.clone()));
        if is_empty {
            if self.is_required(field, None)? {
                errors.push(self.error(field, pointer, "required"));
            }
            return Ok(errors);
        }
        if !field.is_derived()
            && let Some(misfit) = limits(field, &value)
        {
            errors.push(self.misfit(field, pointer.clone(), &misfit));
        }
        let changed = self.is_changed(position);
        errors.extend(self.check_link(field, &value, None, changed, pointer)?);
        if let FieldKind::Table { fields, .. } = &field.kind {
            errors.extend(self.repeated_rows(field, value.rows()));
            for row in value.rows() {
                errors.extend(self.check_row(position, field, fields, row, shown)?);
            }
        }
        Ok(errors)
    }

    fn check_row(
        &mut self,
        position: usize,
        table: &Field,
        fields: &[Field],
        row: &Row,
        shown: &Shown,
    ) -> Result<Vec<FieldError>, Stop> {
        let stored = self.old.and_then(|old| old.values[position].rows().iter().find(|stored| stored.id == row.id));
        let stored = stored.cloned();
        let mut errors = Vec::new();
        for (place, field) in fields.iter().enumerate() {
            if !shown.row_field(row.id, place) || self.refused_cells.contains(&(row.id, place)) {
                continue;
            }
            let value = &row.values[place];
            let pointer = self.row_pointer(table, row.id, Some(field));
            let before = stored.as_ref().and_then(|stored| stored.values.get(place));
            errors.extend(self.check_transition(field, before, value, pointer.clone()));
            if value.is_null() {
                if self.is_required(field, Some(row))? {
                    errors.push(self.error(field, pointer, "required"));
                }
                continue;
            }
            if !field.is_derived()
                && let Some(misfit) = limits(field, value)
            {
                errors.push(self.misfit(field, pointer.clone(), &misfit));
            }
            let changed = stored.as_ref().is_none_or(|stored| stored.values[place] != *value);
            errors.extend(self.check_link(field, value, Some(row), changed, pointer)?);
        }
        Ok(errors)
    }

    /// A stored option may have become only what its `transitions` name. What a stimulus passes through on its way is
    /// not asked: the stored value and the final one are compared.
    fn check_transition(
        &self,
        field: &Field,
        before: Option<&Value>,
        value: &Value,
        pointer: String,
    ) -> Option<FieldError> {
        let FieldKind::Choice { options, .. } = &field.kind else { return None };
        let to = value.as_text();
        if allows(field, before, to) {
            return None;
        }
        let language = &self.context.viewer.language;
        let wanted = to.and_then(|key| options.get(key)).map(|option| option.label.get(language));
        Some(self.error_with(field, pointer, "transition", "transition", wanted.unwrap_or_default()))
    }

    /// Whether a visible field must hold a value. What follows from other values cannot be asked of anybody.
    pub(super) fn is_required(&mut self, field: &Field, row: Option<&Row>) -> Result<bool, Stop> {
        if field.is_derived() {
            return Ok(false);
        }
        Ok(field.required || self.holds_or(field.required_if.as_ref(), row, false)?)
    }

    /// Rules that do not hold; those said at a hidden field are not asked.
    fn check_rules(&mut self, shown: &Shown) -> Result<Vec<FieldError>, Stop> {
        let form = self.form;
        let mut errors = Vec::new();
        for (key, rule) in &form.rules {
            let place = rule.at.as_ref().and_then(|at| form.field(at)).map(|(position, _)| position);
            if place.is_some_and(|position| !shown.fields[position]) {
                continue;
            }
            let holds = match self.scene().holds(&rule.check) {
                // Numbers beyond what can be computed are no values the rule allows.
                Err(Stop::Overflow(_)) => Some(false),
                Err(Stop::TooMany(too_many)) => {
                    let at = place.map(|place| format!("/{}", form.fields[place].key));
                    errors.push(self.found_too_many(at.unwrap_or_default(), &too_many));
                    continue;
                }
                result => self.gather(result)?,
            };
            if holds == Some(false) {
                // The sentence is the author's; where it stands is told only to those who may know of the place.
                let known =
                    |place: &usize| self.levels.as_ref().is_none_or(|levels| levels.field(*place) > Level::None);
                let at = place.filter(known).map(|place| format!("/{}", form.fields[place].key));
                errors.push(FieldError {
                    code: key.to_string(),
                    pointer: at.unwrap_or_default(),
                    message: rule.message.get(&self.context.viewer.language).to_owned(),
                    hint: None,
                });
            }
        }
        Ok(errors)
    }
}
