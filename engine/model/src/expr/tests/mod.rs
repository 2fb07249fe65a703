//! The parser and the checker on texts a person can read: what is accepted, and word for word what is said otherwise.

mod accepted;
mod cells;
mod precedence;
mod references;
mod refused;

use std::sync::Arc;

use indexmap::IndexMap;

use super::ir::Slot;
use super::position::{Names, Position};
use super::scope::{FieldShape, Scope, Shapes, TableShape, WorkflowNames};
use super::types::{TableRef, Type};
use crate::Key;

/// A pack of three forms: orders with lines and a buyer, and the shipments that link to them.
pub(super) fn shapes() -> Shapes {
    let choice = |keys: &[&str]| Type::Choice(keys.iter().map(|key| Key::from(*key)).collect());
    let order = table("order", None);
    let lines = table("order", Some("lines"));
    let state = choice(&["new", "open", "closed"]);
    let mut shapes = Shapes {
        queues: vec!["desk".into(), "returns".into()],
        roles: vec!["clerk".into(), "lead".into()],
        calendars: vec!["desk".into()],
        ..Shapes::default()
    };
    let mut fields = columns(&[
        ("subject", Type::Text),
        ("state", state.clone()),
        ("count", Type::Integer),
        ("rate", Type::Decimal { scale: 4 }),
        ("amount", Type::Money),
        ("urgent", Type::Boolean),
        ("due", Type::Date),
        ("closed_at", Type::DateTime),
        ("buyer", Type::Link("person".into())),
        ("queue", Type::Queue),
        ("lines", Type::Rows(lines.clone())),
        ("shipments", Type::Rows(table("shipment", None))),
        ("total", Type::Money),
    ]);
    fields["shipments"].backlink = Some("order".into());
    fields["shipments"].stored = false;
    fields["total"].stored = false;
    shapes.tables.insert(order, TableShape { fields });
    let line = columns(&[("article", Type::Text), ("pieces", Type::Integer), ("price", Type::Money), ("state", state)]);
    shapes.tables.insert(lines, TableShape { fields: line });
    let person = columns(&[
        ("name", Type::Text),
        ("tier", choice(&["basic", "gold"])),
        ("boss", Type::Link("person".into())),
        ("born", Type::Date),
    ]);
    shapes.tables.insert(table("person", None), TableShape { fields: person });
    let shipment = columns(&[("order", Type::Link("order".into())), ("weight", Type::Decimal { scale: 3 })]);
    shapes.tables.insert(table("shipment", None), TableShape { fields: shipment });
    shapes.settings.insert("limit".into(), Type::Integer);
    shapes.settings.insert("carrier".into(), Type::Text);
    shapes
}

fn columns(fields: &[(&str, Type)]) -> IndexMap<Key, FieldShape> {
    let shape = |index, ty: &Type| FieldShape {
        slot: Slot::Field(index),
        ty: ty.clone(),
        backlink: None,
        stored: true,
        bound: None,
    };
    fields.iter().enumerate().map(|(index, (key, ty))| (Key::from(*key), shape(index, ty))).collect()
}

fn table(form: &str, table: Option<&str>) -> TableRef {
    TableRef { form: form.into(), table: table.map(Key::from) }
}

/// A position over orders.
pub(super) fn at(position: Position, shapes: &Shapes) -> Scope<'_> {
    Scope::new(position, shapes).row(Names::Fields, table("order", None)).old(table("order", None))
}

/// Where the conditions of an order's fields stand.
pub(super) fn order(shapes: &Shapes) -> Scope<'_> {
    at(Position::Condition, shapes)
}

/// Where the steps of a workflow over orders stand.
pub(super) fn workflow(shapes: &Shapes) -> Scope<'_> {
    let mut names = WorkflowNames::default();
    names.vars.insert("tries".into(), Type::Integer);
    names.steps.insert("route".into(), IndexMap::from([(Key::from("queue"), Type::Queue)]));
    let scope = Scope::new(Position::Workflow, shapes).row(Names::Record, table("order", None));
    scope.old(table("order", None)).workflow(Arc::new(names))
}
