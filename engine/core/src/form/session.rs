//! A record being written: from its stored values to a checked change.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Value;
use formwork_model::pack::form::{Field, FieldKind, Form, Level};

use crate::Stop;
use crate::access::Levels;
use crate::change::RecordChange;
use crate::eval::TooMany;
use crate::facts::Need;
use crate::ids::Ids;
use crate::messages::{message, wanted};
use crate::record::Record;
use crate::rejection::{FieldError, Rejection, RejectionKind};
use crate::scene::{Context, Scene};
use crate::wire::Misfit;

/// A record being written. Missing facts and errors are gathered, so that one answer names all of them.
#[derive(Clone)]
pub(crate) struct Session<'a> {
    pub(super) context: Context<'a>,
    pub(super) form: &'a Arc<Form>,
    /// What is stored; none for a new record.
    pub(super) old: Option<&'a Record>,
    /// The record as it is now, fields without a column filled in.
    pub(super) record: Record,
    /// Errors in the values submitted.
    pub(super) errors: Vec<FieldError>,
    /// Fields whose submitted value could not be taken: `required` is not said of them as well.
    pub(super) refused: HashSet<usize>,
    /// Cells of rows whose submitted value could not be taken.
    pub(super) refused_cells: HashSet<(Uuid, usize)>,
    /// How rows are addressed in the submitted body, where not by their id.
    pub(super) row_names: HashMap<Uuid, String>,
    /// Facts found missing so far.
    pub(super) needs: Vec<Need>,
    /// Derived values that are out of range.
    pub(super) overflows: Vec<FieldError>,
    /// What the caller may know of; everything where the engine writes.
    pub(super) levels: Option<Levels>,
    /// [`Session::old`] with the fields that have no column filled in: what `old.x` reads.
    pub(super) old_complete: Option<Record>,
}

impl<'a> Session<'a> {
    /// A new record with that id, empty.
    pub(crate) fn create(context: Context<'a>, form: &'a Arc<Form>, id: Uuid) -> Self {
        let values = form.fields.iter().map(empty).collect();
        let record = Record {
            id,
            version: 1,
            created_at: context.at,
            created_by: context.viewer.user,
            updated_at: context.at,
            updated_by: context.viewer.user,
            values,
        };
        Self::over(context, form, None, record)
    }

    /// A stored record about to change.
    pub(crate) fn update(context: Context<'a>, form: &'a Arc<Form>, old: &'a Record) -> Self {
        let record = Record {
            version: old.version + 1,
            updated_at: context.at,
            updated_by: context.viewer.user,
            values: old.values.clone(),
            ..*old
        };
        Self::over(context, form, Some(old), record)
    }

    /// A new record that is one that was: it goes on from the version it was deleted at. What is wrong with it is told
    /// within these levels.
    pub(crate) fn restores(&mut self, version: i64, created: Option<(DateTime<Utc>, Option<Uuid>)>, levels: &Levels) {
        self.record.version = version + 1;
        if let Some((at, by)) = created {
            (self.record.created_at, self.record.created_by) = (at, by);
        }
        self.levels = Some(levels.clone());
    }

    fn over(context: Context<'a>, form: &'a Arc<Form>, old: Option<&'a Record>, record: Record) -> Self {
        Self {
            context,
            form,
            old,
            record,
            errors: Vec::new(),
            refused: HashSet::new(),
            refused_cells: HashSet::new(),
            row_names: HashMap::new(),
            needs: Vec::new(),
            overflows: Vec::new(),
            levels: None,
            old_complete: None,
        }
    }

