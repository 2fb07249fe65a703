//! Tasks: boxes of the inbox, one task with its form, the tasks of a record.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::Level;
use formwork_model::pack::workflow::{Node, TaskForm, Workflow};
use formwork_model::{Key, Pack};

use super::records::{existing, not_found, readable};
use crate::Stop;
use crate::access::{Presenter, Projection, TaskGrants};
use crate::facts::{BoxPage, Facts, Need, TaskQuery};
use crate::instance::{Pool, Task, TaskStatus};
use crate::scene::{Completed, Context};
use crate::viewer::Viewer;
use crate::wire::instant_text;
use crate::work::{has_copy, is_holder, knows_of, verbs};

/// Packs that running instances are pinned to, by hash.
pub type PinnedPacks = HashMap<String, Arc<Pack>>;

/// A box of the viewer: `{"items": [task …], "next": id | null}`, tasks as in api.md.
pub fn tasks(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    page: BoxPage,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let limit = page.limit.clamp(1, crate::access::LIMIT_MAX);
    let page = BoxPage { limit, ..page };
    let query = TaskQuery { pack: pack.key().clone(), viewer: viewer.clone(), page };
    let known = facts.task_pages.iter().find(|(asked, ..)| *asked == query);
    let Some((_, found, more)) = known else { return Err(Stop::Need(vec![Need::Tasks(query)])) };
    let kept = Completed::default();
    let mut teller = Teller { packs, presenter: Presenter::new(Context::new(pack, facts, at, viewer, &kept)) };
    let shown = &found[..found.len().min(limit as usize)];
    let items = shown.iter().map(|task| teller.task(task)).collect::<Result<Vec<Json>, Stop>>()?;
    teller.presenter.finish()?;
    let more = *more || found.len() > shown.len();
    let next = shown.last().filter(|_| more).map(|task| task.id);
    Ok(json!({"items": items, "next": next}))
}

/// One task with its form: the task of api.md and `"fields": [{"key", "level", "named"}]`, `"instructions"`, and
/// `record.values`, the body as the holder of the task sees it (as the viewer does, for others; who has a copy reads what
/// the step names, beside what is theirs).
pub fn task(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    id: Uuid,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let Some(found) = facts.tasks.get(&id) else { return Err(Stop::Need(vec![Need::Task(id)])) };
    let unknown = || Stop::Reject(not_found(viewer, "task_not_found"));
    let task = found.as_ref().filter(|task| pack.workflows().contains_key(&task.workflow)).ok_or_else(unknown)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    let mut teller = Teller { packs, presenter: Presenter::new(context) };
    let grants = teller.grants(task).and_then(|grants| match task.status {
        TaskStatus::Open if is_holder(viewer, task) => Some(grants),
        _ => has_copy(viewer, task).then(|| grants.to_read()),
    });
    let mut body = Json::Null;
    let mut fields = Json::Null;
    if let Some((form, record)) = task.record.as_ref().filter(|(form, _)| pack.forms().contains_key(form)) {
        let projection = Projection::new(pack, form, viewer, grants.as_ref());
        match readable(context, &projection, *record) {
            Ok((stored, _)) => {
                body = Json::Object(teller.presenter.body(&projection, stored, None, true)?);
                fields = levels(&projection, grants.as_ref());
            }
            Err(Stop::Reject(_)) if knows_of(pack, viewer, task) => {}
            Err(Stop::Reject(_)) => return Err(unknown()),
            Err(stop) => return Err(stop),
        }
    } else if !knows_of(pack, viewer, task) {
        return Err(unknown());
    }
    let mut told = teller.task(task)?;
    let instructions = teller.step(task).and_then(|(_, form)| form.instructions.as_ref());
    teller.presenter.finish()?;
    told["instructions"] = json!(instructions.map(|text| text.get(&viewer.language).to_owned()));
    told["fields"] = fields;
    if !body.is_null() {
        told["record"]["values"] = body;
    }
    Ok(told)
}

/// The tasks of a record the viewer reads: open ones first, then the newest.
pub fn record_tasks(
    pack: &Arc<Pack>,
    packs: &PinnedPacks,
    viewer: &Viewer,
    form: &Key,
    id: Uuid,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<Json, Stop> {
    let projection = existing(pack, viewer, form)?;
    let kept = Completed::default();
    let context = Context::new(pack, facts, at, viewer, &kept);
    readable(context, &projection, id)?;
    let Some(found) = facts.record_tasks.get(&(form.clone(), id)) else {
        return Err(Stop::Need(vec![Need::RecordTasks(form.clone(), id)]));
    };
    let mut teller = Teller { packs, presenter: Presenter::new(context) };
    let items = found.iter().map(|task| teller.task(task)).collect::<Result<Vec<Json>, Stop>>()?;
    teller.presenter.finish()?;
    Ok(json!({"items": items}))
}

struct Teller<'a> {
    packs: &'a PinnedPacks,
    presenter: Presenter<'a>,
}

