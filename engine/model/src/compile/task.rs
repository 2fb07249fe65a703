//! Steps that people do: who may, what they see, how they go on.

use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::Kind;
use crate::documents::common::{Given, LevelWord};
use crate::documents::steps::{self as author, ModeWord, ResumeWord, RoundWord, VerbWord};
use crate::expr::Type;
use crate::pack::form::{FormKind, Level};
use crate::pack::workflow::{
    APPROVED, Action, Assign, AssignRule, Business, Due, IfEmpty, Mode, Outcome, REJECTED, Resume, TaskForm,
};
use crate::text::Text;

use super::access;
use super::step::StepCompiler;

/// The keys that `user` and `approval` share.
struct Shared<'s> {
    fields: &'s IndexMap<String, LevelWord>,
    due: Option<&'s author::Due>,
    instructions: Option<&'s Text>,
    not: &'s [Given],
    verbs: Option<&'s [VerbWord]>,
    return_to: Option<&'s author::Return>,
}

impl StepCompiler<'_, '_, '_> {
    pub(super) fn user(&self, step: &author::User) -> Option<Action> {
        let assign = self.assign(&step.assign, false, &self.at.key("assign"))?;
        let mut outcomes = IndexMap::new();
        for (key, outcome) in &step.outcomes {
            let at = self.at.key("outcomes").key(key);
            outcomes.insert(Key::from(key.as_str()), self.outcome(key, outcome, &at));
        }
        let shared = Shared {
            fields: &step.fields,
            due: step.due.as_ref(),
            instructions: step.instructions.as_ref(),
            not: &step.not,
            verbs: step.verbs.as_deref(),
            return_to: step.return_to.as_ref(),
        };
        Some(Action::User { assign, form: Box::new(self.task(&shared, outcomes)) })
    }

    pub(super) fn approval(&self, step: &author::Approval) -> Option<Action> {
        let mut who = IndexMap::new();
        for (key, assign) in &step.who {
            let at = self.at.key("who").key(key);
            who.insert(Key::from(key.as_str()), self.assign(assign, true, &at)?);
        }
        let at = self.at.key("outcomes");
        let outcomes = [(APPROVED, &step.outcomes.approved), (REJECTED, &step.outcomes.rejected)];
        let outcomes = outcomes.map(|(key, outcome)| (Key::from(key), self.outcome(key, outcome, &at.key(key))));
        let shared = Shared {
            fields: &step.fields,
            due: step.due.as_ref(),
            instructions: step.instructions.as_ref(),
            not: &step.not,
            verbs: step.verbs.as_deref(),
            return_to: step.return_to.as_ref(),
        };
        let mode = match step.mode {
            ModeWord::All => Mode::All,
            ModeWord::Any => Mode::Any,
        };
        let form = Box::new(self.task(&shared, outcomes.into_iter().collect()));
        Some(Action::Approval { who, mode, veto: step.veto.unwrap_or(true), form })
    }

    fn task(&self, step: &Shared<'_>, outcomes: IndexMap<Key, Outcome>) -> TaskForm {
        let (context, at) = (self.flow.context, self.at);
        if self.flow.form.is_none() {
            context.error("FW0306", at, "a task needs a record: say which form's, by `for`");
        }
        let (levels, others) = self.levels(step.fields, &at.key("fields"));
        let not = step.not.iter().enumerate();
        let not = not.filter_map(|(index, person)| {
            context.setting(person, &self.flow.scope(), &Type::User, &at.key("not").index(index))
        });
        let by_default = |verb: VerbWord| matches!(verb, VerbWord::Transfer | VerbWord::Cc);
        let has = |verb: VerbWord| step.verbs.map_or(by_default(verb), |verbs| verbs.contains(&verb));
        let steps = step.return_to.iter().flat_map(|to| to.to.iter().enumerate());
        let return_to: Vec<Key> =
            steps.map(|(index, to)| self.flow.step(to, &[], &at.key("return").key("to").index(index))).collect();
        if has(VerbWord::Return) == return_to.is_empty() {
            let message = "the verb `return` and the key `return` belong together";
            context.error_at_key(
                "FW0405",
                &at.key(if return_to.is_empty() { "verbs" } else { "return" }),
                message,
                None,
            );
        }
        TaskForm {
            levels,
            others,
            outcomes,
            due: step.due.and_then(|due| self.due(due, &at.key("due"))),
            instructions: step.instructions.map(|words| context.text(words, &at.key("instructions"))),
            not: not.collect(),
            transfer: has(VerbWord::Transfer),
            delegate: has(VerbWord::Delegate),
            resume: resume(step.return_to.and_then(|to| to.resume.as_deref())),
            return_to,
            copy: has(VerbWord::Cc),
        }
    }

    fn due(&self, due: &author::Due, at: &At) -> Option<Due> {
        let business = self.business(due.calendar.as_deref(), due.round, at);
        let after = self.duration(&due.after, &at.key("after"))?;
        if business.is_some() && after.months != 0 {
            self.flow.context.error("FW0313", &at.key("after"), "a calendar has no months or years");
        }
        Some(Due { after, business })
    }

    /// How time is counted; by no calendar where there is none.
    pub(super) fn business(&self, calendar: Option<&str>, round: Option<RoundWord>, at: &At) -> Option<Business> {
        let context = self.flow.context;
        let Some(calendar) = calendar else {
            if round.is_some() {
                context.error_at_key("FW0405", &at.key("round"), "`round` belongs to a `calendar`", None);
            }
            return None;
        };
        let known = context.refers_as("FW0306", Kind::Calendar, calendar, &at.key("calendar"));
        known.then(|| Business { calendar: calendar.into(), day_end: round.is_some() })
    }

    /// Who may do a task. Only a signature can be skipped.
    fn assign(&self, assign: &author::Assign, is_signature: bool, at: &At) -> Option<AssignRule> {
        let who = self.who(assign, at)?;
        let at = at.key("ifEmpty");
        let if_empty = match &assign.if_empty {
            None | Some(author::IfEmpty::Incident) => IfEmpty::Incident,
            Some(author::IfEmpty::Skip) => {
                if !is_signature {
                    let message = "only a signature can be skipped; a task has to be done";
                    self.flow.context.error("FW0405", &at, message);
                }
                IfEmpty::Skip
            }
            Some(author::IfEmpty::Assign(other)) => IfEmpty::Assign(Box::new(self.assign(other, is_signature, &at)?)),
        };
        Some(AssignRule { who, if_empty })
    }

    fn who(&self, assign: &author::Assign, at: &At) -> Option<Assign> {
        let context = self.flow.context;
        match (&assign.queue, &assign.role, &assign.team, &assign.user) {
            (Some(queue), None, None, None) => {
                let setting = context.setting(queue, &self.flow.scope(), &Type::Queue, &at.key("queue"))?;
                Some(Assign::Queue(setting))
            }
            (None, Some(role), None, None) => {
                context.role("FW0306", role, &at.key("role")).then(|| Assign::Role(role.as_str().into()))
            }
            (None, None, Some(team), None) => {
                let setting = context.setting(team, &self.flow.scope(), &Type::Text, &at.key("team"))?;
                Some(Assign::Team(setting))
            }
            (None, None, None, Some(user)) => {
                let setting = context.setting(user, &self.flow.scope(), &Type::User, &at.key("user"))?;
                Some(Assign::User(setting))
            }
            _ => {
                if !self.flow.is_cut_in(at) {
                    context.error_at_key(
                        "FW0117",
                        at,
                        "exactly one of `queue`, `role`, `team` and `user` is needed",
                        None,
                    );
                }
                None
            }
        }
    }

    fn outcome(&self, key: &str, outcome: &author::Outcome, at: &At) -> Outcome {
        let context = self.flow.context;
        // The short form is the text itself.
        let long = outcome.label.is_some() || outcome.confirm.is_some() || !outcome.set.is_empty();
        let next = if long || !outcome.required.is_empty() { at.key("next") } else { at.clone() };
        let required = outcome.required.iter().enumerate();
        Outcome {
            label: context.label(outcome.label.as_ref(), key, at),
            required: required
                .filter_map(|(index, field)| self.field(field, &at.key("required").index(index)))
                .collect(),
            set: self.assignments(&outcome.set, &at.key("set")),
            confirm: outcome.confirm.as_ref().map(|words| context.text(words, &at.key("confirm"))),
            next: self.flow.target(&outcome.next, &next),
        }
    }

    /// Levels inside the task: key over `#tag` over `*`, as in `access`.
    fn levels(&self, words: &IndexMap<String, LevelWord>, at: &At) -> (IndexMap<usize, Level>, Option<Level>) {
        let mut levels = IndexMap::new();
        let others = words.get("*").copied().map(access::level);
        let Some(form) = self.flow.form else { return (levels, others) };
        let (tags, keys): (Vec<_>, Vec<_>) =
            words.iter().filter(|(name, _)| *name != "*").partition(|(name, _)| name.starts_with('#'));
        for (name, word) in tags {
            for position in access::positions(self.flow.context, form, name, &at.key(name)) {
                let level = access::level(*word);
                levels.entry(position).and_modify(|known: &mut _| *known = level.min(*known)).or_insert(level);
            }
        }
        for (name, word) in keys {
            let at = at.key(name);
            for position in access::positions(self.flow.context, form, name, &at) {
                let level = access::level(*word);
                let field = &form.fields[position];
                if level == Level::Write && field.is_derived() {
                    let message = format!("`{name}` follows from other values: nobody can write it");
                    self.flow.context.error_at_key("FW0308", &at, message, None);
                } else if level == Level::Write && form.kind == FormKind::Log {
                    let message = format!("`{}` is a log, its entries are only added: nobody can write it", form.key);
                    self.flow.context.error_at_key("FW0308", &at, message, None);
                }
                levels.insert(position, level);
            }
        }
        (levels, others)
    }
}

fn resume(words: Option<&[ResumeWord]>) -> Vec<Resume> {
    words.map_or_else(|| vec![Resume::Rerun], |words| words.iter().copied().map(resumed).collect())
}

/// The author's word for how a returned task goes on.
pub(super) fn resumed(word: ResumeWord) -> Resume {
    match word {
        ResumeWord::Rerun => Resume::Rerun,
        ResumeWord::BackToMe => Resume::BackToMe,
    }
}
