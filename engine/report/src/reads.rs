//! What an expression reads. Asked for rights, computed fields and look-ups are followed to what they show of others,
//! stored or not; asked for what an executor touches, only those without a column are.

use std::collections::HashSet;

use formwork_model::expr::ir::{FieldRef, Rows, Slot};
use formwork_model::expr::{Ir, TableRef, Type};
use formwork_model::pack::form::{Field, FieldKind, Form};
use formwork_model::{Key, Pack};

/// The fields an expression reads, and the forms they are in.
#[derive(Debug, Clone)]
pub struct Reads {
    /// Every field, those behind computed ones included.
    pub fields: HashSet<FieldRef>,
    /// The forms they are in.
    pub forms: HashSet<Key>,
    /// Those of them that a link or a backlink leads to.
    pub reached: HashSet<Key>,
    /// Whether stored values are followed to what they were made of.
    follows_stored: bool,
}

impl Reads {
    /// Gathers everything that shows through: for rights.
    pub fn shown() -> Self {
        Self { fields: HashSet::new(), forms: HashSet::new(), reached: HashSet::new(), follows_stored: true }
    }

    /// Gathers what is touched when the expression is evaluated.
    pub fn touched() -> Self {
        Self { follows_stored: false, ..Self::shown() }
    }

    /// Adds what an expression reads.
    pub fn add(&mut self, pack: &Pack, ir: &Ir) {
        match ir {
            Ir::Literal(_) | Ir::Name(_) => {}
            Ir::Field(path) => {
                path.hops.iter().for_each(|hop| self.add_field(pack, hop));
                // The record a clock is of is the one whose rights count.
                let own = path.hops.first().is_some_and(|hop| pack.clocks().contains_key(&hop.table.form));
                let led_to = path.hops.iter().chain([&path.field]).skip(1 + usize::from(own));
                self.reached.extend(led_to.map(|field| field.table.form.clone()));
                self.add_field(pack, &path.field);
            }
            Ir::Unary(_, operand) => self.add(pack, operand),
            Ir::Binary(_, left, right) | Ir::InList(left, right) => {
                self.add(pack, left);
                self.add(pack, right);
            }
            Ir::In(item, members) => {
                self.add(pack, item);
                members.iter().for_each(|member| self.add(pack, member));
            }
            Ir::List(items) | Ir::Call(_, items) => items.iter().for_each(|item| self.add(pack, item)),
            Ir::Fold(_, rows, each) => {
                self.add_field(pack, rows.field());
                rows.each(&mut |each| self.add(pack, each));
                if matches!(rows.origin(), Rows::Backlink { .. }) {
                    self.reached.insert(rows.field().table.form.clone());
                }
                each.iter().for_each(|each| self.add(pack, each));
            }
        }
    }

    /// Adds a field, and what it is made of.
    fn add_field(&mut self, pack: &Pack, field: &FieldRef) {
        if !self.fields.insert(field.clone()) {
            return;
        }
        self.forms.insert(field.table.form.clone());
        let Some(form) = pack.forms().get(&field.table.form) else { return };
        let Some(declared) = declared(form, field) else { return };
        if declared.is_stored() && !self.follows_stored {
            return;
        }
        if let Some(compute) = &declared.compute {
            self.add(pack, &compute.expr.ir);
        }
        if let Some(target) = looked_up(pack, form, declared) {
            self.reached.insert(target.table.form.clone());
            self.add_field(pack, &target);
        }
    }
}

/// The declaration a reference points to; none for the fields every record has.
pub fn declared<'a>(form: &'a Form, field: &FieldRef) -> Option<&'a Field> {
    let Slot::Field(index) = field.slot else { return None };
    match &field.table.table {
        None => form.fields.get(index),
        Some(table) => form.field(table)?.1.kind.rows().get(index),
    }
}

/// The linked form's field that a look-up shows. A snapshot shows what was there once: the same right is asked for.
fn looked_up(pack: &Pack, form: &Form, field: &Field) -> Option<FieldRef> {
    let FieldKind::Lookup { via, field, .. } = &field.kind else { return None };
    let Type::Link(to) = form.fields.get(*via)?.ty() else { return None };
    let (index, _) = pack.forms().get(to)?.field(field)?;
    let table = TableRef::form(to);
    Some(FieldRef { table, key: field.clone(), slot: Slot::Field(index) })
}