impl<'a> Teller<'a> {
    /// The task of api.md.
    fn task(&mut self, task: &Task) -> Result<Json, Stop> {
        let context = self.presenter.context();
        let language = &context.viewer.language;
        let found = self.step(task);
        let outcomes: Vec<Json> = found
            .iter()
            .flat_map(|(_, step)| &step.outcomes)
            .map(|(key, outcome)| {
                let confirm = outcome.confirm.as_ref().map(|text| text.get(language));
                json!({"key": key, "label": outcome.label.get(language), "confirm": confirm})
            })
            .collect();
        let label = found.as_ref().map_or(&*task.step, |(node, _)| node.label.get(language)).to_owned();
        let (queue, role, team) = match &task.pool {
            Pool::Queue(queue) => (Some(queue), None, None),
            Pool::Role(role) => (None, Some(role), None),
            Pool::Team(team) => {
                let name = self.presenter.gather(context.team(team))?.flatten();
                (None, None, Some(json!({"key": team, "name": name.map_or(&**team, String::as_str)})))
            }
            Pool::Person => (None, None, None),
        };
        let assignee = task.assignee.map(|user| self.presenter.user(user)).transpose()?;
        let owner = task.owner.map(|user| self.presenter.user(user)).transpose()?;
        let copies =
            task.copies.iter().map(|(user, _)| self.presenter.user(*user)).collect::<Result<Vec<_>, Stop>>()?;
        let mut reminders = Vec::new();
        for (by, at) in &task.reminders {
            reminders.push(json!({"by": self.presenter.user(*by)?, "at": instant_text(*at)}));
        }
        let resume: Vec<&str> = match found.as_ref().filter(|(_, form)| !form.return_to.is_empty()) {
            Some((_, form)) => form.resume.iter().map(|resume| resume.name()).collect(),
            None => Vec::new(),
        };
        Ok(json!({
            "id": task.id,
            "pack": context.pack.key(),
            "workflow": task.workflow,
            "workflow_label": context.pack.workflows().get(&task.workflow).map(|workflow| workflow.label.get(language)),
            "step": task.step,
            "label": label,
            "record": self.record(task)?,
            "queue": queue,
            "role": role,
            "team": team,
            "assignee": assignee,
            "state": match task.status {
                TaskStatus::Open => "open",
                TaskStatus::Done => "done",
                TaskStatus::Cancelled => "cancelled",
            },
            "created_at": instant_text(task.created_at),
            "due_at": task.due_at.map(instant_text),
            "closed_at": task.closed.map(|(at, _)| instant_text(at)),
            "outcome": task.outcome,
            "outcomes": outcomes,
            "verbs": verbs(context.pack, context.viewer, task, self.workflow(task)),
            "return_to": found.iter().flat_map(|(_, form)| &form.return_to).collect::<Vec<_>>(),
            "resume": resume,
            "copies": copies,
            "reminders": reminders,
            "signer": task.signer,
            "owner": owner,
        }))
    }

    fn record(&mut self, task: &Task) -> Result<Json, Stop> {
        let context = self.presenter.context();
        let Some((form, id)) = task.record.as_ref().filter(|(form, _)| context.pack.forms().contains_key(form)) else {
            return Ok(Json::Null);
        };
        let record = context.stored(form, *id);
        let title = match self.presenter.gather(record)?.flatten() {
            // Whoever may know of a task may know what it is about, as far as the levels of their fields go.
            Some(record) if knows_of(context.pack, context.viewer, task) => {
                let projection = self.presenter.projection(form);
                self.presenter.title_of_stored(&projection, record)?
            }
            Some(_) => self.presenter.title(form, *id)?,
            None => None,
        };
        Ok(json!({"form": form, "id": id, "title": title}))
    }

    /// The step of the task, in the version of the workflow its instance is pinned to.
    fn step(&self, task: &Task) -> Option<(&'a Node, &'a TaskForm)> {
        let node = self.workflow(task)?.graph.nodes.get(&task.step)?;
        Some((node, node.task_form()?))
    }

    fn workflow(&self, task: &Task) -> Option<&'a Workflow> {
        self.pinned(task).workflows().get(&task.workflow).map(|workflow| &**workflow)
    }

    fn grants(&self, task: &Task) -> Option<TaskGrants> {
        TaskGrants::of_task(self.pinned(task), task)
    }

    fn pinned(&self, task: &Task) -> &'a Arc<Pack> {
        self.packs.get(&task.pack_hash).unwrap_or(self.presenter.context().pack)
    }
}

fn levels(projection: &Projection, grants: Option<&TaskGrants>) -> Json {
    let fields = projection.form().fields.iter().enumerate().filter_map(|(position, field)| {
        let level = match projection.levels().field(position) {
            Level::None => return None,
            Level::Mask => "mask",
            Level::Read => "read",
            Level::Write => "write",
        };
        let named = grants.is_some_and(|grants| grants.names(&field.key));
        Some(json!({"key": field.key, "level": level, "named": named}))
    });
    Json::Array(fields.collect())
}
