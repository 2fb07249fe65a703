//! Walking the IR: what it reads, whether it reads anything of a row, and the types of its parts.

use super::functions::{ResultType, scalar};
use super::ir::{BinaryOp, FieldRef, Fold, Function, Ir, Name, Root, Rows, Slot, UnaryOp};
use super::types::Type;
use crate::Key;
use crate::value::Value;

/// A field an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The frame of the whole expression's scope the path starts in (0 is the innermost); none for the rows of a list
    /// function and for `old`.
    pub frame: Option<u8>,
    /// Whether the path starts at the stored values (`old.x`).
    pub old: bool,
    /// Links followed before the field; each is a reference of its own, too.
    pub hops: Vec<FieldRef>,
    /// The field.
    pub field: FieldRef,
}

/// Every field the expression reads, once each: the links hopped over, the child tables, backlinks and look-ups folded
/// over (the backlink as the other form's link field, the look-up as the form's id), and the fields of their rows.
pub fn references(ir: &Ir) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(ir, 0, &mut found);
    found
}

/// The forms whose records have to be at hand: those hopped to, those of backlinks and those looked into; once each.
pub fn forms_hopped(ir: &Ir) -> Vec<Key> {
    let mut forms = Vec::new();
    let mut add = |form: &Key| {
        if !forms.contains(form) {
            forms.push(form.clone());
        }
    };
    ir.walk(&mut |node| match node {
        Ir::Field(path) => path.hops.iter().skip(1).chain(path.hops.first().map(|_| &path.field)).for_each(|field| {
            add(&field.table.form);
        }),
        Ir::Fold(_, rows, _) if !matches!(rows.origin(), Rows::Table { .. }) => add(&rows.field().table.form),
        _ => {}
    });
    forms
}

fn collect(ir: &Ir, depth: u8, found: &mut Vec<Reference>) {
    let outside = |frame: u8| frame.checked_sub(depth);
    let mut add = |reference: Reference| {
        if !found.contains(&reference) {
            found.push(reference);
        }
    };
    match ir {
        Ir::Field(path) => {
            let (frame, old) = match path.root {
                Root::Frame(frame) => (outside(frame), false),
                Root::Old => (None, true),
            };
            for (index, hop) in path.hops.iter().enumerate() {
                add(Reference { frame, old, hops: path.hops[..index].to_vec(), field: hop.clone() });
            }
            add(Reference { frame, old, hops: path.hops.clone(), field: path.field.clone() });
        }
        Ir::Fold(_, rows, each) => {
            let frame = match rows.origin() {
                Rows::Table { frame, .. } => outside(*frame),
                _ => None,
            };
            add(Reference { frame, old: false, hops: Vec::new(), field: rows.field().clone() });
            rows.each(&mut |each| collect(each, depth + 1, found));
            if let Some(each) = each {
                collect(each, depth + 1, found);
            }
        }
        other => other.children(&mut |child| collect(child, depth, found)),
    }
}

impl Ir {
    /// Calls `visit` with this node and every node below it, parents first.
    pub fn walk(&self, visit: &mut dyn FnMut(&Ir)) {
        visit(self);
        self.children(&mut |child| child.walk(visit));
    }

    /// Calls `visit` with the nodes directly below.
    pub fn children(&self, visit: &mut dyn FnMut(&Ir)) {
        match self {
            Ir::Literal(_) | Ir::Field(_) | Ir::Name(_) => {}
            Ir::Unary(_, a) => visit(a),
            Ir::Binary(_, a, b) | Ir::InList(a, b) => {
                visit(a);
                visit(b);
            }
            Ir::In(a, list) => {
                visit(a);
                list.iter().for_each(visit);
            }
            Ir::List(list) | Ir::Call(_, list) => list.iter().for_each(visit),
            Ir::Fold(_, rows, each) => {
                rows.each(visit);
                if let Some(each) = each {
                    visit(each);
                }
            }
        }
    }

