//! What a step of a case expects.

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use formwork_core::Viewer;
use formwork_model::Key;
use formwork_model::pack::case::{
    CaseExpectation, CaseFailure, CaseStep, CaseVerb, ExpectedInstance, ExpectedMetric, ExpectedTask, FieldState,
};
use formwork_model::pack::form::{Field, FieldKind};
use formwork_store::{Failure, Fault};

use super::steps::Acted;
use super::words::{brief, brief_value, told};
use super::world::World;
use crate::analytics::Ask;

/// How often, and after which wait, a metric that is not as expected is looked at again.
const METRIC_TRIES: u32 = 20;
const METRIC_WAIT: std::time::Duration = std::time::Duration::from_millis(50);
/// Most events of a case.
pub(super) const EVENTS_MAX: u32 = 100_000;

impl World<'_> {
    /// Everything that is not as the step expects, in words.
    pub(super) async fn check(
        &mut self,
        viewer: &Viewer,
        step: &CaseStep,
        acted: Option<&Acted>,
    ) -> Result<Vec<String>, Fault> {
        let mut wrong = Vec::new();
        match (acted.map(|acted| &acted.outcome), &step.fails) {
            (Some(Err(failure)), Some(fails)) => wrong.extend(refused_otherwise(failure, fails)),
            (Some(Err(failure)), None) => wrong.push(format!("refused: {}", told(failure))),
            (_, Some(fails)) => wrong.push(format!("should have been refused with {}, but was done", refusal(fails))),
            (_, None) => {}
        }
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        let expect = &step.expect;
        let record = match &expect.record {
            Some(name) => Some(self.named(name)?),
            None => acted.and_then(|acted| acted.record.clone()),
        };
        let shown = acted.and_then(|acted| acted.outcome.as_ref().ok()).unwrap_or(&Json::Null);
        wrong.extend(self.values_differ(viewer, step, record.as_ref(), shown).await);
        wrong.extend(self.result_differs(expect, shown));
        if let Some(metric) = &expect.metric {
            wrong.extend(self.metric_differs(viewer, metric).await);
        }
        if let (Some(task), Some((form, id))) = (&expect.task, &record) {
            wrong.extend(self.task_is_missing(form, *id, task).await?);
        }
        if let Some(sent) = &expect.sent {
            wrong.extend(self.sent_differs(record.as_ref(), sent).await?);
        }
        if let (Some(clock), Some(record)) = (&expect.clock, &record) {
            wrong.extend(self.clock_differs(record, clock).await);
        }
        if let (Some(instance), Some(record)) = (&expect.instance, &record) {
            wrong.extend(self.instance_differs(record, instance).await?);
        }
        Ok(wrong)
    }

    /// Compares the record as the viewer sees it: what a `read` showed, else what a read shows now.
    async fn values_differ(
        &mut self,
        viewer: &Viewer,
        step: &CaseStep,
        record: Option<&(Key, Uuid)>,
        shown: &Json,
    ) -> Vec<String> {
        let expect = &step.expect;
        let Some((form, id)) = record.filter(|_| expect.record.is_some() || !expect.fields.is_empty()) else {
            return Vec::new();
        };
        let name = expect.record.as_ref().or_else(|| step.verb.as_ref()?.record()).unwrap_or(form).clone();
        self.coverage.saw(&self.pack, viewer, form, expect.fields.keys());
        let is_read = matches!(&step.verb, Some(CaseVerb::Read { record }) if *record == name);
        let body = match is_read && step.fails.is_none() {
            true => shown.clone(),
            false => match self.engine.record(&self.pack, viewer, form, *id).await {
                Ok(body) => body,
                Err(failure) => return vec![format!("cannot read `{name}`: {}", told(&failure))],
            },
        };
        let expected = self.with_ids(form, &expect.fields);
        let wrong: Vec<String> = differing(&self.pack.form(form).fields, &body, &expected)
            .into_iter()
            .map(|field| {
                let (found, wanted) = (brief_value(&body[&field]), brief_value(&expect.fields[&field]));
                format!("`{name}.{field}` is {found} instead of {wanted}")
            })
            .collect();
        if wrong.is_empty() && !expect.fields.is_empty() {
            self.note(&format!("{name}: {}", brief(&expect.fields)));
        }
        wrong
    }

    /// Compares what a list, a form being filled in or an import came to.
    fn result_differs(&self, expect: &CaseExpectation, shown: &Json) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(count) = expect.count {
            let found = &shown["total"]["value"];
            wrong.extend((*found != json!(count)).then(|| format!("{found} records instead of {count}")));
        }
        for (word, count) in &expect.import {
            let found = &shown[*word];
            wrong.extend((*found != json!(count)).then(|| format!("the import {word} {found} instead of {count}")));
        }
        for (field, state) in &expect.states {
            wrong.extend(state_differs(field, &shown["fields"][format!("/{field}")], state));
        }
        wrong
    }

    /// Numbers follow the records: on PostgreSQL they see a change only once no older transaction of the cluster runs.
    async fn metric_differs(&mut self, viewer: &Viewer, expected: &ExpectedMetric) -> Vec<String> {
        let mut wrong = Vec::new();
        for _ in 0..METRIC_TRIES {
            let (said, differs) = self.metric_now(viewer, expected).await;
            wrong = differs;
            if wrong.is_empty() {
                self.note(&said);
                break;
            }
            tokio::time::sleep(METRIC_WAIT).await;
        }
        wrong
    }

    /// What the metric is now, and what is wrong with that.
    async fn metric_now(&self, viewer: &Viewer, expected: &ExpectedMetric) -> (String, Vec<String>) {
        let name = &expected.metric;
        let ask = Ask { range: Some("all".to_owned()), ..Ask::default() };
        let cell = match self.engine.metric(&self.pack, viewer, name, &ask).await {
            Ok(cell) => cell,
            Err(failure) => return (String::new(), vec![format!("metric `{name}`: {}", told(&failure))]),
        };
        let mut wrong = Vec::new();
        if let Some(value) = expected.value.as_ref().filter(|value| !same(&cell["value"], value, true)) {
            let (found, wanted) = (brief_value(&cell["value"]), brief_value(value));
            wrong.push(format!("metric `{name}` is {found} instead of {wanted}"));
        }
        if let Some(n) = expected.n.filter(|n| cell["n"] != json!(n)) {
            wrong.push(format!("metric `{name}` has n {} instead of {n}", cell["n"]));
        }
        (format!("{name} = {} (n {})", brief_value(&cell["value"]), cell["n"]), wrong)
    }

    async fn task_is_missing(
        &mut self,
        form: &Key,
        id: Uuid,
        expected: &ExpectedTask,
    ) -> Result<Option<String>, Fault> {
        let mut open = self.tasks_of(form, id).await?;
        open.retain(|task| task["state"] == "open");
        let assignee = expected.assignee.as_ref().and_then(|name| self.users.get(name)).map(|user| user.id.to_string());
        let is = |found: &Json, wanted: Option<&str>| wanted.is_none_or(|wanted| found.as_str() == Some(wanted));
        let fits = |task: &Json| {
            is(&task["step"], Some(&*expected.step))
                && is(&task["queue"], expected.queue.as_deref())
                && is(&task["role"], expected.role.as_deref())
                && is(&task["team"]["key"], expected.team.as_deref())
                && is(&task["assignee"]["id"], assignee.as_deref())
        };
        let wanted = task_words(
            &expected.step,
            expected.queue.as_deref(),
            expected.role.as_deref(),
            expected.team.as_deref(),
            expected.assignee.as_deref(),
        );
        if open.iter().any(fits) {
            self.note(&format!("open task {wanted}"));
            return Ok(None);
        }
        let found: Vec<String> = open
            .iter()
            .map(|task| {
                let text = |value: &Json| value.as_str().map(str::to_owned);
                let (queue, role, team) = (text(&task["queue"]), text(&task["role"]), text(&task["team"]["key"]));
                let (step, assignee) = (task["step"].as_str().unwrap_or_default(), text(&task["assignee"]["title"]));
                task_words(step, queue.as_deref(), role.as_deref(), team.as_deref(), assignee.as_deref())
            })
            .collect();
        let found = if found.is_empty() { "none is open".to_owned() } else { format!("open are {}", found.join(", ")) };
        Ok(Some(format!("no open task {wanted}; {found}")))
    }

    /// The newest instance of the record, as its events tell it.
    async fn instance_differs(
        &mut self,
        record: &(Key, Uuid),
        expected: &ExpectedInstance,
    ) -> Result<Option<String>, Fault> {
        let mut newest = None;
        let mut found = ("missing", None);
        for (_, event) in self.engine.store().events(0, EVENTS_MAX).await? {
            if event.kind == "instance.started" && event.record.as_ref() == Some(record) {
                newest = event.instance;
                found = ("running", None);
            }
            if event.instance.is_none() || event.instance != newest {
                continue;
            }
            match event.kind.as_str() {
                "instance.completed" => found = ("completed", event.data["outcome"].as_str().map(str::to_owned)),
                "incident.opened" => found.0 = "failed",
                _ => {}
            }
        }
        let words = |status: &str, outcome: Option<&str>| match outcome {
            Some(outcome) => format!("{status} as {outcome}"),
            None => status.to_owned(),
        };
        let fits = found.0 == expected.status
            && expected.outcome.as_deref().is_none_or(|outcome| found.1.as_deref() == Some(outcome));
        let found = words(found.0, found.1.as_deref());
        if fits {
            self.note(&format!("instance {found}"));
            return Ok(None);
        }
        Ok(Some(format!("the instance is {found} instead of {}", words(expected.status, expected.outcome.as_deref()))))
    }
}

