//! Names and paths: fields of the rows in scope, links followed to one record, and the words around them.

use super::rows::Chosen;
use super::{Checker, Typed};
use crate::Key;
use crate::expr::ast::{Kind, Node, Word};
use crate::expr::ir::{FieldPath, FieldRef, InstanceAttribute, Ir, Name, Root, Rows, Slot, StepAttribute};
use crate::expr::position::Names;
use crate::expr::problem::{Problem, code};
use crate::expr::types::{TableRef, Type};
use crate::suggest::nearest;

/// Words that mean something in some scopes: not unknown, but out of place elsewhere.
const SCOPED: [&str; 12] =
    ["user", "old", "outer", "it", "parent", "record", "vars", "step", "instance", "row", "i", "as_of"];

/// What a path leads to.
pub(super) enum Resolved {
    Value(Typed),
    Rows(Chosen),
}

/// A row that an expression has pushed itself.
pub(super) struct Pushed {
    pub(super) table: TableRef,
    /// Whether it is the record of a look-up: only `it` names it, bare names mean what they mean around.
    pub(super) is_it: bool,
    /// Whether it is known before the condition of a look-up is asked.
    free: bool,
}

impl Pushed {
    /// The row of a list function.
    pub(super) fn row(table: TableRef, free: bool) -> Self {
        Self { table, is_it: false, free }
    }

    /// The record of a look-up.
    pub(super) fn it(table: TableRef) -> Self {
        Self { table, is_it: true, free: false }
    }
}

/// A field found in a table.
struct Found {
    field: FieldRef,
    ty: Type,
    stored: bool,
    backlink: Option<Key>,
}