    /// Whether no field, row or column is read: the value is the same for every row, so a back end may compute it once.
    pub fn is_row_free(&self) -> bool {
        let mut free = true;
        self.walk(&mut |node| {
            free &= !matches!(node, Ir::Field(_) | Ir::Fold(..) | Ir::Name(Name::Column(_) | Name::Cell | Name::Index));
        });
        free
    }

    /// Whether it reads one of the innermost `frames` rows around it.
    pub fn reads_row(&self, frames: u8) -> bool {
        reads_between(self, 0, frames)
    }

    /// Whether it reads that frame; 0 is the innermost around it.
    pub fn reads_frame(&self, frame: u8) -> bool {
        reads_between(self, frame, 1)
    }

    /// The type of this part. Names whose type only a scope knows (`settings.x`, `vars.x`, outputs, inputs, `?`) are
    /// [`Type::Null`]; in a bound expression (`core::eval::bind`) there are none.
    pub fn ty(&self) -> Type {
        match self {
            Ir::Literal(value) => literal_type(value),
            Ir::Field(path) => path.ty.clone(),
            Ir::Name(name) => name_type(name),
            Ir::Unary(UnaryOp::Not, _) | Ir::In(..) | Ir::InList(..) => Type::Boolean,
            Ir::Unary(UnaryOp::Negate, a) => a.ty(),
            Ir::Binary(op, a, b) => binary_type(*op, &a.ty(), &b.ty()),
            Ir::List(list) => Type::List(Box::new(common(list.iter()))),
            Ir::Call(function, arguments) => call_type(*function, arguments),
            Ir::Fold(fold, _, each) => match (fold, each) {
                (Fold::Count, _) => Type::Integer,
                (Fold::Any | Fold::All, _) => Type::Boolean,
                (Fold::Avg | Fold::Median, Some(each)) if each.ty() == Type::Money => Type::Money,
                (Fold::Join, _) => Type::Text,
                (Fold::Avg | Fold::Median, _) => Type::Decimal { scale: 12 },
                (Fold::List, each) => Type::List(Box::new(each.as_ref().map_or(Type::Null, |each| each.ty()))),
                (_, each) => each.as_ref().map_or(Type::Null, |each| each.ty()),
            },
        }
    }
}

/// Whether it reads a frame from `own`, how many rows it has pushed itself, up to `own + frames`.
fn reads_between(ir: &Ir, own: u8, frames: u8) -> bool {
    let is_between = |frame: u8| frame >= own && frame - own < frames;
    match ir {
        Ir::Field(path) => matches!(path.root, Root::Frame(frame) if is_between(frame)),
        Ir::Fold(_, rows, each) => {
            let mut reads = match rows.origin() {
                Rows::Table { frame, .. } | Rows::Backlink { frame, .. } => is_between(*frame),
                _ => false,
            };
            rows.each(&mut |each| reads |= reads_between(each, own + 1, frames));
            reads || each.as_ref().is_some_and(|each| reads_between(each, own + 1, frames))
        }
        other => {
            let mut reads = false;
            other.children(&mut |child| reads |= reads_between(child, own, frames));
            reads
        }
    }
}

fn call_type(function: Function, arguments: &[Ir]) -> Type {
    let result = scalar(function).result;
    if let Some(ty) = result.fixed() {
        return ty;
    }
    match (function, result) {
        (Function::Round, _) => round_type(&arguments[0].ty(), arguments.get(1)),
        (Function::When, _) => common(arguments.iter().skip(1).step_by(2).chain(arguments.last())),
        (_, ResultType::Argument(index)) => arguments.get(index).map_or(Type::Null, Ir::ty),
        (_, ResultType::Common) => common(arguments.iter()),
        (Function::Pick, _) => match arguments.first().map(Ir::ty) {
            Some(Type::List(of)) => *of,
            _ => Type::Null,
        },
        (Function::Ref, _) => match arguments.first() {
            Some(Ir::Literal(Value::Text(form))) => Type::Link(form.as_str().into()),
            _ => Type::Null,
        },
        _ => Type::Null,
    }
}

