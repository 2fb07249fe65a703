//! What a step of a case does.

use crate::compile::task::resumed;
use indexmap::IndexMap;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::Kind;
use crate::documents::case::{CaseMessage, CaseStep, CaseTask, TaskWord, Values};
use crate::expr::Position;
use crate::expr::duration::parse_iso;
use crate::pack::case::{CaseVerb, TaskAct};
use crate::value::Duration;

use super::Script;

/// The verbs a step has.
pub(super) fn given(step: &CaseStep) -> Vec<&'static str> {
    let all = [
        ("create", step.create.is_some()),
        ("update", step.update.is_some()),
        ("delete", step.delete.is_some()),
        ("read", step.read.is_some()),
        ("list", step.list.is_some()),
        ("evaluate", step.evaluate.is_some()),
        ("task", step.task.is_some()),
        ("start", step.start.is_some()),
        ("message", step.message.is_some()),
        ("import", step.import.is_some()),
        ("run", step.run.is_some()),
        ("advance", step.advance.is_some()),
        ("deploy", step.deploy.is_some()),
        ("crash", step.crash.is_some()),
    ];
    all.into_iter().filter(|(_, given)| *given).map(|(verb, _)| verb).collect()
}

impl Script<'_, '_> {
    /// The verb, if there is one and its names lead somewhere.
    pub(super) fn verb(&mut self, step: &CaseStep, at: &At) -> Option<CaseVerb> {
        if let Some(create) = &step.create {
            return self.create(step, create, &at.key("create"));
        }
        if let Some((name, values)) = only(step.update.as_ref()) {
            let at = at.key("update").key(name);
            self.values_of(name, values, step.fails.is_none(), &at)?;
            return Some(CaseVerb::Update { record: name.into(), values: values.clone() });
        }
        if let Some(name) = &step.delete {
            self.record(name, &at.key("delete"))?;
            return Some(CaseVerb::Delete { record: name.as_str().into() });
        }
        if let Some(name) = &step.read {
            self.record(name, &at.key("read"))?;
            return Some(CaseVerb::Read { record: name.as_str().into() });
        }
        if let Some((form, filter)) = only(step.list.as_ref()) {
            let at = at.key("list").key(form);
            let form = self.form(form, &at)?.key.clone();
            if step.fails.is_none() {
                self.context.condition(Some(filter), &self.context.scope(Position::Rows, &form), &at);
            }
            return Some(CaseVerb::List { form, filter: filter.0.clone() });
        }
        if let Some((form, values)) = only(step.evaluate.as_ref()) {
            let at = at.key("evaluate").key(form);
            let form = self.form(form, &at)?;
            // A form is evaluated while it is wrong, too: names must be right, values need not.
            values.keys().for_each(|name| self.seen(&form.fields, name, &serde_json::Value::Null, &at.key(name)));
            return Some(CaseVerb::Evaluate { form: form.key.clone(), values: values.clone() });
        }
        if let Some(task) = &step.task {
            return self.task(task, step.fails.is_none(), &at.key("task"));
        }
        if let Some(start) = &step.start {
            let at = at.key("start");
            if let Some(of) = &start.of {
                self.record(of, &at.key("of"))?;
            }
            self.startable(&start.workflow, start.of.as_deref(), &at)?;
            let record = start.of.as_deref().map(Key::from);
            return Some(CaseVerb::Start { workflow: start.workflow.as_str().into(), record });
        }
        if let Some(message) = &step.message {
            return self.message(message, step.fails.is_none(), &at.key("message"));
        }
        if let Some((import, file)) = only(step.import.as_ref()) {
            self.context.refers(Kind::Import, import, &at.key("import").key(import)).then_some(())?;
            return Some(CaseVerb::Import { import: import.into(), file: file.clone() });
        }
        if let Some(run) = &step.run {
            self.scheduled(&run.workflow, &run.start, &at.key("run"))?;
            return Some(CaseVerb::Run { workflow: run.workflow.as_str().into(), start: run.start.as_str().into() });
        }
        if let Some(text) = &step.advance {
            let by = self.forward(text, &at.key("advance"))?;
            return Some(CaseVerb::Advance { by, text: text.clone() });
        }
        if let Some(patches) = &step.deploy {
            return Some(CaseVerb::Deploy { patches: patches.clone() });
        }
        step.crash.map(|_| CaseVerb::Crash)
    }

