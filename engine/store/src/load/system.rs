//! Instances, tasks, timers, users, start keys and history.

use std::collections::BTreeMap;

use uuid::Uuid;

use formwork_core::facts::Need;
use formwork_core::{Act, Facts};
use formwork_model::Key;

use super::{Context, Load, Lock, page, tasks};
use crate::Fault;
use crate::codec::{self, Reader, Selection};
use crate::dialect::{Bound, ColumnKind, Dialect, bind_id};
use crate::statement::{Row, Select, equals_each};

/// Most clocks of a record at once; those of the newest cycles.
const CLOCKS_MAX: u32 = 1_000;

/// Most segments of the clocks of a record at once.
const SEGMENTS_MAX: u32 = 10_000;

/// One query and what its rows are.
pub(crate) struct SystemLoad {
    select: Option<Select>,
    rows: Vec<Row>,
    holds: Holds,
}

/// What the rows are.
pub(super) enum Holds {
    Instances(Vec<Uuid>),
    Tasks(Vec<Uuid>),
    Timers(Vec<Uuid>),
    Users(Vec<Uuid>),
    Team(Key),
    StartKey(Key, String),
    Subscriptions { name: Key, key: String },
    Clocks(Key, Vec<Uuid>),
    ClockSegments(Key, Uuid),
    Message(Key, String),
    Judged(Key, Uuid),
    Unique(Need),
    OpenTasks(Uuid),
    RecordInstances(Key, Uuid),
    RecordTasks(Key, Uuid),
    TaskPage(formwork_core::facts::TaskQuery),
    Events { form: Key, id: Uuid, before: Option<i64> },
}

/// Ids of rows that are loaded with one query each kind.
#[derive(Default)]
pub(super) struct Together {
    instances: Vec<Uuid>,
    /// Records whose instances are wanted.
    of_records: Vec<(Key, Uuid)>,
    /// Records whose clocks are wanted.
    clocks: BTreeMap<Key, Vec<Uuid>>,
    tasks: Vec<Uuid>,
    timers: Vec<Uuid>,
    users: Vec<Uuid>,
}

impl Together {
    /// Notes the need, or makes its load at once where it is not found by id.
    pub(super) fn add(&mut self, context: &Context, need: &Need, loads: &mut Vec<Load>) -> Result<(), Fault> {
        match need {
            Need::Instance(id) => note(&mut self.instances, *id),
            Need::Task(id) => note(&mut self.tasks, *id),
            Need::Timer(id) => note(&mut self.timers, *id),
            Need::User(id) => note(&mut self.users, *id),
            Need::Team(key) => {
                // Nobody removes it before what is decided on it is written.
                let lock = context.locking.at_least(Lock::Shared).clause(true);
                let sql = format!("SELECT name FROM fw_team WHERE team_key = $1{lock}");
                let select = Select::new(sql, vec![text(key)], [ColumnKind::Text]);
                loads.push(load(select, Holds::Team(key.clone())));
            }
            Need::StartKey(workflow, key) => {
                let sql = "SELECT instance FROM fw_start_key WHERE pack = $1 AND workflow = $2 AND start_key = $3";
                let params = vec![text(context.pack.key()), text(workflow), text(key)];
                let select = Select::new(sql.to_owned(), params, [ColumnKind::Id]);
                loads.push(load(select, Holds::StartKey(workflow.clone(), key.clone())));
            }
            Need::Subscriptions { name, key } => {
                let select = subscriptions(context.pack.key(), name, key);
                loads.push(load(select, Holds::Subscriptions { name: name.clone(), key: key.clone() }));
            }
            Need::Clocks(form, id) => {
                note(self.clocks.entry(form.clone()).or_default(), *id);
            }
            Need::ClockSegments(form, id) => {
                loads.push(load(segments_of(context.dialect, form, *id), Holds::ClockSegments(form.clone(), *id)));
            }
            Need::Message(name, id) => {
                let sql =
                    "SELECT message_id FROM fw_message WHERE pack = $1 AND name = $2 AND message_id = $3".to_owned();
                let params = vec![text(context.pack.key()), text(name), text(id)];
                let select = Select::new(sql, params, [ColumnKind::Text]);
                loads.push(load(select, Holds::Message(name.clone(), id.clone())));
            }
            Need::Judged(form, id) => {
                let sql = "SELECT decision, rule FROM fw_judgment WHERE pack = $1 AND form = $2 AND record = $3";
                let params = vec![text(context.pack.key()), text(form), bind_id(context.dialect, *id)];
                let select = Select::new(sql.to_owned(), params, [ColumnKind::Text, ColumnKind::Text]);
                loads.push(load(select, Holds::Judged(form.clone(), *id)));
            }
            Need::Unique { form, fields, values, unique } => {
                let select = page::unique(context, form, fields, values, unique.as_ref())?;
                loads.push(load(select, Holds::Unique(need.clone())));
            }
            Need::OpenTasks(instance) => {
                loads.push(load(tasks::open_of(context.dialect, *instance), Holds::OpenTasks(*instance)));
            }
            Need::RecordInstances(form, id) => note(&mut self.of_records, (form.clone(), *id)),
            Need::RecordTasks(form, id) => {
                loads.push(load(tasks::of_record(context.dialect, *id), Holds::RecordTasks(form.clone(), *id)));
            }
            Need::Tasks(query) => {
                loads.push(load(tasks::of_box(context.dialect, &context.pack, query), Holds::TaskPage(query.clone())));
            }
            Need::Events { form, id, before, limit } => {
                let select = events(context.dialect, form, *id, *before, *limit);
                loads.push(load(select, Holds::Events { form: form.clone(), id: *id, before: *before }));
            }
            Need::Record(..) | Need::Backlinks { .. } | Need::Series { .. } | Need::Page(_) | Need::Found(_) => {}
        }
        Ok(())
    }

