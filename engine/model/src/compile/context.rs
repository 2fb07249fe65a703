//! What every part of the compiler needs: the documents, the shapes, and a place for problems.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::diagnostic::{At, Problems};
use crate::documents::Kind;
use crate::documents::common::{Formula, Given};
use crate::expr::ir::Ir;
use crate::expr::{self, Expr, Names, Position, Problem, Scope, Shapes, TableRef, Type};
use crate::pack::Setting;
use crate::structure::did_you_mean;
use crate::{Key, Text};

use super::literal;
use super::load::Documents;

pub(crate) use crate::expr::scope::BUILT_IN_ROLES;

/// See the module.
pub(crate) struct Context<'a> {
    pub(crate) documents: &'a Documents,
    pub(crate) shapes: &'a Shapes,
    languages: Vec<String>,
    problems: RefCell<Problems>,
    unknowable: RefCell<Unknowable>,
}

/// Names of things that are broken or missing themselves. What is said of them elsewhere would only repeat that.
#[derive(Default)]
struct Unknowable {
    /// Fields of no known type, links to forms that cannot be read, steps whose outputs nobody knows.
    values: HashSet<String>,
    /// Rows whose fields nobody knows.
    rows: HashSet<String>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(documents: &'a Documents, shapes: &'a Shapes, problems: Problems) -> Self {
        let languages = documents.pack.as_ref().map(|pack| pack.body.languages.clone()).unwrap_or_default();
        let unknowable = RefCell::new(unknowable(documents, shapes));
        Self { documents, shapes, languages, problems: RefCell::new(problems), unknowable }
    }

    /// Marks a name as one of which nothing is known, so that its uses are no mistakes.
    pub(crate) fn mark_unknowable(&self, name: &str) {
        self.unknowable.borrow_mut().values.insert(name.to_owned());
    }

    pub(crate) fn into_problems(self) -> Problems {
        self.problems.into_inner()
    }

    /// An error at a value.
    pub(crate) fn error(&self, code: &'static str, at: &At, message: impl Into<String>) {
        self.problems.borrow_mut().error(code, at, message, None);
    }

    /// An error at a value, with what to do about it.
    pub(crate) fn error_hint(
        &self,
        code: &'static str,
        at: &At,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.problems.borrow_mut().error(code, at, message, hint.into());
    }

    /// An error at the key of an entry.
    pub(crate) fn error_at_key(
        &self,
        code: &'static str,
        at: &At,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.problems.borrow_mut().error_at_key(code, at, message, hint.into());
    }

    /// An error in a file without a tree.
    pub(crate) fn error_at_bytes(&self, code: &'static str, at: &At, span: std::ops::Range<usize>, message: String) {
        self.problems.borrow_mut().error_at_bytes(code, at, span, message);
    }

    /// The same with what to do about it.
    pub(crate) fn error_at_bytes_hint(
        &self,
        code: &'static str,
        at: &At,
        span: std::ops::Range<usize>,
        message: String,
        hint: Option<String>,
    ) {
        self.problems.borrow_mut().error_at_bytes_hint(code, at, span, message, hint);
    }

    /// A warning at a value.
    pub(crate) fn warning(&self, code: &'static str, at: &At, message: impl Into<String>, hint: Option<String>) {
        self.problems.borrow_mut().warning(code, at, message, hint);
    }

