//! One stimulus being decided: what is known, the ids, and the change as it grows.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::pack::form::{Form, FormKind};
use formwork_model::{Key, Pack};

use crate::Stop;
use crate::change::{ChangeSet, Event, Written};
use crate::diff::diff;
use crate::facts::Need;
use crate::form::{Session, invalid};
use crate::ids::Ids;
use crate::instance::{Task, TaskStatus};
use crate::messages::message;
use crate::rejection::{FieldError, Rejection, RejectionKind};
use crate::scene::Context;
use crate::viewer::{Viewer, ViewerKind};
use crate::workflow::tend;

/// One stimulus being decided.
pub(crate) struct Turn<'a> {
    /// The running pack, the facts, now, and who acts.
    pub context: Context<'a>,
    /// Packs that running instances are pinned to, by hash.
    pub packs: &'a HashMap<String, Arc<Pack>>,
    /// Where records completed in the layout of a pinned pack are kept.
    pub pinned: &'a crate::scene::Completed,
    /// Ids for what is new.
    pub ids: Ids,
    /// What will be written.
    pub change: ChangeSet,
}

impl<'a> Turn<'a> {
    /// Who acts.
    pub(crate) fn actor(&self) -> &'a Viewer {
        self.context.viewer
    }

    /// Adds a row of history.
    pub(crate) fn event(
        &mut self,
        kind: &str,
        record: Option<(Key, Uuid)>,
        instance: Option<Uuid>,
        step: Option<(Key, u64)>,
        data: Json,
    ) {
        let actor = self.actor();
        self.change.events.push(Event {
            at: self.context.at,
            record,
            instance,
            kind: kind.to_owned(),
            step,
            actor: actor.user,
            actor_kind: match actor.kind {
                ViewerKind::Person => "person",
                ViewerKind::Public => "public",
                ViewerKind::System => "system",
            }
            .to_owned(),
            data,
        });
    }

    /// Looks after the clocks of a record, checks its final state and writes its change, its one version and its one diff. The errors of a
    /// record that breaks a rule come back.
    pub(crate) fn write(&mut self, session: &mut Session<'a>) -> Result<Result<Written, Vec<FieldError>>, Stop> {
        tend(self, session)?;
        let errors = session.check()?;
        let needs = session.take_needs();
        if !needs.is_empty() {
            return Err(Stop::Need(needs));
        }
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        let Some(change) = session.change() else { return Ok(Ok(Written::Unchanged)) };
        if change.before.is_some() {
            self.not_of_a_log(session.form())?;
        }
        let (kind, written) = match change.before {
            None => ("record.created", Written::Created),
            Some(_) => ("record.updated", Written::Updated),
        };
        let diff = diff(session.form(), change.before.as_ref(), change.after.as_ref());
        let version = session.record().version;
        let record = (change.form.clone(), change.id());
        // What happened to the record comes before what its workflows made of it.
        let events = std::mem::take(&mut self.change.events);
        self.event(kind, Some(record), None, None, json!({"version": version, "diff": diff}));
        self.change.events.extend(events);
        self.change.records.push(change);
        Ok(Ok(written))
    }

    /// [`Turn::write`] where a broken rule refuses the caller.
    pub(crate) fn write_or_refuse(&mut self, session: &mut Session<'a>) -> Result<Written, Stop> {
        let errors = match self.write(session)? {
            Ok(written) => return Ok(written),
            Err(errors) => errors,
        };
        Err(Box::new(invalid(&self.actor().language, errors)).into())
    }

    /// Refuses what would change or delete an entry of a log, whoever asks and on whatever path.
    pub(crate) fn not_of_a_log(&self, form: &Form) -> Result<(), Stop> {
        match form.kind {
            FormKind::Log => Err(self.refuse(RejectionKind::Conflict, "append_only")),
            FormKind::Table => Ok(()),
        }
    }

    /// A task as it is now: the last word on it within this stimulus.
    pub(crate) fn put_task(&mut self, task: Task) {
        match self.change.tasks.iter_mut().find(|known| known.id == task.id) {
            Some(known) => *known = task,
            None => self.change.tasks.push(task),
        }
    }

    /// The open tasks of an instance, as they are now.
    pub(crate) fn open_tasks(&self, instance: Uuid) -> Result<Vec<Task>, Stop> {
        let Some(stored) = self.context.facts.open_tasks.get(&instance) else {
            return Err(Stop::Need(vec![Need::OpenTasks(instance)]));
        };
        let changed = &self.change.tasks;
        let untouched = stored.iter().filter(|task| changed.iter().all(|known| known.id != task.id));
        let all = changed.iter().filter(|task| task.instance == instance).chain(untouched);
        Ok(all.filter(|task| task.status == TaskStatus::Open).cloned().collect())
    }

    /// Disarms a timer, whether it was armed before or within this stimulus.
    pub(crate) fn disarm(&mut self, timer: Uuid) {
        let armed = self.change.timers_set.len();
        self.change.timers_set.retain(|known| known.id != timer);
        if self.change.timers_set.len() == armed && !self.change.timers_removed.contains(&timer) {
            self.change.timers_removed.push(timer);
        }
    }

    /// Ends a subscription, whether it was made before or within this stimulus.
    pub(crate) fn unsubscribe(&mut self, subscription: Uuid) {
        let made = self.change.subscriptions_set.len();
        self.change.subscriptions_set.retain(|known| known.id != subscription);
        if self.change.subscriptions_set.len() == made && !self.change.subscriptions_removed.contains(&subscription) {
            self.change.subscriptions_removed.push(subscription);
        }
    }

    /// A refusal in the actor's language.
    pub(crate) fn refuse(&self, kind: RejectionKind, code: &str) -> Stop {
        self.refuse_at(kind, code, "")
    }

    /// A refusal that names the limit it ran into.
    pub(crate) fn refuse_at(&self, kind: RejectionKind, code: &str, limit: &str) -> Stop {
        Box::new(Rejection::new(kind, code, message(&self.actor().language, code, "", limit))).into()
    }

    /// The refusal of somebody who moved on from an older version (412).
    pub(crate) fn check_version(&self, expected: Option<i64>, stored: i64) -> Result<(), Stop> {
        match expected {
            Some(expected) if expected != stored => Err(self.refuse(RejectionKind::Stale, "conflict")),
            _ => Ok(()),
        }
    }
}
