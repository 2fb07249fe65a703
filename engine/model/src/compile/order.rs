//! In which order derived values are computed: each after those it reads. A cycle is an error.

use crate::Key;
use crate::diagnostic::At;
use crate::expr::ir::{FieldRef, Slot};
use crate::expr::{Ir, TableRef, references};
use crate::pack::form::{Field, FieldKind};

use super::context::Context;

/// The order for a form: positions of computed fields, of lookups, and of tables whose rows have computed fields.
pub(super) fn compute_order(context: &Context<'_>, form: &Key, fields: &[Field], at: &At) -> Vec<usize> {
    let table = TableRef::form(form);
    let reads: Vec<Vec<usize>> = fields.iter().map(|field| reads(field, &table)).collect();
    let derived = |position: usize| {
        let field = &fields[position];
        match &field.kind {
            FieldKind::Lookup { .. } => true,
            FieldKind::Table { fields, .. } => fields.iter().any(|field| field.compute.is_some()),
            _ => field.compute.is_some(),
        }
    };
    sort(context, fields, &reads, derived, at)
}

/// The order among the computed fields of a child row.
pub(super) fn rows_order(context: &Context<'_>, table: &TableRef, fields: &[Field], at: &At) -> Vec<usize> {
    let reads: Vec<Vec<usize>> = fields.iter().map(|field| reads(field, table)).collect();
    sort(context, fields, &reads, |position| fields[position].compute.is_some(), at)
}

/// Positions, in `table`, of the fields a field's value depends on.
fn reads(field: &Field, table: &TableRef) -> Vec<usize> {
    let mut positions = Vec::new();
    if let FieldKind::Lookup { via, .. } = &field.kind {
        positions.push(*via);
    }
    if let Some(compute) = &field.compute {
        add_reads(&compute.expr.ir, table, &mut positions);
    }
    for child in field.kind.rows() {
        if let Some(compute) = &child.compute {
            add_reads(&compute.expr.ir, table, &mut positions);
        }
    }
    positions
}

fn add_reads(ir: &Ir, table: &TableRef, positions: &mut Vec<usize>) {
    for reference in references(ir) {
        // Behind a hop stands another record, whose values are stored already.
        let FieldRef { table: owner, slot: Slot::Field(position), .. } = &reference.field else { continue };
        if reference.hops.is_empty() && !reference.old && reference.frame.is_some() && owner == table {
            positions.push(*position);
        }
    }
}

fn sort(
    context: &Context<'_>,
    fields: &[Field],
    reads: &[Vec<usize>],
    derived: impl Fn(usize) -> bool,
    at: &At,
) -> Vec<usize> {
    let mut order = Vec::new();
    let mut state = vec![State::New; fields.len()];
    for position in 0..fields.len() {
        let mut path = Vec::new();
        visit(position, reads, &derived, &mut state, &mut path, &mut order, &mut |cycle| {
            let words: Vec<&str> = cycle.iter().map(|position| &*fields[*position].key).collect();
            let place = at.key(words[0]);
            context.error_at_key(
                "FW0404",
                &place,
                format!("`{}` depends on itself: {}", words[0], words.join(" → ")),
                None,
            );
        });
    }
    order
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

fn visit(
    position: usize,
    reads: &[Vec<usize>],
    derived: &dyn Fn(usize) -> bool,
    state: &mut [State],
    path: &mut Vec<usize>,
    order: &mut Vec<usize>,
    cycle: &mut dyn FnMut(&[usize]),
) {
    if position >= state.len() || state[position] == State::Done || !derived(position) {
        return;
    }
    path.push(position);
    if state[position] == State::Open {
        let start = path.iter().position(|open| *open == position).unwrap_or(0);
        cycle(&path[start..]);
        path.pop();
        return;
    }
    state[position] = State::Open;
    for next in &reads[position] {
        visit(*next, reads, derived, state, path, order, cycle);
    }
    state[position] = State::Done;
    order.push(position);
    path.pop();
}
