//! Bodies: a record as one viewer sees it (api.md, bodies).

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::expr::ir::{BinaryOp, FieldPath, FieldRef, Root, Slot};
use formwork_model::expr::{Ir, TableRef, Type};
use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::value::Row;
use formwork_model::{Key, Value};

use super::options::newest;
use super::shapes::reads_link;
use super::{Levels, Projection, masked};
use crate::Stop;
use crate::facts::{Facts, Need};
use crate::form::{completed, gather};
use crate::record::Record;
use crate::scene::{Completed, Context, Scene};
use crate::wire::{instant_text, render};

/// Most records of a backlink that a body names.
const BACKLINKS_MAX: u32 = 50;

impl Projection {
    /// The body of a record the viewer reads: absent fields they may not know of, masked ones as masks, links with
    /// titles. `fields`: only these (and `id`, `version`); all where absent. Not found where they do not read the row.
    pub fn project(
        &self,
        record: &Record,
        fields: Option<&[String]>,
        at: DateTime<Utc>,
        facts: &Facts,
    ) -> Result<Json, Stop> {
        let kept = Completed::default();
        let context = Context::new(&self.pack, facts, at, &self.viewer, &kept);
        let mut presenter = Presenter::new(context);
        let body = presenter.body(self, record, fields, true)?;
        presenter.finish()?;
        Ok(Json::Object(body))
    }
}

/// Writes bodies for one viewer, and gathers the facts that lack while doing so.
pub(crate) struct Presenter<'a> {
    context: Context<'a>,
    needs: Vec<Need>,
    projections: HashMap<Key, Arc<Projection>>,
}

