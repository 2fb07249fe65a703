//! Links: found by natural key, there, visible to whoever sets them, and allowed by the field's `where`.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_model::expr::{Ir, Type};
use formwork_model::pack::form::{Field, FieldKind};
use formwork_model::value::Row;
use formwork_model::{Key, Value};

use super::incoming::escaped;
use super::session::Session;
use crate::Stop;
use crate::access::{Projection, row_condition};
use crate::eval::RowView;
use crate::facts::Need;
use crate::record::Record;
use crate::rejection::FieldError;
use crate::scene::Scene;
use crate::viewer::ViewerKind;

impl Session<'_> {
    /// The record of the other form with that natural key.
    pub(super) fn find_by_natural_key(
        &mut self,
        field: &Field,
        key: &Map<String, Json>,
        pointer: &str,
    ) -> Result<Result<Value, FieldError>, Stop> {
        let not_found = |session: &Self| Ok(Err(session.error(field, pointer.to_owned(), "not_found")));
        let Type::Link(to) = field.ty() else { return not_found(self) };
        let pack = self.context.pack;
        let form = pack.form(to);
        let is_whole = !form.natural_key.is_empty() && key.len() == form.natural_key.len();
        let mut values = Vec::with_capacity(form.natural_key.len());
        for &position in &form.natural_key {
            let part = &form.fields[position];
            let Some(json) = key.get(&*part.key).filter(|_| is_whole) else { return not_found(self) };
            match self.read(part, json, format!("{pointer}/key/{}", escaped(&part.key)))? {
                Ok(value) if !value.is_null() => values.push(value),
                Ok(_) => return not_found(self),
                Err(error) => return Ok(Err(error)),
            }
        }
        let need = Need::Unique { form: to.clone(), fields: form.natural_key.clone(), values, unique: None };
        match self.context.facts.unique(&need) {
            Some(Some(id)) => Ok(Ok(Value::Id(id))),
            Some(None) => not_found(self),
            None => Err(Stop::Need(vec![need])),
        }
    }

    /// Whether what a link or user field holds may stand there; `row` is the child row it is in, if any.
    pub(super) fn check_link(
        &mut self,
        field: &Field,
        value: &Value,
        row: Option<&Row>,
        is_changed: bool,
        pointer: String,
    ) -> Result<Option<FieldError>, Stop> {
        let Some(id) = value.as_id() else { return Ok(None) };
        match &field.kind {
            FieldKind::User if is_changed => {
                let result = self.context.user(id);
                let user = self.gather(result)?;
                let fits = user.is_none_or(|user| user.is_some_and(|user| user.active));
                Ok((!fits).then(|| self.error(field, pointer, "not_found")))
            }
            FieldKind::Link { ty: Type::Link(to), filter, .. } if is_changed || filter.is_some() => {
                let result = self.link_problem(to, id, filter.as_ref(), row, is_changed);
                let problem = self.gather(result)?.flatten();
                Ok(problem.map(|code| self.error(field, pointer, code)))
            }
            _ => Ok(None),
        }
    }

    fn link_problem(
        &self,
        to: &Key,
        id: Uuid,
        filter: Option<&formwork_model::expr::Expr>,
        row: Option<&Row>,
        is_changed: bool,
    ) -> Result<Option<&'static str>, Stop> {
        let condition = row_condition(self.context.pack.form(to), self.context.viewer);
        let read: Vec<&Ir> = filter.map(|filter| &filter.ir).into_iter().chain([&condition]).collect();
        let Some(candidate) = self.context.record_to_read(to, id, &read)? else { return Ok(Some("not_found")) };
        if is_changed && !self.may_know_of(to, candidate)? {
            return Ok(Some("not_found"));
        }
        let Some(filter) = filter else { return Ok(None) };
        let mut rows = vec![RowView::from(candidate)];
        rows.extend(row.map(RowView::from));
        rows.push(RowView::from(&self.record));
        let allowed = Scene::new(self.context, rows).holds(filter)?;
        Ok((!allowed).then_some("not_allowed"))
    }

    /// Nobody links to what they cannot read: the answer would tell that it exists.
    fn may_know_of(&self, form: &Key, record: &Record) -> Result<bool, Stop> {
        if self.context.viewer.kind == ViewerKind::System {
            return Ok(true);
        }
        Projection::new(self.context.pack, form, self.context.viewer, None).reads(self.context, record)
    }
}
