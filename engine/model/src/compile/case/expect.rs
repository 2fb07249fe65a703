//! What a step of a case expects.

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::Key;
use crate::diagnostic::At;
use crate::documents::Kind;
use crate::documents::case::{
    CaseExpectation as Author, CaseStep, ClockWord, ImportExpectation, SentExpectation, StatusWord, TaskExpectation,
};
use crate::documents::steps::StepOptions;
use crate::expr::duration::parse_iso;
use crate::pack::case::{
    CaseExpectation, CaseVerb, ExpectedClock, ExpectedInstance, ExpectedMessage, ExpectedMetric, ExpectedTask,
    FieldState,
};
use crate::pack::form::Form;

use super::Script;

/// What is said of a field while a form is filled in.
const STATES: [&str; 5] = ["visible", "required", "readonly", "value", "errors"];

impl Script<'_, '_> {
    /// Every key must be about something: a record, a list, a metric.
    pub(super) fn expect(&self, step: &CaseStep, verb: Option<&CaseVerb>, expect: &Author, at: &At) -> CaseExpectation {
        if let Some(name) = &expect.record {
            self.record(name, &at.key("record"));
        }
        let named = expect.record.as_deref().map(Key::from);
        let about = named.as_ref().or_else(|| verb.and_then(CaseVerb::record));
        let form = about.and_then(|name| self.records.get(name)?.as_ref()).and_then(|form| self.forms.get(form));
        let is_evaluated = step.evaluate.is_some() && expect.record.is_none();
        // Without a verb that could be read, nobody can say what it would have been about.
        let is_known = verb.is_some() || super::verb::given(step).is_empty() && !self.document.is_cut_in(at);
        let about_record = |present: bool, key: &str| {
            if present && about.is_none() && is_known {
                let hint = Some("say whose by `\"record\": \"<name>\"`".to_owned());
                self.context.error_hint("FW0111", at, format!("`{key}` is about a record: `record` is missing"), hint);
            }
        };
        about_record(expect.fields.is_some() && !is_evaluated, "fields");
        about_record(expect.task.is_some(), "task");
        about_record(expect.instance.is_some(), "instance");
        about_record(expect.clock.is_some(), "clock");
        let only_with = |present: bool, key: &str, allowed: bool, with: &str| {
            if present && !allowed {
                self.belongs(key, with, at);
            }
        };
        only_with(expect.count.is_some(), "count", step.list.is_some(), "a step with `list`");
        only_with(expect.import.is_some(), "import", step.import.is_some(), "a step with `import`");
        only_with(expect.value.is_some(), "value", expect.metric.is_some(), "a `metric`");
        only_with(expect.n.is_some(), "n", expect.metric.is_some(), "a `metric`");
        for (present, key) in [
            (expect.state.is_some(), "state"),
            (expect.due.is_some(), "due"),
            (expect.consumed.is_some(), "consumed"),
            (expect.paused.is_some(), "paused"),
            (expect.cycle.is_some(), "cycle"),
            (expect.rungs.is_some(), "rungs"),
        ] {
            only_with(present, key, expect.clock.is_some(), "a `clock`");
        }
        let of_result = expect.count.is_some() || expect.import.is_some() || (expect.fields.is_some() && is_evaluated);
        if of_result && step.fails.is_some() {
            self.context.error("FW0405", at, "what is refused has no result to expect");
        }
        let mut compiled = CaseExpectation { record: named, count: expect.count, ..CaseExpectation::default() };
        match (&expect.fields, verb) {
            (Some(fields), Some(CaseVerb::Evaluate { form, .. })) if is_evaluated => {
                if let Some(form) = self.forms.get(form) {
                    compiled.states = self.states(form, fields, &at.key("fields"));
                }
            }
            (Some(fields), _) => {
                if let Some(form) = form {
                    let at = at.key("fields");
                    fields.iter().for_each(|(name, value)| self.seen(&form.fields, name, value, &at.key(name)));
                }
                compiled.fields = fields.clone();
            }
            (None, _) => {}
        }
        compiled.task = expect.task.as_ref().map(|task| self.expected_task(form, task, &at.key("task")));
        compiled.sent = expect.sent.as_ref().map(|sent| self.expected_messages(sent, &at.key("sent")));
        compiled.instance = expect.instance.as_ref().map(|instance| {
            let status = match instance.status {
                StatusWord::Running => "running",
                StatusWord::Completed => "completed",
                StatusWord::Failed => "failed",
            };
            if let Some(outcome) = &instance.outcome {
                let at = at.key("instance");
                match instance.status {
                    StatusWord::Completed => self.ending(form, outcome, &at.key("outcome")),
                    _ => self.belongs("outcome", "an instance that is `completed`", &at),
                }
            }
            ExpectedInstance { status, outcome: instance.outcome.as_deref().map(Key::from) }
        });
        compiled.clock = expect.clock.as_ref().map(|clock| self.expected_clock(form, clock, expect, at));
        compiled.import = expect.import.as_ref().map(counts).unwrap_or_default();
        compiled.metric = expect.metric.as_ref().map(|metric| {
            self.context.refers(Kind::Metric, metric, &at.key("metric"));
            if expect.value.is_none() && expect.n.is_none() {
                self.context.error("FW0117", at, "of a metric, `value` or `n` is expected");
            }
            ExpectedMetric { metric: metric.as_str().into(), value: expect.value.clone(), n: expect.n }
        });
        compiled
    }

