//! Literals, which take the type of the other side, and the hints on how to convert what does not fit.

use rust_decimal::Decimal;

use super::{Checker, Typed, constant};
use crate::expr::ast::{Kind, Node};
use crate::expr::ir::{BinaryOp, Ir, UnaryOp};
use crate::expr::position::Names;
use crate::expr::problem::{Problem, code};
use crate::expr::types::Type;
use crate::expr::walk::unify;
use crate::suggest::nearest;
use crate::value::Value;

impl Checker<'_> {
    pub(super) fn number(&mut self, node: &Node, digits: &str, negative: bool, hint: Option<&Type>) -> Option<Typed> {
        let text = if negative { format!("-{digits}") } else { digits.to_owned() };
        let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
        let decimal = || Decimal::from_str_exact(&text).ok();
        let typed = match hint {
            Some(Type::Money) => decimal().map(|number| constant(Value::Decimal(number), Type::Money)),
            Some(Type::Decimal { .. }) => {
                decimal().map(|number| constant(Value::Decimal(number), Type::Decimal { scale: places as u8 }))
            }
            _ if places > 0 => {
                decimal().map(|number| constant(Value::Decimal(number), Type::Decimal { scale: places as u8 }))
            }
            _ => text.parse().ok().map(|number| constant(Value::Integer(number), Type::Integer)),
        };
        if typed.is_none() {
            let message = format!("`{text}` is too large or has too many places");
            return self.report(Problem::new(code::LITERAL, node.span.clone(), message));
        }
        typed
    }

    pub(super) fn text(&mut self, node: &Node, text: &str, hint: Option<&Type>) -> Option<Typed> {
        let value = Value::Text(text.to_owned());
        let shapes = self.scope.shapes;
        match hint {
            Some(ty @ Type::Choice(keys)) => {
                if keys.iter().any(|key| **key == *text) {
                    return Some(constant(value, ty.clone()));
                }
                self.unknown_key(node, "option", text, keys.iter().map(|key| &**key))
            }
            Some(Type::Queue) => {
                if shapes.queues.iter().any(|key| **key == *text) {
                    return Some(constant(value, Type::Queue));
                }
                self.unknown_key(node, "queue", text, shapes.queues.iter().map(|key| &**key))
            }
            Some(ty @ Type::Link(_)) if self.scope.has(Names::Ids) => Some(match text.parse() {
                Ok(id) => constant(Value::Id(id), ty.clone()),
                Err(_) => constant(value, Type::Text),
            }),
            _ => Some(constant(value, Type::Text)),
        }
    }

    /// Reports a key that does not exist, with the nearest one, or all if they are few.
    pub(super) fn unknown_key<'k, T>(
        &mut self,
        node: &Node,
        what: &str,
        text: &str,
        keys: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<T> {
        let problem = Problem::new(code::UNKNOWN_KEY, node.span.clone(), format!("unknown {what} `{text}`"));
        let all: Vec<String> = keys.clone().map(|key| format!("`{key}`")).collect();
        self.report(match nearest(text, keys) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None if (1..=8).contains(&all.len()) => problem.hint(format!("there are {}", all.join(", "))),
            None => problem,
        })
    }

    pub(super) fn list(&mut self, items: &[Node], hint: Option<&Type>) -> Option<Typed> {
        let hint = match hint {
            Some(Type::List(of)) => Some(&**of),
            _ => None,
        };
        let (items, ty, free) = self.values(&items.iter().collect::<Vec<_>>(), hint, "a list")?;
        Some(Typed { ir: Ir::List(items), ty: Type::List(Box::new(ty)), free })
    }

    /// Parts that must have a common type: the literals among them take that of the others, else the hint.
    pub(super) fn values(&mut self, nodes: &[&Node], hint: Option<&Type>, what: &str) -> Option<(Vec<Ir>, Type, bool)> {
        let mut found: Vec<Option<Typed>> = nodes.iter().map(|_| None).collect();
        let mut common = Type::Null;
        let mut whole = true;
        let (literals, others): (Vec<usize>, Vec<usize>) =
            (0..nodes.len()).partition(|index| is_literal_like(nodes[*index]));
        for (index, is_literal) in others.into_iter().map(|i| (i, false)).chain(literals.into_iter().map(|i| (i, true)))
        {
            let wanted = if common == Type::Null || !is_literal { hint.cloned() } else { Some(common.clone()) };
            let Some(typed) = self.node(nodes[index], wanted.as_ref()) else {
                whole = false;
                continue;
            };
            match unify(&common, &typed.ty) {
                Some(ty) if !matches!(ty, Type::Rows(_)) => common = ty,
                _ => {
                    let message = format!(
                        "the values of {what} are of different types: {} is {}, the others are {common}",
                        self.shown(nodes[index]),
                        typed.ty
                    );
                    let mut problem = Problem::new(code::ARGUMENT_TYPE, nodes[index].span.clone(), message);
                    problem.hint = conversion(&typed.ty, &common);
                    self.report::<()>(problem);
                    whole = false;
                }
            }
            found[index] = Some(typed);
        }
        if !whole {
            return None;
        }
        let free = found.iter().flatten().all(|typed| typed.free);
        Some((found.into_iter().flatten().map(|typed| typed.ir).collect(), common, free))
    }
}

/// Whether the part takes its type from the other side: literals, and what consists of them.
pub(super) fn is_literal_like(node: &Node) -> bool {
    use BinaryOp as B;
    match &node.kind {
        Kind::Null | Kind::Number(_) | Kind::Text(_) => true,
        Kind::List(items) => items.iter().all(is_literal_like),
        Kind::Unary(UnaryOp::Negate, inner) => is_literal_like(inner),
        Kind::Binary(B::Add | B::Subtract | B::Coalesce, left, right) => {
            is_literal_like(left) && is_literal_like(right)
        }
        Kind::Call(name, arguments) => match name.text.as_str() {
            "when" => arguments.iter().skip(1).step_by(2).chain(arguments.last()).all(is_literal_like),
            "coalesce" => arguments.iter().all(is_literal_like),
            "pick" => arguments.first().is_some_and(is_literal_like),
            _ => false,
        },
        _ => false,
    }
}

/// How to make `wanted` of `found`, where a function does it.
pub(super) fn conversion(found: &Type, wanted: &Type) -> Option<String> {
    let hint = match (found, wanted) {
        (Type::Text, Type::Date) => "`date('2026-01-31')` reads a date from text",
        (Type::Text, Type::DateTime) => "`datetime('2026-01-31T08:00:00Z')` reads an instant from text",
        (Type::Text, Type::Duration) => "write `hours(6)` or `days(2)`",
        (Type::Text, other) if other.is_numeric() => "`number(x)` reads a number from text",
        (Type::Text, Type::Link(_) | Type::User) => {
            "a link holds a record; compare a field of it, such as its code, with text"
        }
        (Type::DateTime, Type::Date) => "`date(x)` is the date of an instant in the pack's zone",
        (Type::Decimal { .. } | Type::Money, Type::Integer) => "`floor(x)` and `ceil(x)` make an integer",
        (Type::Rows(_), _) => "use a list function: `count(rows)`, `sum(rows, x)`, `any(rows, condition)`",
        (Type::Integer, Type::Duration) => "write `hours(6)` or `days(2)`",
        (_, Type::Text) => "`text(x)` makes text of it",
        (_, Type::Boolean) => "compare it: `==`, `!=`, `<`, `in` or `!= null`",
        _ => return None,
    };
    Some(hint.to_owned())
}
