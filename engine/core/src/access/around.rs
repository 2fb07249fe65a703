//! What stands around the record of a board: tiles that are narrowed by it.
//!
//! ```text
//! customer == record.id ─ check with the viewer's shapes ─► Ir over frames 0 (the row) and 1 (the record)
//!                       ─ values of the record ───────────► Ir over frame 0 alone: Narrowed
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use formwork_model::expr::ast::{Kind, Node};
use formwork_model::expr::ir::{FieldPath, Root};
use formwork_model::expr::{Ir, Names, Position, Scope, TableRef, Type, check, parser};
use formwork_model::pack::analytics::TileFilter;
use formwork_model::{Key, Pack, Value};

use super::{rebuilt, shapes};
use crate::viewer::Viewer;

/// The record of a board, as far as its tiles ask and the viewer reads.
#[derive(Debug, Clone)]
pub struct Around {
    form: Key,
    id: Uuid,
    values: HashMap<String, Value>,
}

/// A condition on the records of a form, checked for a viewer, in which nothing of the board's record is left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrowed {
    pub(crate) form: Key,
    pub(crate) ir: Ir,
    source: Option<String>,
}

impl Around {
    /// From the answer of [`crate::questions::board`]: `{"values": {"<path>": value}}`.
    pub fn of(form: &Key, id: Uuid, answer: &Json) -> Self {
        let values = answer["values"].as_object().into_iter().flatten();
        let values =
            values.filter_map(|(path, value)| Some((path.clone(), serde_json::from_value(value.clone()).ok()?)));
        Self { form: form.clone(), id, values: values.collect() }
    }

    /// The record's id.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl Narrowed {
    /// The form of the records.
    pub fn form(&self) -> &Key {
        &self.form
    }

    /// The condition, over frame 0.
    pub fn ir(&self) -> &Ir {
        &self.ir
    }

    /// The same in the expression language, as a caller would write it; none where a value has no literal.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
}

/// The condition of a tile for this viewer and record; none where it reads what the viewer does not: then the tile is
/// not for them, for its rows would tell.
pub fn narrowed(pack: &Arc<Pack>, viewer: &Viewer, filter: &TileFilter, around: Option<&Around>) -> Option<Narrowed> {
    let shapes = shapes(pack, viewer);
    let mut scope = Scope::new(Position::Tile, &shapes).row(Names::Fields, TableRef::form(&filter.form));
    if let Some(around) = around {
        scope = scope.row(Names::Record, TableRef::form(&around.form));
    }
    let expr = check(&filter.expr.source, &scope, Some(&Type::Boolean)).ok()?;
    let ir = put_in(&expr.ir, around)?;
    Some(Narrowed { form: filter.form.clone(), ir, source: written(&expr.source, around) })
}

/// The name of a path in [`Around`].
pub(crate) fn name_of(path: &FieldPath) -> String {
    path.hops.iter().chain([&path.field]).map(|field| &*field.key).collect::<Vec<_>>().join(".")
}

/// The paths of the board's record that a condition reads.
pub(crate) fn paths(ir: &Ir) -> Vec<FieldPath> {
    let mut found = Vec::new();
    ir.walk(&mut |node| match node {
        Ir::Field(path) if path.root == Root::Frame(1) => found.push(path.clone()),
        _ => {}
    });
    found
}

/// Values for what reads the record. The checker lets no list function reach it, so its frame is always 1.
fn put_in(ir: &Ir, around: Option<&Around>) -> Option<Ir> {
    match ir {
        Ir::Field(path) if path.root == Root::Frame(1) => around?.values.get(&name_of(path)).cloned().map(Ir::Literal),
        Ir::Fold(..) => Some(ir.clone()),
        other => rebuilt(other, &mut |part| put_in(part, around).ok_or(())).ok(),
    }
}

/// The text with literals in the place of `record.x`.
fn written(source: &str, around: Option<&Around>) -> Option<String> {
    let Some(around) = around else { return Some(source.to_owned()) };
    let (tree, _) = parser::parse(source);
    let mut places = Vec::new();
    places_of(&tree, &mut places);
    places.sort_by_key(|(place, _)| place.start);
    let (mut text, mut end) = (String::new(), 0);
    for (place, path) in places {
        text.push_str(source.get(end..place.start)?);
        text.push_str(&literal(around.values.get(&path)?)?);
        end = place.end;
    }
    text.push_str(source.get(end..)?);
    Some(text)
}

fn places_of(node: &Node, found: &mut Vec<(std::ops::Range<usize>, String)>) {
    if let Some(words) = words_of(node)
        && let Some(path) = words.strip_prefix("record.")
    {
        found.push((node.span.clone(), path.to_owned()));
        return;
    }
    node.kind.children().into_iter().for_each(|child| places_of(child, found));
}

/// The words of `a.b.c`.
fn words_of(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Name(name) => Some(name.clone()),
        Kind::Member(base, word) => Some(format!("{}.{}", words_of(base)?, word.text)),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Id(id) => format!("'{id}'"),
        Value::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        _ => return None,
    })
}
