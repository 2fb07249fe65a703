//! Workflows: names in scope, ways to begin, steps. What one step means is in `step.rs`, what the arrows make in
//! `graph.rs`.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::At;
use crate::documents::steps::{Next, StepOptions};
use crate::documents::workflow::{self as author, VarType};
use crate::documents::{Kind, common::Keyed};
use crate::expr::scope::WorkflowNames;
use crate::expr::{Names, Position, Scope, TableRef, Type};
use crate::pack::form::Form;
use crate::pack::workflow::{Each, Graph, Start, StartOn, Target, Var, Withdraw, WithdrawUntil, Workflow};
use crate::{Key, Text, Value};

use super::context::Context;
use super::load::Document;
use super::shapes::FREE_SCALE;
use super::{blocks, decision, graph, sla, step};

/// The word for the end of a token in `next`.
const END: &str = "end";
/// The word for the end of a block in `next`.
const JOIN: &str = "join";

/// Compiles the workflow; nothing where its form is unknown.
pub(super) fn compile(
    context: &Context<'_>,
    document: &Document<author::Workflow>,
    forms: &IndexMap<Key, Form>,
) -> Option<Workflow> {
    let author = &document.body;
    let at = &document.at;
    let label = context.text(&author.label, &at.key("label"));
    if let Some(form) = &author.form
        && !context.refers_as("FW0306", Kind::Form, form, &at.key("for"))
    {
        return None;
    }
    let names = Arc::new(names(context, author));
    let flow = Flow { context, document, form: author.form.as_ref().and_then(|form| forms.get(form.as_str())), names };
    let stages = author
        .stages
        .iter()
        .map(|(key, label)| (Key::from(key.as_str()), context.text(label, &at.key("stages").key(key))));
    let stages: IndexMap<Key, Text> = stages.collect();
    let starts = flow.starts(&author.start, &at.key("start"));
    let withdraw = author.withdraw.as_ref().map(|withdraw| Withdraw {
        until: match &withdraw.until {
            author::Until::FirstDecision => WithdrawUntil::FirstDecision,
            author::Until::End => WithdrawUntil::End,
            author::Until::Before(step) => {
                WithdrawUntil::Before(flow.step(step, &[], &at.key("withdraw").key("until").key("before")))
            }
        },
        set: step::assigned(&flow, &withdraw.set, &at.key("withdraw").key("set")),
    });
    let sla = sla::compile(&flow, &author.sla, &at.key("sla"));
    let mut graph = Graph::default();
    for (key, step) in &author.steps {
        let at = at.key("steps").key(key);
        if [END, JOIN].contains(&key.as_str()) {
            context.error_at_key("FW0406", &at, format!("`{key}` is reserved: in a `next` it is the end"), None);
        }
        if let Some(node) = step::compile(&flow, key, step, &at) {
            graph.nodes.insert(Key::from(key.as_str()), node);
        }
    }
    if document.cut.is_empty() && graph.nodes.len() == author.steps.len() {
        let rungs = sla.values().flat_map(|sla| sla.rungs.values()).filter_map(|rung| rung.step.as_ref());
        let entries: Vec<&Target> = starts.values().map(|start| &start.next).chain(rungs).collect();
        blocks::assign(context, &entries, &mut graph, at);
        graph::check(context, &entries, &graph, at);
    }
    Some(Workflow {
        key: document.key.clone(),
        label,
        form: author.form.as_deref().map(Key::from),
        stages,
        vars: vars(context, &author.vars, &at.key("vars")),
        starts,
        withdraw,
        sla,
        graph,
    })
}

/// A workflow being compiled.
pub(super) struct Flow<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    document: &'c Document<author::Workflow>,
    /// The form its instances work on.
    pub(super) form: Option<&'c Form>,
    /// `vars.x` and `step.x.y`.
    pub(super) names: Arc<WorkflowNames>,
}