    fn states(&self, form: &Form, fields: &serde_json::Map<String, Json>, at: &At) -> IndexMap<Key, FieldState> {
        let mut states = IndexMap::new();
        for (name, state) in fields {
            let at = at.key(name);
            self.seen(&form.fields, name, &Json::Null, &at);
            let Some(parts) = state.as_object().filter(|parts| !parts.is_empty()) else {
                let hint = Some("for example `{\"visible\": true}`".to_owned());
                self.context.error_hint("FW0112", &at, "expected the state of a field `{…}`", hint);
                continue;
            };
            let mut compiled = FieldState::default();
            for (part, value) in parts {
                let at = at.key(part);
                let wrong = |what: &str| self.context.error("FW0112", &at, format!("expected {what}"));
                match (STATES.into_iter().find(|known| known == part), value) {
                    (Some("value"), value) => compiled.value = Some(value.clone()),
                    (Some("errors"), Json::Array(codes)) if codes.iter().all(Json::is_string) => {
                        let codes = codes.iter().filter_map(Json::as_str).map(str::to_owned);
                        compiled.errors = Some(codes.collect());
                    }
                    (Some("errors"), _) => wrong("a list of codes `[…]`"),
                    (Some(flag), Json::Bool(value)) => compiled.flags.push((flag, *value)),
                    (Some(_), _) => wrong("`true` or `false`"),
                    (None, _) => {
                        let hint = crate::structure::did_you_mean(part, STATES.into_iter());
                        self.context.error_at_key("FW0110", &at, format!("unknown key `{part}`"), hint);
                    }
                }
            }
            states.insert(name.as_str().into(), compiled);
        }
        states
    }

    fn expected_task(&self, form: Option<&Form>, task: &TaskExpectation, at: &At) -> ExpectedTask {
        if let Some(form) = form {
            self.task_step(&form.key, &task.step, &at.key("step"));
        }
        if let Some(queue) = &task.queue {
            self.context.queue("FW0401", queue, &at.key("queue"));
        }
        if let Some(role) = &task.role {
            self.context.role("FW0401", role, &at.key("role"));
        }
        let key = |word: &Option<String>| word.as_deref().map(Key::from);
        ExpectedTask {
            step: task.step.as_str().into(),
            queue: key(&task.queue),
            role: key(&task.role),
            team: key(&task.team),
            assignee: task.assignee.as_ref().and_then(|user| self.user(user, &at.key("assignee"), false)),
        }
    }

