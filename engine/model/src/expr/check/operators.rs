//! Operators: which types they are defined for and what they give.

use super::literals::{conversion, is_literal_like};
use super::{Checker, Typed};
use crate::expr::ast::{Kind, Node};
use crate::expr::ir::{BinaryOp, Ir, UnaryOp};
use crate::expr::problem::{Problem, code};
use crate::expr::types::Type;
use crate::expr::walk::{binary_type, unify};

impl Checker<'_> {
    pub(super) fn unary(&mut self, node: &Node, op: UnaryOp, inner: &Node, hint: Option<&Type>) -> Option<Typed> {
        if op == UnaryOp::Not {
            let typed = self.condition(inner)?;
            return Some(Typed { ir: Ir::Unary(op, Box::new(typed.ir)), ty: Type::Boolean, free: typed.free });
        }
        if let Kind::Number(digits) = &inner.kind {
            return self.number(node, digits, true, hint);
        }
        let typed = self.node(inner, hint)?;
        if !typed.ty.is_numeric() && !matches!(typed.ty, Type::Duration | Type::Null) {
            let message = format!("`-` takes a number, and {} is {}", self.shown(inner), typed.ty);
            return self.report(Problem::new(code::OPERAND_TYPE, node.span.clone(), message));
        }
        let duration = typed.ty == Type::Duration;
        self.require_lowering(node.span.clone(), typed.free || !duration, "a computed duration");
        Some(Typed { ir: Ir::Unary(op, Box::new(typed.ir)), ..typed })
    }

    pub(super) fn logic(&mut self, node: &Node, left: &Node, right: &Node) -> Option<Typed> {
        let Kind::Binary(op, ..) = &node.kind else { return None };
        let (left, right) = (self.condition(left), self.condition(right));
        let (left, right) = (left?, right?);
        let free = left.free && right.free;
        Some(Typed { ir: Ir::Binary(*op, Box::new(left.ir), Box::new(right.ir)), ty: Type::Boolean, free })
    }

    pub(super) fn binary(
        &mut self,
        node: &Node,
        op: BinaryOp,
        left: &Node,
        right: &Node,
        hint: Option<&Type>,
    ) -> Option<Typed> {
        use BinaryOp as B;
        let compares = matches!(op, B::Equal | B::NotEqual | B::Less | B::LessEqual | B::Greater | B::GreaterEqual);
        let (a, b) = match op {
            // Factors keep their own type: `amount * 2` is money times integer.
            B::Multiply | B::Divide | B::Modulo => (self.node(left, None), self.node(right, None)),
            _ => self.sides(left, right, if compares { None } else { hint }),
        };
        let (a, b) = (a?, b?);
        let refused = match op {
            _ if compares => !comparable(op, &a.ty, &b.ty),
            B::Coalesce => unify(&a.ty, &b.ty).is_none() || matches!(a.ty, Type::Rows(_)),
            _ => !arithmetic(op, &a.ty, &b.ty),
        };
        if refused {
            return self.refuse(node, op, (left, &a.ty), (right, &b.ty));
        }
        let free = a.free && b.free;
        let ty = match (op, &a.ty, &b.ty) {
            (B::Add | B::Subtract, ty @ (Type::Date | Type::DateTime), _) => ty.clone(),
            _ => binary_type(op, &a.ty, &b.ty),
        };
        let sql = match op {
            B::Divide => false,
            B::Add | B::Subtract => !matches!(ty, Type::Date | Type::DateTime | Type::Duration),
            // No column holds a duration.
            _ => ty != Type::Duration && !(compares && a.ty == Type::Duration),
        };
        let what = format!("`{}` on {}", sign(op), a.ty);
        let ir = Ir::Binary(op, Box::new(a.ir), Box::new(b.ir));
        if self.require_lowering(node.span.clone(), free || sql, &what).is_none() && !compares && !free {
            self.require_bound(node, &ir, &ty);
        }
        Some(Typed { ir, ty, free })
    }

    pub(super) fn membership(&mut self, node: &Node, negated: bool, value: &Node, list: &Node) -> Option<Typed> {
        let (ir, free) = match &list.kind {
            Kind::List(items) => self.member_of_items(value, items)?,
            _ => self.member_of_list(value, list)?,
        };
        let ir = if negated { Ir::Unary(UnaryOp::Not, Box::new(ir)) } else { ir };
        let _ = node;
        Some(Typed { ir, ty: Type::Boolean, free })
    }

    fn member_of_items(&mut self, value: &Node, items: &[Node]) -> Option<(Ir, bool)> {
        // A literal on the left takes the type of what is in the list: `'x' in [category, subcategory]`.
        let first = items.iter().find(|item| !is_literal_like(item)).filter(|_| is_literal_like(value));
        let hint = first.and_then(|item| {
            let before = self.problems.len();
            let ty = self.node(item, None).map(|typed| typed.ty);
            self.problems.truncate(before);
            ty
        });
        let sought = self.node(value, hint.as_ref());
        let members: Vec<Option<Typed>> =
            items.iter().map(|item| self.node(item, sought.as_ref().map(|sought| &sought.ty))).collect();
        let sought = sought?;
        let mut free = sought.free;
        let mut found = Vec::new();
        for (member, item) in members.into_iter().zip(items) {
            let member = member?;
            if !comparable(BinaryOp::Equal, &sought.ty, &member.ty) {
                self.refuse::<()>(item, BinaryOp::Equal, (value, &sought.ty), (item, &member.ty));
                continue;
            }
            free &= member.free;
            found.push(member.ir);
        }
        Some((Ir::In(Box::new(sought.ir), found), free))
    }

    fn member_of_list(&mut self, value: &Node, list: &Node) -> Option<(Ir, bool)> {
        let found = self.node(list, None)?;
        let Type::List(of) = &found.ty else {
            let message = format!("{} is {}, and `in` wants a list", self.shown(list), found.ty);
            let problem = Problem::new(code::OPERAND_TYPE, list.span.clone(), message);
            return self.report(match found.ty {
                Type::Text => problem.hint("`contains(text, part)` looks into text"),
                _ => problem,
            });
        };
        let sought = self.node(value, Some(of))?;
        if !comparable(BinaryOp::Equal, &sought.ty, of) {
            let message = format!("{} is {}, and {} is {}", self.shown(value), sought.ty, self.shown(list), found.ty);
            let mut problem = Problem::new(code::OPERAND_TYPE, value.span.clone(), message);
            problem.hint = conversion(&sought.ty, of);
            return self.report(problem);
        }
        let free = sought.free && found.free;
        self.require_lowering(list.span.clone(), found.free, "a list of fields");
        Some((Ir::InList(Box::new(sought.ir), Box::new(found.ir)), free))
    }

    /// Both sides; the literal one takes the type of the other.
    fn sides(&mut self, left: &Node, right: &Node, hint: Option<&Type>) -> (Option<Typed>, Option<Typed>) {
        match (is_literal_like(left), is_literal_like(right)) {
            (true, false) => {
                let b = self.node(right, hint);
                let a = self.node(left, b.as_ref().map(|b| &b.ty).or(hint));
                (a, b)
            }
            (true, true) => (self.node(left, hint), self.node(right, hint)),
            _ => {
                let a = self.node(left, hint);
                let b = self.node(right, a.as_ref().map(|a| &a.ty).or(hint));
                (a, b)
            }
        }
    }

    fn refuse<T>(&mut self, node: &Node, op: BinaryOp, a: (&Node, &Type), b: (&Node, &Type)) -> Option<T> {
        let (left, right) = (self.shown(a.0), self.shown(b.0));
        let message = match op {
            BinaryOp::Equal | BinaryOp::NotEqual => {
                format!("cannot compare {left} ({}) with {right} ({})", a.1, b.1)
            }
            _ => format!("`{}` is not defined between {left} ({}) and {right} ({})", sign(op), a.1, b.1),
        };
        let mut problem = Problem::new(code::OPERAND_TYPE, node.span.clone(), message);
        problem.hint = refusal_hint(op, a.1, b.1);
        self.report(problem)
    }
}

