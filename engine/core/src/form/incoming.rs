//! What a caller submits, taken into the record: a merge patch (RFC 7396) within the levels of the viewer.

use serde_json::{Map, Value as Json};

use formwork_model::Value;
use formwork_model::expr::ir::Slot;
use formwork_model::pack::form::{Field, FieldKind, Level};

use super::session::Session;
use crate::Stop;
use crate::access::Levels;
use crate::eval::RowView;
use crate::ids::Ids;
use crate::rejection::FieldError;
use crate::scene::Scene;
use crate::wire::{Input, parse};

impl Session<'_> {
    /// Takes the submitted values; errors are kept, all of them. Without levels it is the engine that writes: it may
    /// write read-only fields and give running numbers, but no computed ones.
    pub(crate) fn take(
        &mut self,
        patch: &Map<String, Json>,
        levels: Option<&Levels>,
        ids: &mut Ids,
    ) -> Result<(), Stop> {
        let form = self.form;
        self.levels = levels.cloned();
        for (key, json) in patch {
            let pointer = format!("/{}", escaped(key));
            let Some((position, field)) = form.field(key) else {
                let error = self.unknown(key, &pointer);
                self.errors.push(error);
                continue;
            };
            let level = levels.map_or(Level::Write, |levels| levels.field(position));
            if let Some(error) = self.not_writable(field, &pointer, level, levels.is_none())? {
                self.errors.push(error);
                self.refused.insert(position);
                continue;
            }
            match &field.kind {
                FieldKind::Table { fields, .. } => {
                    let value = self.take_rows(position, fields, json, levels, ids)?;
                    self.put(position, value);
                }
                _ => {
                    let value = self.read(field, json, pointer)?;
                    self.put(position, value);
                }
            }
        }
        Ok(())
    }

    /// The value of a scalar field; links by natural key are looked up.
    pub(super) fn read(
        &mut self,
        field: &Field,
        json: &Json,
        pointer: String,
    ) -> Result<Result<Value, FieldError>, Stop> {
        Ok(match parse(self.context.pack, field, json) {
            Ok(Input::Value(value)) => Ok(value),
            Ok(Input::NaturalKey(key)) => {
                let result = self.find_by_natural_key(field, &key, &pointer);
                match self.gather(result)? {
                    Some(found) => found,
                    None => Ok(Value::Null),
                }
            }
            Err(misfit) => Err(self.misfit(field, pointer, &misfit)),
        })
    }

    fn put(&mut self, position: usize, value: Result<Value, FieldError>) {
        match value {
            Ok(value) => self.record.values[position] = value,
            Err(error) => {
                self.errors.push(error);
                self.refused.insert(position);
            }
        }
    }

    /// A key that is no field, or none this viewer may know of.
    pub(super) fn unknown(&self, key: &str, pointer: &str) -> FieldError {
        let is_system = Slot::of_system(key, &self.form.key).is_some();
        let code = if is_system { "not_writable" } else { "unknown_field" };
        let language = &self.context.viewer.language;
        let message = crate::messages::message(language, code, key, "");
        FieldError { code: code.to_owned(), pointer: pointer.to_owned(), message, hint: None }
    }

    /// Why the field may not be written, if it may not.
    fn not_writable(
        &mut self,
        field: &Field,
        pointer: &str,
        level: Level,
        is_engine: bool,
    ) -> Result<Option<FieldError>, Stop> {
        let numbered_by_engine = is_engine && matches!(field.kind, FieldKind::Series { .. });
        let sentence = match level {
            Level::None => return Ok(Some(self.unknown(&field.key, pointer))),
            Level::Mask => "masked",
            _ if field.is_derived() && !numbered_by_engine => "computed",
            Level::Read => "not_writable",
            Level::Write if !is_engine && field.read_only => "read_only",
            Level::Write if !is_engine && self.is_read_only_now(field)? => "read_only",
            Level::Write => return Ok(None),
        };
        Ok(Some(self.error_with(field, pointer.to_owned(), "not_writable", sentence, "")))
    }

    /// `readOnlyIf` is asked of the record as it was before: no patch can unlock its own fields.
    pub(super) fn is_read_only_now(&mut self, field: &Field) -> Result<bool, Stop> {
        let Some(condition) = &field.read_only_if else { return Ok(false) };
        self.complete_old()?;
        let record = self.old_complete.as_ref().unwrap_or(&self.record);
        let mut scene = Scene::new(self.context, vec![RowView::from(record)]);
        scene.old = self.old_complete.as_ref();
        let result = scene.holds(condition);
        Ok(self.gather(result)?.unwrap_or(false))
    }
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
