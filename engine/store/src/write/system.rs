//! Instances, tasks, timers, messages, history and the change log.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_core::Stimulus;
use formwork_core::change::{ChangeSet, Event, FedRow, OutboxMessage, Reply};
use formwork_core::clock::Clock;
use formwork_core::instance::{Instance, Subscription, Task, TimerRow};
use formwork_model::Key;

use super::{Batches, request_actor, unfit};
use crate::codec::{COPY, REMINDER, pool_words, reply_document, status_word, task_status_word};
use crate::dialect::{Bound, ColumnKind, Dialect, Unfit, bind_id, bind_instant};
use crate::imports::{pass_number, told};
use crate::statement::Action;
use crate::{Failure, Fault};

use ColumnKind::{Boolean, DateTime as Time, Id, Integer, Json, Text};

/// A row under construction: names, kinds and values stay together.
struct Cells {
    dialect: Dialect,
    columns: Vec<(&'static str, ColumnKind)>,
    row: Vec<Bound>,
}

pub(super) fn write(batches: &mut Batches, pack: &str, changes: &ChangeSet, at: DateTime<Utc>) -> Result<(), Failure> {
    let dialect = batches.dialect;
    for instance in &changes.instances {
        let action = if instance.revision == 1 { Action::Insert } else { Action::Upsert };
        add(batches, action, "fw_instance", 1, instance_cells(dialect, pack, instance)?);
    }
    for (workflow, key, instance) in &changes.start_keys {
        let cells = Cells::new(dialect).text("pack", pack)?.text("workflow", workflow)?.text("start_key", key)?;
        add(batches, Action::Insert, "fw_start_key", 3, cells.id("instance", Some(*instance)));
    }
    for task in &changes.tasks {
        add(batches, Action::Upsert, "fw_task", 1, task_cells(dialect, pack, task)?);
        for (kind, person, at) in task_people(task) {
            let cells = Cells::new(dialect).id("task", Some(task.id)).id("person", Some(person)).text("kind", kind)?;
            add(batches, Action::Upsert, "fw_task_person", 3, cells.time("at", Some(at)));
        }
    }
    for id in &changes.timers_removed {
        add(batches, Action::Delete, "fw_timer", 1, Cells::new(dialect).id("id", Some(*id)));
    }
    for timer in &changes.timers_set {
        // That of a clock moves.
        add(batches, Action::Upsert, "fw_timer", 1, timer_cells(dialect, timer)?);
    }
    for id in &changes.subscriptions_removed {
        add(batches, Action::Delete, "fw_subscription", 1, Cells::new(dialect).id("id", Some(*id)));
    }
    for subscription in &changes.subscriptions_set {
        add(batches, Action::Insert, "fw_subscription", 1, subscription_cells(dialect, subscription)?);
    }
    for (name, id, at) in &changes.messages {
        let cells = Cells::new(dialect).text("pack", pack)?.text("name", name)?.text("message_id", id)?;
        add(batches, Action::Insert, "fw_message", 3, cells.time("at", Some(*at)));
    }
    for judgment in &changes.judgments {
        let cells = Cells::new(dialect).text("pack", pack)?.record(Some(&judgment.record))?;
        let cells = cells.text("decision", &judgment.decision)?.text("rule", &judgment.rule)?;
        let cells = cells.boolean("accepted", judgment.is_accepted).id("actor", judgment.by);
        add(batches, Action::Insert, "fw_judgment", 5, cells.time("at", Some(judgment.at)));
    }
    for notice in &changes.notices {
        let cells = Cells::new(dialect).id("person", Some(notice.person)).time("at", Some(notice.at));
        let cells = cells.text("pack", pack)?.text("kind", notice.kind)?.id("actor", notice.by);
        add(batches, Action::Insert, "fw_notice", 0, cells.id("subject", Some(notice.task)));
    }
    for message in &changes.outbox {
        add(batches, Action::Insert, "fw_outbox", 1, message_cells(dialect, message)?);
    }
    for event in &changes.events {
        add(batches, Action::Insert, "fw_event", 0, event_cells(dialect, pack, event)?);
    }
    for incident in &changes.incidents {
        let cells = Cells::new(dialect).id("instance", Some(incident.instance)).text("step", &incident.step)?;
        let cells = cells.text("code", incident.code)?.text("message", &incident.message)?;
        add(batches, Action::Insert, "fw_incident", 0, cells.time("at", Some(incident.at)));
    }
    clocks(batches, pack, changes)?;
    if let Some(fed) = &changes.fed {
        add(batches, Action::Insert, "fw_import_row", 3, fed_cells(dialect, fed)?);
    }
    for trace in &changes.traces {
        let cells = Cells::new(dialect).text("pack", pack)?.time("at", Some(at));
        add(batches, Action::Insert, "fw_trace", 0, cells.json("trace", trace)?);
    }
    // The last rows of all: SQLite tells the number of the newest.
    for change in &changes.records {
        let cells = Cells::new(dialect).text("pack", pack)?.text("form", &change.form)?;
        add(batches, Action::Insert, "fw_change", 0, cells.id("record", Some(change.id())));
    }
    // A clock that moves without its record is a change of the record, too: numbers are made of both.
    let mut noted: HashSet<(&Key, Uuid)> = changes.records.iter().map(|change| (&change.form, change.id())).collect();
    for (form, id) in changes.clocks.iter().map(|clock| (&clock.record.0, clock.record.1)) {
        if noted.insert((form, id)) {
            let cells = Cells::new(dialect).text("pack", pack)?.text("form", form)?;
            add(batches, Action::Insert, "fw_change", 0, cells.id("record", Some(id)));
        }
    }
    Ok(())
}

fn clocks(batches: &mut Batches, pack: &str, changes: &ChangeSet) -> Result<(), Failure> {
    let dialect = batches.dialect;
    for clock in &changes.clocks {
        add(batches, Action::Upsert, "fw_clock", 1, clock_cells(dialect, pack, clock)?);
    }
    for segment in &changes.clock_segments {
        let cells = Cells::new(dialect).id("clock", Some(segment.clock)).integer("number", Some(segment.number.into()));
        let cells =
            cells.text("kind", segment.kind)?.time("from_at", Some(segment.from)).time("to_at", Some(segment.to));
        let cells = cells.integer("consumed", Some(segment.consumed_ms));
        let cells = cells.text("calendar_version", &segment.calendar_version)?.text("cause", segment.cause)?;
        let cells = cells.id("actor", segment.actor).maybe_text("split", segment.split.as_deref())?;
        add(batches, Action::Insert, "fw_clock_segment", 2, cells);
    }
    for reached in &changes.rungs {
        let cells = Cells::new(dialect).id("clock", Some(reached.clock)).text("rung", &reached.rung)?;
        let cells = cells.time("due_at", Some(reached.due_at)).time("fired_at", Some(reached.fired_at));
        add(batches, Action::Insert, "fw_clock_rung", 2, cells);
    }
    Ok(())
}

fn clock_cells(dialect: Dialect, pack: &str, clock: &Clock) -> Result<Cells, Failure> {
    let cells = Cells::new(dialect).id("id", Some(clock.id)).text("pack", pack)?.id("instance", Some(clock.instance));
    let cells = cells.text("workflow", &clock.workflow)?.record(Some(&clock.record))?.text("sla", &clock.sla)?;
    let cells = cells.integer("cycle", Some(clock.cycle.into())).text("state", clock.state.name())?;
    let cells = cells.maybe_text("budget_text", clock.budget_text.as_deref())?;
    let cells = cells.integer("budget", Some(clock.budget_ms)).text("edge", clock.edge.name())?;
    let cells = cells.maybe_text("calendar", clock.calendar.as_deref())?;
    let cells = cells.text("calendar_version", &clock.calendar_version)?;
    let cells = cells.integer("consumed", Some(clock.consumed_ms)).integer("paused", Some(clock.paused_ms));
    let cells = cells.integer("closed", Some(clock.closed_ms)).time("started_at", Some(clock.started_at));
    let cells = cells.time("since", Some(clock.since)).boolean("runs", clock.runs).time("due_at", clock.due_at);
    let cells = cells.time("next_rung_at", clock.next_rung_at).time("stopped_at", clock.stopped_at);
    let cells = cells.time("breached_at", clock.breached_at).time("detected_at", clock.detected_at);
    let cells = cells.json("fired", &clock.fired)?.boolean("armed", clock.armed);
    let cells = cells.maybe_text("split", clock.split.as_deref())?.boolean("provisional", clock.provisional);
    Ok(cells.integer("segments", Some(clock.segments.into())))
}

pub(super) fn request(
    batches: &mut Batches,
    stimulus: &Stimulus,
    key: &str,
    hash: &str,
    reply: &Reply,
    seq: Option<i64>,
) -> Result<(), Failure> {
    let cells = Cells::new(batches.dialect).text("actor", &request_actor(stimulus))?.text("request_key", key)?;
    let mut cells = cells.text("hash", hash)?.json("reply", &reply_document(reply))?;
    if seq.is_some() {
        cells = cells.integer("seq", seq);
    }
    add(batches, Action::Insert, "fw_request", 2, cells.time("at", Some(stimulus.at)));
    Ok(())
}

fn fed_cells(dialect: Dialect, fed: &FedRow) -> Result<Cells, Failure> {
    let mark = &fed.mark;
    let cells = Cells::new(dialect).id("import", Some(mark.import));
    let cells = cells.integer("pass", Some(pass_number(mark.pass))).number("row", mark.row)?;
    let cells = cells.number("line", mark.line)?.text("outcome", fed.outcome)?.json("records", &fed.records)?;
    Ok(cells.json("errors", &mark.errors)?.integer("told", Some(told(&mark.errors))))
}

fn instance_cells(dialect: Dialect, pack: &str, instance: &Instance) -> Result<Cells, Failure> {
    let cells = Cells::new(dialect).id("id", Some(instance.id)).text("pack", pack)?;
    let cells = cells.text("workflow", &instance.workflow)?.text("pack_hash", &instance.pack_hash)?;
    let cells = cells.record(instance.record.as_ref())?.text("start_key", &instance.key)?;
    let cells = cells.text("status", status_word(instance.status))?.time("started_at", Some(instance.started_at));
    let cells = cells.id("started_by", instance.started_by).integer("revision", Some(instance.revision));
    cells.json("state", &instance.state)
}

fn task_cells(dialect: Dialect, pack: &str, task: &Task) -> Result<Cells, Failure> {
    let (pool_kind, pool_key) = pool_words(&task.pool);
    let cells = Cells::new(dialect).id("id", Some(task.id)).text("pack", pack)?.id("instance", Some(task.instance));
    let cells = cells.text("workflow", &task.workflow)?.text("pack_hash", &task.pack_hash)?;
    let cells = cells.number("activation", task.activation)?.text("step", &task.step)?;
    let cells = cells.record(task.record.as_ref())?.text("pool_kind", pool_kind)?;
    let cells = cells.maybe_text("pool_key", pool_key.map(|key| &**key))?.id("assignee", task.assignee);
    let cells = cells.id("owner", task.owner).id("starter", task.starter);
    let barred: Vec<String> = task.barred.iter().map(Uuid::to_string).collect();
    let cells = cells.text("barred", &barred.join(" "))?;
    let cells = cells.maybe_text("signer", task.signer.as_deref())?;
    let cells = cells.text("status", task_status_word(task.status))?.time("created_at", Some(task.created_at));
    let cells = cells.time("due_at", task.due_at).time("closed_at", task.closed.map(|(at, _)| at));
    cells.id("closed_by", task.closed.and_then(|(_, by)| by)).maybe_text("outcome", task.outcome.as_deref())
}

/// Who stands by a task: how, who, and since when.
fn task_people(task: &Task) -> impl Iterator<Item = (&'static str, Uuid, DateTime<Utc>)> {
    let copies = task.copies.iter().map(|(person, at)| (COPY, *person, *at));
    copies.chain(task.reminders.iter().map(|(person, at)| (REMINDER, *person, *at)))
}

fn timer_cells(dialect: Dialect, timer: &TimerRow) -> Result<Cells, Failure> {
    let cells = Cells::new(dialect).id("id", Some(timer.id)).id("instance", Some(timer.instance));
    let cells = cells.text("pack", &timer.pack)?.number("activation", timer.activation)?;
    Ok(cells.text("event", &timer.event)?.time("due_at", Some(timer.due_at)))
}

fn subscription_cells(dialect: Dialect, subscription: &Subscription) -> Result<Cells, Failure> {
    let cells = Cells::new(dialect).id("id", Some(subscription.id)).id("instance", Some(subscription.instance));
    let cells = cells.text("pack", &subscription.pack)?.number("activation", subscription.activation)?;
    let cells = cells.text("event", &subscription.event)?.text("name", &subscription.name)?;
    cells.text("message_key", &subscription.key)
}

fn message_cells(dialect: Dialect, message: &OutboxMessage) -> Result<Cells, Failure> {
    let cells = Cells::new(dialect).text("message_key", &message.key)?.text("pack", &message.pack)?;
    let cells = cells.text("channel", &message.channel)?.text("template", &message.template)?;
    let cells = cells.text("address", &message.to)?.maybe_text("subject", message.subject.as_deref())?;
    let cells = cells.text("body", &message.body)?.id("instance", Some(message.instance));
    let cells = cells.record(message.record.as_ref())?.time("created_at", Some(message.created_at));
    let cells = cells.text("state", "pending")?.integer("attempts", Some(0)).integer("epoch", Some(0));
    Ok(cells.time("next_at", Some(message.created_at)))
}

fn event_cells(dialect: Dialect, pack: &str, event: &Event) -> Result<Cells, Failure> {
    let step = event.step.as_ref();
    let cells = Cells::new(dialect).time("at", Some(event.at)).text("pack", pack)?.record(event.record.as_ref())?;
    let cells = cells.id("instance", event.instance).text("kind", &event.kind)?;
    let cells = cells.maybe_text("step", step.map(|(step, _)| &**step))?;
    let activation = step.map(|(_, activation)| i64::try_from(*activation)).transpose();
    let activation = activation.map_err(|error| Fault::of("numbering an activation", error))?;
    let cells = cells.integer("activation", activation).id("actor", event.actor);
    cells.text("actor_kind", &event.actor_kind)?.json("data", &event.data)
}

fn add(batches: &mut Batches, action: Action, table: &str, keys: usize, cells: Cells) {
    batches.add(action, table, keys, &cells.columns, cells.row);
}

impl Cells {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, columns: Vec::new(), row: Vec::new() }
    }

    fn push(mut self, name: &'static str, kind: ColumnKind, value: Bound) -> Self {
        self.columns.push((name, kind));
        self.row.push(value);
        self
    }

    fn text(self, name: &'static str, text: &str) -> Result<Self, Failure> {
        self.maybe_text(name, Some(text))
    }

    fn maybe_text(self, name: &'static str, text: Option<&str>) -> Result<Self, Failure> {
        if text.is_some_and(|text| text.contains('\0')) {
            return Err(unfit(name, Unfit::ControlCharacter));
        }
        Ok(self.push(name, Text, Bound::String(text.map(str::to_owned))))
    }

    fn json(self, name: &'static str, value: &impl serde::Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_string(value).map_err(|error| Fault::of(format!("writing `{name}`"), error))?;
        Ok(self.push(name, Json, Bound::String(Some(text))))
    }

    fn integer(self, name: &'static str, number: Option<i64>) -> Self {
        self.push(name, Integer, Bound::BigInt(number))
    }

    fn number(self, name: &'static str, number: u64) -> Result<Self, Failure> {
        let number = i64::try_from(number).map_err(|error| Fault::of(format!("writing `{name}`"), error))?;
        Ok(self.integer(name, Some(number)))
    }

    fn id(self, name: &'static str, id: Option<Uuid>) -> Self {
        let bound = id.map_or_else(|| Id.null(self.dialect), |id| bind_id(self.dialect, id));
        self.push(name, Id, bound)
    }

    fn boolean(self, name: &'static str, truth: bool) -> Self {
        let bound = match self.dialect {
            Dialect::Sqlite => Bound::BigInt(Some(i64::from(truth))),
            Dialect::Postgres => Bound::Bool(Some(truth)),
        };
        self.push(name, Boolean, bound)
    }

    fn time(self, name: &'static str, at: Option<DateTime<Utc>>) -> Self {
        let bound = at.map_or_else(|| Time.null(self.dialect), |at| bind_instant(self.dialect, at));
        self.push(name, Time, bound)
    }

    fn record(self, record: Option<&(Key, Uuid)>) -> Result<Self, Failure> {
        let cells = self.maybe_text("form", record.map(|(form, _)| &**form))?;
        Ok(cells.id("record", record.map(|(_, id)| *id)))
    }
}