    fn create(&mut self, step: &CaseStep, create: &IndexMap<String, Values>, at: &At) -> Option<CaseVerb> {
        let (form, values) = only(Some(create))?;
        let form = self.form(form, &at.key(form));
        if let Some(form) = form.filter(|_| step.fails.is_none()) {
            self.values(&form.fields, values, &at.key(&form.key));
        }
        let form = form.map(|form| form.key.clone());
        if let Some(name) = &step.save {
            let at = At { pointer: at.pointer.replace("/create", "/save"), ..at.clone() };
            if step.fails.is_some() {
                self.context.error("FW0405", &at, "what is refused has no name: `save` contradicts `fails`");
            }
            self.name_record(name, form.clone(), &at);
        }
        Some(CaseVerb::Create { form: form?, values: values.clone(), save: step.save.as_deref().map(Key::from) })
    }

    /// Values for a record that is there. Whoever tests a refusal may write what is refused.
    fn values_of(&self, record: &str, values: &Values, strict: bool, at: &At) -> Option<()> {
        let form = self.record(record, at)?;
        if let Some(form) = form.and_then(|form| self.forms.get(form)).filter(|_| strict) {
            self.values(&form.fields, values, at);
        }
        Some(())
    }

    fn task(&self, task: &CaseTask, strict: bool, at: &At) -> Option<CaseVerb> {
        let form = self.record(&task.of, &at.key("of"))?;
        let outcomes = form.and_then(|form| self.task_step(form, &task.step, &at.key("step")));
        let wrong_place = |present: bool, key: &str, verbs: &[TaskWord], words: &str| {
            if present && !verbs.contains(&task.verb) {
                self.belongs(key, words, at);
            }
        };
        use TaskWord::{Comment, Complete, Delegate, Resolve, Return, Transfer};
        wrong_place(task.outcome.is_some(), "outcome", &[Complete], "`complete`");
        wrong_place(task.fields.is_some(), "fields", &[Complete, Resolve], "`complete` and `resolve`");
        wrong_place(task.user.is_some(), "user", &[Transfer, Delegate], "`transfer` and `delegate`");
        wrong_place(task.queue.is_some(), "queue", &[Transfer], "`transfer`");
        wrong_place(task.to.is_some(), "to", &[Return], "`return`");
        wrong_place(task.reason.is_some(), "reason", &[Return], "`return`");
        wrong_place(task.text.is_some(), "text", &[Comment], "`comment`");
        let missing = |key: &str| self.context.error("FW0111", at, format!("`{key}` is missing"));
        let act = match task.verb {
            TaskWord::Claim => TaskAct::Claim,
            TaskWord::Release => TaskAct::Release,
            TaskWord::Complete => {
                let Some(outcome) = task.outcome.as_deref() else {
                    missing("outcome");
                    return None;
                };
                if let Some(known) = outcomes.filter(|known| strict && !known.contains(&outcome)) {
                    let noun = format!("outcome of `{}`", task.step);
                    self.context.unknown("FW0401", &at.key("outcome"), &noun, outcome, known.into_iter());
                }
                let fields = task.fields.clone().unwrap_or_default();
                self.values_of(&task.of, &fields, strict, &at.key("fields"));
                TaskAct::Complete { outcome: outcome.into(), fields }
            }
            TaskWord::Transfer => match (&task.user, &task.queue) {
                (Some(user), None) => TaskAct::ToUser(self.user(user, &at.key("user"), false)?),
                (None, Some(queue)) => {
                    self.context.queue("FW0401", queue, &at.key("queue"));
                    TaskAct::ToQueue(queue.as_str().into())
                }
                _ => {
                    self.context.error("FW0117", at, "exactly one of `user` and `queue` is needed");
                    return None;
                }
            },
            TaskWord::Delegate => match &task.user {
                Some(user) => TaskAct::Delegate(self.user(user, &at.key("user"), false)?),
                None => {
                    missing("user");
                    return None;
                }
            },
            TaskWord::Resolve => {
                let fields = task.fields.clone().unwrap_or_default();
                self.values_of(&task.of, &fields, strict, &at.key("fields"));
                TaskAct::Resolve(fields)
            }
            TaskWord::Return => {
                if let (Some(form), Some(step)) = (form, &task.to) {
                    self.task_step(form, step, &at.key("to"));
                }
                let Some(reason) = task.reason.clone() else {
                    missing("reason");
                    return None;
                };
                let resume = task.resume.map(resumed);
                TaskAct::Return { to: task.to.as_deref().map(Key::from), resume, reason }
            }
            TaskWord::Cc => match &task.users {
                Some(users) => {
                    let users = users.iter().enumerate();
                    let users = users.map(|(index, user)| self.user(user, &at.key("users").index(index), false));
                    TaskAct::Cc(users.collect::<Option<_>>()?)
                }
                None => {
                    missing("users");
                    return None;
                }
            },
            TaskWord::Remind => TaskAct::Remind,
            TaskWord::Withdraw => TaskAct::Withdraw,
            TaskWord::Comment => match &task.text {
                Some(text) => TaskAct::Comment(text.clone()),
                None => {
                    missing("text");
                    return None;
                }
            },
        };
        Some(CaseVerb::Task { record: task.of.as_str().into(), step: task.step.as_str().into(), act })
    }

