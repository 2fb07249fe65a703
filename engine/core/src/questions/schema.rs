//! A form as JSON Schema 2020-12, for one viewer and one operation.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use formwork_model::expr::ir::{BinaryOp, FieldRef, Root, Slot};
use formwork_model::expr::{Expr, Ir, references};
use formwork_model::pack::form::{Field, FieldKind, Form, Level};
use formwork_model::{Key, Pack, Value};

use crate::access::{Levels, Projection, not_for};
use crate::messages::message;
use crate::rejection::{Rejection, RejectionKind};
use crate::viewer::Viewer;

/// The schema of what the viewer sends (`create`, `update`) or gets (`read`).
///
/// A simple `requiredIf` becomes `if`/`then`; every expression also stands as text in `x-formwork-requiredIf` and
/// `x-formwork-visibleIf`, unless it reads a field the viewer may not know of.
pub fn form_schema(pack: &Arc<Pack>, viewer: &Viewer, form: &Key, operation: &str) -> Result<Json, Rejection> {
    let projection = pack.forms().contains_key(form).then(|| Projection::new(pack, form, viewer, None));
    let not_found = || {
        let title = message(&viewer.language, "form_not_found", "", "");
        Rejection::new(RejectionKind::NotFound, "form_not_found", title)
    };
    let projection = projection.filter(Projection::exists).ok_or_else(not_found)?;
    let may = match operation {
        "read" => projection.can_read(),
        "create" => projection.can_create(),
        "update" => projection.can_update(),
        _ => return Err(Rejection::new(RejectionKind::Malformed, "FW1002", format!("no operation `{operation}`"))),
    };
    if !may {
        return Err(not_for(viewer));
    }
    let language = &viewer.language;
    let writer = Writer { pack, viewer, form: projection.form(), levels: projection.levels(), language, operation };
    Ok(writer.schema())
}

struct Writer<'a> {
    pack: &'a Arc<Pack>,
    viewer: &'a Viewer,
    form: &'a Form,
    levels: &'a Levels,
    language: &'a str,
    operation: &'a str,
}

