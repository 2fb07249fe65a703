//! What a step of a case expects.

use rust_decimal::Decimal;
use serde_json::Value as Json;

use formwork_core::Viewer;
use formwork_store::{Failure, Fault};

use super::steps::Outcome;
use super::world::{World, told};
use crate::analytics::Ask;
use crate::key;

impl World<'_> {
    /// Everything that is not as the step expects, in words.
    pub(super) async fn check(
        &mut self,
        viewer: &Viewer,
        step: &Json,
        outcome: &Outcome,
    ) -> Result<Vec<String>, Fault> {
        let mut wrong = Vec::new();
        let shown = match (outcome, step.get("fails")) {
            (Err(failure), Some(fails)) => {
                wrong.extend(refused_otherwise(failure, fails));
                return Ok(wrong);
            }
            (Ok(_), Some(fails)) => return Ok(vec![format!("should have been refused with {fails}, but was done")]),
            (Err(failure), None) => return Ok(vec![format!("refused: {}", told(failure))]),
            (Ok(shown), None) => shown,
        };
        let expect = &step["expect"];
        if let Some(name) = expect["record"].as_str() {
            wrong.extend(self.record_differs(viewer, name, shown, &expect["fields"]).await);
        } else if step.get("evaluate").is_some() {
            wrong.extend(evaluation_differs(shown, &expect["fields"]));
        }
        if let Some(count) = expect["count"].as_u64() {
            let found = shown["items"].as_array().map_or(0, Vec::len) as u64;
            wrong.extend((found != count).then(|| format!("{found} records instead of {count}")));
        }
        if expect["import"].is_object() {
            wrong.extend(differences("import", shown, &expect["import"]));
        }
        if expect.get("metric").is_some() {
            wrong.extend(self.metric_differs(viewer, expect).await);
        }
        if expect["task"].is_object() {
            wrong.extend(self.task_is_missing(&expect["task"]).await);
        }
        for sent in expect["sent"].as_array().into_iter().flatten() {
            wrong.extend(self.message_is_missing(sent).await?);
        }
        if expect["instance"].is_object() {
            wrong.extend(self.instance_differs(&expect["instance"]).await?);
        }
        Ok(wrong)
    }

    /// Compares the record as the viewer sees it: what a `read` showed, else what a read shows now.
    async fn record_differs(&mut self, viewer: &Viewer, name: &str, shown: &Json, fields: &Json) -> Vec<String> {
        let (form, id) = match self.named(name) {
            Ok(found) => found,
            Err(failure) => return vec![told(&failure)],
        };
        let body = match shown.is_null() {
            true => match self.engine.record(&self.pack, viewer, &form, id).await {
                Ok(body) => body,
                Err(failure) => return vec![format!("cannot read `{name}`: {}", told(&failure))],
            },
            false => shown.clone(),
        };
        let mut wrong = Vec::new();
        for (field, expected) in fields.as_object().into_iter().flatten() {
            let expected = match expected.as_str().and_then(|name| self.records.get(name)) {
                Some((_, id)) if body[field].is_object() => Json::String(id.to_string()),
                _ => expected.clone(),
            };
            if !same(&body[field], &expected) {
                wrong.push(format!("`{name}.{field}` is {} instead of {expected}", body[field]));
            }
        }
        if wrong.is_empty() {
            self.transcript.push(format!("                  {name}: {fields}"));
        }
        wrong
    }

    async fn metric_differs(&mut self, viewer: &Viewer, expect: &Json) -> Vec<String> {
        let name = expect["metric"].as_str().unwrap_or_default();
        let ask = Ask { range: Some("all".to_owned()), ..Ask::default() };
        match self.engine.metric(&self.pack, viewer, &key(name), &ask).await {
            Err(failure) => vec![format!("metric `{name}`: {}", told(&failure))],
            Ok(cell) => {
                self.transcript.push(format!("                  {name} = {} (n {})", cell["value"], cell["n"]));
                ["value", "n", "state"]
                    .iter()
                    .filter(|part| expect.get(**part).is_some() && !same(&cell[**part], &expect[**part]))
                    .map(|part| format!("metric `{name}`: {part} is {} instead of {}", cell[*part], expect[*part]))
                    .collect()
            }
        }
    }

    async fn task_is_missing(&mut self, expected: &Json) -> Option<String> {
        let (form, id) = self.last.clone()?;
        let tasks = match self.engine.record_tasks(&self.pack, &Viewer::system("en"), &form, id).await {
            Ok(tasks) => tasks["items"].as_array().cloned().unwrap_or_default(),
            Err(failure) => return Some(told(&failure)),
        };
        let open: Vec<_> = tasks.into_iter().filter(|task| task["state"] == "open").collect();
        let fits = |task: &Json| {
            expected.as_object().into_iter().flatten().all(|(part, value)| match part.as_str() {
                "assignee" => {
                    let user = value.as_str().and_then(|name| self.users.get(name)).map(|user| user.id.to_string());
                    task["assignee"]["id"].as_str().map(str::to_owned) == user
                }
                part => same(&task[part], value),
            })
        };
        if open.iter().any(fits) {
            self.transcript.push(format!("                  open task {expected}"));
            return None;
        }
        Some(format!("no open task {expected}, but {}", Json::from(open)))
    }

    async fn message_is_missing(&mut self, expected: &Json) -> Result<Option<String>, Fault> {
        let messages = self.engine.store().messages(1_000).await?;
        let about = messages.iter().filter(|(message, ..)| message.record == self.last);
        let fits = about.clone().any(|(message, state, ..)| {
            expected.as_object().into_iter().flatten().all(|(part, value)| match part.as_str() {
                "template" => *value == *message.template,
                "to" => *value == *message.to,
                "channel" => *value == *message.channel,
                "state" => *value == **state,
                "contains" => value.as_str().is_some_and(|text| message.body.contains(text)),
                _ => false,
            })
        });
        if fits {
            self.transcript.push(format!("                  sent {expected}"));
            return Ok(None);
        }
        let seen: Vec<_> = about.map(|(message, state, ..)| format!("{} ({state})", message.template)).collect();
        Ok(Some(format!("nothing sent like {expected}, only {seen:?}")))
    }

    /// The newest instance of the record, as its events tell it.
    async fn instance_differs(&mut self, expected: &Json) -> Result<Vec<String>, Fault> {
        let mut found = serde_json::json!({"status": null, "outcome": null});
        for (_, event) in self.engine.store().events(0, 100_000).await? {
            if event.record != self.last {
                continue;
            }
            match event.kind.as_str() {
                "instance.started" => found = serde_json::json!({"status": "running", "outcome": null}),
                "instance.completed" => {
                    found = serde_json::json!({"status": "completed", "outcome": event.data["outcome"]});
                }
                "incident.opened" => found["status"] = "failed".into(),
                _ => {}
            }
        }
        Ok(differences("instance", &found, expected))
    }
}