impl Checker<'_> {
    /// A name that must be a value.
    pub(super) fn name(&mut self, node: &Node) -> Option<Typed> {
        match self.resolve(node)? {
            Resolved::Value(typed) => Some(typed),
            Resolved::Rows(Chosen { table, .. }) => {
                let message = format!("{} is {}, not a value", self.shown(node), Type::Rows(table));
                let problem = Problem::new(code::ROWS, node.span.clone(), message);
                self.report(problem.hint("use a list function: `count(rows)`, `sum(rows, x)`, `any(rows, condition)`"))
            }
        }
    }

    /// What a name or path leads to.
    pub(super) fn resolve(&mut self, node: &Node) -> Option<Resolved> {
        if let Kind::Index(base, index) = &node.kind {
            return self.column(node, base, index);
        }
        let mut words = Vec::new();
        if !flatten(node, &mut words) {
            let problem = Problem::new(code::SYNTAX, node.span.clone(), "only names have members");
            return self.report(problem.hint("a path starts with a field or a word such as `user`"));
        }
        let first = words[0].text.as_str();
        if let Some(resolved) = self.special(first, &words, node) {
            return resolved;
        }
        let outside = self.pushed.iter().all(|row| row.is_it);
        if words.len() == 1
            && outside
            && let Some((key, ty)) = self.scope.input_names().find(|(key, _)| ***key == *first)
        {
            return Some(Resolved::Value(Typed {
                ir: Ir::Name(Name::Input(key.clone())),
                ty: ty.clone(),
                free: self.looking.is_some(),
            }));
        }
        match self.bare() {
            // The record of a clock is a field of its row.
            Some(frame)
                if words.len() == 1
                    || !SCOPED.contains(&first)
                    || self.table(frame).is_some_and(|table| table.form.contains(':')) =>
            {
                let table = self.table(frame)?;
                self.path(Root::Frame(frame), table, &words, node)
            }
            _ => self.unknown(&words[0]),
        }
    }

    /// The words that are no fields; nothing where the word is none of them in this scope.
    fn special(&mut self, first: &str, words: &[Word], node: &Node) -> Option<Option<Resolved>> {
        let named = |ir: Name, ty: Type| Some(Some(Resolved::Value(Typed { ir: Ir::Name(ir), ty, free: true })));
        let member = words.get(1).map(|word| word.text.as_str());
        match (first, words.len()) {
            ("now" | "today", 1) if !self.scope.has(Names::Clock) => return Some(self.out_of_place(&words[0])),
            ("now", 1) => return named(Name::Now, Type::DateTime),
            ("today", 1) => return named(Name::Today, Type::Date),
            ("i", 1) if self.scope.has(Names::Recipe) => return named(Name::Index, Type::Integer),
            ("as_of", 1) if self.scope.has(Names::Recipe) => return named(Name::AsOf, Type::DateTime),
            _ => {}
        }
        let Some(frame) = self.frame_of(first) else {
            let known = match first {
                "settings" => self.scope.has(Names::Settings),
                "user" => self.scope.has(Names::User),
                "old" => self.scope.old_table().is_some(),
                "vars" | "step" | "instance" => self.scope.workflow_names().is_some(),
                "event" => self.scope.carried().is_some(),
                "row" => self.scope.has(Names::Columns),
                _ => false,
            };
            if !known {
                return None;
            }
            let Some(member) = member else {
                return Some(self.incomplete(first, node));
            };
            return Some(match first {
                "old" => {
                    let table = self.scope.old_table()?.clone();
                    self.path(Root::Old, table, &words[1..], node)
                }
                "row" => self.exactly(words, 2, Name::Column(member.to_owned()), Type::Text),
                "step" => self.step(words, node),
                _ => self.attribute(first, words),
            });
        };
        if words.len() == 1 {
            return Some(self.incomplete(first, node));
        }
        let skipped = words.iter().take_while(|word| first == "outer" && word.text == "outer").count().max(1);
        if skipped == words.len() {
            return Some(self.incomplete("outer", node));
        }
        let frame = if skipped > 1 { self.outer(skipped)? } else { frame };
        let table = self.table(frame)?;
        Some(self.path(Root::Frame(frame), table, &words[skipped..], node))
    }

    /// `user.x`, `settings.x`, `vars.x`, `instance.x`.
    fn attribute(&mut self, first: &str, words: &[Word]) -> Option<Resolved> {
        let word = &words[1];
        let workflow = self.scope.workflow_names();
        let shapes = self.scope.shapes;
        let key = || Key::from(word.text.as_str());
        let (found, candidates): (Option<(Name, Type)>, Vec<String>) = match first {
            "user" => {
                let found = match word.text.as_str() {
                    "id" => Some((Name::UserId, Type::User)),
                    "roles" => Some((Name::UserRoles, Type::List(Box::new(Type::Text)))),
                    "queues" => Some((Name::UserQueues, Type::List(Box::new(Type::Queue)))),
                    "team" => Some((Name::UserTeam, Type::Text)),
                    "leads" => Some((Name::UserLeads, Type::List(Box::new(Type::Text)))),
                    _ => None,
                };
                (found, ["id", "roles", "queues", "team", "leads"].map(String::from).to_vec())
            }
            "settings" => {
                let found = shapes.settings.get(word.text.as_str()).map(|ty| (Name::Setting(key()), ty.clone()));
                (found, shapes.settings.keys().map(|key| key.to_string()).collect())
            }
            "vars" => {
                let vars = &workflow?.vars;
                let found = vars.get(word.text.as_str()).map(|ty| (Name::Var(key()), ty.clone()));
                (found, vars.keys().map(|key| key.to_string()).collect())
            }
            "event" => {
                let event = self.scope.carried()?;
                let found = event.get(word.text.as_str()).map(|ty| (Name::Event(key()), ty.clone()));
                (found, event.keys().map(|key| key.to_string()).collect())
            }
            _ => {
                let found = InstanceAttribute::of_name(&word.text).map(|(name, ty)| (Name::Instance(name), ty));
                (found, InstanceAttribute::NAMES.map(String::from).to_vec())
            }
        };
        match found {
            Some((name, ty)) => self.exactly(words, 2, name, ty),
            None => self.unknown_member(first, word, candidates),
        }
    }

    /// `step.<id>.<output or attribute>`.
    fn step(&mut self, words: &[Word], node: &Node) -> Option<Resolved> {
        let workflow = self.scope.workflow_names()?.clone();
        let word = &words[1];
        let Some((key, outputs)) = workflow.steps.get_key_value(word.text.as_str()) else {
            return self.unknown_member("step", word, workflow.steps.keys().map(|key| key.to_string()).collect());
        };
        let Some(member) = words.get(2) else {
            return self.incomplete(&format!("step.{key}"), node);
        };
        let name = match outputs.get_key_value(member.text.as_str()) {
            Some((output, ty)) => Some((Name::Output(key.clone(), output.clone()), ty.clone())),
            None => StepAttribute::of_name(&member.text).map(|(name, ty)| (Name::Step(key.clone(), name), ty)),
        };
        match name {
            Some((name, ty)) => self.exactly(words, 3, name, ty),
            None => {
                let known = outputs.keys().map(|key| key.to_string());
                let candidates = known.chain(StepAttribute::NAMES.map(String::from)).collect();
                self.unknown_member(&format!("step.{key}"), member, candidates)
            }
        }
    }

    /// `row['column']`.
    fn column(&mut self, node: &Node, base: &Node, index: &Node) -> Option<Resolved> {
        match (&base.kind, &index.kind) {
            (Kind::Name(name), Kind::Text(column)) if name == "row" && self.scope.has(Names::Columns) => {
                let ir = Ir::Name(Name::Column(column.clone()));
                Some(Resolved::Value(Typed { ir, ty: Type::Text, free: false }))
            }
            _ => {
                let problem = Problem::new(code::SYNTAX, node.span.clone(), "`[…]` behind a name is not defined here");
                self.report(problem.hint("only imports have it: `row['column']`"))
            }
        }
    }

    /// A name of exactly so many words.
    fn exactly(&mut self, words: &[Word], count: usize, name: Name, ty: Type) -> Option<Resolved> {
        if let Some(extra) = words.get(count) {
            let before: Vec<&str> = words[..count].iter().map(|word| word.text.as_str()).collect();
            let message = format!("`{}` is {ty} and has no `{}`", before.join("."), extra.text);
            return self.report(Problem::new(code::UNKNOWN_NAME, extra.span.clone(), message));
        }
        let free = !matches!(name, Name::Column(_));
        Some(Resolved::Value(Typed { ir: Ir::Name(name), ty, free }))
    }

    /// A path of fields from a row.
    fn path(&mut self, root: Root, table: TableRef, words: &[Word], node: &Node) -> Option<Resolved> {
        let (last, links) = words.split_last()?;
        let free = match root {
            Root::Frame(frame) => self.is_known_before(frame),
            Root::Old => self.looking.is_some(),
        };
        let mut table = table;
        let mut hops = Vec::new();
        for word in links {
            let found = self.field(&table, word)?;
            let Type::Link(form) = &found.ty else {
                let message = format!("`{}` is {} and has no members", word.text, found.ty);
                let problem = Problem::new(code::UNKNOWN_NAME, word.span.clone(), message);
                return self.report(match found.ty {
                    Type::Rows(_) => problem.hint(format!("use a list function: `count({})`", word.text)),
                    _ => problem.hint("only links can be followed"),
                });
            };
            self.require_column(word, free || found.stored);
            table = TableRef::form(form);
            hops.push(found.field);
        }
        let found = self.field(&table, last)?;
        if let Type::Rows(of) = &found.ty {
            return self.rows_of(root, hops, &found, of.clone(), node);
        }
        self.require_column(last, free || found.stored);
        let ir = Ir::Field(FieldPath { root, hops, field: found.field, ty: found.ty.clone() });
        Some(Resolved::Value(Typed { ir, ty: found.ty, free }))
    }

    fn rows_of(
        &mut self,
        root: Root,
        hops: Vec<FieldRef>,
        found: &Found,
        of: TableRef,
        node: &Node,
    ) -> Option<Resolved> {
        let Root::Frame(frame) = root else {
            let message = format!("the stored rows of `{}` are not in scope", found.field.key);
            return self.report(Problem::new(code::ROWS, node.span.clone(), message));
        };
        if !hops.is_empty() {
            let message = format!("{} are rows of another record", self.shown(node));
            let problem = Problem::new(code::ROWS, node.span.clone(), message);
            return self.report(problem.hint("compute the figure in a field of that form and read the field"));
        }
        let rows = match &found.backlink {
            None => Rows::Table { frame, field: found.field.clone() },
            Some(link) => {
                let word = Word { text: link.to_string(), span: node.span.clone() };
                let link = self.field(&of, &word)?;
                Rows::Backlink { frame, link: link.field }
            }
        };
        Some(Resolved::Rows(Chosen { rows, table: of, free: self.is_known_before(frame) }))
    }

    /// The field of that name, or a report with the nearest.
    fn field(&mut self, table: &TableRef, word: &Word) -> Option<Found> {
        let Some(shape) = self.scope.shapes.tables.get(table) else {
            let problem = Problem::new(code::UNKNOWN_KEY, word.span.clone(), format!("unknown form `{}`", table.form));
            return self.report(problem);
        };
        if let Some((key, field)) = shape.fields.get_key_value(word.text.as_str()) {
            let place = FieldRef { table: table.clone(), key: key.clone(), slot: field.slot };
            return Some(Found {
                field: place,
                ty: field.ty.clone(),
                stored: field.stored,
                backlink: field.backlink.clone(),
            });
        }
        // Child rows have no system fields of their own.
        let system = table.table.is_none().then(|| Slot::of_system(&word.text, &table.form)).flatten();
        if let Some((slot, ty)) = system {
            let field = FieldRef { table: table.clone(), key: word.text.as_str().into(), slot };
            return Some(Found { field, ty, stored: true, backlink: None });
        }
        let system: &[&str] = if table.table.is_none() { &Slot::SYSTEM } else { &[] };
        let known = shape.fields.keys().map(|key| &**key).chain(system.iter().copied());
        let near = nearest(&word.text, known).map(str::to_owned);
        let problem = Problem::new(code::UNKNOWN_NAME, word.span.clone(), format!("unknown field `{}`", word.text));
        self.report(match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => self.elsewhere(problem, word),
        })
    }

    /// Where a name that the row lacks would be found: in the row around, or in words of the scope.
    fn elsewhere(&self, problem: Problem, word: &Word) -> Problem {
        let has = |table: &TableRef| {
            self.scope.shapes.tables.get(table).is_some_and(|shape| shape.fields.contains_key(word.text.as_str()))
        };
        let around = (1..=self.pushed.len())
            .find(|level| self.outer(*level).and_then(|frame| self.table(frame)).is_some_and(|table| has(&table)));
        if let Some(level) = around {
            return problem.hint(format!("write `{}{}` for the row around", "outer.".repeat(level), word.text));
        }
        let depth = self.pushed.len();
        let prefixed = self.scope.prefixes().find(|(_, frame)| {
            self.scope.table(usize::from(*frame)).is_some_and(has) && self.bare() != Some(*frame + depth as u8)
        });
        match prefixed {
            Some((prefix, _)) => problem.hint(format!("write `{prefix}.{}`", word.text)),
            None => problem,
        }
    }

    fn unknown(&mut self, word: &Word) -> Option<Resolved> {
        if SCOPED.contains(&word.text.as_str()) {
            return self.out_of_place(word);
        }
        let problem = Problem::new(code::UNKNOWN_NAME, word.span.clone(), format!("unknown name `{}`", word.text));
        let scope = self.scope;
        let mut words: Vec<&str> = scope.input_names().map(|(key, _)| &**key).collect();
        words.extend(scope.prefixes().map(|(prefix, _)| prefix));
        words.extend(scope.workflow_names().iter().flat_map(|_| ["vars", "step", "instance"]));
        for (names, known) in [
            (Names::Clock, &["now", "today"][..]),
            (Names::Settings, &["settings"]),
            (Names::User, &["user"]),
            (Names::Columns, &["row"]),
            (Names::Recipe, &["as_of"]),
        ] {
            words.extend(known.iter().filter(|_| scope.has(names)));
        }
        let problem = match self.elsewhere(problem.clone(), word) {
            with_hint if with_hint.hint.is_some() => with_hint,
            _ => match nearest(&word.text, words.into_iter()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            },
        };
        self.report(problem)
    }

    /// A word that means something elsewhere.
    fn out_of_place<T>(&mut self, word: &Word) -> Option<T> {
        let message = format!("`{}` is not in scope here", word.text);
        self.report(Problem::new(code::UNKNOWN_NAME, word.span.clone(), message))
    }

    fn unknown_member(&mut self, of: &str, word: &Word, candidates: Vec<String>) -> Option<Resolved> {
        let message = format!("`{of}` has no `{}`", word.text);
        let problem = Problem::new(code::UNKNOWN_NAME, word.span.clone(), message);
        let all: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
        self.report(match nearest(&word.text, candidates.iter().map(String::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None if (1..=8).contains(&all.len()) => problem.hint(format!("it has {}", all.join(", "))),
            None => problem,
        })
    }

    fn incomplete(&mut self, word: &str, node: &Node) -> Option<Resolved> {
        let problem = Problem::new(code::UNKNOWN_NAME, node.span.clone(), format!("`{word}` is no value by itself"));
        self.report(problem.hint(format!("name a member of it: `{word}.x`")))
    }

    fn require_column(&mut self, word: &Word, stored: bool) {
        let what = format!("`{}` is computed on reading and", word.text);
        if let Some(()) = self.require_lowering(word.span.clone(), stored, &what)
            && let Some(problem) = self.problems.last_mut()
        {
            problem.hint = Some("give the field `\"stored\": true`, or name what it is computed from".to_owned());
        }
    }

    /// The frame that bare names mean.
    fn bare(&self) -> Option<u8> {
        self.outer(0)
    }

    /// Whether what the row in that frame holds is known before the condition of a look-up is asked.
    fn is_known_before(&self, frame: u8) -> bool {
        let Some(looking) = self.looking else { return false };
        match self.pushed.len().checked_sub(usize::from(frame) + 1) {
            Some(index) => index < looking.around || self.pushed[index].free,
            None => true,
        }
    }

    /// The frame a word names: `it`, `record`, `parent`, and `outer` inside list functions.
    fn frame_of(&self, word: &str) -> Option<u8> {
        if word == "outer" && self.pushed.iter().any(|row| !row.is_it) {
            return self.outer(1);
        }
        if word == "it"
            && let Some(index) = self.pushed.iter().rposition(|row| row.is_it)
        {
            return Some((self.pushed.len() - 1 - index) as u8);
        }
        let (_, frame) = self.scope.prefixes().find(|(prefix, _)| *prefix == word)?;
        Some(frame + self.pushed.len() as u8)
    }

    /// The frame so many rows out of the innermost that bare names mean; the outermost is that of the top.
    fn outer(&self, levels: usize) -> Option<u8> {
        let depth = self.pushed.len() as u8;
        let pushed = self.pushed.iter().rev().zip(0..).filter(|(row, _)| !row.is_it).map(|(_, frame)| frame);
        pushed.chain(self.scope.bare().map(|bare| bare + depth)).nth(levels)
    }

    fn table(&self, frame: u8) -> Option<TableRef> {
        let frame = usize::from(frame);
        match frame.checked_sub(self.pushed.len()) {
            None => self.pushed.iter().rev().nth(frame).map(|row| row.table.clone()),
            Some(outside) => self.scope.table(outside).cloned(),
        }
    }
}

/// The words of `a.b.c`; false where it does not start with a name.
fn flatten(node: &Node, words: &mut Vec<Word>) -> bool {
    match &node.kind {
        Kind::Name(text) => {
            words.push(Word { text: text.clone(), span: node.span.clone() });
            true
        }
        Kind::Member(base, word) => {
            let named = flatten(base, words);
            words.push(word.clone());
            named
        }
        _ => false,
    }
}
