//! A form to fill in: what `/evaluate` says of each field, what was typed, and what was refused.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use formwork_core::FieldError;
use formwork_model::Value;
use formwork_model::expr::Type;
use formwork_model::pack::Setting;
use formwork_model::pack::form::{Field, FieldKind, Level};

use super::cell::{Scribe, plain};
use super::control::{control_text, is_number, zone_label};
use super::field::{self, Choice, Column, Correction, Grid, GridRow, TableView};
use super::posted::Posted;
use super::seen::Seen;

/// Rows of a long text's control.
const LONG_TEXT_ROWS: &str = "4";

/// A section of a form.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    pub(crate) key: String,
    pub(crate) label: String,
    pub(crate) help: String,
    pub(crate) rows: Vec<Vec<field::Field>>,
}

/// A form while it is filled in.
pub(crate) struct Filling<'a> {
    /// Writes the values that are only read.
    pub(crate) scribe: Scribe<'a>,
    /// The form as the viewer may see it.
    pub(crate) seen: &'a Seen,
    /// `fields` of `/evaluate`.
    pub(crate) states: &'a Map<String, Json>,
    /// What was typed, if the form was posted before.
    pub(crate) posted: Option<&'a Posted>,
    /// Why it was refused.
    pub(crate) errors: &'a [FieldError],
    /// In front of every pointer: `/fields` inside a task.
    pub(crate) prefix: &'static str,
    /// Whether the record does not exist yet.
    pub(crate) is_new: bool,
    /// People to choose from: id and name.
    pub(crate) people: &'a [(String, String)],
}