    fn message(&self, message: &CaseMessage, strict: bool, at: &At) -> Option<CaseVerb> {
        if let Some(pack) = self.context.documents.pack.as_ref().filter(|_| strict) {
            let known = &pack.body.messages;
            match known.get(&message.name) {
                None => {
                    let known = known.keys().map(String::as_str);
                    self.context.unknown("FW0401", &at.key("name"), "message", &message.name, known);
                }
                Some(declared) => {
                    let noun = format!("value of `{}`", message.name);
                    for name in message.data.keys().filter(|name| !declared.data.contains_key(*name)) {
                        let known = declared.data.keys().map(String::as_str);
                        self.context.unknown("FW0401", &at.key("data").key(name), &noun, name, known);
                    }
                }
            }
        }
        Some(CaseVerb::Message {
            name: message.name.as_str().into(),
            key: message.key.clone(),
            id: message.id.clone(),
            data: message.data.clone(),
        })
    }

    fn startable(&self, workflow: &str, of: Option<&str>, at: &At) -> Option<()> {
        self.context.refers(Kind::Workflow, workflow, &at.key("workflow")).then_some(())?;
        let document = self.context.documents.workflows.get(workflow)?;
        match (&document.body.form, of) {
            (Some(form), None) => {
                let message = format!("`{workflow}` works on a record of `{form}`: `of` is missing");
                self.context.error("FW0111", at, message);
            }
            (None, Some(_)) => self.belongs("of", "a workflow that works on a record", at),
            _ => {}
        }
        Some(())
    }

    fn scheduled(&self, workflow: &str, start: &str, at: &At) -> Option<()> {
        self.context.refers(Kind::Workflow, workflow, &at.key("workflow")).then_some(())?;
        let document = self.context.documents.workflows.get(workflow)?;
        let scheduled = || document.body.start.iter().filter(|(_, start)| start.schedule.is_some());
        if !scheduled().any(|(key, _)| key == start) && document.cut.is_empty() {
            let noun = format!("schedule of `{workflow}`");
            self.context.unknown("FW0401", &at.key("start"), &noun, start, scheduled().map(|(key, _)| key.as_str()));
        }
        Some(())
    }

    /// A duration that moves the clock.
    fn forward(&self, text: &str, at: &At) -> Option<Duration> {
        let hint = Some("write a duration as `P2D` or `PT4H`".to_owned());
        let Some(by) = parse_iso(text) else {
            self.context.error_hint("FW0402", at, format!("`{text}` is no duration"), hint);
            return None;
        };
        let parts = [i64::from(by.months), i64::from(by.days), by.milliseconds];
        if parts.iter().any(|part| *part < 0) || parts == [0, 0, 0] {
            self.context.error_hint("FW0402", at, format!("`{text}` does not move the clock forward"), hint);
        }
        Some(by)
    }
}

/// The only entry; the schema allows no second one.
fn only<T>(map: Option<&IndexMap<String, T>>) -> Option<(&str, &T)> {
    map?.iter().next().map(|(key, value)| (key.as_str(), value))
}