    /// The loads of what was noted: instances, and then what nobody locks who does not hold its instance.
    pub(super) fn finish(self, context: &Context) -> Vec<Load> {
        let (lock, waits) = (context.locking.at_least(Lock::Exclusive), context.locking.waits().instances);
        type Columns<'c> = (&'c str, &'static [ColumnKind]);
        let of = |selection: &'static Selection| (selection.columns, selection.kinds);
        let found = |table: &str,
                     (columns, kinds): Columns<'_>,
                     mut ids: Vec<Uuid>,
                     (lock, waits): (Lock, bool),
                     holds: fn(Vec<Uuid>) -> Holds| {
            ids.sort_unstable();
            let condition = equals_each(context.dialect, 1);
            let sql = format!("SELECT {columns} FROM {table} WHERE id {condition} ORDER BY id{}", lock.clause(waits));
            let select = Select::new(sql, Vec::new(), kinds).each(ids.clone());
            (!ids.is_empty()).then(|| load(select, holds(ids)))
        };
        let task_columns = codec::task_columns(context.dialect, "fw_task");
        let alone = self.instances.is_empty();
        let instances = found("fw_instance", of(&codec::INSTANCE), self.instances, (lock, waits), Holds::Instances);
        let of_records = self.of_records.into_iter().map(|(form, id)| {
            let select = instances_of(context, &form, id, waits && alone);
            load(select, Holds::RecordInstances(form, id))
        });
        let clocks = self.clocks.into_iter().map(|(form, ids)| {
            let select = clocks_of(context.dialect, &form, ids.clone());
            load(select, Holds::Clocks(form, ids))
        });
        let shared = context.locking.at_least(Lock::Shared);
        let rest = [
            found("fw_task", (&task_columns, codec::TASK_KINDS), self.tasks, (lock, true), Holds::Tasks),
            found("fw_timer", of(&codec::TIMER), self.timers, (lock, true), Holds::Timers),
            found("fw_user", of(&codec::USER), self.users, (shared, true), Holds::Users),
        ];
        instances.into_iter().chain(of_records).chain(clocks).chain(rest.into_iter().flatten()).collect()
    }
}

impl SystemLoad {
    pub(super) fn next(&mut self) -> Option<Select> {
        self.select.take()
    }

    pub(super) fn take(&mut self, rows: Vec<Row>) {
        self.rows = rows;
    }

