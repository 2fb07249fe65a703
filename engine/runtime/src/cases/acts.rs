//! What a step of a case does, and how the transcript says it.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::eval::time::add_to_instant;
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use formwork_model::Key;
use formwork_model::pack::case::{CaseVerb, TaskAct};
use formwork_store::{Failure, Fault};

use super::steps::Acted;
use super::words::{brief, brief_value, form_shown, record_shown, titles};
use super::world::World;
use crate::imports::ImportError;
use crate::questions::{Filled, ListRequest};

impl World<'_> {
    /// Does it: what the transcript says of it, and what came of it.
    pub(super) async fn act(&mut self, viewer: &Viewer, verb: &CaseVerb) -> Result<(String, Acted), Fault> {
        let mut record = match verb {
            CaseVerb::Create { .. } => None,
            verb => verb.record().map(|name| self.named(name)).transpose()?,
        };
        let about = |record: &Option<(Key, Uuid)>| record.clone().unwrap_or_else(|| (Key::from(""), Uuid::nil()));
        let mut outcome = Ok(Json::Null);
        let said = match verb {
            CaseVerb::Create { form, values, save } => {
                let act =
                    Act::Create { form: form.clone(), values: self.with_ids(form, values), effects: Effects::ALL };
                match self.engine.submit(&self.pack, viewer.clone(), act, None).await {
                    Ok(committed) => {
                        if let Reply::Record { id, .. } = committed.reply {
                            record = Some((form.clone(), id));
                            self.records.extend(save.clone().map(|name| (name, (form.clone(), id))));
                        }
                    }
                    Err(failure) => outcome = Err(failure),
                }
                let name = save.as_ref().map_or_else(String::new, |name| format!(" {name}"));
                format!("creates {form}{name}: {}", brief(values))
            }
            CaseVerb::Update { record: name, values } => {
                let (form, id) = about(&record);
                let patch = self.with_ids(&form, values);
                outcome = self.submit(viewer, Act::Update { form, id, expected_version: None, patch }).await;
                format!("changes {name}: {}", brief(values))
            }
            CaseVerb::Delete { record: name } => {
                let (form, id) = about(&record);
                outcome = self.submit(viewer, Act::Delete { form, id, expected_version: None }).await;
                format!("deletes {name}")
            }
            CaseVerb::Read { record: name } => {
                let (form, id) = about(&record);
                outcome = self.engine.record(&self.pack, viewer, &form, id).await;
                format!("reads {name}")
            }
            CaseVerb::List { form, filter } => {
                let request = ListRequest { filter: Some(filter.clone()), limit: 200, ..ListRequest::default() };
                outcome = self.engine.list(&self.pack, viewer, form, request).await;
                format!("lists {form} where {filter}")
            }
            CaseVerb::Evaluate { form, values } => {
                let filled = self.with_ids(form, values);
                outcome = self
                    .engine
                    .evaluate(&self.pack, viewer, form, Filled { values: filled, ..Filled::default() })
                    .await;
                format!("fills in {form}: {}", brief(values))
            }
            CaseVerb::Task { record: name, step, act } => {
                let (form, id) = about(&record);
                let task = self.newest_task(&form, id, step).await?;
                let (said, verb) = self.task_verb(&form, act);
                outcome = self.submit(viewer, Act::Task { id: task, verb }).await;
                format!("{} {step} of {name}{}", said.0, said.1)
            }
            CaseVerb::Start { workflow, record: name } => {
                let of = name.as_ref().map_or_else(String::new, |name| format!(" for {name}"));
                let (workflow, key) = (workflow.clone(), self.engine.new_id().to_string());
                let said = format!("starts {workflow}{of}");
                let record = record.as_ref().map(|(_, id)| *id);
                outcome = self.submit(viewer, Act::Start { workflow, record, key }).await;
                said
            }
            CaseVerb::Message { name, key, id, data } => {
                let act = Act::Message { name: name.clone(), key: key.clone(), id: id.clone(), data: data.clone() };
                outcome = self.engine.submit(&self.pack, viewer.clone(), act, None).await.map(|committed| {
                    match committed.reply {
                        Reply::Message(Some(waited)) => json!(format!("taken by {waited}")),
                        _ => json!("taken in before"),
                    }
                });
                format!("sends {name} for {key}: {}", brief(data))
            }
            CaseVerb::Import { import, file } => {
                outcome = self.import(import, file).await?;
                format!("imports {import}")
            }
            CaseVerb::Run { workflow, start } => {
                self.engine.run_schedule_now(&self.pack, workflow, start).await?;
                format!("runs the schedule {start} of {workflow}")
            }
            CaseVerb::Advance { by, text } => {
                let until = add_to_instant(self.engine.clock().now(), by, *self.pack.timezone());
                let until = until.ok_or_else(|| Fault { context: format!("waiting {text}"), source: None })?;
                self.engine.advance_to(until).await?;
                format!("waits {text}")
            }
            CaseVerb::Deploy { patches } => {
                self.deploy(patches).await?;
                format!("deploys with {} changed", patches.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            CaseVerb::Crash => {
                self.crash().await?;
                "crashes and starts again".to_owned()
            }
        };
        Ok((said, Acted { record, outcome }))
    }

    /// What an act showed, as it follows on what was done.
    pub(super) fn shown(&self, verb: &CaseVerb, shown: &Json) -> String {
        match verb {
            CaseVerb::Read { .. } => format!(": {}", record_shown(shown)),
            CaseVerb::List { .. } => format!(": {}", titles(shown)),
            CaseVerb::Evaluate { .. } => format!(": {}", form_shown(shown)),
            CaseVerb::Message { .. } => format!(": {}", brief_value(shown)),
            CaseVerb::Import { .. } => format!(": {}", shown.as_object().map(brief).unwrap_or_default()),
            _ => String::new(),
        }
    }

    async fn submit(&self, viewer: &Viewer, act: Act) -> Result<Json, Failure> {
        self.engine.submit(&self.pack, viewer.clone(), act, None).await.map(|_| Json::Null)
    }

    /// The verb, and the words before and behind the step.
    fn task_verb(&self, form: &Key, act: &TaskAct) -> ((&'static str, String), Verb) {
        match act {
            TaskAct::Claim => (("claims", String::new()), Verb::Claim),
            TaskAct::Release => (("releases", String::new()), Verb::Release),
            TaskAct::Complete { outcome, fields } => {
                let with = if fields.is_empty() { String::new() } else { format!(": {}", brief(fields)) };
                let fields = self.with_ids(form, fields);
                let verb = Verb::Complete { outcome: outcome.to_string(), fields, expected_version: None };
                (("completes", format!(" as {outcome}{with}")), verb)
            }
            TaskAct::ToUser(user) => {
                let id = self.users.get(user).map(|user| user.id);
                (("transfers", format!(" to {user}")), Verb::Transfer { user: id, queue: None })
            }
            TaskAct::ToQueue(queue) => {
                (("transfers", format!(" to {queue}")), Verb::Transfer { user: None, queue: Some(queue.clone()) })
            }
            TaskAct::Delegate(user) => {
                let id = self.users.get(user).map(|user| user.id).unwrap_or_default();
                (("delegates", format!(" to {user}")), Verb::Delegate { user: id })
            }
            TaskAct::Resolve(fields) => {
                let with = if fields.is_empty() { String::new() } else { format!(": {}", brief(fields)) };
                let fields = self.with_ids(form, fields);
                (("resolves", with), Verb::Resolve { fields, expected_version: None })
            }
            TaskAct::Return { to, resume, reason } => {
                let back = to.as_ref().map_or_else(String::new, |step| format!(" to {step}"));
                let how = resume.map_or_else(String::new, |resume| format!(" ({})", resume.name()));
                let verb = Verb::Return { to: to.clone(), resume: *resume, reason: reason.clone() };
                (("returns", format!("{back}{how}: {reason}")), verb)
            }
            TaskAct::Cc(users) => {
                let ids = users.iter().map(|user| self.users.get(user).map(|user| user.id).unwrap_or_default());
                let names: Vec<&str> = users.iter().map(|user| &**user).collect();
                (("gives a copy of", format!(" to {}", names.join(", "))), Verb::Cc { users: ids.collect() })
            }
            TaskAct::Remind => (("reminds of", String::new()), Verb::Remind),
            TaskAct::Withdraw => (("withdraws", String::new()), Verb::Withdraw),
            TaskAct::Comment(text) => (("comments on", format!(": {text}")), Verb::Comment { text: text.clone() }),
        }
    }

    /// The newest task of that step on the record, open ones first. That there is none is a mistake of the case, not a
    /// refusal to be expected.
    async fn newest_task(&self, form: &Key, id: Uuid, step: &Key) -> Result<Uuid, Fault> {
        let tasks = self.tasks_of(form, id).await?;
        let newest = tasks
            .iter()
            .filter(|task| task["step"] == **step)
            .max_by_key(|task| (task["state"] == "open", task["id"].as_str().unwrap_or_default().to_owned()));
        let id = newest.and_then(|task| task["id"].as_str()?.parse().ok());
        id.ok_or_else(|| Fault { context: format!("no task of `{step}` was ever made for the record"), source: None })
    }

    /// All tasks of a record.
    pub(super) async fn tasks_of(&self, form: &Key, id: Uuid) -> Result<Vec<Json>, Fault> {
        match self.engine.record_tasks(&self.pack, &Viewer::system("en"), form, id).await {
            Ok(mut tasks) => match tasks["items"].take() {
                Json::Array(tasks) => Ok(tasks),
                _ => Ok(Vec::new()),
            },
            // A record that was deleted has no tasks.
            Err(Failure::Rejected(_)) => Ok(Vec::new()),
            Err(Failure::Fault(fault)) => Err(fault),
            Err(failure) => Err(Fault { context: failure.to_string(), source: None }),
        }
    }

    async fn import(&self, import: &Key, file: &str) -> Result<Result<Json, Failure>, Fault> {
        match self.engine.import(&self.pack, import, file.as_bytes(), "en", &|_| ()).await {
            Ok(done) => Ok(Ok(json!({
                "created": done.created,
                "updated": done.updated,
                "skipped": done.skipped + done.unchanged,
                "rejected": done.errors.len(),
            }))),
            Err(ImportError::Fault(fault)) => Err(fault),
            Err(error) => {
                let code = match error {
                    ImportError::MissingColumns { .. } => "missing_columns",
                    _ => "unreadable_file",
                };
                let rejection = Rejection::new(RejectionKind::Malformed, code, error.to_string());
                Ok(Err(Failure::Rejected(Box::new(rejection))))
            }
        }
    }
}
