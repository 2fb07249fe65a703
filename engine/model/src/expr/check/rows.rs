//! Functions over rows: the rows they take, and what is evaluated in each.

use super::lookup::lookup_all;
use super::names::{Pushed, Resolved};
use super::operators::is_ordered;
use super::{Checker, Typed};
use crate::expr::ast::{Kind, Node};
use crate::expr::functions::{Callee, Signature, signature};
use crate::expr::ir::{Fold, Ir, Rows};
use crate::expr::problem::{Problem, code};
use crate::expr::types::{TableRef, Type};
use crate::value::Value;

/// Rows, the table they are of, and whether nothing of them is read of the row a look-up is asking for.
pub(super) struct Chosen {
    pub(super) rows: Rows,
    pub(super) table: TableRef,
    pub(super) free: bool,
}

impl Checker<'_> {
    /// A function over rows; the second argument is checked in the row.
    pub(super) fn fold(&mut self, node: &Node, found: &Signature, fold: Fold, arguments: &[Node]) -> Option<Typed> {
        if let Some((name, parts)) = arguments.first().and_then(lookup_all) {
            return self.fold_found(node, found, fold, (name, parts), arguments);
        }
        let (least, most) = match fold {
            Fold::Count => (1, 2),
            Fold::First | Fold::Join => (3, 3),
            _ => (2, 2),
        };
        self.check_rows_count(node, found, arguments.len(), least, most)?;
        let Chosen { mut rows, table, mut free } = self.rows(found, &arguments[0])?;
        self.pushed.push(Pushed::row(table, free));
        let each = arguments.get(1).map(|each| self.each(found, fold, each));
        let order = (fold == Fold::First).then(|| self.order(found, &arguments[2]));
        self.pushed.pop();
        if let Some(order) = order {
            let order = order?;
            free &= order.free;
            rows = Rows::Taken(Box::new(rows), 1, Box::new(order.ir));
        }
        let each = match each {
            Some(each) => Some(each?),
            None => None,
        };
        self.folded(node, found, fold, (rows, free), each, arguments.get(2))
    }

    /// The function over those rows, and whether they are known before. `between`: what goes between texts.
    pub(super) fn folded(
        &mut self,
        node: &Node,
        found: &Signature,
        fold: Fold,
        (rows, free): (Rows, bool),
        each: Option<Typed>,
        between: Option<&Node>,
    ) -> Option<Typed> {
        let each = match (fold, each, between) {
            (Fold::Join, Some(text), Some(between)) => {
                let between = self.between(found, between)?;
                Some(Typed { ir: Ir::List(vec![text.ir, Ir::Literal(Value::Text(between))]), ..text })
            }
            (_, each, _) => each,
        };
        let ty = match (fold, &each) {
            (Fold::Count, _) => Type::Integer,
            (Fold::Any | Fold::All, _) => Type::Boolean,
            (Fold::Avg | Fold::Median, Some(each)) if each.ty == Type::Money => Type::Money,
            (Fold::Avg | Fold::Median, _) => Type::Decimal { scale: 12 },
            (_, each) => each.as_ref().map_or(Type::Null, |each| each.ty.clone()),
        };
        let free = free && each.as_ref().is_none_or(|each| each.free);
        self.require_lowering(node.span.clone(), free || found.sql, &format!("`{}` over rows", found.name));
        Some(Typed { ir: Ir::Fold(fold, rows, each.map(|each| Box::new(each.ir))), ty, free })
    }

    pub(super) fn check_rows_count(
        &mut self,
        node: &Node,
        found: &Signature,
        count: usize,
        least: usize,
        most: usize,
    ) -> Option<()> {
        if (least..=most).contains(&count) {
            return Some(());
        }
        let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let message = format!("`{}` takes {wanted} arguments: there are {count}", found.name);
        let problem = Problem::new(code::ARGUMENT_COUNT, node.span.clone(), message);
        self.report(problem.hint(format!("it is written `{}`", found.text())))
    }

    /// What rows are ordered by.
    fn order(&mut self, found: &Signature, node: &Node) -> Option<Typed> {
        let typed = self.node(node, None)?;
        if is_ordered(&typed.ty) {
            return Some(typed);
        }
        let message = format!("`{}` cannot order rows by {}: {}", found.name, typed.ty, self.shown(node));
        self.report(Problem::new(code::ARGUMENT_TYPE, node.span.clone(), message))
    }

    /// What goes between texts that are joined.
    fn between(&mut self, found: &Signature, node: &Node) -> Option<String> {
        if let Kind::Text(text) = &node.kind {
            return Some(text.clone());
        }
        let message = format!("`{}` takes a text in single quotes here, not {}", found.name, self.shown(node));
        let problem = Problem::new(code::CONSTANT, node.span.clone(), message);
        self.report(problem.hint(format!("it is written `{}`", found.text())))
    }

    /// `filter(rows, condition)` and `take(rows, n, order)`.
    fn chosen(&mut self, node: &Node, found: &'static Signature, arguments: &[Node]) -> Option<Chosen> {
        let count = if found.callee == Callee::Filter { 2 } else { 3 };
        self.check_rows_count(node, found, arguments.len(), count, count)?;
        let Chosen { rows, table, free } = self.rows(found, &arguments[0])?;
        self.pushed.push(Pushed::row(table.clone(), free));
        let chosen = if found.callee == Callee::Filter {
            let condition = self.condition(&arguments[1]);
            condition.map(|each| (Rows::Filtered(Box::new(rows), Box::new(each.ir)), free && each.free))
        } else {
            let taken = match &arguments[1].kind {
                Kind::Number(digits) => digits.parse::<u32>().ok(),
                _ => None,
            };
            let order = self.order(found, &arguments[2]);
            if taken.is_none() {
                let message = format!("{} is no number of rows", self.shown(&arguments[1]));
                let problem = Problem::new(code::CONSTANT, arguments[1].span.clone(), message);
                self.report::<()>(problem.hint("a whole number, written out"));
            }
            let taken = taken.zip(order);
            taken.map(|(taken, each)| (Rows::Taken(Box::new(rows), taken, Box::new(each.ir)), free && each.free))
        };
        self.pushed.pop();
        let (rows, free) = chosen?;
        self.require_lowering(node.span.clone(), free || found.sql, &format!("`{}` over rows", found.name));
        Some(Chosen { rows, table, free })
    }

    pub(super) fn each(&mut self, found: &Signature, fold: Fold, node: &Node) -> Option<Typed> {
        if matches!(fold, Fold::Count | Fold::Any | Fold::All) {
            return self.condition(node);
        }
        let typed = self.node(node, None)?;
        let accepted = match fold {
            Fold::Sum | Fold::Avg | Fold::Median => typed.ty.is_numeric(),
            Fold::Join => typed.ty == Type::Text,
            Fold::First => !matches!(typed.ty, Type::List(_) | Type::Rows(_)),
            _ => is_ordered(&typed.ty),
        };
        if accepted {
            return Some(typed);
        }
        let message = format!("`{}` is not defined for {}: {}", found.name, typed.ty, self.shown(node));
        self.report(Problem::new(code::ARGUMENT_TYPE, node.span.clone(), message))
    }

    fn rows(&mut self, found: &Signature, node: &Node) -> Option<Chosen> {
        if let Some((choice, arguments)) = choice(node) {
            return self.chosen(node, choice, arguments);
        }
        let given = match &node.kind {
            Kind::Name(_) | Kind::Member(..) => match self.resolve(node)? {
                Resolved::Rows(chosen) => return Some(chosen),
                Resolved::Value(typed) => typed.ty,
            },
            _ => self.node(node, None)?.ty,
        };
        let message = format!("`{}` takes rows first, and {} is {given}", found.name, self.shown(node));
        let problem = Problem::new(code::ROWS, node.span.clone(), message);
        self.report(problem.hint("rows are a table field or a backlink of the record"))
    }

    /// Whether the node names rows; says nothing.
    pub(super) fn is_rows(&mut self, node: &Node) -> bool {
        if choice(node).is_some() || lookup_all(node).is_some() {
            return true;
        }
        if !matches!(node.kind, Kind::Name(_) | Kind::Member(..)) {
            return false;
        }
        let before = self.problems.len();
        let found = matches!(self.resolve(node), Some(Resolved::Rows(_)));
        self.problems.truncate(before);
        found
    }
}

/// `filter(…)` or `take(…)`.
fn choice(node: &Node) -> Option<(&'static Signature, &[Node])> {
    let Kind::Call(name, arguments) = &node.kind else { return None };
    let found = signature(&name.text).filter(|found| matches!(found.callee, Callee::Filter | Callee::Take))?;
    Some((found, arguments))
}