    /// The record as it is now.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// What is stored; none for a new record.
    pub(crate) fn old(&self) -> Option<&'a Record> {
        self.old
    }

    /// Its form.
    pub(crate) fn form(&self) -> &'a Arc<Form> {
        self.form
    }

    /// Whether every submitted value could be taken; if not, nothing further is done with the record.
    pub(crate) fn was_understood(&self) -> bool {
        self.errors.is_empty()
    }

    /// Facts found missing so far.
    pub(crate) fn take_needs(&mut self) -> Vec<Need> {
        std::mem::take(&mut self.needs)
    }

    /// A workflow writes a field. Derived values do not follow before [`Session::derive`].
    pub(crate) fn assign(&mut self, position: usize, value: Value) {
        self.record.values[position] = value;
    }

    /// Whether a field's value differs from the stored one.
    pub(super) fn is_changed(&self, position: usize) -> bool {
        self.old.is_none_or(|old| old.values.get(position) != self.record.values.get(position))
    }

    /// The scene of an expression over the record.
    pub(super) fn scene(&self) -> Scene<'_> {
        let mut scene = Scene::over(self.context, &self.record);
        scene.old = self.old_complete.as_ref().or(self.old);
        scene
    }

    /// The change, once [`Session::check`] found no errors; none where nothing changed.
    pub(crate) fn change(&self) -> Option<RecordChange> {
        let mut after = self.record.clone();
        for (field, value) in self.form.fields.iter().zip(&mut after.values) {
            if !field.is_stored() {
                *value = Value::Null;
            }
        }
        if self.old.is_some_and(|old| old.values == after.values) {
            return None;
        }
        Some(RecordChange { form: self.form.key.clone(), before: self.old.cloned(), after: Some(after) })
    }

    /// Notes that facts are missing and goes on without the value; other stops end it.
    pub(super) fn gather<T>(&mut self, result: Result<T, Stop>) -> Result<Option<T>, Stop> {
        gather(&mut self.needs, result)
    }

    /// The words for a misfit of a field, at a pointer.
    pub(super) fn misfit(&self, field: &Field, pointer: String, misfit: &Misfit) -> FieldError {
        let language = &self.context.viewer.language;
        let limit = match misfit.code {
            "wrong_type" => wanted(language, &misfit.limit),
            _ => &misfit.limit,
        };
        self.error_with(field, pointer, misfit.code, misfit.code, limit)
    }

    /// An error at a field.
    pub(super) fn error(&self, field: &Field, pointer: String, code: &str) -> FieldError {
        self.error_with(field, pointer, code, code, "")
    }

    /// An error whose sentence is that of another word than its code.
    pub(super) fn error_with(
        &self,
        field: &Field,
        pointer: String,
        code: &str,
        sentence: &str,
        limit: &str,
    ) -> FieldError {
        let language = &self.context.viewer.language;
        let message = message(language, sentence, field.label.get(language), limit);
        FieldError { code: code.to_owned(), pointer, message, hint: None }
    }

    /// The error where a look-up found more than it may.
    pub(super) fn found_too_many(&self, pointer: String, too_many: &TooMany) -> FieldError {
        let message = too_many.told(self.context.pack, &self.context.viewer.language);
        FieldError { code: too_many.code().to_owned(), pointer, message, hint: None }
    }

    /// The error as the caller may hear it: of a field they may not know of, only that something does not hold.
    pub(super) fn told(&self, error: FieldError) -> FieldError {
        let Some(levels) = self.levels.as_ref().filter(|_| error.code != "unknown_field") else { return error };
        let mut parts = error.pointer.split('/').skip(1);
        let Some((position, field)) = parts.next().and_then(|key| self.form.field(key)) else { return error };
        let place = parts.nth(1).and_then(|key| field.kind.rows().iter().position(|child| *child.key == *key));
        let level = place.map_or_else(|| levels.field(position), |place| levels.row_field(position, place));
        if level > Level::None {
            return error;
        }
        let message = message(&self.context.viewer.language, "hidden", "", "");
        FieldError { pointer: String::new(), message, hint: None, ..error }
    }

    /// The pointer of a field of a row, as the caller addressed the row.
    pub(super) fn row_pointer(&self, table: &Field, row: Uuid, field: Option<&Field>) -> String {
        let name = self.row_names.get(&row).cloned().unwrap_or_else(|| row.to_string());
        match field {
            Some(field) => format!("/{}/{name}/{}", table.key, field.key),
            None => format!("/{}/{name}", table.key),
        }
    }
}

/// Notes that facts are missing and goes on without the value; other stops end it.
pub(crate) fn gather<T>(needs: &mut Vec<Need>, result: Result<T, Stop>) -> Result<Option<T>, Stop> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Need(more)) => {
            for need in more {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
            Ok(None)
        }
        Err(stop) => Err(stop),
    }
}

/// The refusal of values that are not valid.
pub(crate) fn invalid(language: &str, errors: Vec<FieldError>) -> Rejection {
    let mut rejection = Rejection::new(RejectionKind::Invalid, "FW1004", message(language, "invalid", "", ""));
    rejection.errors = errors;
    rejection
}

/// The value of a field that was never filled.
pub(super) fn empty(field: &Field) -> Value {
    match field.kind {
        FieldKind::Table { .. } => Value::Rows(Vec::new()),
        _ => Value::Null,
    }
}

/// A fresh row of a child table.
pub(super) fn new_row(fields: &[Field], ids: &mut Ids) -> formwork_model::value::Row {
    formwork_model::value::Row { id: ids.next(), values: fields.iter().map(empty).collect() }
}
