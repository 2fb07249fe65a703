//! What a board tells about its record, over one snapshot: what its tiles are narrowed by, and the tiles that show the
//! record itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_model::expr::ir::{FieldPath, FieldRef, Root, Slot};
use formwork_model::expr::{Ir, Names, Position, Scope, TableRef, Type, check};
use formwork_model::pack::Setting;
use formwork_model::pack::analytics::{Board, Preset, ProposedAction, Tile, TileFilter, TileKind};
use formwork_model::pack::decision::Decision;
use formwork_model::pack::form::Level;
use formwork_model::{Key, Pack, Value};
use indexmap::IndexMap;

use super::records::{existing, readable};
use crate::Stop;
use crate::access::{Presenter, Projection, name_of, paths, shapes};
use crate::decision;
use crate::facts::{Facts, Need};
use crate::record::Record;
use crate::scene::{Completed, Context, Scene};
use crate::viewer::Viewer;
use crate::wire::{instant_text, render};

/// `{"title", "version", "values": {"<path>": value}, "tiles": {"<key>": {…}}}`. `values` holds what conditions of tiles
/// read of the record, as far as the viewer reads it. Tiles that show the record: of kind `record` `{"state", "fields":
/// [{"path", "form", "key", "type", "level", "value"}]}`, `form` `{"state", "form", "values"}`, `rules` `{"state",
/// "items": [{"rule", "label", "reason", "form"?, "values"?}]}`. Whoever may not read the record is told that there is
/// none.
pub fn board(
    pack: &Arc<Pack>,
    viewer: &Viewer,
    board: &Board,
    id: Uuid,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let Some(form) = &board.of else { return Err(Stop::Fault("a board of no record".to_owned())) };
    let projection = existing(pack, viewer, form)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    let (stored, full) = readable(context, &projection, id)?;
    let mut asker = Asker { pack, viewer, of: form, record: full, presenter: Presenter::new(context) };
    let title = asker.presenter.title_of_stored(&projection, stored)?;
    let mut values = Map::new();
    for path in board.tiles.values().filter_map(|tile| filter_of(&tile.kind)).flat_map(|filter| paths(&filter.expr.ir))
    {
        if let Some(value) = asker.value(&path)? {
            values.insert(name_of(&path), serde_json::to_value(value).unwrap_or_default());
        }
    }
    let mut tiles = Map::new();
    for (key, tile) in &board.tiles {
        if let Some(body) = asker.tile(tile)? {
            tiles.insert(key.to_string(), body);
        }
    }
    asker.presenter.finish()?;
    Ok(json!({"title": title, "version": stored.version, "values": values, "tiles": tiles}))
}

fn filter_of(kind: &TileKind) -> Option<&TileFilter> {
    match kind {
        TileKind::Metric { filter, .. } | TileKind::Report { filter, .. } | TileKind::List { filter, .. } => {
            filter.as_ref()
        }
        _ => None,
    }
}

struct Asker<'a> {
    pack: &'a Arc<Pack>,
    viewer: &'a Viewer,
    of: &'a Key,
    record: &'a Record,
    presenter: Presenter<'a>,
}

