//! Datasets of clocks: their rows as records, and the conditions of the records they are of.

use formwork_core::Record;
use formwork_core::clock::{Clock, ClockState};
use formwork_model::Value;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::{BinaryOp, FieldPath, FieldRef, Root, Slot};
use formwork_model::expr::{TableRef, Type};
use formwork_model::pack::form::Form;

/// A clock as a row of its table. What it used is told when it is stopped; it is settled when it is clear that it was met
/// or breached.
pub fn row(table: &Form, clock: &Clock) -> Record {
    let instant = |at: Option<_>| at.map_or(Value::Null, Value::DateTime);
    let bound = |milliseconds: i64| match clock.state {
        ClockState::Unbound => Value::Null,
        _ => Value::Integer(milliseconds),
    };
    let stopped = |milliseconds: i64| match clock.stopped_at {
        Some(_) => bound(milliseconds),
        None => Value::Null,
    };
    let settled = match clock.state {
        ClockState::Met => clock.stopped_at,
        ClockState::Breached => clock.breached_at,
        _ => None,
    };
    let value = |key: &str| match key {
        "record" => Value::Id(clock.record.1),
        "sla" => Value::Text(clock.sla.to_string()),
        "cycle" => Value::Integer(clock.cycle.into()),
        "state" => Value::Text(clock.state.name().to_owned()),
        "budget" => bound(clock.budget_ms),
        "consumed" => stopped(clock.consumed_ms),
        "wall" => stopped(clock.elapsed_ms(clock.started_at)),
        "paused" => bound(clock.paused_ms),
        "split" => clock.split.clone().map_or(Value::Null, Value::Text),
        "started" => Value::DateTime(clock.started_at),
        "due" => instant(clock.due_at),
        "stopped" => instant(clock.stopped_at),
        "breached" => instant(clock.breached_at),
        "settled" => instant(settled),
        _ => Value::Null,
    };
    Record {
        id: clock.id,
        version: 1,
        created_at: clock.started_at,
        created_by: None,
        updated_at: clock.since,
        updated_by: None,
        values: table.fields.iter().map(|field| value(&field.key)).collect(),
    }
}

/// The link from a row of a table of clocks to its record: the first field.
pub fn link(table: &Form) -> FieldRef {
    let key = table.fields.first().map_or_else(|| "record".into(), |field| field.key.clone());
    FieldRef { table: TableRef::form(&table.key), key, slot: Slot::Field(0) }
}

/// A condition over records as one over what is theirs; none where it looks at rows of the record, which cannot be reached
/// from elsewhere. A row whose record is gone is never kept.
pub(crate) fn lifted(condition: &Ir, link: &FieldRef, owner: &TableRef) -> Option<Ir> {
    let exists = FieldPath {
        root: Root::Frame(0),
        hops: vec![link.clone()],
        field: FieldRef { table: owner.clone(), key: "created_at".into(), slot: Slot::CreatedAt },
        ty: Type::DateTime,
    };
    let null = Box::new(Ir::Literal(Value::Null));
    let exists = Ir::Binary(BinaryOp::NotEqual, Box::new(Ir::Field(exists)), null);
    Some(Ir::Binary(BinaryOp::And, Box::new(exists), Box::new(over(condition, link)?)))
}

fn over(ir: &Ir, link: &FieldRef) -> Option<Ir> {
    let all = |items: &[Ir]| items.iter().map(|item| over(item, link)).collect::<Option<Vec<_>>>();
    Some(match ir {
        Ir::Literal(_) | Ir::Name(_) => ir.clone(),
        Ir::Field(path) => {
            let hops = std::iter::once(link.clone()).chain(path.hops.iter().cloned()).collect();
            Ir::Field(FieldPath { hops, ..path.clone() })
        }
        Ir::Unary(op, operand) => Ir::Unary(*op, Box::new(over(operand, link)?)),
        Ir::Binary(op, left, right) => Ir::Binary(*op, Box::new(over(left, link)?), Box::new(over(right, link)?)),
        Ir::In(item, members) => Ir::In(Box::new(over(item, link)?), all(members)?),
        Ir::InList(item, list) => Ir::InList(Box::new(over(item, link)?), Box::new(over(list, link)?)),
        Ir::List(items) => Ir::List(all(items)?),
        Ir::Call(function, items) => Ir::Call(*function, all(items)?),
        Ir::Fold(..) => return None,
    })
}