fn refused_otherwise(failure: &Failure, fails: &Json) -> Option<String> {
    let Failure::Rejected(rejection) = failure else { return Some(told(failure)) };
    let code_fits = fails["code"].as_str().is_none_or(|code| {
        rejection.code == code
            || format!("{:?}", rejection.kind).to_lowercase() == code.replace('_', "")
            || rejection.errors.iter().any(|error| error.code == code)
    });
    let place_fits = fails["at"].as_str().is_none_or(|at| rejection.errors.iter().any(|error| error.pointer == at));
    (!(code_fits && place_fits)).then(|| format!("refused with {} instead of {fails}", told(failure)))
}

fn evaluation_differs(shown: &Json, fields: &Json) -> Vec<String> {
    let mut wrong = Vec::new();
    for (field, expected) in fields.as_object().into_iter().flatten() {
        let state = &shown["fields"][format!("/{field}")];
        wrong.extend(differences(field, state, expected));
    }
    wrong
}

fn differences(what: &str, found: &Json, expected: &Json) -> Vec<String> {
    let parts = expected.as_object().into_iter().flatten();
    parts
        .filter(|(part, value)| !same(&found[part.as_str()], value))
        .map(|(part, value)| format!("{what}: {part} is {} instead of {value}", found[part.as_str()]))
        .collect()
}

/// Numbers compare as numbers (`"18"` and `18.000`), links by id, everything else as it stands.
fn same(found: &Json, expected: &Json) -> bool {
    let found = match found.as_object() {
        Some(link) if link.contains_key("title") && expected.is_string() => &link["id"],
        _ => found,
    };
    let number = |value: &Json| match value {
        Json::Number(number) => number.to_string().parse::<Decimal>().ok(),
        Json::String(text) => text.parse::<Decimal>().ok(),
        _ => None,
    };
    match (number(found), number(expected)) {
        (Some(found), Some(expected)) => found == expected,
        _ => found == expected,
    }
}