impl Filling<'_> {
    /// The layout's sections with the fields there are to fill in or to read.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let language = &self.scribe.local.language;
        let sections = self.seen.form.layout.iter().map(|(key, section)| {
            let rows = section.rows.iter().map(|row| row.iter().filter_map(|position| self.field(*position)).collect());
            Section {
                key: key.to_string(),
                label: section.label.get(language).to_owned(),
                help: String::new(),
                rows: rows.filter(|row: &Vec<_>| !row.is_empty()).collect(),
            }
        });
        sections.filter(|section| !section.rows.is_empty()).collect()
    }

    /// One field, by position; none where the viewer may not know of it, or where it says nothing yet.
    pub(crate) fn field(&self, position: usize) -> Option<field::Field> {
        let field = &self.seen.form.fields[position];
        let path = format!("/{}", field.key);
        let state = self.states.get(&path)?;
        let readonly = state["readonly"].as_bool().unwrap_or(true);
        let follows = field.compute.is_some() || matches!(field.kind, FieldKind::Lookup { .. });
        if matches!(field.kind, FieldKind::Backlink { .. }) || (self.is_new && readonly && !follows) {
            return None;
        }
        let mut drawn = self.drawn(field, &path, state);
        drawn.shown = self.scribe.cell(self.seen, field, &state["value"], self.seen.level(position));
        if let FieldKind::Table { fields, max_rows, .. } = &field.kind {
            drawn.table = Some(self.grid(position, fields, *max_rows, &path, readonly));
        }
        Some(drawn)
    }

    /// What is to correct, in the order of the answer; a field that is drawn can be jumped to.
    pub(crate) fn corrections(&self) -> Vec<Correction> {
        let corrections = self.errors.iter().map(|error| {
            let path = self.path(&error.pointer);
            let label = self.label(path);
            let href = label.as_ref().map(|_| format!("#f{}{path}", self.prefix)).unwrap_or_default();
            Correction { href, label: label.unwrap_or_default(), message: error.message.clone() }
        });
        corrections.collect()
    }

    /// The pointer into the record: errors of a task may carry its prefix.
    fn path<'p>(&self, pointer: &'p str) -> &'p str {
        if self.prefix.is_empty() { pointer } else { pointer.strip_prefix(self.prefix).unwrap_or(pointer) }
    }

    /// The label of the field at a pointer, if the viewer may know of it.
    fn label(&self, path: &str) -> Option<String> {
        let language = &self.scribe.local.language;
        let mut parts = path.strip_prefix('/')?.split('/');
        let key = parts.next()?;
        self.states.get(&format!("/{key}"))?;
        let (_, field) = self.seen.form.field(key)?;
        let child = parts.nth(1).and_then(|child| field.kind.rows().iter().find(|field| *field.key == *child));
        Some(child.unwrap_or(field).label.get(language).to_owned())
    }

    fn drawn(&self, field: &Field, path: &str, state: &Json) -> field::Field {
        let local = self.scribe.local;
        let pointer = format!("{}{path}", self.prefix);
        let typed = self.posted.and_then(|posted| posted.typed(&pointer));
        let unticked = field.kind.name() == "boolean" && self.posted.is_some_and(|posted| posted.shows(&pointer));
        let value = match typed {
            Some(typed) => typed.to_owned(),
            None if unticked => "false".to_owned(),
            None => control_text(field, &state["value"], local),
        };
        let errors = self.errors.iter().filter(|error| self.path(&error.pointer) == path);
        let mut drawn = field::Field {
            kind: field.kind.name(),
            id: format!("f{pointer}"),
            label: field.label.get(&local.language).to_owned(),
            help: field.help.as_ref().map(|help| help.get(&local.language).to_owned()).unwrap_or_default(),
            required: state["required"].as_bool().unwrap_or(false),
            visible: state["visible"].as_bool().unwrap_or(true),
            readonly: state["readonly"].as_bool().unwrap_or(true),
            options: self.options(field, state, &value),
            errors: errors.map(|error| error.message.clone()).collect(),
            pointer,
            value,
            ..field::Field::default()
        };
        match &field.kind {
            FieldKind::Text { max, .. } => drawn.length = max.to_string(),
            FieldKind::LongText { max } => {
                drawn.length = max.to_string();
                drawn.rows = LONG_TEXT_ROWS.to_owned();
            }
            FieldKind::Money { .. } => drawn.unit = self.scribe.pack.currency().clone(),
            FieldKind::DateTime => drawn.unit = zone_label(local),
            FieldKind::Link { ty: Type::Link(form), .. } => {
                drawn.src = self.scribe.records(form).map(|path| format!("/api{path}")).unwrap_or_default();
            }
            _ => {}
        }
        drawn
    }

    /// What may be chosen. A chosen value that is offered no more stays, so that the error beside it makes sense.
    fn options(&self, field: &Field, state: &Json, value: &str) -> Vec<Choice> {
        let option =
            |key: &str, label: &str| Choice { selected: key == value, value: key.to_owned(), label: label.to_owned() };
        let language = &self.scribe.local.language;
        let offered = state["options"].as_array();
        let mut options: Vec<Choice> = match (&field.kind, offered) {
            (FieldKind::User, _) => self.people.iter().map(|(id, name)| option(id, name)).collect(),
            (_, Some(offered)) => {
                offered.iter().map(|one| option(&plain(&one["value"]), &plain(&one["label"]))).collect()
            }
            // Not said for a hidden field: the definition's own, for when it comes into sight.
            (FieldKind::Choice { options, .. }, None) => {
                options.iter().map(|(key, one)| option(key, one.label.get(language))).collect()
            }
            (FieldKind::Queue, None) => {
                self.scribe.pack.queues().iter().map(|(key, queue)| option(key, queue.title.get(language))).collect()
            }
            _ => Vec::new(),
        };
        let is_chosen = matches!(
            field.kind,
            FieldKind::Choice { .. } | FieldKind::Link { .. } | FieldKind::User | FieldKind::Queue
        );
        if is_chosen && !value.is_empty() && !options.iter().any(|one| one.selected) {
            let known = match &field.kind {
                FieldKind::Choice { options, .. } => options.get(value).map(|one| one.label.get(language).to_owned()),
                _ => state["value"]["title"].as_str().map(str::to_owned),
            };
            options.insert(0, option(value, &known.unwrap_or_else(|| value.to_owned())));
        }
        options
    }

    fn grid(&self, position: usize, fields: &[Field], max_rows: u32, path: &str, readonly: bool) -> TableView {
        let shown: Vec<(usize, &Field)> = fields
            .iter()
            .enumerate()
            .filter(|(place, _)| self.seen.row_level(position, *place) > Level::None)
            .collect();
        let language = &self.scribe.local.language;
        let columns = shown.iter().map(|(_, field)| Column {
            key: field.key.to_string(),
            label: field.label.get(language).to_owned(),
            number: is_number(field),
            required: field.required,
            ..Column::default()
        });
        let rows: Vec<GridRow> =
            self.row_names(path).iter().map(|name| self.row(position, &shown, path, name, readonly)).collect();
        let may_add = !readonly && rows.len() < max_rows as usize;
        TableView::Edit(Box::new(Grid {
            columns: columns.collect(),
            blank: self.row(position, &shown, path, "__row__", readonly),
            rows,
            add: if may_add { self.scribe.local.say("grid.add", &[]) } else { String::new() },
            remove: !readonly,
        }))
    }

    /// Names of the rows: as they were posted, else as the answer has them.
    fn row_names(&self, path: &str) -> Vec<String> {
        if let Some(posted) = self.posted {
            return posted.rows_of(&format!("{}{path}", self.prefix)).into_iter().map(str::to_owned).collect();
        }
        let prefix = format!("{path}/");
        let mut names: Vec<String> = Vec::new();
        for name in self.states.keys().filter_map(|key| key.strip_prefix(&prefix)?.split('/').next()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    fn row(&self, position: usize, shown: &[(usize, &Field)], path: &str, name: &str, readonly: bool) -> GridRow {
        let cells = shown.iter().map(|(place, field)| {
            let pointer = format!("{path}/{name}/{}", field.key);
            let level = self.seen.row_level(position, *place);
            let fresh;
            let state = match self.states.get(&pointer) {
                Some(state) => state,
                None => {
                    fresh = fresh_state(field, level);
                    &fresh
                }
            };
            let mut cell = self.drawn(field, &pointer, state);
            cell.readonly |= readonly;
            cell.shown = self.scribe.row_cell(field, &state["value"], level);
            cell
        });
        GridRow { id: name.to_owned(), pointer: format!("{}{path}/{name}", self.prefix), cells: cells.collect() }
    }
}

/// What a cell of a row is like that the server has not seen yet.
fn fresh_state(field: &Field, level: Level) -> Json {
    let value = match &field.default {
        Some(Setting::Literal(Value::Text(text))) => Json::from(text.as_str()),
        Some(Setting::Literal(Value::Integer(number))) => Json::from(*number),
        Some(Setting::Literal(Value::Decimal(number))) => Json::from(number.to_string()),
        Some(Setting::Literal(Value::Boolean(flag))) => Json::from(*flag),
        _ => Json::Null,
    };
    let readonly = level < Level::Write || field.read_only || field.is_derived();
    serde_json::json!({"visible": true, "required": field.required, "readonly": readonly, "value": value})
}
