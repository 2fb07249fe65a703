//! A form as one viewer may see it: the definition, narrowed by the one projection.

use std::sync::Arc;

use serde_json::Value as Json;

use formwork_core::Viewer;
use formwork_core::access::{Projection, TaskGrants};
use formwork_model::expr::Type;
use formwork_model::pack::form::{Field, FieldKind, Form, Level, View};
use formwork_model::{Key, Pack};
use formwork_runtime::Engine;

/// A form, its pack, and what the viewer may do with it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The pack.
    pub(crate) pack: Arc<Pack>,
    /// The form. Labels of fields at level `none` must not be used.
    pub(crate) form: Arc<Form>,
    /// Who looks.
    pub(crate) viewer: Viewer,
    projection: Projection,
}

impl Seen {
    /// The form for a viewer.
    pub(crate) fn new(pack: &Arc<Pack>, form: &Key, viewer: &Viewer) -> Self {
        let projection = Projection::new(pack, form, viewer, None);
        Self { pack: pack.clone(), form: pack.form(form).clone(), viewer: viewer.clone(), projection }
    }

    /// The form for the holder of an open task, whose `fields` are told with their levels: those of the workflow its
    /// instance is pinned to, whatever runs now.
    pub(crate) fn in_task(pack: &Arc<Pack>, form: &Key, viewer: &Viewer, fields: &[Json]) -> Self {
        let named = fields.iter().filter(|field| field["named"] == true).filter_map(|field| {
            let level = match field["level"].as_str()? {
                "write" => Level::Write,
                "read" => Level::Read,
                "mask" => Level::Mask,
                _ => Level::None,
            };
            Some((Key::from(field["key"].as_str()?), level))
        });
        let projection = Projection::new(pack, form, viewer, Some(&TaskGrants::told(named)));
        Self { pack: pack.clone(), form: pack.form(form).clone(), viewer: viewer.clone(), projection }
    }

    /// The level of a field, by position.
    pub(crate) fn level(&self, position: usize) -> Level {
        self.projection.levels().field(position)
    }

    /// The level of a field of a child row.
    pub(crate) fn row_level(&self, position: usize, place: usize) -> Level {
        self.projection.levels().row_field(position, place)
    }

    /// Whether the viewer may file records.
    pub(crate) fn can_create(&self) -> bool {
        self.projection.can_create()
    }

    /// Whether people who are not logged in follow records of the form.
    pub(crate) fn is_followed(&self) -> bool {
        self.form.track().is_some()
    }

    /// Whether the viewer could read some record.
    pub(crate) fn can_read(&self) -> bool {
        self.projection.can_read()
    }

    /// Whether the viewer could change some record.
    pub(crate) fn can_update(&self) -> bool {
        self.projection.can_update()
    }

    /// Whether the viewer could delete some record.
    pub(crate) fn can_delete(&self) -> bool {
        self.projection.can_delete()
    }

    /// What changes of its records are told by: `pack.form`.
    pub(crate) fn topic(&self) -> String {
        format!("{}.{}", self.pack.key(), self.form.key)
    }

    /// The address of the form's records: `/records/ticket`, or with the pack where two packs share a form's key.
    pub(crate) fn path(&self, engine: &Engine) -> String {
        path_of(engine, &self.pack, "records", &self.form.key, |pack, key| pack.forms().contains_key(key))
    }

    /// The view of that key, or the first one.
    pub(crate) fn view(&self, key: Option<&str>) -> Option<(&Key, &View)> {
        match key {
            Some(key) => self.form.views.get_key_value(key),
            None => self.form.views.first(),
        }
    }

    /// The fields the viewer may read something of, with their positions.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (usize, &Field, Level)> {
        let levels =
            self.form.fields.iter().enumerate().map(|(position, field)| (position, field, self.level(position)));
        levels.filter(|(_, _, level)| *level > Level::None)
    }

    /// The field that a value looked up through a link is read from, in the end.
    pub(crate) fn source<'f>(&'f self, field: &'f Field) -> &'f Field {
        source(&self.pack, &self.form, field)
    }
}

/// Whether the viewer could read some record of a form.
pub(crate) fn may_read(pack: &Arc<Pack>, viewer: &Viewer, form: &Key) -> bool {
    Projection::new(pack, form, viewer, None).can_read()
}

/// `/<kind>/<key>`, with the pack in front of the key where another pack has the same key.
pub(crate) fn path_of(
    engine: &Engine,
    pack: &Pack,
    kind: &str,
    key: &str,
    has: impl Fn(&Pack, &str) -> bool,
) -> String {
    let shared = engine.deployed().packs.iter().filter(|other| has(other, key)).count() > 1;
    if shared { format!("/{kind}/{}.{key}", pack.key()) } else { format!("/{kind}/{key}") }
}

/// A lookup's field in the other form; any other field is its own source. Lookups of lookups are followed.
fn source<'f>(pack: &'f Pack, form: &'f Form, field: &'f Field) -> &'f Field {
    let FieldKind::Lookup { via, field: wanted, .. } = &field.kind else { return field };
    let Some(Type::Link(other)) = form.fields.get(*via).map(Field::ty) else { return field };
    let other = pack.form(other);
    other.field(wanted).map_or(field, |(_, found)| source(pack, other, found))
}
