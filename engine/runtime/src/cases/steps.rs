//! What a step of a case does.

use chrono::{Duration as Elapsed, Months, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, Viewer};
use formwork_model::Key;
use formwork_model::expr::duration;
use formwork_store::{Failure, Fault};

use super::world::{World, told};
use crate::key;
use crate::questions::ListRequest;

/// What an act came to: the JSON it showed, or why it was refused.
pub(super) type Outcome = Result<Json, Failure>;

impl World<'_> {
    /// Plays a step: its act (if any), then what it expects.
    pub async fn play(&mut self, number: usize, step: &Json) -> Result<(), Fault> {
        let who = step["as"].as_str();
        let viewer = self.viewer(who);
        let mut line = format!("{}  {}", self.local_time(), who.unwrap_or("system"));
        let outcome = match self.act(&viewer, step, &mut line).await? {
            None => Ok(Json::Null),
            Some(outcome) => {
                match &outcome {
                    Ok(_) => self.transcript.push(line),
                    Err(failure) => self.transcript.push(format!("{line}: refused, {}", told(failure))),
                }
                outcome
            }
        };
        // What came due at this very instant is done before anybody looks.
        self.engine.advance_to(self.engine.clock().now()).await?;
        let wrong = self.check(&viewer, step, &outcome).await?;
        self.failures.extend(wrong.into_iter().map(|wrong| format!("step {number}: {wrong}")));
        Ok(())
    }

    async fn act(&mut self, viewer: &Viewer, step: &Json, line: &mut String) -> Result<Option<Outcome>, Fault> {
        let verbs = ["create", "update", "delete", "read", "list", "evaluate", "task", "import", "advance", "crash"];
        let Some(verb) = verbs.iter().find(|verb| step.get(**verb).is_some()) else { return Ok(None) };
        let what = &step[*verb];
        let outcome = match *verb {
            "create" => self.create(viewer, what, step["save"].as_str(), line).await,
            "update" => self.update(viewer, what, line).await,
            "delete" => self.delete(viewer, what, line).await,
            "read" => self.read(viewer, what, line).await,
            "list" => self.list(viewer, what, line).await,
            "evaluate" => self.evaluate(viewer, what, line).await,
            "task" => self.task(viewer, what, line).await,
            "import" => return self.import(what, line).await.map(Some),
            "advance" => {
                let until = after(self.engine.clock().now(), what.as_str().unwrap_or_default());
                self.engine.advance_to(until).await?;
                line.push_str(&format!(" waits {}", what.as_str().unwrap_or_default()));
                Ok(Json::Null)
            }
            _ => {
                self.crash().await?;
                line.push_str(" crashes and starts again");
                Ok(Json::Null)
            }
        };
        Ok(Some(outcome))
    }

    async fn create(&mut self, viewer: &Viewer, what: &Json, save: Option<&str>, line: &mut String) -> Outcome {
        let (form, values) = only(what);
        let form = key(&form);
        line.push_str(&format!(" creates {form} {}", save.unwrap_or_default()));
        let values = self.with_ids(&form, values.as_object().cloned().unwrap_or_default());
        let act = Act::Create { form: form.clone(), values, effects: Effects::ALL };
        let committed = self.engine.submit(&self.pack, viewer.clone(), act, None).await?;
        if let Reply::Record { id, .. } = committed.reply {
            self.last = Some((form.clone(), id));
            if let Some(name) = save {
                self.records.insert(name.to_owned(), (form, id));
            }
        }
        Ok(Json::Null)
    }

    async fn update(&mut self, viewer: &Viewer, what: &Json, line: &mut String) -> Outcome {
        let (name, patch) = only(what);
        let (form, id) = self.named(&name)?;
        line.push_str(&format!(" changes {name}: {}", keys_of(&patch)));
        let patch = self.with_ids(&form, patch.as_object().cloned().unwrap_or_default());
        let act = Act::Update { form, id, expected_version: None, patch };
        self.engine.submit(&self.pack, viewer.clone(), act, None).await?;
        Ok(Json::Null)
    }

    async fn delete(&mut self, viewer: &Viewer, what: &Json, line: &mut String) -> Outcome {
        let name = what.as_str().unwrap_or_default();
        let (form, id) = self.named(name)?;
        line.push_str(&format!(" deletes {name}"));
        let act = Act::Delete { form, id, expected_version: None };
        self.engine.submit(&self.pack, viewer.clone(), act, None).await?;
        Ok(Json::Null)
    }

    async fn read(&mut self, viewer: &Viewer, what: &Json, line: &mut String) -> Outcome {
        let name = what.as_str().unwrap_or_default();
        let (form, id) = self.named(name)?;
        line.push_str(&format!(" reads {name}"));
        self.engine.record(&self.pack, viewer, &form, id).await
    }

    async fn list(&mut self, viewer: &Viewer, what: &Json, line: &mut String) -> Outcome {
        let (form, filter) = only(what);
        let filter = filter.as_str().map(str::to_owned);
        line.push_str(&format!(" lists {form} where {}", filter.as_deref().unwrap_or("true")));
        let request = ListRequest { filter, limit: 200, ..ListRequest::default() };
        self.engine.list(&self.pack, viewer, &key(&form), request).await
    }

    async fn evaluate(&mut self, viewer: &Viewer, what: &Json, line: &mut String) -> Outcome {
        let (form, values) = only(what);
        line.push_str(&format!(" fills in {form}: {}", keys_of(&values)));
        let form = key(&form);
        let values = self.with_ids(&form, values.as_object().cloned().unwrap_or_default());
        self.engine.evaluate(&self.pack, viewer, &form, None, None, values).await
    }

    async fn task(&mut self, viewer: &Viewer, what: &Json, line: &mut String) -> Outcome {
        let text = |name: &str| what[name].as_str().unwrap_or_default();
        let (form, id) = self.named(text("of"))?;
        self.last = Some((form.clone(), id));
        line.push_str(&format!(" {}s {} of {}", text("verb"), text("step"), text("of")));
        let task = self.newest_task(&form, id, text("step")).await?;
        let verb = match text("verb") {
            "claim" => Verb::Claim,
            "release" => Verb::Release,
            "complete" => {
                line.push_str(&format!(" as {}", text("outcome")));
                let fields = self.with_ids(&form, what["fields"].as_object().cloned().unwrap_or_default());
                Verb::Complete { outcome: text("outcome").to_owned(), fields, expected_version: None }
            }
            "transfer" => Verb::Transfer {
                user: self.users.get(text("user")).map(|user| user.id),
                queue: what["queue"].as_str().map(Key::from),
            },
            _ => Verb::Comment { text: text("text").to_owned() },
        };
        self.engine.submit(&self.pack, viewer.clone(), Act::Task { id: task, verb }, None).await?;
        Ok(Json::Null)
    }

    /// The newest task of that step on the record, whatever its state; an id nobody has where there is none.
    async fn newest_task(&self, form: &Key, id: Uuid, step: &str) -> Result<Uuid, Failure> {
        let tasks = self.engine.record_tasks(&self.pack, &Viewer::system("en"), form, id).await?;
        let tasks = tasks["items"].as_array().cloned().unwrap_or_default();
        let newest = tasks
            .iter()
            .filter(|task| task["step"] == step)
            .max_by_key(|task| (task["state"] == "open", task["id"].as_str().unwrap_or_default().to_owned()));
        Ok(newest.and_then(|task| task["id"].as_str()?.parse().ok()).unwrap_or_else(Uuid::nil))
    }

    async fn import(&mut self, what: &Json, line: &mut String) -> Result<Outcome, Fault> {
        let (import, csv) = only(what);
        let done = self.engine.import(&self.pack, &import, csv.as_str().unwrap_or_default().as_bytes(), &|_| ()).await;
        let done = match done {
            Ok(done) => done,
            Err(error) => return Err(Fault { context: error.to_string(), source: None }),
        };
        line.push_str(&format!(
            " imports {import}: {} created, {} updated, {} unchanged, {} rejected",
            done.created,
            done.updated,
            done.skipped,
            done.errors.len()
        ));
        Ok(Ok(serde_json::json!({
            "created": done.created,
            "updated": done.updated,
            "skipped": done.skipped,
            "rejected": done.errors.len(),
        })))
    }

    /// The record of that name.
    pub(super) fn named(&mut self, name: &str) -> Result<(Key, Uuid), Failure> {
        let found = self.records.get(name).cloned();
        let found = found.ok_or_else(|| Fault { context: format!("no record is named `{name}`"), source: None })?;
        self.last = Some(found.clone());
        Ok(found)
    }

    fn local_time(&self) -> String {
        self.engine.clock().now().with_timezone(self.pack.timezone()).format("%Y-%m-%d %H:%M").to_string()
    }
}

/// The only entry of a map: `{"ticket": …}`.
fn only(what: &Json) -> (String, Json) {
    let entry = what.as_object().and_then(|map| map.iter().next());
    entry.map(|(key, value)| (key.clone(), value.clone())).unwrap_or_default()
}

fn keys_of(values: &Json) -> String {
    let keys = values.as_object().into_iter().flat_map(Map::keys).cloned();
    keys.collect::<Vec<_>>().join(", ")
}

/// `at` + an ISO 8601 duration. Cases wait in UTC: a day is 24 hours.
fn after(at: chrono::DateTime<Utc>, text: &str) -> chrono::DateTime<Utc> {
    let Some(wait) = duration::parse_iso(text) else { return at };
    at + Months::new(wait.months.unsigned_abs())
        + Elapsed::days(i64::from(wait.days))
        + Elapsed::milliseconds(wait.milliseconds)
}