    pub(super) fn finish(self, facts: &mut Facts) -> Result<(), Fault> {
        let rows = self.rows.into_iter();
        match self.holds {
            Holds::Instances(ids) => {
                facts.instances.extend(ids.into_iter().map(|id| (id, None)));
                for row in rows {
                    let instance = codec::instance(row)?;
                    facts.instances.insert(instance.id, Some(instance));
                }
            }
            Holds::Tasks(ids) => {
                facts.tasks.extend(ids.into_iter().map(|id| (id, None)));
                for row in rows {
                    let task = codec::task(row)?;
                    facts.tasks.insert(task.id, Some(task));
                }
            }
            Holds::Timers(ids) => {
                facts.timers.extend(ids.into_iter().map(|id| (id, None)));
                for row in rows {
                    let timer = codec::timer(row)?;
                    facts.timers.insert(timer.id, Some(timer));
                }
            }
            Holds::Team(key) => {
                let name = rows.map(|row| Reader::new(row).text()).next().transpose()?;
                facts.teams.insert(key, name);
            }
            Holds::Users(ids) => {
                facts.users.extend(ids.into_iter().map(|id| (id, None)));
                for row in rows {
                    let user = codec::user(row)?;
                    facts.users.insert(user.id, Some(user.facts));
                }
            }
            Holds::StartKey(workflow, key) => {
                facts.start_keys.insert((workflow, key), first_id(rows)?);
            }
            Holds::Subscriptions { name, key } => {
                let waiting = rows.map(codec::subscription).collect::<Result<_, _>>()?;
                facts.subscriptions.insert((name, key), waiting);
            }
            Holds::Clocks(form, ids) => {
                facts.clocks.extend(ids.into_iter().map(|id| ((form.clone(), id), Vec::new())));
                for row in rows {
                    let clock = codec::clock(row)?;
                    facts.clocks.entry(clock.record.clone()).or_default().push(clock);
                }
            }
            Holds::ClockSegments(form, id) => {
                facts.clock_segments.insert((form, id), rows.map(codec::segment).collect::<Result<_, _>>()?);
            }
            Holds::Message(name, id) => {
                facts.messages.insert((name, id), rows.count() > 0);
            }
            Holds::Judged(form, id) => {
                let judged = rows.map(|row| {
                    let mut reader = Reader::new(row);
                    Ok((Key::from(reader.text()?), Key::from(reader.text()?)))
                });
                facts.judged.insert((form, id), judged.collect::<Result<_, Fault>>()?);
            }
            Holds::Unique(need) => facts.uniques.push((need, first_id(rows)?)),
            Holds::OpenTasks(instance) => {
                facts.open_tasks.insert(instance, rows.map(codec::task).collect::<Result<_, _>>()?);
            }
            Holds::RecordInstances(form, id) => {
                facts.record_instances.insert((form, id), rows.map(codec::instance).collect::<Result<_, _>>()?);
            }
            Holds::RecordTasks(form, id) => {
                facts.record_tasks.insert((form, id), rows.map(codec::task).collect::<Result<_, _>>()?);
            }
            Holds::TaskPage(query) => {
                let mut tasks: Vec<_> = rows.map(codec::task).collect::<Result<_, _>>()?;
                let limit = usize::try_from(query.page.limit).unwrap_or(usize::MAX);
                let more = tasks.len() > limit;
                tasks.truncate(limit);
                facts.task_pages.push((query, tasks, more));
            }
            Holds::Events { form, id, before } => {
                facts.events.insert((form, id, before), rows.map(codec::event).collect::<Result<_, _>>()?);
            }
        }
        Ok(())
    }
}

/// The instances of a record that are not over, locked in the order of their ids.
fn instances_of(context: &Context, form: &Key, id: Uuid, waits: bool) -> Select {
    let lock = context.locking.at_least(Lock::Exclusive).clause(waits);
    let sql = format!(
        "SELECT {} FROM fw_instance WHERE record = $1 AND form = $2 AND status IN ('running', 'failed') ORDER BY id{lock}",
        codec::INSTANCE.columns
    );
    Select::new(sql, vec![bind_id(context.dialect, id), text(form)], codec::INSTANCE.kinds)
}

/// What a stimulus will work on, as far as it can be known before anything is locked: a record, an instance.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) record: Option<(Key, Uuid)>,
    pub(crate) instance: Option<Uuid>,
}

/// Asks for the targets of a stimulus; none where its act names them. What they answer never changes for a task, a timer
/// or an instance; who waits for a message is asked again once the instances are locked.
pub(crate) fn targets(context: &Context, act: &Act) -> Option<Select> {
    let (sql, params) = match act {
        Act::Task { id, .. } => {
            ("SELECT form, record, instance FROM fw_task WHERE id = $1", vec![bind_id(context.dialect, *id)])
        }
        Act::Timer { id } => (
            "SELECT i.form, i.record, i.id FROM fw_timer t JOIN fw_instance i ON i.id = t.instance WHERE t.id = $1",
            vec![bind_id(context.dialect, *id)],
        ),
        Act::Instance { id, .. } => {
            ("SELECT form, record, id FROM fw_instance WHERE id = $1", vec![bind_id(context.dialect, *id)])
        }
        Act::Message { name, key, .. } => (
            "SELECT DISTINCT i.form, i.record, i.id FROM fw_subscription s JOIN fw_instance i ON i.id = s.instance \
             WHERE s.pack = $1 AND s.name = $2 AND s.message_key = $3",
            vec![text(context.pack.key()), text(name), text(key)],
        ),
        _ => return None,
    };
    Some(Select::new(sql.to_owned(), params, [ColumnKind::Text, ColumnKind::Id, ColumnKind::Id]))
}