impl<'a> Flow<'_, 'a> {
    /// The scope of the expressions in the steps.
    pub(super) fn scope(&self) -> Scope<'a> {
        self.scope_at(Position::Workflow)
    }

    /// The names of the workflow at a position of it.
    pub(super) fn scope_at(&self, position: Position) -> Scope<'a> {
        let scope = Scope::new(position, self.context.shapes).workflow(self.names.clone());
        match self.form {
            Some(form) => {
                let table = TableRef::form(&form.key);
                scope.row(Names::Record, table.clone()).old(table)
            }
            None => scope,
        }
    }

    /// Where an arrow leads; an error where there is no such step.
    pub(super) fn target(&self, next: &Next, at: &At) -> Target {
        match next {
            Next::Word(word) if word == END => Target::End,
            Next::Word(word) if word == JOIN => Target::Join,
            Next::Word(word) => Target::Node(self.step(word, &[END, JOIN], at)),
            Next::Leave(step) => Target::Leave(self.step(step, &[], &at.key("leave"))),
        }
    }

    /// A step; an error where there is none. `words` may stand in its place.
    pub(super) fn step(&self, key: &str, words: &[&str], at: &At) -> Key {
        let steps = &self.document.body.steps;
        if !steps.contains_key(key) && !self.document.cut.contains(&format!("/steps/{key}")) {
            let known = steps.keys().map(String::as_str).chain(words.iter().copied());
            self.context.unknown("FW0306", at, "step", key, known);
        }
        key.into()
    }

    /// A stage; an error where there is none.
    pub(super) fn stage(&self, key: &str, at: &At) -> Key {
        let stages = &self.document.body.stages;
        if !stages.contains_key(key) && !self.document.cut.contains(&format!("/stages/{key}")) {
            self.context.unknown("FW0306", at, "stage", key, stages.keys().map(String::as_str));
        }
        key.into()
    }

    /// Whether something was cut out of the entry here.
    pub(super) fn is_cut_in(&self, at: &At) -> bool {
        self.document.is_cut_in(at)
    }

    fn starts(&self, starts: &Keyed<author::Start>, at: &At) -> IndexMap<Key, Start> {
        let mut compiled = IndexMap::new();
        for (key, start) in starts {
            let at = at.key(key);
            let next = match &*start.next {
                END => Target::End,
                step => Target::Node(self.step(step, &[END], &at.key("next"))),
            };
            if let Some((on, key_scope)) = self.start_on(start, &at) {
                let start_key = start
                    .key
                    .as_ref()
                    .and_then(|formula| self.context.check(formula, &key_scope, None, &at.key("key")));
                compiled.insert(Key::from(key.as_str()), Start { on, key: start_key, next });
            }
        }
        compiled
    }

    /// When it begins, and the scope of its key.
    fn start_on(&self, start: &author::Start, at: &At) -> Option<(StartOn, Scope<'a>)> {
        let only_with = |present: bool, key: &str, with: &str| {
            if present {
                let message = format!("`{key}` belongs to a start with `{with}`");
                self.context.error_at_key("FW0405", &at.key(key), message, None);
            }
        };
        only_with(start.when.is_some() && start.on.is_none(), "when", "on");
        only_with(start.each.is_some() && start.schedule.is_none(), "each", "schedule");
        match (start.on, &start.schedule, &start.manual) {
            (Some(author::OnWord::Created), None, None) => {
                if self.document.body.form.is_none() {
                    let message = "a workflow that starts with a record says which form's, by `for`";
                    self.context.error("FW0306", &at.key("on"), message);
                }
                let scope = self.scope_at(Position::Start);
                let when = self.context.condition(start.when.as_ref(), &scope, &at.key("when"));
                Some((StartOn::Created { when }, scope))
            }
            (None, Some(cron), None) => self.schedule(cron, start.each.as_ref(), at),
            (None, None, Some(roles)) => {
                for (index, role) in roles.iter().enumerate() {
                    self.context.role("FW0306", role, &at.key("manual").index(index));
                }
                let roles = roles.iter().map(|role| Key::from(role.as_str())).collect();
                Some((StartOn::Manual { roles }, self.scope_at(Position::Start)))
            }
            _ => {
                let message = "exactly one of `on`, `schedule` and `manual` is needed";
                if !self.is_cut_in(at) {
                    self.context.error_at_key("FW0117", at, message, None);
                }
                None
            }
        }
    }

    fn schedule(&self, cron: &str, each: Option<&author::Each>, at: &At) -> Option<(StartOn, Scope<'a>)> {
        let context = self.context;
        // Five fields: croner would also read seconds and years.
        if cron.split_whitespace().count() != 5 || cron.parse::<croner::Cron>().is_err() {
            let hint = "five fields: minute hour day month weekday, such as `5 0 * * *`".to_owned();
            context.error_hint("FW0408", &at.key("schedule"), format!("`{cron}` is no schedule"), Some(hint));
        }
        let of_record = self.document.body.form.as_deref();
        let mut scope = self.scope_at(Position::Start);
        let each = match (each, of_record) {
            (None, None) => None,
            (None, Some(form)) => {
                let hint = Some(format!("add `\"each\": {{\"form\": \"{form}\"}}`"));
                context.error_hint("FW0306", at, format!("which records of `{form}` is it about?"), hint);
                return None;
            }
            (Some(each), of_record) => {
                let at = at.key("each");
                if !context.refers_as("FW0306", Kind::Form, &each.form, &at.key("form")) {
                    return None;
                }
                if of_record != Some(each.form.as_str()) {
                    let message = "the form of `each` is the form the workflow is `for`";
                    context.error("FW0306", &at.key("form"), message);
                }
                let form: Key = each.form.as_str().into();
                let rows = Scope::new(Position::Each, context.shapes).row(Names::It, TableRef::form(&form));
                let filter = context.condition(each.filter.as_ref(), &rows, &at.key("where"));
                scope = scope.also(Names::It);
                Some(Each { form, filter })
            }
        };
        Some((StartOn::Schedule { cron: cron.to_owned(), each }, scope))
    }
}

