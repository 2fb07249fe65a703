//! Forms as a viewer knows them: what the navigation and the pages are drawn from.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use formwork_model::expr::Type;
use formwork_model::pack::form::{Field, FieldKind, Level};
use formwork_model::{Key, Pack};

use crate::access::Projection;
use crate::viewer::Viewer;

/// The forms of a pack this viewer may read or file, as [`form`] tells them.
pub fn forms(pack: &Arc<Pack>, viewer: &Viewer) -> Vec<Json> {
    pack.forms().keys().filter_map(|key| form(pack, viewer, key)).collect()
}

/// `{"key", "pack", "label", "read", "create", "update", "delete", "fields": [{"key", "label", "help", "type", "level",
/// "required", "options"?, "to"?, "fields"?}], "views": [{"key", "label", "columns"}], "layout": [{"key", "label",
/// "rows"}]}`; none where the viewer may neither read nor create.
pub fn form(pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> Option<Json> {
    let projection = pack.forms().contains_key(form).then(|| Projection::new(pack, form, viewer, None))?;
    if !projection.can_read() && !projection.can_create() {
        return None;
    }
    let language = &viewer.language;
    let form = projection.form();
    let levels = projection.levels();
    let known = |position: &usize| levels.field(*position) > Level::None;
    let fields = form.fields.iter().enumerate().filter(|(position, _)| known(position)).map(|(position, field)| {
        let mut told = field_json(pack, field, levels.field(position), language);
        if let FieldKind::Table { fields, .. } = &field.kind {
            let level = |place: usize| levels.row_field(position, place);
            let children = fields.iter().enumerate().filter(|(place, _)| level(*place) > Level::None);
            told["fields"] = children.map(|(place, child)| field_json(pack, child, level(place), language)).collect();
        }
        told
    });
    let fields: Vec<Json> = fields.collect();
    let views = form.views.iter().map(|(key, view)| {
        let columns =
            view.columns.iter().filter(|column| form.field(&column.key).is_none_or(|(place, _)| known(&place)));
        let columns: Vec<&Key> = columns.map(|column| &column.key).collect();
        json!({"key": key, "label": view.label.get(language), "columns": columns})
    });
    let views: Vec<Json> = views.collect();
    let layout = form.layout.iter().map(|(key, section)| {
        let row = |row: &Vec<usize>| -> Vec<Key> {
            row.iter().filter(|place| known(place)).map(|place| form.fields[*place].key.clone()).collect()
        };
        let rows: Vec<Vec<Key>> = section.rows.iter().map(row).filter(|row| !row.is_empty()).collect();
        json!({"key": key, "label": section.label.get(language), "rows": rows})
    });
    let layout: Vec<Json> = layout.collect();
    Some(json!({
        "key": form.key,
        "pack": pack.key(),
        "label": form.label.get(language),
        "read": projection.can_read(),
        "create": projection.can_create(),
        "update": projection.can_update(),
        "delete": projection.can_delete(),
        "fields": fields,
        "views": views,
        "layout": layout,
    }))
}

fn field_json(pack: &Pack, field: &Field, level: Level, language: &str) -> Json {
    let mut told = json!({
        "key": field.key,
        "label": field.label.get(language),
        "help": field.help.as_ref().map(|help| help.get(language)),
        "type": field.kind.name(),
        "level": match level {
            Level::None => "none",
            Level::Mask => "mask",
            Level::Read => "read",
            Level::Write if field.is_derived() || field.read_only => "read",
            Level::Write => "write",
        },
        "required": field.required,
    });
    if let Some(options) = options(pack, field, language) {
        told["options"] = options;
    }
    if let Type::Link(to) = field.ty() {
        told["to"] = json!(to);
    }
    told
}

/// `[{"key", "label"}]` of a choice or a queue.
fn options(pack: &Pack, field: &Field, language: &str) -> Option<Json> {
    match &field.kind {
        FieldKind::Choice { options, .. } => {
            Some(options.iter().map(|(key, option)| json!({"key": key, "label": option.label.get(language)})).collect())
        }
        FieldKind::Queue => {
            let queues = pack.queues().iter();
            Some(queues.map(|(key, queue)| json!({"key": key, "label": queue.title.get(language)})).collect())
        }
        _ => None,
    }
}