impl Target {
    /// From a row of [`targets`].
    pub(crate) fn of(row: Row) -> Result<Self, Fault> {
        let mut reader = Reader::new(row);
        Ok(Self { record: reader.record()?, instance: reader.maybe_id()? })
    }
}

/// The records an act names.
pub(crate) fn subjects(act: &Act) -> Vec<(Key, Uuid)> {
    match act {
        // Of two who judge one suggestion, the second finds what the first has made of it.
        Act::Update { form, id, .. }
        | Act::Delete { form, id, .. }
        | Act::Clocks { form, id }
        | Act::Judge { form, id, .. } => {
            vec![(form.clone(), *id)]
        }
        Act::Unfeed { records, .. } => records.iter().map(|record| (record.form.clone(), record.id)).collect(),
        _ => Vec::new(),
    }
}

/// Who waits for a message, by instance and the longest waiting first. Their instances are locked before anything is
/// decided: what has gone meanwhile is found out then.
fn subscriptions(pack: &Key, name: &Key, key: &str) -> Select {
    let sql = format!(
        "SELECT {} FROM fw_subscription WHERE pack = $1 AND name = $2 AND message_key = $3 ORDER BY instance, activation",
        codec::SUBSCRIPTION.columns
    );
    Select::new(sql, vec![text(pack), text(name), text(key)], codec::SUBSCRIPTION.kinds)
}

/// The clocks of a record, the newest cycles first. Whoever writes one has its record and its instance.
fn clocks_of(dialect: Dialect, form: &Key, ids: Vec<Uuid>) -> Select {
    let each = equals_each(dialect, 2);
    // Those of the newest cycles of each record.
    let sql = format!(
        "SELECT {} FROM (SELECT c.*, row_number() OVER (PARTITION BY record ORDER BY cycle DESC, started_at DESC, id) AS place \
         FROM fw_clock c WHERE form = $1 AND record {each}) AS fw_clock WHERE place <= {CLOCKS_MAX} \
         ORDER BY record, place",
        codec::CLOCK.columns
    );
    Select::new(sql, vec![text(form)], codec::CLOCK.kinds).each(ids)
}

/// The ledger of the clocks of a record.
fn segments_of(dialect: Dialect, form: &Key, id: Uuid) -> Select {
    let sql = format!(
        "SELECT {} FROM fw_clock_segment WHERE clock IN (SELECT id FROM fw_clock WHERE record = $1 AND form = $2) \
         ORDER BY clock, number DESC LIMIT {SEGMENTS_MAX}",
        codec::SEGMENT.columns
    );
    Select::new(sql, vec![bind_id(dialect, id), text(form)], codec::SEGMENT.kinds)
}

/// The history of a record, newest first.
fn events(dialect: Dialect, form: &Key, id: Uuid, before: Option<i64>, limit: u32) -> Select {
    let sql = format!(
        "SELECT {} FROM fw_event WHERE record = $1 AND form = $2 AND number < $3 ORDER BY number DESC LIMIT {limit}",
        codec::EVENT.columns
    );
    let params = vec![bind_id(dialect, id), text(form), Bound::BigInt(Some(before.unwrap_or(i64::MAX)))];
    Select::new(sql, params, codec::EVENT.kinds)
}

pub(super) fn text(text: &str) -> Bound {
    Bound::String(Some(text.to_owned()))
}

fn load(select: Select, holds: Holds) -> Load {
    Load::System(Box::new(SystemLoad { select: Some(select), rows: Vec::new(), holds }))
}

fn note<T: PartialEq>(ids: &mut Vec<T>, id: T) {
    if !ids.contains(&id) {
        ids.push(id);
    }
}

fn first_id(mut rows: impl Iterator<Item = Row>) -> Result<Option<Uuid>, Fault> {
    rows.next().map(|row| Reader::new(row).id()).transpose()
}