impl Writer<'_> {
    fn schema(&self) -> Json {
        let form = self.form;
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut conditions = Vec::new();
        if self.operation == "read" {
            properties.insert("id".into(), json!({"type": "string", "format": "uuid"}));
            properties.insert("version".into(), json!({"type": "integer", "minimum": 1}));
        }
        for (position, field) in form.fields.iter().enumerate() {
            let level = self.levels.field(position);
            if !self.has(field, level) {
                continue;
            }
            properties.insert(field.key.to_string(), self.property(field, level, Some(position)));
            if self.operation == "create" && field.required && field.visible_if.is_none() && field.default.is_none() {
                required.push(json!(field.key));
            }
            if self.operation == "create"
                && let Some(condition) = self.told(field.required_if.as_ref()).and_then(|expr| simple(form, expr))
            {
                conditions.push(json!({"if": condition, "then": {"required": [field.key]}}));
            }
        }
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": form.label.get(self.language),
            "type": "object",
            "properties": properties,
            "additionalProperties": self.operation == "read",
        });
        if !required.is_empty() {
            schema["required"] = Json::Array(required);
        }
        if !conditions.is_empty() {
            schema["allOf"] = Json::Array(conditions);
        }
        schema
    }

    fn has(&self, field: &Field, level: Level) -> bool {
        match self.operation {
            "read" => level > Level::None,
            _ => level == Level::Write && !field.is_derived() && !field.read_only,
        }
    }

    fn property(&self, field: &Field, level: Level, position: Option<usize>) -> Json {
        let mut schema = if level == Level::Mask { json!({"type": "string"}) } else { self.shape(field, position) };
        schema["title"] = json!(field.label.get(self.language));
        if let Some(help) = &field.help {
            schema["description"] = json!(help.get(self.language));
        }
        // Every field may be empty; an empty one is null.
        if let Some(ty) = schema.get("type").and_then(Json::as_str).map(str::to_owned) {
            schema["type"] = json!([ty, "null"]);
        }
        schema["x-formwork-type"] = json!(field.kind.name());
        for (name, expr) in [("requiredIf", &field.required_if), ("visibleIf", &field.visible_if)] {
            if let Some(expr) = self.told(expr.as_ref()) {
                schema[format!("x-formwork-{name}")] = json!(expr.source);
            }
        }
        schema
    }

    /// A condition, if the viewer may know of every field in it.
    fn told<'e>(&self, expr: Option<&'e Expr>) -> Option<&'e Expr> {
        expr.filter(|expr| references(&expr.ir).iter().all(|reference| self.knows(&reference.field)))
    }

    fn knows(&self, field: &FieldRef) -> bool {
        let Slot::Field(position) = field.slot else { return true };
        let of_form = Projection::new(self.pack, &field.table.form, self.viewer, None);
        let level = match field.table.table.as_ref().map(|table| of_form.form().field(table)) {
            None => of_form.levels().field(position),
            Some(table) => table.map_or(Level::None, |(at, _)| of_form.levels().row_field(at, position)),
        };
        level > Level::None
    }

    fn shape(&self, field: &Field, position: Option<usize>) -> Json {
        let reads = self.operation == "read";
        match &field.kind {
            FieldKind::Text { max, pattern } => {
                let mut schema = json!({"type": "string", "maxLength": max});
                if let Some(pattern) = pattern {
                    schema["pattern"] = json!(format!("^(?:{pattern})$"));
                }
                schema
            }
            FieldKind::LongText { max } => json!({"type": "string", "maxLength": max}),
            FieldKind::Integer { min, max } => {
                let mut schema = json!({"type": "integer"});
                bound(&mut schema, "minimum", min.as_ref());
                bound(&mut schema, "maximum", max.as_ref());
                schema
            }
            FieldKind::Decimal { .. } | FieldKind::Money { .. } => {
                json!({"type": "string", "pattern": "^[+-]?[0-9]+(\\.[0-9]+)?$"})
            }
            FieldKind::Boolean => json!({"type": "boolean"}),
            FieldKind::Date => json!({"type": "string", "format": "date"}),
            FieldKind::DateTime => json!({"type": "string", "format": "date-time"}),
            FieldKind::Choice { options, .. } => {
                let keys: Vec<Json> = options.keys().map(|key| json!(key)).chain([Json::Null]).collect();
                json!({"type": "string", "enum": keys})
            }
            FieldKind::Queue => {
                let keys: Vec<Json> = self.pack.queues().keys().map(|key| json!(key)).chain([Json::Null]).collect();
                json!({"type": "string", "enum": keys})
            }
            FieldKind::Email => json!({"type": "string", "format": "email"}),
            FieldKind::Link { .. } | FieldKind::User if reads => json!({
                "type": "object",
                "properties": {"id": {"type": "string", "format": "uuid"}, "title": {"type": ["string", "null"]}},
            }),
            FieldKind::Link { .. } | FieldKind::User => json!({"anyOf": [
                {"type": ["string", "null"], "format": "uuid"},
                {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}, "required": ["id"]},
                {"type": "object", "properties": {"key": {"type": "object"}}, "required": ["key"]},
            ]}),
            FieldKind::Table { fields, max_rows, .. } => {
                let mut properties = Map::new();
                properties.insert("id".into(), json!({"type": "string"}));
                for (place, child) in fields.iter().enumerate() {
                    let level = position.map_or(Level::Write, |position| self.levels.row_field(position, place));
                    if self.has(child, level) {
                        properties.insert(child.key.to_string(), self.property(child, level, None));
                    }
                }
                json!({
                    "type": "array",
                    "maxItems": max_rows,
                    "items": {"type": "object", "properties": properties, "additionalProperties": reads},
                })
            }
            FieldKind::Backlink { .. } => json!({"type": "array", "items": {"type": "object"}}),
            _ => json!({"type": "string"}),
        }
    }
}

fn bound(schema: &mut Json, name: &str, limit: Option<&i64>) {
    if let Some(limit) = limit {
        schema[name] = json!(limit);
    }
}

/// `field == 'word'` and `field in ['a', 'b']` as a schema; nothing for every other condition.
fn simple(form: &Form, expr: &Expr) -> Option<Json> {
    let own = |ir: &Ir| match ir {
        Ir::Field(path) if path.hops.is_empty() && path.root == Root::Frame(0) => match path.field.slot {
            Slot::Field(position) => form.fields.get(position).map(|field| field.key.clone()),
            _ => None,
        },
        _ => None,
    };
    let word = |ir: &Ir| match ir {
        Ir::Literal(Value::Text(text)) => Some(json!(text)),
        Ir::Literal(Value::Boolean(value)) => Some(json!(value)),
        _ => None,
    };
    let (field, words) = match &expr.ir {
        Ir::Binary(BinaryOp::Equal, left, right) => (own(left)?, vec![word(right)?]),
        Ir::In(value, list) => (own(value)?, list.iter().map(word).collect::<Option<Vec<Json>>>()?),
        _ => return None,
    };
    Some(json!({"properties": {(&*field): {"enum": words}}, "required": [field]}))
}