impl<'a> Presenter<'a> {
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self { context, needs: Vec::new(), projections: HashMap::new() }
    }

    /// For whom, when, and with which facts.
    pub(crate) fn context(&self) -> Context<'a> {
        self.context
    }

    /// Stops where facts were found missing.
    pub(crate) fn finish(self) -> Result<(), Stop> {
        if self.needs.is_empty() { Ok(()) } else { Err(Stop::Need(self.needs)) }
    }

    /// Notes that facts are missing and goes on; other stops end it.
    pub(crate) fn gather<T>(&mut self, result: Result<T, Stop>) -> Result<Option<T>, Stop> {
        gather(&mut self.needs, result)
    }

    /// The fields of a record, in the order of the form. `whole`: backlinks, too, where no fields are named.
    pub(crate) fn body(
        &mut self,
        projection: &Projection,
        record: &Record,
        fields: Option<&[String]>,
        whole: bool,
    ) -> Result<Map<String, Json>, Stop> {
        let form = projection.form().clone();
        let full = completed(self.context.as_shown(), &form, record);
        let full = self.gather(full)?;
        let record = full.as_ref().unwrap_or(record);
        let wanted = |key: &str| fields.is_none_or(|fields| fields.iter().any(|field| field == key));
        let mut body = Map::new();
        body.insert("id".into(), json!(record.id));
        body.insert("version".into(), json!(record.version));
        self.system_fields(record, &wanted, &mut body)?;
        for (position, field) in form.fields.iter().enumerate() {
            let named = fields.is_some() || whole || !matches!(field.kind, FieldKind::Backlink { .. });
            let level = projection.levels().field(position);
            if level == Level::None || !named || !wanted(&field.key) {
                continue;
            }
            let value = match &field.kind {
                FieldKind::Backlink { ty, link } => self.backlink(ty, link, record.id)?,
                FieldKind::Table { fields, .. } if level > Level::Mask => {
                    let rows = record.values[position].rows();
                    let rows = rows.iter().map(|row| self.row(projection.levels(), position, fields, row));
                    Json::Array(rows.collect::<Result<_, _>>()?)
                }
                _ => self.shown(field, &record.values[position], level)?,
            };
            body.insert(field.key.to_string(), value);
        }
        Ok(body)
    }

    /// A value at a level: masked, or with the titles of what it links to.
    pub(crate) fn shown(&mut self, field: &Field, value: &Value, level: Level) -> Result<Json, Stop> {
        if level == Level::Mask {
            return Ok(masked(value, field.ty(), field.mask));
        }
        match (field.ty(), value) {
            (Type::Link(form), Value::Id(id)) => self.link(form, *id),
            (Type::User, Value::Id(id)) => self.user(*id),
            (ty, value) => Ok(render(value, ty)),
        }
    }

    /// A link as callers read it: `{"id", "title"}`; the title is null where this viewer may not see it.
    pub(crate) fn link(&mut self, form: &Key, id: Uuid) -> Result<Json, Stop> {
        let title = self.title(form, id)?;
        Ok(json!({"id": id, "title": title}))
    }

    /// A user as callers read them: `{"id", "title"}`.
    pub(crate) fn user(&mut self, id: Uuid) -> Result<Json, Stop> {
        let result = self.context.user(id);
        let user = self.gather(result)?.flatten();
        Ok(json!({"id": id, "title": user.map(|user| user.name.clone())}))
    }

    /// The title of a record, if the viewer reads the record and all its title is made of.
    pub(crate) fn title(&mut self, form: &Key, id: Uuid) -> Result<Option<String>, Stop> {
        let result = self.context.as_shown().record(form, id);
        let Some(record) = self.gather(result)?.flatten() else { return Ok(None) };
        let projection = self.projection(form);
        self.own_title(&projection, record)
    }

    /// The title of a record that the viewer reads.
    fn own_title(&mut self, projection: &Projection, record: &Record) -> Result<Option<String>, Stop> {
        if projection.title() < Level::Read {
            return Ok(None);
        }
        let Some(title) = &projection.form().title else { return Ok(Some(record.id.to_string())) };
        let result = Scene::over(self.context.as_shown(), record).value(title);
        Ok(self.gather(result)?.and_then(|value| value.as_text().map(str::to_owned)))
    }

    /// The title of a record as it is stored, which the viewer reads.
    pub(crate) fn title_of_stored(&mut self, projection: &Projection, record: &Record) -> Result<Option<String>, Stop> {
        let full = completed(self.context.as_shown(), projection.form(), record);
        let full = self.gather(full)?;
        self.own_title(projection, full.as_ref().unwrap_or(record))
    }

    /// The viewer's projection of a form.
    pub(crate) fn projection(&mut self, form: &Key) -> Arc<Projection> {
        let context = self.context;
        let make = || Arc::new(Projection::new(context.pack, form, context.viewer, None));
        self.projections.entry(form.clone()).or_insert_with(make).clone()
    }

    fn system_fields(
        &mut self,
        record: &Record,
        wanted: &dyn Fn(&str) -> bool,
        body: &mut Map<String, Json>,
    ) -> Result<(), Stop> {
        for key in Slot::SYSTEM.iter().skip(2).filter(|key| wanted(key)) {
            let value = match *key {
                "created_at" => Json::String(instant_text(record.created_at)),
                "updated_at" => Json::String(instant_text(record.updated_at)),
                "created_by" => record.created_by.map_or(Ok(Json::Null), |id| self.user(id))?,
                _ => record.updated_by.map_or(Ok(Json::Null), |id| self.user(id))?,
            };
            body.insert((*key).to_owned(), value);
        }
        Ok(())
    }

    fn row(&mut self, levels: &Levels, position: usize, fields: &[Field], row: &Row) -> Result<Json, Stop> {
        let mut body = Map::new();
        body.insert("id".into(), json!(row.id));
        for (place, field) in fields.iter().enumerate() {
            let level = levels.row_field(position, place);
            if level > Level::None {
                let value = self.shown(field, &row.values[place], level)?;
                body.insert(field.key.to_string(), value);
            }
        }
        Ok(Json::Object(body))
    }

    /// The records that link here, as far as the viewer reads them and the link: newest first.
    fn backlink(&mut self, ty: &Type, link: &Key, to: Uuid) -> Result<Json, Stop> {
        let Type::Rows(table) = ty else { return Ok(Json::Null) };
        let form = &table.form;
        let projection = self.projection(form);
        if !reads_link(&projection, link) {
            return Ok(json!([]));
        }
        let Some((position, _)) = projection.form().field(link) else { return Ok(json!([])) };
        let place = FieldRef { table: TableRef::form(form), key: link.clone(), slot: Slot::Field(position) };
        let path = FieldPath { root: Root::Frame(0), hops: Vec::new(), field: place, ty: Type::Link(form.clone()) };
        let linked = Ir::Binary(BinaryOp::Equal, Box::new(Ir::Field(path)), Box::new(Ir::Literal(Value::Id(to))));
        let page = newest(self.context, &projection, linked, BACKLINKS_MAX);
        let Some(page) = self.gather(page)? else { return Ok(Json::Null) };
        let mut shown = Vec::new();
        for record in &page.records {
            let title = self.title_of_stored(&projection, record)?;
            shown.push(json!({"id": record.id, "title": title}));
        }
        Ok(Json::Array(shown))
    }
}
