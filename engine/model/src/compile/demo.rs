//! Demo recipes: what is filed when, and what becomes of it.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::common::Formula;
use crate::documents::{Kind, demo as author};
use crate::expr::ir::Function;
use crate::expr::{Expr, Ir, Position, Scope, Type};
use crate::pack::form::{Form, Level};
use crate::pack::material::{Deed, Demo};
use crate::pack::workflow::{TaskForm, Workflow};
use crate::{Key, Value};

use super::context::Context;
use super::load::Document;
use super::material::{constants, writable};

/// Compiles a recipe; nothing where its form is unknown.
pub(super) fn compile(
    context: &Context<'_>,
    document: &Document<author::Demo>,
    forms: &IndexMap<Key, Form>,
    workflows: &IndexMap<Key, Arc<Workflow>>,
) -> Option<Demo> {
    let author = &document.body;
    let at = &document.at;
    if !context.refers(Kind::Form, &author.form, &at.key("form")) {
        return None;
    }
    let form = forms.get(author.form.as_str())?;
    let scope = Scope::new(Position::Recipe, context.shapes);
    let recipe = Recipe { context, form, scope, forms, workflows };
    let filed = author.at.as_ref().and_then(|formula| recipe.check(formula, &Type::DateTime, &at.key("at")));
    Some(Demo {
        key: document.key.clone(),
        order: author.order,
        form: form.key.clone(),
        count: author.count,
        seed: author.seed,
        at: filed,
        fields: recipe.fields(author.fields.iter(), &at.key("fields")),
        then: author.then.iter().filter_map(|(key, deed)| recipe.deed(key, deed, &at.key("then").key(key))).collect(),
    })
}

struct Recipe<'a, 'c> {
    context: &'c Context<'a>,
    form: &'c Form,
    scope: Scope<'a>,
    forms: &'c IndexMap<Key, Form>,
    workflows: &'c IndexMap<Key, Arc<Workflow>>,
}

impl Recipe<'_, '_> {
    fn check(&self, formula: &Formula, ty: &Type, at: &At) -> Option<Expr> {
        let expr = self.context.check(formula, &self.scope, Some(ty), at)?;
        expr.ir.walk(&mut |node| {
            if let Ir::Call(Function::Ref, arguments) = node
                && let [Ir::Literal(Value::Text(form)), which] = &arguments[..]
                && let Some(form) = self.forms.get(form.as_str()).filter(|_| which.ty() == Type::Text)
            {
                self.keyed(form, which, at);
            }
        });
        Some(expr)
    }

    /// A record that is named by its natural key: there must be such a key, and where only seed rows have it, such a row.
    fn keyed(&self, form: &Form, which: &Ir, at: &At) {
        let key = match *form.natural_key {
            [position] if matches!(form.fields[position].ty(), Type::Text | Type::Choice(_)) => {
                &form.fields[position].key
            }
            _ => {
                let message = format!("`{}` has no `naturalKey` of one text", form.key);
                return self.context.error_hint("FW0403", at, message, Some("name its record by number".to_owned()));
            }
        };
        let documents = self.context.documents;
        if documents.demos.values().any(|recipe| *recipe.body.form == *form.key) {
            return;
        }
        let rows = documents.seeds.get(&form.key).map(|seeds| seeds.body.as_slice()).unwrap_or_default();
        let known = || rows.iter().filter_map(|row| row.get(&**key)?.as_str());
        for word in constants(which).into_iter().filter(|word| known().all(|known| known != *word)) {
            self.context.unknown("FW0401", at, &format!("seed row of `{}`", form.key), word, known());
        }
    }

    fn fields<'f>(&self, fields: impl Iterator<Item = (&'f String, &'f Formula)>, at: &At) -> IndexMap<usize, Expr> {
        let mut compiled = IndexMap::new();
        for (name, formula) in fields {
            let at = at.key(name);
            let Some((position, field)) = writable(self.context, self.form, name, &at) else { continue };
            if let Some(expr) = self.check(formula, field.ty(), &at) {
                compiled.insert(position, expr);
            }
        }
        compiled
    }

    fn deed(&self, key: &str, author: &author::Deed, at: &At) -> Option<Deed> {
        let when = self.context.condition(author.when.as_ref(), &self.scope, &at.key("when"));
        let after = self.check(&author.after, &Type::Duration, &at.key("after"));
        self.declared_role(&author.by, &at.key("by"));
        let fields = self.fields(author.fields.iter(), &at.key("fields"));
        let task = self.task(&author.step, &at.key("step"))?;
        match &author.outcome {
            Some(outcome) if !task.outcomes.contains_key(outcome.as_str()) => {
                let noun = format!("outcome of `{}`", author.step);
                let known = task.outcomes.keys().map(|known| &**known);
                self.context.unknown("FW0401", &at.key("outcome"), &noun, outcome, known);
            }
            None if !author.fields.is_empty() => {
                let hint = Some("give it an `outcome`".to_owned());
                let message = "a task that is only claimed writes no fields";
                self.context.error_hint("FW0403", &at.key("fields"), message, hint);
            }
            _ => {}
        }
        for position in fields.keys() {
            let name = &self.form.fields[*position].key;
            if task.levels.get(position).copied().or(task.others).is_some_and(|level| level != Level::Write) {
                let message = format!("`{name}` cannot be written in `{}`", author.step);
                self.context.error_at_key("FW0403", &at.key("fields").key(name), message, None);
            }
        }
        Some(Deed {
            key: key.into(),
            when,
            after: after?,
            by: author.by.as_str().into(),
            step: author.step.as_str().into(),
            outcome: author.outcome.as_deref().map(Key::from),
            fields,
        })
    }

    /// A role of the pack: only those have a user in a demonstration that serves queues.
    fn declared_role(&self, role: &str, at: &At) {
        let known = || self.context.shapes.roles.iter().map(|known| &**known);
        if self.context.documents.pack.is_some() && !known().any(|known| known == role) {
            self.context.unknown("FW0401", at, "role", role, known());
        }
    }

    /// The task of a step of a workflow for the form.
    fn task(&self, step: &str, at: &At) -> Option<&TaskForm> {
        let own = || self.workflows.values().filter(|workflow| workflow.form.as_ref() == Some(&self.form.key));
        let tasks =
            || own().flat_map(|workflow| workflow.graph.nodes.values()).filter(|node| node.task_form().is_some());
        let found = tasks().find(|node| *node.key == *step).and_then(|node| node.task_form());
        if found.is_none() && !self.is_broken() {
            let noun = format!("task of `{}`", self.form.key);
            self.context.unknown("FW0401", at, &noun, step, tasks().map(|node| &*node.key));
        }
        found
    }

    /// Whether a workflow could not be read: nobody knows its steps.
    fn is_broken(&self) -> bool {
        let documents = self.context.documents;
        documents.broken.iter().any(|(kind, _)| *kind == Kind::Workflow)
            || documents.workflows.values().any(|document| !document.cut.is_empty())
    }
}
