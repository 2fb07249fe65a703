//! Tree → typed IR: names, types, null, literals. Everything wrong is reported, not only the first.

mod calls;
mod literals;
mod lookup;
mod names;
mod operators;
mod rows;

use std::ops::Range;

use super::ast::{Kind, Node};
use super::bounds::{aligns, bound};
use super::ir::{BinaryOp, Expr, Ir, Name};
use super::parser::parse;
use super::position::Names;
use super::problem::{Problem, code};
use super::scope::Scope;
use super::types::Type;
use crate::value::Value;
use lookup::Looking;
use names::Pushed;

/// The expression, checked against what is in scope and, if given, against the type its place wants; or everything
/// that is wrong with it, in the order of the text, never empty.
pub fn check(source: &str, scope: &Scope, expected: Option<&Type>) -> Result<Expr, Vec<Problem>> {
    let (node, problems) = parse(source);
    check_tree(source, &node, problems, scope, expected)
}

/// As [`check`], over a tree that is read already, with the problems of reading it.
pub(super) fn check_tree(
    source: &str,
    node: &Node,
    problems: Vec<Problem>,
    scope: &Scope,
    expected: Option<&Type>,
) -> Result<Expr, Vec<Problem>> {
    let mut checker =
        Checker { source, scope, pushed: Vec::new(), looking: None, lowers: scope.lowers(), problems, draws: 0 };
    let typed = checker.node(node, expected).and_then(|typed| match expected {
        Some(expected) => checker.conform(node, typed, expected),
        None => Some(typed),
    });
    match typed {
        Some(Typed { ir, ty, .. }) if checker.problems.is_empty() => {
            Ok(Expr { source: source.to_owned(), ty: expected.filter(|_| ty == Type::Null).cloned().unwrap_or(ty), ir })
        }
        _ => {
            if checker.problems.is_empty() {
                checker.report::<()>(Problem::new(code::SYNTAX, node.span.clone(), "the expression cannot be read"));
            }
            checker.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
            Err(checker.problems)
        }
    }
}

/// A checked part.
struct Typed {
    ir: Ir,
    ty: Type,
    /// Whether it reads nothing of a row, or in the condition of a look-up nothing of the record looked at: then it is
    /// computed before and bound, whatever it consists of.
    free: bool,
}

struct Checker<'s> {
    source: &'s str,
    scope: &'s Scope<'s>,
    /// Rows that list functions and look-ups have pushed, outermost first.
    pushed: Vec<Pushed>,
    /// While the condition of a look-up is checked.
    looking: Option<Looking>,
    /// Whether everything must lower here: what the scope says, and in the condition of a look-up.
    lowers: bool,
    problems: Vec<Problem>,
    /// How many `rng` were met: the place of each.
    draws: i64,
}