/// Whether values of these types can be compared so.
fn comparable(op: BinaryOp, a: &Type, b: &Type) -> bool {
    let equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
    match (a, b) {
        (Type::Rows(_), _) | (_, Type::Rows(_)) => false,
        (Type::Null, _) | (_, Type::Null) => equality,
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (Type::Choice(a), Type::Choice(b)) => equality && a.iter().any(|key| b.contains(key)),
        (Type::List(_), _) | (_, Type::List(_)) => false,
        (a, b) if a == b => equality || is_ordered(a),
        _ => false,
    }
}

/// Whether `<` is defined on the type.
pub(super) fn is_ordered(ty: &Type) -> bool {
    ty.is_numeric() || matches!(ty, Type::Text | Type::Date | Type::DateTime | Type::Duration)
}

fn arithmetic(op: BinaryOp, a: &Type, b: &Type) -> bool {
    use BinaryOp as B;
    let number = |ty: &Type| ty.is_numeric() || *ty == Type::Null;
    match (a, b) {
        // A square of an amount is no amount.
        (Type::Money, Type::Money) => op != B::Multiply,
        (a, b) if number(a) && number(b) => true,
        (Type::Text | Type::Null, Type::Text | Type::Null) => op == B::Add,
        (Type::Duration, Type::Duration) => matches!(op, B::Add | B::Subtract | B::Divide),
        (Type::Date | Type::DateTime | Type::Null, Type::Duration)
        | (Type::Date | Type::DateTime | Type::Duration, Type::Null) => matches!(op, B::Add | B::Subtract),
        _ => false,
    }
}

