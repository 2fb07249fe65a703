//! What must be unique: among the records of the form, and among the rows of one record.

use std::sync::Arc;

use formwork_model::pack::form::{Field, FieldKind, Form, Level, Unique};
use formwork_model::value::Row;
use formwork_model::{Key, Pack, Value};

use super::session::{Session, invalid};
use crate::Stop;
use crate::access::{Levels, Projection};
use crate::facts::Need;
use crate::messages::message;
use crate::rejection::{FieldError, Rejection};
use crate::viewer::Viewer;

impl Session<'_> {
    /// Uniques of the form that another record breaks.
    pub(super) fn check_uniques(&mut self) -> Result<Vec<FieldError>, Stop> {
        let form = self.form;
        let natural = Unique { fields: form.natural_key.clone(), filter: None };
        let uniques = form.uniques.iter().map(|(key, unique)| (Some(key), unique));
        let mut errors = Vec::new();
        for (key, unique) in
            uniques.chain([(None, &natural)].into_iter().filter(|(_, unique)| !unique.fields.is_empty()))
        {
            if let Some(error) = self.check_unique(key, unique)? {
                errors.push(error);
            }
        }
        Ok(errors)
    }

    fn check_unique(&mut self, key: Option<&Key>, unique: &Unique) -> Result<Option<FieldError>, Stop> {
        let may_break = unique.filter.is_some() || unique.fields.iter().any(|position| self.is_changed(*position));
        let values: Vec<Value> = unique.fields.iter().map(|position| self.record.values[*position].clone()).collect();
        // Nulls are distinct.
        if !may_break || values.iter().any(Value::is_null) {
            return Ok(None);
        }
        if let Some(filter) = &unique.filter {
            let result = self.scene().holds(filter);
            if self.gather(result)? != Some(true) {
                return Ok(None);
            }
        }
        let need = Need::Unique {
            form: self.form.key.clone(),
            fields: unique.fields.clone(),
            values,
            unique: key.filter(|_| unique.filter.is_some()).cloned(),
        };
        match self.context.facts.unique(&need) {
            None => {
                self.needs.push(need);
                Ok(None)
            }
            Some(Some(other)) if other != self.record.id => {
                let language = &self.context.viewer.language;
                Ok(Some(repeated(self.form, &unique.fields, self.levels.as_ref(), language)))
            }
            Some(_) => Ok(None),
        }
    }

    /// Rows that repeat what must be unique among them.
    pub(super) fn repeated_rows(&self, table: &Field, rows: &[Row]) -> Vec<FieldError> {
        let FieldKind::Table { uniques, fields, .. } = &table.kind else { return Vec::new() };
        let mut errors = Vec::new();
        for positions in uniques.values() {
            let of = |row: &Row| -> Option<Vec<Value>> {
                let values: Vec<Value> = positions.iter().map(|place| row.values[*place].clone()).collect();
                values.iter().all(|value| !value.is_null()).then_some(values)
            };
            for (index, row) in rows.iter().enumerate() {
                let repeats =
                    of(row).is_some_and(|values| rows[..index].iter().any(|other| of(other).as_ref() == Some(&values)));
                if repeats {
                    let field = &fields[positions[0]];
                    errors.push(self.error(field, self.row_pointer(table, row.id, Some(field)), "unique"));
                }
            }
        }
        errors
    }
}

/// What a viewer is told who files what another record holds already; the fields by position.
pub fn not_unique(pack: &Arc<Pack>, form: &Key, positions: &[usize], viewer: &Viewer) -> Rejection {
    let projection = Projection::new(pack, form, viewer, None);
    let error = repeated(projection.form(), positions, Some(projection.levels()), &viewer.language);
    invalid(&viewer.language, vec![error])
}

/// Names the fields that the viewer may know of, and stands at the first of them.
fn repeated(form: &Form, positions: &[usize], levels: Option<&Levels>, language: &str) -> FieldError {
    let known = |position: &&usize| levels.is_none_or(|levels| levels.field(**position) > Level::None);
    let fields: Vec<&Field> = positions.iter().filter(known).map(|position| &form.fields[*position]).collect();
    let labels: Vec<&str> = fields.iter().map(|field| field.label.get(language)).collect();
    let separator = if language.starts_with("zh") { "、" } else { ", " };
    let sentence = if fields.is_empty() { "hidden" } else { "unique" };
    FieldError {
        code: "unique".to_owned(),
        pointer: fields.first().map(|field| format!("/{}", field.key)).unwrap_or_default(),
        message: message(language, sentence, &labels.join(separator), ""),
        hint: None,
    }
}