    fn expected_clock(&self, form: Option<&Form>, clock: &str, expect: &Author, at: &At) -> ExpectedClock {
        let workflows = form.and_then(|form| self.workflows_for(&form.key));
        let known: Option<Vec<(&str, &crate::documents::sla::Sla)>> = workflows.map(|workflows| {
            workflows.iter().flat_map(|document| &document.body.sla).map(|(key, sla)| (key.as_str(), sla)).collect()
        });
        if let Some(known) = known {
            match known.iter().find(|(key, _)| *key == clock) {
                None => {
                    let known = known.iter().map(|(key, _)| *key);
                    self.context.unknown("FW0401", &at.key("clock"), "clock", clock, known);
                }
                Some((_, sla)) => {
                    for (index, rung) in expect.rungs.iter().flatten().enumerate() {
                        if !sla.rungs.contains_key(rung) {
                            let known = sla.rungs.keys().map(String::as_str);
                            self.context.unknown("FW0401", &at.key("rungs").index(index), "rung", rung, known);
                        }
                    }
                }
            }
        }
        if let Some(due) = &expect.due {
            let is_instant = due.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok());
            if !due.is_null() && !is_instant {
                let hint = Some("write it as `2026-01-05T09:00:00+08:00`".to_owned());
                self.context.error_hint("FW0402", &at.key("due"), "this is no instant", hint);
            }
        }
        ExpectedClock {
            sla: clock.into(),
            state: expect.state.map(ClockWord::name),
            due: expect.due.clone(),
            consumed_ms: expect.consumed.as_ref().and_then(|text| self.elapsed(text, &at.key("consumed"))),
            paused_ms: expect.paused.as_ref().and_then(|text| self.elapsed(text, &at.key("paused"))),
            cycle: expect.cycle,
            rungs: expect.rungs.clone(),
        }
    }

    /// A duration without days, in milliseconds.
    fn elapsed(&self, text: &str, at: &At) -> Option<i64> {
        let parsed = parse_iso(text).filter(|duration| duration.days == 0 && duration.months == 0);
        if parsed.is_none() {
            let hint = Some("write open time in hours, minutes and seconds: `PT26H30M`".to_owned());
            self.context.error_hint("FW0402", at, format!("`{text}` is no span of open time"), hint);
        }
        parsed.map(|duration| duration.milliseconds)
    }

    fn expected_messages(&self, sent: &[SentExpectation], at: &At) -> Vec<ExpectedMessage> {
        let documents = self.context.documents;
        let mut messages = Vec::new();
        for (index, message) in sent.iter().enumerate() {
            let at = at.index(index);
            if !documents.templates.contains_key(message.template.as_str()) {
                let known = documents.templates.keys().map(|key| &**key);
                self.context.unknown("FW0401", &at.key("template"), "template", &message.template, known);
            }
            let channels = documents.pack.as_ref().map(|pack| &pack.body.channels);
            if let (Some(channel), Some(channels)) = (&message.channel, channels)
                && !channels.contains_key(channel)
            {
                let known = channels.keys().map(String::as_str);
                self.context.unknown("FW0401", &at.key("channel"), "channel", channel, known);
            }
            messages.push(ExpectedMessage {
                template: message.template.as_str().into(),
                channel: message.channel.as_deref().map(Key::from),
                to: message.to.clone(),
                contains: message.contains.clone(),
            });
        }
        messages
    }

    /// An outcome with which an instance for the form can end.
    fn ending(&self, form: Option<&Form>, outcome: &str, at: &At) {
        let Some(workflows) = form.and_then(|form| self.workflows_for(&form.key)) else { return };
        let steps = workflows.iter().flat_map(|document| document.body.steps.values());
        let known: Vec<&str> = steps
            .filter_map(|step| match &step.options {
                StepOptions::End(end) => end.outcome.as_deref(),
                _ => None,
            })
            .collect();
        if !known.contains(&outcome) {
            self.context.unknown("FW0401", at, "outcome", outcome, known.into_iter());
        }
    }
}

fn counts(import: &ImportExpectation) -> Vec<(&'static str, u64)> {
    let all = [
        ("created", import.created),
        ("updated", import.updated),
        ("skipped", import.skipped),
        ("rejected", import.rejected),
    ];
    all.into_iter().filter_map(|(word, count)| Some((word, count?))).collect()
}