fn refused_otherwise(failure: &Failure, fails: &CaseFailure) -> Option<String> {
    let fits = match failure {
        Failure::Rejected(rejection) => match &fails.at {
            None => rejection.code == fails.code || rejection.errors.iter().any(|error| error.code == fails.code),
            Some(at) => rejection
                .errors
                .iter()
                .any(|error| error.pointer == *at && (error.code == fails.code || rejection.code == fails.code)),
        },
        _ => false,
    };
    (!fits).then(|| format!("refused with {} instead of {}", told(failure), refusal(fails)))
}

fn refusal(fails: &CaseFailure) -> String {
    match &fails.at {
        Some(at) => format!("{} at {at}", fails.code),
        None => fails.code.clone(),
    }
}

fn task_words(
    step: &str,
    queue: Option<&str>,
    role: Option<&str>,
    team: Option<&str>,
    assignee: Option<&str>,
) -> String {
    let mut words = format!("`{step}`");
    for (word, name) in [("in", queue), ("for", role), ("for team", team), ("of", assignee)] {
        words.extend(name.map(|name| format!(" {word} {name}")));
    }
    words
}

fn state_differs(field: &Key, found: &Json, expected: &FieldState) -> Vec<String> {
    let mut wrong = Vec::new();
    for (flag, value) in &expected.flags {
        if found[*flag] != *value {
            wrong.push(format!("`{field}`: {flag} is {} instead of {value}", found[*flag]));
        }
    }
    if let Some(value) = expected.value.as_ref().filter(|value| !same(&found["value"], value, true)) {
        wrong.push(format!("`{field}` holds {} instead of {}", brief_value(&found["value"]), brief_value(value)));
    }
    if let Some(codes) = &expected.errors {
        let errors = found["errors"].as_array().into_iter().flatten();
        let errors: Vec<&str> = errors.filter_map(|error| error["code"].as_str()).collect();
        if errors != *codes {
            wrong.push(format!("`{field}` has the errors [{}] instead of [{}]", errors.join(", "), codes.join(", ")));
        }
    }
    wrong
}

