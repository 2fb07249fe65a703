//! Names and values of a case.

use serde_json::Value as Json;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::case::Values;
use crate::documents::steps::StepOptions;
use crate::documents::{Kind, workflow};
use crate::expr::Type;
use crate::pack::form::{Field, FieldKind};
use crate::pack::workflow::{APPROVED, REJECTED};

use super::super::literal;
use super::super::load::Document;
use super::{ACTORS, Script};

impl<'c> Script<'c, '_> {
    /// A user of the case; `actors`: whether `public` and `system` would do, too.
    pub(super) fn user(&self, name: &str, at: &At, actors: bool) -> Option<Key> {
        if self.users.contains_key(name) || self.document.cut.contains(&format!("/given/users/{name}")) {
            return Some(name.into());
        }
        let actors = ACTORS.into_iter().filter(|_| actors);
        let known = self.users.keys().map(|user| &**user).chain(actors);
        self.context.unknown("FW0401", at, "user of the case", name, known);
        None
    }

    /// The form of a record known by now; nothing where that is wrong itself.
    pub(super) fn record(&self, name: &str, at: &At) -> Option<Option<&Key>> {
        match self.records.get(name) {
            Some(form) => Some(form.as_ref()),
            None => {
                // A record may be missing because what names it was wrong itself.
                let names = |cut: &String| ["/given/records", "/create", "/save"].iter().any(|part| cut.contains(part));
                if !self.document.cut.iter().any(names) {
                    let known = self.records.keys().map(|record| &**record);
                    self.context.unknown("FW0401", at, "record of the case", name, known);
                }
                None
            }
        }
    }

    /// Values of a record: known fields, literals of their types, links and users by name.
    pub(super) fn values(&self, fields: &[Field], values: &Values, at: &At) {
        for (name, value) in values {
            let at = at.key(name);
            match fields.iter().find(|field| *field.key == **name) {
                Some(field) => self.value(field, value, &at),
                None => self.unknown_field(fields, name, &at),
            }
        }
    }

    fn unknown_field(&self, fields: &[Field], name: &str, at: &At) {
        // A form that is wrong in parts says so itself.
        let is_cut = |document: &Document<crate::documents::form::Form>| !document.cut.is_empty();
        if !self.context.documents.forms.values().any(is_cut) {
            let known = fields.iter().map(|field| &*field.key);
            self.context.unknown("FW0401", at, "field", name, known);
        }
    }

    fn value(&self, field: &Field, value: &Json, at: &At) {
        match (field.ty(), value) {
            (_, Json::Null) => {}
            (Type::Link(form), Json::String(name)) => {
                let found = self.record(name, at).flatten();
                if let Some(other) = found.filter(|other| *other != form) {
                    let message = format!("`{}` links to `{form}`, `{name}` is of `{other}`", field.key);
                    self.context.error("FW0402", at, message);
                }
            }
            (Type::User, Json::String(name)) => {
                self.user(name, at, false);
            }
            (Type::Rows(_), Json::Array(rows)) => {
                let FieldKind::Table { fields, .. } = &field.kind else { return };
                for (index, row) in rows.iter().enumerate() {
                    match row {
                        Json::Object(row) => self.values(fields, row, &at.index(index)),
                        _ => self.context.error("FW0402", &at.index(index), "expected a row `{…}`"),
                    }
                }
            }
            (Type::Rows(_), _) => self.context.error("FW0402", at, format!("`{}` holds rows `[…]`", field.key)),
            (ty, value) => {
                if let Err(misfit) = literal::parse(value, ty, self.context.shapes) {
                    self.context.error_hint("FW0402", at, misfit.message, misfit.hint);
                }
            }
        }
    }

    /// What a viewer is expected to see in a field. It may be masked, so only words of a list are looked up.
    pub(super) fn seen(&self, fields: &[Field], name: &str, value: &Json, at: &At) {
        let Some(field) = fields.iter().find(|field| *field.key == *name) else {
            let is_system = name == "title" || crate::expr::ir::Slot::SYSTEM.contains(&name);
            if !is_system {
                self.unknown_field(fields, name, at);
            }
            return;
        };
        match field.ty() {
            Type::Choice(_) | Type::Queue | Type::Boolean | Type::Link(_) | Type::User => self.value(field, value, at),
            _ => {}
        }
    }

    /// Workflows for a form, or nothing where one cannot be read.
    pub(super) fn workflows_for(&self, form: &Key) -> Option<Vec<&'c Document<workflow::Workflow>>> {
        let documents = self.context.documents;
        let readable = !documents.broken.iter().any(|(kind, _)| *kind == Kind::Workflow);
        let found = documents.workflows.values().filter(|document| document.body.form.as_deref() == Some(&**form));
        let found: Vec<_> = found.collect();
        (readable && found.iter().all(|document| document.cut.is_empty())).then_some(found)
    }

    /// Checks the step of a task: one of a workflow for the form. What its outcomes are called.
    pub(super) fn task_step(&self, form: &Key, step: &str, at: &At) -> Option<Vec<&'c str>> {
        let workflows = self.workflows_for(form)?;
        let steps = workflows.iter().flat_map(|document| document.body.steps.iter());
        let tasks: Vec<_> = steps
            .filter_map(|(key, step)| match &step.options {
                StepOptions::User(user) => Some((key, user.outcomes.keys().map(String::as_str).collect::<Vec<_>>())),
                StepOptions::Approval(_) => Some((key, vec![APPROVED, REJECTED])),
                _ => None,
            })
            .collect();
        if !tasks.iter().any(|(key, _)| *key == step) {
            let known = tasks.iter().map(|(key, _)| key.as_str());
            self.context.unknown("FW0401", at, &format!("task of `{form}`"), step, known);
            return None;
        }
        Some(tasks.into_iter().filter(|(key, _)| *key == step).flat_map(|(_, outcomes)| outcomes).collect())
    }
}