fn refusal_hint(op: BinaryOp, a: &Type, b: &Type) -> Option<String> {
    use BinaryOp as B;
    let hint = match (op, a, b) {
        (B::Less | B::LessEqual | B::Greater | B::GreaterEqual, Type::Null, _)
        | (B::Less | B::LessEqual | B::Greater | B::GreaterEqual, _, Type::Null) => "compare with null by `==` or `!=`",
        (B::Subtract, Type::Date, Type::Date) => "`days_between(from, to)` counts the days",
        (B::Subtract, Type::DateTime, Type::DateTime) => "`hours_between(from, to)` counts the hours",
        (B::Add, Type::Text, _) | (B::Add, _, Type::Text) => "`text(x)` makes text of a value",
        (_, Type::Duration, other) | (_, other, Type::Duration) if other.is_numeric() => {
            "write the number as a duration, such as `hours(4)`; a duration divided by `hours(1)` is a number"
        }
        (B::Multiply, Type::Money, Type::Money) => "multiply an amount by a number; a ratio of amounts is a number",
        (B::Add | B::Subtract, Type::Date | Type::DateTime, _) => "add a duration: `days(2)`, `hours(6)`",
        (_, Type::Choice(_), Type::Text) | (_, Type::Text, Type::Choice(_)) => {
            "`text(x)` is the key of a choice as text"
        }
        (_, Type::Link(_) | Type::User, Type::Link(_) | Type::User) => "they hold records of different forms",
        (_, Type::Choice(_), Type::Choice(_)) => "the two choices have no option in common",
        (_, _, Type::Text) => return conversion(b, a).or_else(|| conversion(a, b)),
        _ => return conversion(a, b).or_else(|| conversion(b, a)),
    };
    Some(hint.to_owned())
}

fn sign(op: BinaryOp) -> &'static str {
    use BinaryOp as B;
    match op {
        B::And => "and",
        B::Or => "or",
        B::Equal => "==",
        B::NotEqual => "!=",
        B::Less => "<",
        B::LessEqual => "<=",
        B::Greater => ">",
        B::GreaterEqual => ">=",
        B::Add => "+",
        B::Subtract => "-",
        B::Multiply => "*",
        B::Divide => "/",
        B::Modulo => "%",
        B::Coalesce => "??",
    }
}