fn names(context: &Context<'_>, author: &author::Workflow) -> WorkflowNames {
    let mut names = WorkflowNames::default();
    for (key, var) in &author.vars {
        names.vars.insert(key.as_str().into(), var_type(var.kind));
    }
    for (key, step) in &author.steps {
        let outputs = match &step.options {
            StepOptions::Decision(step) => match context.documents.decisions.get(step.decision.as_str()) {
                Some(document) => decision::output_types(context, &document.body),
                None => {
                    context.mark_unknowable(key);
                    IndexMap::new()
                }
            },
            StepOptions::Script(step) => step
                .outputs
                .iter()
                .map(|(key, word)| (Key::from(key.as_str()), decision::named_type(word).unwrap_or(Type::Null)))
                .collect(),
            _ => IndexMap::new(),
        };
        names.steps.insert(key.as_str().into(), outputs);
    }
    names
}

fn vars(context: &Context<'_>, vars: &Keyed<author::VarEntry>, at: &At) -> IndexMap<Key, Var> {
    vars.iter()
        .map(|(key, var)| {
            let ty = var_type(var.kind);
            let default = match &var.default {
                Some(json) => context.literal(json, &ty, &at.key(key).key("default")).unwrap_or_default(),
                None => Value::Null,
            };
            (Key::from(key.as_str()), Var { ty, default })
        })
        .collect()
}

fn var_type(kind: VarType) -> Type {
    match kind {
        VarType::Integer => Type::Integer,
        VarType::Decimal => Type::Decimal { scale: FREE_SCALE },
        VarType::Text => Type::Text,
        VarType::Boolean => Type::Boolean,
        VarType::Datetime => Type::DateTime,
        VarType::Date => Type::Date,
        VarType::Money => Type::Money,
    }
}
