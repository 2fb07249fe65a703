//! `lookup` and `lookup_all`: records of a form by a condition.
//!
//! `it` is the record looked at, in the value and in the condition; everything else means what it means around the call.
//! The condition becomes a bound query: what it reads of the record must lower to SQL, what it reads of the rows around is
//! computed before and need not.

use super::names::Pushed;
use super::{Checker, Typed};
use crate::Key;
use crate::expr::ast::{Kind, Node};
use crate::expr::functions::{Callee, Signature, signature};
use crate::expr::ir::{FieldRef, Fold, Ir, Rows, Slot};
use crate::expr::problem::{Problem, code};
use crate::expr::types::{TableRef, Type};
use crate::suggest::nearest;

/// Where a condition of a look-up is being checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looking {
    /// How many rows list functions had pushed around the look-up: what they hold is known before.
    pub(super) around: usize,
}

impl Checker<'_> {
    /// `lookup(form, value, condition)` or `lookup_all(…)`, as a value.
    pub(super) fn lookup(&mut self, node: &Node, found: &Signature, fold: Fold, arguments: &[Node]) -> Option<Typed> {
        let (rows, value) = self.found(node, found, arguments, |checker, value| checker.single(found, value))?;
        let ty = if fold == Fold::List { Type::List(Box::new(value.ty)) } else { value.ty };
        Some(Typed { ir: Ir::Fold(fold, rows, Some(Box::new(value.ir))), ty, free: false })
    }

    /// A list function over `lookup_all(…)`: over the records themselves, so that the list is never made.
    pub(super) fn fold_found(
        &mut self,
        node: &Node,
        found: &Signature,
        fold: Fold,
        (looking, parts): (&'static Signature, &[Node]),
        arguments: &[Node],
    ) -> Option<Typed> {
        let wanted = if fold == Fold::Join { 2 } else { 1 };
        if fold == Fold::First || arguments.len() != wanted {
            let message = format!("`{}` takes the list of `lookup_all` alone", found.name);
            let between = if fold == Fold::Join { ", ', '" } else { "" };
            let hint = match fold {
                Fold::First => "`min` and `max` find the least and the greatest".to_owned(),
                _ => format!("it is written `{}(lookup_all(form, value, condition){between})`", found.name),
            };
            return self.report(Problem::new(code::ARGUMENT_COUNT, node.span.clone(), message).hint(hint));
        }
        let (rows, value) = self.found(&arguments[0], looking, parts, |checker, value| match fold {
            Fold::Count => checker.single(looking, value),
            _ => checker.each(found, fold, value),
        })?;
        // All of them count, null or not.
        let each = (fold != Fold::Count).then_some(value);
        self.folded(node, found, fold, (rows, false), each, arguments.get(1))
    }

    /// The records, and the value in each.
    fn found(
        &mut self,
        node: &Node,
        found: &Signature,
        arguments: &[Node],
        value: impl FnOnce(&mut Self, &Node) -> Option<Typed>,
    ) -> Option<(Rows, Typed)> {
        if !self.scope.looks_up() {
            let message = format!("`{}` cannot load records here", found.name);
            let problem = Problem::new(code::LOOKUP, node.span.clone(), message);
            return self.report(problem.hint(
                "it stands in defaults, rules, stored computed fields, workflows and their decisions; \
                 keep what it finds in a field or a variable",
            ));
        }
        if self.pushed.iter().any(|row| row.is_it) {
            let message = format!("`{}` stands inside another look-up", found.name);
            let problem = Problem::new(code::LOOKUP, node.span.clone(), message);
            return self.report(problem.hint("keep what the inner one finds in a field or a variable"));
        }
        self.check_rows_count(node, found, arguments.len(), 3, 3)?;
        let table = self.form_named(found, &arguments[0])?;
        let id = FieldRef { table: table.clone(), key: Key::from("id"), slot: Slot::Id };
        let around = self.pushed.len();
        self.pushed.push(Pushed::it(table));
        let value = value(self, &arguments[1]);
        (self.looking, self.lowers) = (Some(Looking { around }), true);
        let condition = self.condition(&arguments[2]);
        (self.looking, self.lowers) = (None, self.scope.lowers());
        self.pushed.pop();
        Some((Rows::Found { id, condition: Box::new(condition?.ir) }, value?))
    }

    /// A value that may stand in a list.
    fn single(&mut self, found: &Signature, node: &Node) -> Option<Typed> {
        let typed = self.node(node, None)?;
        if !matches!(typed.ty, Type::List(_) | Type::Rows(_)) {
            return Some(typed);
        }
        let message = format!("`{}` takes a single value here, and {} is {}", found.name, self.shown(node), typed.ty);
        self.report(Problem::new(code::ARGUMENT_TYPE, node.span.clone(), message))
    }

    /// The form a bare word names.
    fn form_named(&mut self, found: &Signature, node: &Node) -> Option<TableRef> {
        let Kind::Name(name) = &node.kind else {
            let message = format!("`{}` takes the key of a form first, and {} is none", found.name, self.shown(node));
            let problem = Problem::new(code::CONSTANT, node.span.clone(), message);
            return self.report(problem.hint(format!("it is written `{}`", found.text())));
        };
        let table = TableRef::form(&Key::from(name.as_str()));
        let tables = &self.scope.shapes.tables;
        if tables.contains_key(&table) {
            return Some(table);
        }
        let forms = tables.keys().filter(|table| table.table.is_none()).map(|table| &*table.form);
        let problem = Problem::new(code::UNKNOWN_KEY, node.span.clone(), format!("unknown form `{name}`"));
        let near = nearest(name, forms).map(|near| format!("did you mean `{near}`?"));
        self.report(match near {
            Some(near) => problem.hint(near),
            None => problem,
        })
    }
}

/// `lookup_all(…)`.
pub(super) fn lookup_all(node: &Node) -> Option<(&'static Signature, &[Node])> {
    let Kind::Call(name, arguments) = &node.kind else { return None };
    let found = signature(&name.text).filter(|found| found.callee == Callee::Lookup(Fold::List))?;
    Some((found, arguments))
}