impl Asker<'_> {
    fn tile(&mut self, tile: &Tile) -> Result<Option<Json>, Stop> {
        match &tile.kind {
            TileKind::Record { fields } => {
                let mut shown = Vec::new();
                for expr in fields {
                    if let Ir::Field(path) = &expr.ir {
                        shown.extend(self.field(path)?);
                    }
                }
                let state = if shown.is_empty() { "hidden" } else { "ok" };
                Ok(Some(json!({"state": state, "fields": shown})))
            }
            TileKind::Form(preset) => Ok(Some(match self.preset(preset)? {
                Some(mut body) => {
                    body["state"] = json!("ok");
                    body
                }
                None => json!({"state": "hidden"}),
            })),
            TileKind::Rules { decision, actions } => self.rules(decision, actions).map(Some),
            _ => Ok(None),
        }
    }

    /// A field of the record or of one it links to; none where the viewer may not know of it.
    fn field(&mut self, path: &FieldPath) -> Result<Option<Json>, Stop> {
        if !self.follows(path) {
            return Ok(None);
        }
        let projection = self.presenter.projection(&path.field.table.form);
        let level = level_of(&projection, &path.field);
        if level == Level::None {
            return Ok(None);
        }
        let value = self.evaluated(path)?;
        let value = match path.field.slot {
            Slot::Field(position) => {
                let form = projection.form().clone();
                self.presenter.shown(&form.fields[position], &value, level)?
            }
            Slot::CreatedAt | Slot::UpdatedAt => match value {
                Value::DateTime(at) => json!(instant_text(at)),
                _ => Json::Null,
            },
            _ => match (&path.ty, value) {
                (Type::User, Value::Id(id)) => self.presenter.user(id)?,
                (ty, value) => render(&value, ty),
            },
        };
        let word = if level == Level::Mask { "mask" } else { "read" };
        Ok(Some(json!({
            "path": name_of(path),
            "form": path.field.table.form,
            "key": path.field.key,
            "type": path.ty.to_string(),
            "level": word,
            "value": value,
        })))
    }

    /// The value of a path; none where the viewer does not read all of it.
    fn value(&mut self, path: &FieldPath) -> Result<Option<Value>, Stop> {
        let projection = self.presenter.projection(&path.field.table.form);
        if !self.follows(path) || level_of(&projection, &path.field) < Level::Read {
            return Ok(None);
        }
        self.evaluated(path).map(Some)
    }

    fn follows(&mut self, path: &FieldPath) -> bool {
        path.hops.iter().all(|hop| level_of(&self.presenter.projection(&hop.table.form), hop) >= Level::Read)
    }

    fn evaluated(&mut self, path: &FieldPath) -> Result<Value, Stop> {
        let ir = Ir::Field(FieldPath { root: Root::Frame(0), ..path.clone() });
        let value = self.scene().value_ir(&ir);
        Ok(self.presenter.gather(value)?.unwrap_or_default())
    }

    /// `{"form", "values"}`; none where the viewer may not file such a record. What they may not read is not preset.
    fn preset(&mut self, preset: &Preset) -> Result<Option<Json>, Stop> {
        let target = self.presenter.projection(&preset.form);
        if !target.can_create() {
            return Ok(None);
        }
        let mut values = Map::new();
        for (key, setting) in &preset.set {
            let Some((position, field)) = target.form().field(key) else { continue };
            let writable = target.levels().field(position) == Level::Write;
            if !writable || !self.may_read(setting, field.ty()) {
                continue;
            }
            let value = self.scene().setting(setting);
            if let Some(value) = self.presenter.gather(value)? {
                values.insert(key.to_string(), render(&value, field.ty()));
            }
        }
        Ok(Some(json!({"form": preset.form, "values": values})))
    }

    /// Whether the viewer reads all that an expression over the record does.
    fn may_read(&self, setting: &Setting, ty: &Type) -> bool {
        let Setting::Expr(expr) = setting else { return true };
        let shapes = shapes(self.pack, self.viewer);
        let scope = Scope::new(Position::Preset, &shapes).row(Names::Record, TableRef::form(self.of));
        check(&expr.source, &scope, Some(ty)).is_ok()
    }

    /// The rules that hit and were neither accepted nor dismissed.
    fn rules(&mut self, key: &Key, actions: &IndexMap<Key, ProposedAction>) -> Result<Json, Stop> {
        let hits = proposed(self.presenter.context(), self.record, &self.pack.decisions()[key]);
        let Some(hits) = self.presenter.gather(hits)?.unwrap_or_default() else {
            return Ok(json!({"state": "hidden"}));
        };
        let language = self.viewer.language.clone();
        let mut items = Vec::new();
        for rule in hits {
            let Some(action) = actions.get(&rule) else { continue };
            let (label, reason) = (action.label.get(&language), action.reason.get(&language));
            let mut item = json!({"rule": rule, "label": label, "reason": reason});
            if let Some(preset) = &action.files
                && let Some(files) = self.preset(preset)?
            {
                item["form"] = files["form"].clone();
                item["values"] = files["values"].clone();
            }
            items.push(item);
        }
        Ok(json!({"state": "ok", "items": items}))
    }

    /// Links lead only to what the viewer reads.
    fn scene(&self) -> Scene<'_> {
        Scene::over(self.presenter.context().as_shown(), self.record)
    }
}

/// The rules of a decision that hit a record and were neither accepted nor dismissed; none where they are not for the
/// viewer.
pub(crate) fn proposed(context: Context<'_>, record: &Record, decision: &Decision) -> Result<Option<Vec<Key>>, Stop> {
    if !reads_inputs(context, decision) {
        return Ok(None);
    }
    let judged = judged(context, &decision.form, record.id)?;
    // Links lead only to what the viewer reads.
    let hits =
        decision::hits(decision, &Scene::over(context.as_shown(), record))?.hits.into_iter().map(|(rule, _)| rule);
    Ok(Some(hits.filter(|rule| !judged.iter().any(|(of, known)| *of == decision.key && known == rule)).collect()))
}

/// Which rules hit would tell of what the inputs are: whether the viewer reads all of them.
pub(super) fn reads_inputs(context: Context<'_>, decision: &Decision) -> bool {
    let shapes = shapes(context.pack, context.viewer);
    let scope = Scope::new(Position::Input, &shapes).row(Names::Fields, TableRef::form(&decision.form));
    decision.inputs.values().all(|input| check(&input.source, &scope, Some(&input.ty)).is_ok())
}

/// Decision and rule of what was accepted or dismissed about a record.
pub(crate) fn judged<'a>(context: Context<'a>, form: &Key, id: Uuid) -> Result<&'a [(Key, Key)], Stop> {
    let known = context.facts.judged.get(&(form.clone(), id));
    known.map(Vec::as_slice).ok_or_else(|| Stop::Need(vec![Need::Judged(form.clone(), id)]))
}

fn level_of(projection: &Projection, field: &FieldRef) -> Level {
    match field.slot {
        Slot::Field(position) if projection.can_read() || projection.is_by_task() => {
            projection.levels().field(position)
        }
        Slot::Field(_) => Level::None,
        _ => Level::Read,
    }
}
