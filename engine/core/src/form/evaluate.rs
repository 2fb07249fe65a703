//! A form while it is filled in: the same session as on saving, answered field by field (ui.md §1.2).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::value::Row;
use formwork_model::{Key, Pack, Value};

use super::check::Shown;
use super::session::Session;
use crate::Stop;
use crate::access::{Presenter, Projection, TaskGrants, link_options};
use crate::facts::Facts;
use crate::ids::Ids;
use crate::record::Record;
use crate::rejection::FieldError;
use crate::scene::{Completed, Context};
use crate::viewer::Viewer;

/// What the form looks like with these values typed in: `{"fields": {"<pointer>": {"visible", "required", "readonly",
/// "value", "options", "errors"}}}`, for every field the viewer may know of; errors of the record as a whole stand at
/// the pointer `""`.
///
/// `stored`: the record that is edited; `task`: what its holder may do inside a task. Options of links are the first
/// records the viewer may choose.
#[expect(clippy::too_many_arguments, reason = "a form is filled in by somebody, somewhere, at some time")]
pub fn evaluate_form(
    pack: &Arc<Pack>,
    form: &Key,
    viewer: &Viewer,
    values: &Map<String, Json>,
    stored: Option<&Record>,
    task: Option<&TaskGrants>,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let kept = Completed::default();
    // What the answer follows from is what the viewer reads: nobody learns of a row by linking to it for a moment.
    let context = Context::new(pack, facts, at, viewer, &kept).as_shown();
    let projection = Projection::new(pack, form, viewer, task);
    let mut ids = Ids::new(at, 0);
    let mut session = match stored {
        Some(record) => Session::update(context, pack.form(form), record),
        None => Session::create(context, pack.form(form), Uuid::nil()),
    };
    if stored.is_none() {
        session.apply_defaults(values, true)?;
    }
    session.take(values, Some(projection.levels()), &mut ids)?;
    if stored.is_none() {
        session.apply_defaults(values, false)?;
    }
    let errors = session.check()?;
    let shown = session.hide_and_clear()?;
    let mut answer = Answer { presenter: Presenter::new(context), errors, fields: Map::new() };
    for (position, field) in pack.form(form).fields.iter().enumerate() {
        if projection.levels().field(position) > Level::None {
            answer.field(&mut session, &projection, position, field, &shown)?;
        }
    }
    let needs = session.take_needs();
    if !needs.is_empty() {
        answer.presenter.gather::<()>(Err(Stop::Need(needs)))?;
    }
    let Answer { presenter, errors, mut fields } = answer;
    presenter.finish()?;
    // What no field took: unknown keys, and rules over the whole record.
    for error in errors {
        let place = fields.entry(error.pointer.clone()).or_insert_with(|| json!({"errors": []}));
        if let Some(list) = place["errors"].as_array_mut() {
            list.push(json!(error));
        }
    }
    Ok(json!({"fields": fields}))
}

struct Answer<'a> {
    presenter: Presenter<'a>,
    errors: Vec<FieldError>,
    fields: Map<String, Json>,
}

impl Answer<'_> {
    fn field(
        &mut self,
        session: &mut Session<'_>,
        projection: &Projection,
        position: usize,
        field: &Field,
        shown: &Shown,
    ) -> Result<(), Stop> {
        let level = projection.levels().field(position);
        let visible = shown.fields[position];
        let value = session.record().values[position].clone();
        let pointer = format!("/{}", field.key);
        let state = self.state(session, field, &value, level, visible, None, &pointer)?;
        self.fields.insert(pointer, state);
        if let (FieldKind::Table { fields, .. }, true) = (&field.kind, visible) {
            for row in value.rows() {
                for (place, child) in fields.iter().enumerate() {
                    let level = projection.levels().row_field(position, place);
                    if level > Level::None {
                        let pointer = session.row_pointer(field, row.id, Some(child));
                        let visible = shown.row_field(row.id, place);
                        let value = &row.values[place];
                        let state = self.state(session, child, value, level, visible, Some(row), &pointer)?;
                        self.fields.insert(pointer, state);
                    }
                }
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a field of the record or of a row, with all that is known of it")]
    fn state(
        &mut self,
        session: &mut Session<'_>,
        field: &Field,
        value: &Value,
        level: Level,
        visible: bool,
        row: Option<&Row>,
        pointer: &str,
    ) -> Result<Json, Stop> {
        let errors: Vec<FieldError>;
        (errors, self.errors) =
            std::mem::take(&mut self.errors).into_iter().partition(|error| error.pointer == pointer);
        let is_locked = field.is_derived() || field.read_only || level < Level::Write;
        let readonly = is_locked || (row.is_none() && session.is_read_only_now(field)?);
        let required = visible && session.is_required(field, row)?;
        let shown = match (&field.kind, visible) {
            (_, false) => Json::Null,
            (FieldKind::Table { .. }, true) => Json::from(value.rows().len()),
            (FieldKind::Backlink { .. }, true) => Json::Null,
            (_, true) => self.presenter.shown(field, value, level)?,
        };
        let mut state = json!({
            "visible": visible,
            "required": required,
            "readonly": readonly,
            "value": shown,
            "errors": errors,
        });
        if visible
            && !readonly
            && let Some(options) = self.options(session, field, row)?
        {
            state["options"] = options;
        }
        Ok(state)
    }

    /// What may be chosen: `[{"value", "label"}]`; none where the field is no choice.
    fn options(&mut self, session: &Session<'_>, field: &Field, row: Option<&Row>) -> Result<Option<Json>, Stop> {
        let language = &session.context.viewer.language;
        let option = |key: &Key, label: &str| json!({"value": key, "label": label});
        Ok(match &field.kind {
            FieldKind::Choice { options, .. } => {
                let offered = options.iter().filter(|(key, _)| row.is_some() || session.may_become(field, key));
                let options = offered.map(|(key, choice)| option(key, choice.label.get(language)));
                Some(Json::Array(options.collect()))
            }
            FieldKind::Queue => {
                let queues = session.context.pack.queues().iter();
                Some(Json::Array(queues.map(|(key, queue)| option(key, queue.title.get(language))).collect()))
            }
            FieldKind::Link { .. } => {
                let result = link_options(session.context, field, session.record(), row, &mut self.presenter);
                self.presenter.gather(result)?.flatten()
            }
            _ => None,
        })
    }
}
