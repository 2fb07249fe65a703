//! What the core knows while it decides, and how it says what it lacks.
//!
//! [`crate::decide`] is pure: where a fact is missing it answers with a [`Need`]; the driver loads it, adds it here and
//! calls again. Calling again is safe, so nothing is ever half done.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use formwork_model::pack::analytics::TaskBox;
use formwork_model::{Key, Value};

use crate::change::Event;
use crate::clock::{Clock, Segment};
use crate::eval::Find;
use crate::instance::{Instance, Subscription, Task, TimerRow};
use crate::read::Query;
use crate::record::Record;
use crate::viewer::Viewer;

/// A fact the core lacks.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// A record of a form, locked for this transaction.
    Record(Key, Uuid),
    /// All records of `form` whose link field (by key) holds this record.
    Backlinks {
        /// The other form.
        form: Key,
        /// Its link field.
        link: Key,
        /// The record linked to.
        to: Uuid,
    },
    /// The record whose fields (by position) hold exactly these values and for which the unique's filter holds.
    Unique {
        /// The form.
        form: Key,
        /// Positions of the fields.
        fields: Vec<usize>,
        /// Their values, none null.
        values: Vec<Value>,
        /// Key of the unique whose `where` narrows the search.
        unique: Option<Key>,
    },
    /// The records a look-up wants. While a stimulus is decided, no record may join or leave them before it is written.
    Found(Find),
    /// The next number of a series.
    Series {
        /// The form.
        form: Key,
        /// The field.
        field: Key,
        /// The period counted, for example `20260105`; empty if it never resets.
        period: String,
    },
    /// An instance, locked.
    Instance(Uuid),
    /// The instance a start key has started, if any.
    StartKey(Key, String),
    /// A task, locked.
    Task(Uuid),
    /// A timer, locked.
    Timer(Uuid),
    /// Who waits for a message of this name and key, in the order of their instances.
    Subscriptions {
        /// The name.
        name: Key,
        /// The key.
        key: String,
    },
    /// The clocks of a record: of each workflow and clock the newest cycles first.
    Clocks(Key, Uuid),
    /// The ledger of the clocks of a record. For reading, never for deciding.
    ClockSegments(Key, Uuid),
    /// Whether a message of this name and id was taken in before.
    Message(Key, String),
    /// Which suggestions about a record were accepted or dismissed.
    Judged(Key, Uuid),
    /// A user: whether they exist and are active, their roles, queues and teams.
    User(Uuid),
    /// A team: its name, if there is one of this key.
    Team(Key),
    /// The open tasks of an instance.
    OpenTasks(Uuid),
    /// A page of records; only [`crate::access`] can make the query. For reading, never for deciding.
    Page(Arc<Query>),
    /// Tasks of a box of this viewer, newest due first, `limit` + 1 at most, after this (due, id) cursor.
    Tasks(TaskQuery),
    /// The instances that work on a record and are not over, locked, by id.
    RecordInstances(Key, Uuid),
    /// The tasks of a record, open ones first, at most 200.
    RecordTasks(Key, Uuid),
    /// The history of a record, newest first, at most `limit`, below this event number.
    Events {
        /// The form.
        form: Key,
        /// The record.
        id: Uuid,
        /// Only events with a smaller number.
        before: Option<i64>,
        /// At most.
        limit: u32,
    },
}

/// Which tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskQuery {
    /// The pack.
    pub pack: Key,
    /// For whom; candidates are found by their roles, queues and team.
    pub viewer: Viewer,
    /// Which of a box.
    pub page: BoxPage,
}

/// A page of a box of the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxPage {
    /// The box.
    pub tasks: TaskBox,
    /// Only those of this queue.
    pub queue: Option<Key>,
    /// Only those of this workflow.
    pub workflow: Option<Key>,
    /// At most.
    pub limit: u32,
    /// Continue after this task.
    pub after: Option<Uuid>,
}

impl BoxPage {
    /// The first tasks of a box, all of its queues and workflows.
    pub fn first(tasks: TaskBox, limit: u32) -> Self {
        Self { tasks, queue: None, workflow: None, limit, after: None }
    }
}

/// A page of records as loaded for the projection.
#[derive(Debug, Clone, Default)]
pub struct LoadedPage {
    /// The rows, child rows included.
    pub records: Vec<Arc<Record>>,
    /// Whether there are more.
    pub more: bool,
    /// How many match in all, and whether that is exact; where the query asked for it.
    pub total: Option<(u64, bool)>,
}