/// The type of `round(x, places)`.
pub(crate) fn round_type(of: &Type, places: Option<&Ir>) -> Type {
    let places = match places {
        Some(Ir::Literal(Value::Integer(places))) => *places as u8,
        _ => 0,
    };
    match of {
        Type::Decimal { scale } => Type::Decimal { scale: places.min(*scale) },
        other => other.clone(),
    }
}

/// The type of `a op b`, where it is defined for those types.
pub(crate) fn binary_type(op: BinaryOp, a: &Type, b: &Type) -> Type {
    use BinaryOp as B;
    match op {
        B::And | B::Or | B::Equal | B::NotEqual | B::Less | B::LessEqual | B::Greater | B::GreaterEqual => {
            Type::Boolean
        }
        B::Coalesce | B::Add | B::Subtract | B::Modulo => unify(a, b).unwrap_or_else(|| a.clone()),
        B::Multiply => match (a, b) {
            (Type::Money, _) | (_, Type::Money) => Type::Money,
            (Type::Integer, Type::Integer) => Type::Integer,
            _ => Type::Decimal { scale: scale(a) + scale(b).min(24 - scale(a).min(24)) },
        },
        B::Divide => match (a, b) {
            (Type::Money, other) if *other != Type::Money => Type::Money,
            _ => Type::Decimal { scale: 12 },
        },
    }
}

/// The type that holds both; nothing where there is none.
pub(crate) fn unify(a: &Type, b: &Type) -> Option<Type> {
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (Type::Null, other) | (other, Type::Null) => other.clone(),
        (Type::Money, other) | (other, Type::Money) if other.is_numeric() => Type::Money,
        (a, b) if a.is_numeric() && b.is_numeric() => Type::Decimal { scale: scale(a).max(scale(b)) },
        (Type::Choice(a), Type::Choice(b)) => {
            let mut keys = a.to_vec();
            keys.extend(b.iter().filter(|key| !a.contains(key)).cloned());
            Type::Choice(keys.into())
        }
        (Type::List(a), Type::List(b)) => Type::List(Box::new(unify(a, b)?)),
        _ => return None,
    })
}

fn common<'a>(parts: impl Iterator<Item = &'a Ir>) -> Type {
    parts.map(Ir::ty).fold(Type::Null, |found, ty| unify(&found, &ty).unwrap_or(found))
}

/// Places after the point of a numeric type.
pub(crate) fn scale(ty: &Type) -> u8 {
    match ty {
        Type::Decimal { scale } => *scale,
        Type::Money => 2,
        _ => 0,
    }
}

fn literal_type(value: &Value) -> Type {
    match value {
        Value::Null | Value::Id(_) | Value::Rows(_) => Type::Null,
        Value::Boolean(_) => Type::Boolean,
        Value::Integer(_) => Type::Integer,
        Value::Decimal(number) => Type::Decimal { scale: number.scale() as u8 },
        Value::Text(_) => Type::Text,
        Value::Date(_) => Type::Date,
        Value::DateTime(_) => Type::DateTime,
        Value::Duration(_) => Type::Duration,
        Value::List(list) => {
            let of = list.iter().map(literal_type).fold(Type::Null, |a, b| unify(&a, &b).unwrap_or(a));
            Type::List(Box::new(of))
        }
    }
}

fn name_type(name: &Name) -> Type {
    match name {
        Name::Now | Name::AsOf => Type::DateTime,
        Name::Today => Type::Date,
        Name::UserId => Type::User,
        Name::UserRoles => Type::List(Box::new(Type::Text)),
        Name::UserQueues => Type::List(Box::new(Type::Queue)),
        Name::UserTeam => Type::Text,
        Name::UserLeads => Type::List(Box::new(Type::Text)),
        Name::Index => Type::Integer,
        Name::Column(_) => Type::Text,
        Name::Instance(attribute) => attribute.ty(),
        Name::Step(_, attribute) => attribute.ty(),
        Name::Setting(_) | Name::Var(_) | Name::Output(..) | Name::Event(_) | Name::Input(_) | Name::Cell => Type::Null,
    }
}

impl FieldRef {
    /// Whether it is one of the fields every record has.
    pub fn is_system(&self) -> bool {
        !matches!(self.slot, Slot::Field(_))
    }
}
