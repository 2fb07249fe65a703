//! Child rows as callers write them: a list in order (rows with an `id` are those known, the rest are new, rows left out
//! go), or a map by row id (a merge patch: null removes a row, names that are no ids are new rows).

use std::collections::HashSet;

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::Value;
use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::value::Row;

use super::incoming::escaped;
use super::session::{Session, new_row};
use crate::Stop;
use crate::access::Levels;
use crate::eval::RowView;
use crate::ids::Ids;
use crate::rejection::FieldError;
use crate::scene::Scene;
use crate::wire::{Misfit, fitted};

/// A submitted row: its name in the body, its id, its values; none removes it.
struct Submitted<'j> {
    name: String,
    id: Option<&'j str>,
    values: Option<&'j Map<String, Json>>,
}

impl Session<'_> {
    /// The rows of a child table after the submission.
    pub(super) fn take_rows(
        &mut self,
        position: usize,
        fields: &[Field],
        json: &Json,
        levels: Option<&Levels>,
        ids: &mut Ids,
    ) -> Result<Result<Value, FieldError>, Stop> {
        let form = self.form;
        let table = &form.fields[position];
        let pointer = format!("/{}", table.key);
        let Some((submitted, is_whole)) = submitted(json) else {
            return Ok(Err(self.misfit(table, pointer, &Misfit::new("wrong_type", table.kind.name()))));
        };
        let FieldKind::Table { max_rows, .. } = &table.kind else {
            return Err(Stop::Fault(format!("`{}` is no table", table.key)));
        };
        if submitted.len() > *max_rows as usize {
            return Ok(Err(self.misfit(table, pointer, &Misfit::new("too_many_rows", max_rows))));
        }
        let known = self.record.values[position].rows().to_vec();
        let mut rows = if is_whole { Vec::new() } else { known.clone() };
        let mut seen = HashSet::new();
        for one in submitted {
            let id = one.id.and_then(|id| id.parse::<Uuid>().ok());
            let found = id.and_then(|id| known.iter().find(|row| row.id == id));
            // In a map, a name that is no id is a new row of the caller's; an id is that of a row, or of none.
            let names_a_row = if is_whole { one.id.is_some() } else { id.is_some() };
            let is_strange = names_a_row && found.is_none() && self.old.is_some();
            let Some(values) = one.values.filter(|_| !is_strange) else {
                if is_strange {
                    let error = self.error(table, format!("{pointer}/{}/id", escaped(&one.name)), "unknown_row");
                    self.errors.push(error);
                }
                rows.retain(|row| found.is_none_or(|found| found.id != row.id));
                continue;
            };
            if found.is_some_and(|row| !seen.insert(row.id)) {
                let error = self.error(table, format!("{pointer}/{}/id", one.name), "unknown_row");
                self.errors.push(error);
                continue;
            }
            let mut row = found.cloned().unwrap_or_else(|| new_row(fields, ids));
            self.row_names.insert(row.id, escaped(&one.name));
            self.take_row(table, position, fields, &mut row, values, levels, found.is_none())?;
            match rows.iter_mut().find(|known| known.id == row.id) {
                Some(known) => *known = row,
                None => rows.push(row),
            }
        }
        Ok(Ok(Value::Rows(rows)))
    }

    #[expect(clippy::too_many_arguments, reason = "a row, its place and what may be written in it")]
    fn take_row(
        &mut self,
        table: &Field,
        position: usize,
        fields: &[Field],
        row: &mut Row,
        values: &Map<String, Json>,
        levels: Option<&Levels>,
        is_new: bool,
    ) -> Result<(), Stop> {
        for (key, json) in values.iter().filter(|(key, _)| *key != "id") {
            let name = self.row_names.get(&row.id).cloned().unwrap_or_default();
            let pointer = format!("/{}/{name}/{}", table.key, escaped(key));
            let Some(place) = fields.iter().position(|field| *field.key == **key) else {
                let error = self.unknown(key, &pointer);
                self.errors.push(error);
                continue;
            };
            let field = &fields[place];
            let level = levels.map_or(Level::Write, |levels| levels.row_field(position, place));
            let refused = match level {
                Level::None => Some(self.unknown(key, &pointer)),
                _ if field.is_derived() => {
                    Some(self.error_with(field, pointer.clone(), "not_writable", "computed", ""))
                }
                Level::Mask => Some(self.error_with(field, pointer.clone(), "not_writable", "masked", "")),
                Level::Read => Some(self.error(field, pointer.clone(), "not_writable")),
                Level::Write
                    if levels.is_some() && (field.read_only || self.is_row_read_only(field, row, is_new)?) =>
                {
                    Some(self.error_with(field, pointer.clone(), "not_writable", "read_only", ""))
                }
                Level::Write => None,
            };
            match refused {
                Some(error) => self.errors.push(error),
                None => match self.read(field, json, pointer)? {
                    Ok(value) => row.values[place] = value,
                    Err(error) => {
                        self.errors.push(error);
                        self.refused_cells.insert((row.id, place));
                    }
                },
            }
        }
        if is_new {
            self.default_row(fields, row, values)?;
        }
        Ok(())
    }

    fn is_row_read_only(&mut self, field: &Field, row: &Row, is_new: bool) -> Result<bool, Stop> {
        let Some(condition) = field.read_only_if.as_ref().filter(|_| !is_new) else { return Ok(false) };
        let scene = Scene::new(self.context, vec![RowView::from(row), RowView::from(self.old.unwrap_or(&self.record))]);
        let result = scene.holds(condition);
        Ok(self.gather(result)?.unwrap_or(false))
    }

    fn default_row(&mut self, fields: &[Field], row: &mut Row, mentioned: &Map<String, Json>) -> Result<(), Stop> {
        for (place, field) in fields.iter().enumerate() {
            let Some(default) = field.default.as_ref().filter(|_| !mentioned.contains_key(&*field.key)) else {
                continue;
            };
            let scene = Scene::new(self.context, vec![RowView::from(&*row), RowView::from(&self.record)]);
            let result = scene.setting(default);
            if let Some(value) = self.gather(result)? {
                row.values[place] = fitted(value, field.ty()).unwrap_or_default();
            }
        }
        Ok(())
    }
}

/// The rows in the body, and whether they are all there are.
fn submitted(json: &Json) -> Option<(Vec<Submitted<'_>>, bool)> {
    match json {
        Json::Null => Some((Vec::new(), true)),
        Json::Array(rows) => {
            let rows = rows.iter().enumerate().map(|(index, row)| {
                let values = row.as_object()?;
                Some(Submitted {
                    name: index.to_string(),
                    id: values.get("id").and_then(Json::as_str),
                    values: Some(values),
                })
            });
            Some((rows.collect::<Option<_>>()?, true))
        }
        Json::Object(rows) => {
            let rows = rows.iter().map(|(name, row)| match row {
                Json::Null => Some(Submitted { name: name.clone(), id: Some(name), values: None }),
                Json::Object(values) => Some(Submitted { name: name.clone(), id: Some(name), values: Some(values) }),
                _ => None,
            });
            Some((rows.collect::<Option<_>>()?, false))
        }
        _ => None,
    }
}