/// Events with their numbers, newest first.
pub type NumberedEvents = Vec<(i64, Event)>;

/// What was loaded.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    /// By form and id; none if there is no such record.
    pub records: HashMap<(Key, Uuid), Option<Arc<Record>>>,
    /// By (form, link field, record linked to).
    pub backlinks: HashMap<(Key, Key, Uuid), Vec<Arc<Record>>>,
    /// Answers to [`Need::Unique`], in the order they came: (form, fields, values, unique) → the record.
    pub uniques: Vec<(Need, Option<Uuid>)>,
    /// Answers to [`Need::Found`]: the ids, ascending; none where there are more than there may be. The records are
    /// among [`Facts::records`].
    pub found: Vec<(Find, Option<Vec<Uuid>>)>,
    /// By (form, field, period): the number allotted to this transaction.
    pub series: HashMap<(Key, Key, String), i64>,
    /// By id.
    pub instances: HashMap<Uuid, Option<Instance>>,
    /// By workflow and start key.
    pub start_keys: HashMap<(Key, String), Option<Uuid>>,
    /// By id.
    pub tasks: HashMap<Uuid, Option<Task>>,
    /// By id.
    pub timers: HashMap<Uuid, Option<TimerRow>>,
    /// By name and key.
    pub subscriptions: HashMap<(Key, String), Vec<Subscription>>,
    /// By name and id: whether it was taken in before.
    pub messages: HashMap<(Key, String), bool>,
    /// By form and record: decision and rule of the suggestions that were judged.
    pub judged: HashMap<(Key, Uuid), Vec<(Key, Key)>>,
    /// By id.
    pub users: HashMap<Uuid, Option<UserFacts>>,
    /// Names of teams, by key.
    pub teams: HashMap<Key, Option<String>>,
    /// By instance.
    pub open_tasks: HashMap<Uuid, Vec<Task>>,
    /// Answers to [`Need::Page`].
    pub pages: Vec<(Arc<Query>, LoadedPage)>,
    /// Answers to [`Need::Tasks`], and whether there are more.
    pub task_pages: Vec<(TaskQuery, Vec<Task>, bool)>,
    /// By form and record.
    pub clocks: HashMap<(Key, Uuid), Vec<Clock>>,
    /// By form and record.
    pub clock_segments: HashMap<(Key, Uuid), Vec<Segment>>,
    /// By form and record.
    pub record_instances: HashMap<(Key, Uuid), Vec<Instance>>,
    /// Answers to [`Need::RecordTasks`].
    pub record_tasks: HashMap<(Key, Uuid), Vec<Task>>,
    /// Answers to [`Need::Events`]: (form, id, before) → (number, event), newest first.
    pub events: HashMap<(Key, Uuid, Option<i64>), NumberedEvents>,
}

/// A user as rules see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFacts {
    /// Shown to people.
    pub name: String,
    /// Whether they may log in.
    pub active: bool,
    /// Roles held directly.
    pub roles: Vec<Key>,
    /// Queues served.
    pub queues: Vec<Key>,
    /// The team they are a member of.
    pub team: Option<Key>,
    /// Teams they lead.
    pub leads: Vec<Key>,
}

impl Facts {
    /// Adds a loaded record (or that there is none).
    pub fn add_record(&mut self, form: Key, id: Uuid, record: Option<Record>) {
        self.records.insert((form, id), record.map(Arc::new));
    }

    /// Adds what a look-up found: at most one record more than it may find.
    pub fn add_found(&mut self, find: Find, records: Vec<Record>) {
        let is_whole = records.len() <= find.most as usize;
        let ids = is_whole.then(|| records.iter().map(|record| record.id).collect());
        for record in records.into_iter().filter(|_| is_whole) {
            self.add_record(find.form.clone(), record.id, Some(record));
        }
        self.found.push((find, ids));
    }

    /// The answer to a [`Need::Found`]; none where it was not asked yet.
    pub(crate) fn found_of(&self, find: &Find) -> Option<Option<&[Uuid]>> {
        self.found.iter().find(|(asked, _)| asked == find).map(|(_, ids)| ids.as_deref())
    }

    /// The answer to a [`Need::Unique`]; none where it was not asked yet.
    pub fn unique(&self, need: &Need) -> Option<Option<Uuid>> {
        self.uniques.iter().find(|(asked, _)| asked == need).map(|(_, found)| *found)
    }
}
