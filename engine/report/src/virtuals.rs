//! Fields without a column, in an order in which they can be computed: each after those it reads, across forms.

use std::collections::HashSet;

use formwork_model::expr::ir::{FieldPath, FieldRef, Root, Slot};
use formwork_model::expr::{Ir, TableRef, Type};
use formwork_model::pack::form::{Field, FieldKind, Form, Snapshot};
use formwork_model::{Key, Pack};

use crate::reads::{Reads, declared};

/// A field that is computed when it is read.
#[derive(Debug, Clone)]
pub struct Virtual {
    /// The table it is in.
    pub table: TableRef,
    /// Its position there.
    pub position: usize,
    /// What gives its value, over the record; over the row and then the record, for a child table.
    pub ir: Ir,
    /// Its type: the value is fitted to it.
    pub ty: Type,
}

/// The fields without a column that these expressions read, directly or through others, in an order to compute them in.
pub fn virtuals<'a>(pack: &Pack, expressions: impl Iterator<Item = &'a Ir>) -> Vec<Virtual> {
    let mut reads = Reads::touched();
    expressions.for_each(|ir| reads.add(pack, ir));
    let mut fields: Vec<FieldRef> = reads.fields.into_iter().collect();
    fields.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    fields.iter().for_each(|field| visit(pack, field, &mut seen, &mut found));
    found
}

/// The expression behind a field without a column; none for a stored one and for backlinks, which have no value.
pub fn definition(pack: &Pack, field: &FieldRef) -> Option<Virtual> {
    let form = pack.forms().get(&field.table.form)?;
    let declaration = declared(form, field)?;
    let (false, Slot::Field(position)) = (declaration.is_stored(), field.slot) else { return None };
    let ir = match &declaration.compute {
        Some(compute) => compute.expr.ir.clone(),
        None => looked_up(pack, form, declaration)?,
    };
    Some(Virtual { table: field.table.clone(), position, ir, ty: declaration.ty().clone() })
}

fn visit(pack: &Pack, field: &FieldRef, seen: &mut HashSet<FieldRef>, found: &mut Vec<Virtual>) {
    if !seen.insert(field.clone()) {
        return;
    }
    let Some(defined) = definition(pack, field) else { return };
    let mut read = Reads::touched();
    read.add(pack, &defined.ir);
    let mut fields: Vec<FieldRef> = read.fields.into_iter().collect();
    fields.sort_by(|a, b| key(a).cmp(&key(b)));
    fields.iter().for_each(|field| visit(pack, field, seen, found));
    found.push(defined);
}

/// The path a live look-up stands for.
fn looked_up(pack: &Pack, form: &Form, field: &Field) -> Option<Ir> {
    let FieldKind::Lookup { ty, via, field: target, snapshot: Snapshot::Live } = &field.kind else { return None };
    let link = form.fields.get(*via)?;
    let Type::Link(to) = link.ty() else { return None };
    let (index, _) = pack.forms().get(to)?.field(target)?;
    let hop = FieldRef { table: TableRef::form(&form.key), key: link.key.clone(), slot: Slot::Field(*via) };
    let read = FieldRef { table: TableRef::form(to), key: target.clone(), slot: Slot::Field(index) };
    Some(Ir::Field(FieldPath { root: Root::Frame(0), hops: vec![hop], field: read, ty: ty.clone() }))
}

fn key(field: &FieldRef) -> (&Key, Option<&Key>, &Key) {
    (&field.table.form, field.table.table.as_ref(), &field.key)
}