    /// A name that is not there: `unknown field `categry``, with the nearest one that is.
    pub(crate) fn unknown<'b>(
        &self,
        code: &'static str,
        at: &At,
        noun: &str,
        name: &str,
        known: impl Iterator<Item = &'b str>,
    ) {
        let mut seen = HashSet::new();
        let known: Vec<&str> = known.filter(|word| seen.insert(*word)).collect();
        let hint = did_you_mean(name, known.iter().copied()).or_else(|| {
            let few = !known.is_empty() && known.len() <= 8;
            few.then(|| {
                format!("known: {}", known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
            })
        });
        // "view of `order`" reads as: unknown view `opn` of `order`.
        let message = match noun.split_once(" of ") {
            Some((noun, owner)) => format!("unknown {noun} `{name}` of {owner}"),
            None => format!("unknown {noun} `{name}`"),
        };
        self.problems.borrow_mut().error(code, at, message, hint);
    }

    /// The words of a label; languages that lack are warned about.
    pub(crate) fn text(&self, text: &Text, at: &At) -> Text {
        let missing: Vec<&str> =
            self.languages.iter().map(String::as_str).filter(|language| !text.has(language)).collect();
        if !missing.is_empty() {
            self.warning("FW0410", at, format!("no text in {}", missing.join(", ")), None);
        }
        text.clone()
    }

    /// The words of an optional label; the key stands in for them.
    pub(crate) fn label(&self, text: Option<&Text>, key: &str, at: &At) -> Text {
        text.map_or_else(|| Text::from(key), |text| self.text(text, &at.key("label")))
    }

    /// Checks an expression that must have a type.
    pub(crate) fn check(&self, formula: &Formula, scope: &Scope<'_>, expected: Option<&Type>, at: &At) -> Option<Expr> {
        self.check_source(&formula.0, 0, scope, expected, at)
    }

    /// Checks a condition.
    pub(crate) fn condition(&self, formula: Option<&Formula>, scope: &Scope<'_>, at: &At) -> Option<Expr> {
        formula.and_then(|formula| self.check(formula, scope, Some(&Type::Boolean), at))
    }

    /// Checks a value: a literal of the type, or `=` and an expression.
    pub(crate) fn setting(&self, given: &Given, scope: &Scope<'_>, ty: &Type, at: &At) -> Option<Setting> {
        if let Some(source) = given.formula() {
            return self.check_source(source, 1, scope, Some(ty), at).map(Setting::Expr);
        }
        self.literal(&given.0, ty, at).map(Setting::Literal)
    }

    /// Checks a value whose type is free: text, number or boolean as written.
    pub(crate) fn free_setting(&self, given: &Given, scope: &Scope<'_>, at: &At) -> Option<Setting> {
        if let Some(source) = given.formula() {
            return self.check_source(source, 1, scope, None, at).map(Setting::Expr);
        }
        match literal::free(&given.0) {
            Ok(value) => Some(Setting::Literal(value)),
            Err(message) => {
                self.error("FW0402", at, message);
                None
            }
        }
    }

    /// Checks a literal against a type.
    pub(crate) fn literal(&self, json: &serde_json::Value, ty: &Type, at: &At) -> Option<crate::Value> {
        match literal::parse(json, ty, self.shapes) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.error_hint("FW0402", at, problem.message, problem.hint);
                None
            }
        }
    }

    fn check_source(
        &self,
        source: &str,
        skipped: usize,
        scope: &Scope<'_>,
        expected: Option<&Type>,
        at: &At,
    ) -> Option<Expr> {
        match expr::check(source, scope, expected) {
            Ok(checked) => Some(checked),
            Err(mut problems) => {
                self.keep_own(source, &mut problems);
                self.problems.borrow_mut().expression(at, skipped, problems);
                None
            }
        }
    }

    /// Drops problems that follow from a name of which nothing is known.
    fn keep_own(&self, source: &str, problems: &mut Vec<Problem>) {
        let unknowable = self.unknowable.borrow();
        if words(source).any(|word| unknowable.rows.contains(word)) {
            problems.clear();
        }
        problems.retain(|problem| {
            // With the members in front of it: the problem of `box.size` is at `size`, its cause may be `box`.
            let before = source.get(..problem.span.start).unwrap_or_default();
            let start = before.rfind(|character: char| !is_name(character)).map_or(0, |at| at + 1);
            let place = source.get(start..problem.span.end).unwrap_or_default();
            !words(place).any(|word| unknowable.values.contains(word))
        });
    }

    /// Checks a decision cell; `Some(None)` is `-`.
    pub(crate) fn check_cell(&self, cell: &Formula, scope: &Scope<'_>, ty: &Type, at: &At) -> Option<Option<Expr>> {
        match expr::check_cell(&cell.0, scope, ty) {
            Ok(checked) => Some(checked),
            Err(problems) => {
                self.problems.borrow_mut().expression(at, 0, problems);
                None
            }
        }
    }

    /// Whether a document of that kind exists; an error if not. Documents that could not be read count as there.
    pub(crate) fn refers(&self, kind: Kind, key: &str, at: &At) -> bool {
        self.refers_as("FW0401", kind, key, at)
    }

    /// [`Self::refers`] with the code for workflows or another of its own.
    pub(crate) fn refers_as(&self, code: &'static str, kind: Kind, key: &str, at: &At) -> bool {
        let known = self.keys(kind);
        if known.iter().any(|known| ***known == *key) {
            return true;
        }
        if !self.documents.broken.contains(&(kind, key.to_owned())) {
            self.unknown(code, at, kind.name(), key, known.iter().map(|key| &***key));
        }
        false
    }

    fn keys(&self, kind: Kind) -> Vec<&Key> {
        let documents = self.documents;
        match kind {
            Kind::Form => documents.forms.keys().collect(),
            Kind::Workflow => documents.workflows.keys().collect(),
            Kind::Calendar => documents.calendars.keys().collect(),
            Kind::Decision => documents.decisions.keys().collect(),
            Kind::Dataset => documents.datasets.keys().collect(),
            Kind::Metric => documents.metrics.keys().collect(),
            Kind::Report => documents.reports.keys().collect(),
            Kind::Board => documents.boards.keys().collect(),
            Kind::Import => documents.imports.keys().collect(),
            Kind::Demo => documents.demos.keys().collect(),
            Kind::Case => documents.cases.keys().collect(),
            Kind::Pack => Vec::new(),
        }
    }

    /// Whether a role exists, declared or built in; an error if not.
    pub(crate) fn role(&self, code: &'static str, key: &str, at: &At) -> bool {
        let declared = || self.shapes.roles.iter().map(|role| &**role);
        let exists = declared().chain(BUILT_IN_ROLES).any(|role| role == key);
        // Without a readable pack.json nobody knows the roles.
        if !exists && self.documents.pack.is_some() {
            self.unknown(code, at, "role", key, declared().chain(BUILT_IN_ROLES));
        }
        exists
    }

    /// Whether a queue exists; an error if not.
    pub(crate) fn queue(&self, code: &'static str, key: &str, at: &At) -> bool {
        let exists = self.shapes.queues.iter().any(|queue| &**queue == key);
        if !exists && self.documents.pack.is_some() {
            self.unknown(code, at, "queue", key, self.shapes.queues.iter().map(|queue| &**queue));
        }
        exists
    }

    /// A scope at a position over records of a form, whose fields are named bare.
    pub(crate) fn scope(&self, position: Position, form: &Key) -> Scope<'a> {
        Scope::new(position, self.shapes).row(Names::Fields, TableRef::form(form))
    }
}

fn unknowable(documents: &Documents, shapes: &Shapes) -> Unknowable {
    let mut unknowable = Unknowable::default();
    for (key, field) in shapes.tables.values().flat_map(|table| &table.fields) {
        match &field.ty {
            Type::Null => unknowable.values.insert(key.to_string()),
            Type::Link(form) if !documents.forms.contains_key(form) => unknowable.values.insert(key.to_string()),
            Type::Rows(rows) if !documents.forms.contains_key(&rows.form) => unknowable.rows.insert(key.to_string()),
            _ => false,
        };
    }
    unknowable
}

/// The names in an expression, members one by one.
pub(super) fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|character: char| !is_name(character) || character == '.').filter(|word| !word.is_empty())
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '.'
}

/// Whether the tree is one field, reached over links to one record.
pub(crate) fn is_path(expr: &Expr) -> bool {
    matches!(expr.ir, Ir::Field(_))
}
