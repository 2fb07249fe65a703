//! What must be unique: among the records of the form, and among the rows of one record.

use formwork_model::pack::form::{Field, FieldKind, Unique};
use formwork_model::value::Row;
use formwork_model::{Key, Value};

use super::session::Session;
use crate::Stop;
use crate::facts::Need;
use crate::rejection::FieldError;

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
            Some(Some(other)) if other != self.record.id => Ok(Some(self.not_unique(&unique.fields))),
            Some(_) => Ok(None),
        }
    }

    fn not_unique(&self, positions: &[usize]) -> FieldError {
        let language = &self.context.viewer.language;
        let fields: Vec<&Field> = positions.iter().map(|position| &self.form.fields[*position]).collect();
        let labels: Vec<&str> = fields.iter().map(|field| field.label.get(language)).collect();
        let separator = if language.starts_with("zh") { "、" } else { ", " };
        FieldError {
            code: "unique".to_owned(),
            pointer: format!("/{}", fields[0].key),
            message: crate::messages::message(language, "unique", &labels.join(separator), ""),
            hint: None,
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
