//! Cases: every name in them leads somewhere, every step does or expects something, and no key is without effect.

mod expect;
mod names;
mod verb;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::{Kind, case as author};
use crate::expr::Type;
use crate::pack::case::{Actor, Case, CaseFailure, CaseRecord, CaseStep, CaseUser};
use crate::pack::form::Form;

use super::context::Context;
use super::load::Document;

/// Words that are no users of a case.
const ACTORS: [&str; 2] = ["public", "system"];

/// Compiles a case; nothing where it has no clock.
pub(super) fn compile(
    context: &Context<'_>,
    document: &Document<author::Case>,
    forms: &IndexMap<Key, Form>,
) -> Option<Case> {
    let given = &document.body.given;
    let at = document.at.key("given");
    let clock = context.literal(&given.clock.as_str().into(), &Type::DateTime, &at.key("clock"));
    let mut script = Script { context, document, forms, users: IndexMap::new(), records: IndexMap::new() };
    script.add_users(&at.key("users"));
    let records = script.add_records(&at.key("records"));
    let mut steps = Vec::new();
    for (index, step) in document.body.steps.iter().enumerate() {
        steps.extend(script.step(step, &document.at.key("steps").index(index)));
    }
    Some(Case { key: document.key.clone(), clock: clock?.as_datetime()?, users: script.users, records, steps })
}

/// A case being compiled: what is known by name so far.
struct Script<'c, 'a> {
    context: &'c Context<'a>,
    document: &'c Document<author::Case>,
    forms: &'c IndexMap<Key, Form>,
    users: IndexMap<Key, CaseUser>,
    /// Name → form; no form where that is wrong itself.
    records: IndexMap<Key, Option<Key>>,
}

impl<'c> Script<'c, '_> {
    fn add_users(&mut self, at: &At) {
        for (name, user) in &self.document.body.given.users {
            let at = at.key(name);
            if ACTORS.contains(&name.as_str()) {
                self.context.error_at_key("FW0406", &at, format!("`{name}` is no user of a case"), None);
            }
            for (index, role) in user.roles.iter().enumerate() {
                self.context.role("FW0401", role, &at.key("roles").index(index));
            }
            for (index, queue) in user.queues.iter().enumerate() {
                self.context.queue("FW0401", queue, &at.key("queues").index(index));
            }
            let keys = |words: &[String]| words.iter().map(|word| Key::from(word.as_str())).collect();
            let user = CaseUser {
                roles: keys(&user.roles),
                queues: keys(&user.queues),
                team: user.team.as_deref().map(Key::from),
                leads: keys(&user.leads),
            };
            self.users.insert(name.as_str().into(), user);
        }
    }

    fn add_records(&mut self, at: &At) -> Vec<CaseRecord> {
        let mut compiled = Vec::new();
        for (form, records) in &self.document.body.given.records {
            let at = at.key(form);
            let known = self.form(form, &at);
            for (name, values) in records {
                let at = at.key(name);
                if let Some(form) = known {
                    self.values(&form.fields, values, &at);
                    let (name, form) = (Key::from(name.as_str()), form.key.clone());
                    compiled.push(CaseRecord { name, form, values: values.clone() });
                }
                self.name_record(name, known.map(|form| form.key.clone()), &at);
            }
        }
        compiled
    }

    /// A record is known by that name from now on.
    fn name_record(&mut self, name: &str, form: Option<Key>, at: &At) {
        if self.records.insert(name.into(), form).is_some() {
            self.context.error_at_key("FW0406", at, format!("another record is named `{name}`"), None);
        }
    }

    fn step(&mut self, step: &author::CaseStep, at: &At) -> Option<CaseStep> {
        let is_cut = self.document.is_cut_in(at);
        let verbs = verb::given(step);
        if verbs.len() > 1 {
            let words = verbs.iter().map(|verb| format!("`{verb}`")).collect::<Vec<_>>().join(" and ");
            self.context.error("FW0117", at, format!("{words} stand in one step: one step, one verb"));
            return None;
        }
        if verbs.is_empty() && step.expect.is_none() && !is_cut {
            self.context.error("FW0117", at, "the step neither does nor expects anything");
        }
        let actor = self.actor(step, at);
        let fails = self.fails(step, !verbs.is_empty() || is_cut, at);
        if let Some(name) = step.save.as_ref().filter(|_| step.create.is_none() && !is_cut) {
            self.belongs("save", "a `create`", at);
            self.name_record(name, None, &at.key("save"));
        }
        let verb = self.verb(step, at);
        let expect = step.expect.as_ref().map(|expect| self.expect(step, verb.as_ref(), expect, &at.key("expect")));
        Some(CaseStep { actor: actor?, verb, fails, expect: expect.unwrap_or_default() })
    }

    fn actor(&self, step: &author::CaseStep, at: &At) -> Option<Actor> {
        let Some(name) = step.actor.as_deref() else { return Some(Actor::System) };
        let by_nobody = step.advance.is_some()
            || step.crash.is_some()
            || step.deploy.is_some()
            || step.import.is_some()
            || step.run.is_some();
        if by_nobody && step.expect.is_none() {
            self.belongs("as", "a verb of a person, or an `expect`", at);
        }
        match name {
            "system" => Some(Actor::System),
            "public" => Some(Actor::Public),
            name => self.user(name, &at.key("as"), true).map(Actor::User),
        }
    }

    fn fails(&self, step: &author::CaseStep, has_verb: bool, at: &At) -> Option<CaseFailure> {
        let fails = step.fails.as_ref()?;
        let cannot = step.advance.is_some() || step.crash.is_some() || step.deploy.is_some() || step.run.is_some();
        if !has_verb || cannot {
            self.belongs("fails", "a verb that can be refused", at);
        }
        if let Some(pointer) = fails.at.as_ref().filter(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            let hint = format!("write `/{pointer}`");
            self.context.error_hint("FW0408", &at.key("fails").key("at"), format!("`{pointer}` is no pointer"), hint);
        }
        Some(CaseFailure { code: fails.code.clone(), at: fails.at.clone() })
    }

    /// A key that has no effect where it stands.
    fn belongs(&self, key: &str, with: &str, at: &At) {
        self.context.error_at_key("FW0405", &at.key(key), format!("`{key}` belongs to {with}"), None);
    }

    fn form(&self, form: &str, at: &At) -> Option<&'c Form> {
        self.context.refers(Kind::Form, form, at).then(|| self.forms.get(form)).flatten()
    }
}

/// Compiles every case.
pub(super) fn all(context: &Context<'_>, forms: &IndexMap<Key, Form>) -> IndexMap<Key, Arc<Case>> {
    let cases = &context.documents.cases;
    cases.iter().filter_map(|(key, case)| Some((key.clone(), Arc::new(compile(context, case, forms)?)))).collect()
}