impl Checker<'_> {
    /// The part below `node`; nothing where something in it is wrong, which is reported then. `hint` is the type the
    /// place would like: literals take it where they can.
    fn node(&mut self, node: &Node, hint: Option<&Type>) -> Option<Typed> {
        let hint = hint.filter(|ty| **ty != Type::Null);
        match &node.kind {
            Kind::Missing => None,
            Kind::Null => Some(constant(Value::Null, Type::Null)),
            Kind::Boolean(value) => Some(constant(Value::Boolean(*value), Type::Boolean)),
            Kind::Number(digits) => self.number(node, digits, false, hint),
            Kind::Text(text) => self.text(node, text, hint),
            Kind::Name(_) | Kind::Member(..) | Kind::Index(..) => self.name(node),
            Kind::Cell => match self.scope.cell_type() {
                Some(ty) => Some(Typed { ir: Ir::Name(Name::Cell), ty: ty.clone(), free: false }),
                None => {
                    let problem = Problem::new(code::UNKNOWN_NAME, node.span.clone(), "`?` is not in scope here");
                    self.report(problem.hint("it stands for the input in the cells of a decision"))
                }
            },
            Kind::List(items) => self.list(items, hint),
            Kind::Call(name, arguments) => self.call(node, name, arguments, hint),
            Kind::Unary(op, inner) => self.unary(node, *op, inner, hint),
            Kind::Binary(BinaryOp::And | BinaryOp::Or, left, right) => self.logic(node, left, right),
            Kind::Binary(op, left, right) => self.binary(node, *op, left, right, hint),
            Kind::In { negated, value, list } => self.membership(node, *negated, value, list),
        }
    }

    /// A part that must be a condition.
    fn condition(&mut self, node: &Node) -> Option<Typed> {
        let typed = self.node(node, Some(&Type::Boolean))?;
        match typed.ty {
            Type::Boolean | Type::Null => Some(typed),
            ty => {
                let message = format!("{} is {ty}, and a condition is wanted", self.shown(node));
                let problem = Problem::new(code::OPERAND_TYPE, node.span.clone(), message);
                self.report(problem.hint("compare it: `==`, `!=`, `<`, `in` or `!= null`"))
            }
        }
    }

    /// Whether the whole expression may stand where `expected` is wanted.
    fn conform(&mut self, node: &Node, typed: Typed, expected: &Type) -> Option<Typed> {
        if self.fits(&typed.ty, expected) {
            return Some(typed);
        }
        let message = format!("{} is {}, and {expected} is wanted", self.shown(node), typed.ty);
        let mut problem = Problem::new(code::RESULT_TYPE, node.span.clone(), message);
        problem.hint = literals::conversion(&typed.ty, expected);
        self.report(problem)
    }

    /// Whether a value of type `found` may be stored as `wanted`. Decimals are rounded to the scale when stored; text
    /// columns of an import are looked up among keys and records when stored.
    fn fits(&self, found: &Type, wanted: &Type) -> bool {
        match (found, wanted) {
            (Type::Null, _) | (_, Type::Null) => true,
            (Type::Integer | Type::Decimal { .. } | Type::Money, Type::Decimal { .. } | Type::Money) => true,
            (Type::Choice(found), Type::Choice(wanted)) => found.iter().all(|key| wanted.contains(key)),
            (Type::List(found), Type::List(wanted)) => self.fits(found, wanted),
            (Type::Text, Type::Choice(_) | Type::Queue | Type::Link(_) | Type::User) => self.scope.has(Names::Columns),
            _ => found == wanted,
        }
    }

    /// Refuses a part that does not lower where the scope says that everything must.
    fn require_lowering(&mut self, span: Range<usize>, lowers: bool, what: &str) -> Option<()> {
        if lowers || !self.lowers {
            return None;
        }
        let problem = Problem::new(code::NOT_LOWERED, span, format!("{what} cannot run in the database"));
        self.report::<()>(problem.hint("keep the result in a stored computed field and compare that"));
        Some(())
    }

    /// Refuses a number that might leave the 64 bits of the database, where the scope says that everything must lower.
    fn require_bound(&mut self, node: &Node, ir: &Ir, ty: &Type) {
        let shapes = self.scope.shapes;
        if !self.lowers || !ty.is_numeric() || aligns(ir, shapes).unwrap_or_else(|| bound(ir, shapes).is_some()) {
            return;
        }
        let message = format!("{} might be too large for the database", self.shown(node));
        let problem = Problem::new(code::NOT_LOWERED, node.span.clone(), message);
        self.report::<()>(
            problem.hint("give the fields a `min` and a `max`, or keep the result in a stored computed field"),
        );
    }

    /// The author's text of a node, in backticks, shortened.
    fn shown(&self, node: &Node) -> String {
        let text = self.source.get(node.span.clone()).unwrap_or_default();
        if node.kind == Kind::Cell && text != "?" {
            return "the input".to_owned();
        }
        match text.char_indices().nth(40) {
            Some((end, _)) => format!("`{}…`", &text[..end]),
            None => format!("`{text}`"),
        }
    }

    fn report<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }
}

fn constant(value: Value, ty: Type) -> Typed {
    Typed { ir: Ir::Literal(value), ty, free: true }
}