/// The expected fields that hold something else.
fn differing(fields: &[Field], body: &Json, expected: &Map<String, Json>) -> Vec<String> {
    let wrong = expected.iter().filter(|(name, expected)| {
        let found = &body[name.as_str()];
        match fields.iter().find(|field| *field.key == ***name) {
            Some(field) => !holds(field, found, expected),
            None => !same(found, expected, name.as_str() == "version"),
        }
    });
    wrong.map(|(name, _)| name.clone()).collect()
}

fn holds(field: &Field, found: &Json, expected: &Json) -> bool {
    match (&field.kind, found, expected) {
        (FieldKind::Table { fields, .. }, Json::Array(found), Json::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| {
                    expected.as_object().is_some_and(|expected| differing(fields, found, expected).is_empty())
                })
        }
        _ => same(found, expected, field.ty().is_numeric()),
    }
}

/// Numbers of numeric fields compare as numbers (`"18"` and `18.000`), links and users by id, all else as it stands.
fn same(found: &Json, expected: &Json, numeric: bool) -> bool {
    let found = match found.as_object() {
        Some(link) if expected.is_string() => link.get("id").unwrap_or(found),
        _ => found,
    };
    let number = |value: &Json| match value {
        Json::Number(number) => number.to_string().parse::<Decimal>().ok(),
        Json::String(text) => text.parse::<Decimal>().ok(),
        _ => None,
    };
    match (number(found), number(expected)) {
        (Some(found), Some(expected)) if numeric => found == expected,
        _ => found == expected,
    }
}
