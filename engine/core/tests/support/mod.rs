//! A naive world in memory: the driver loop over hash maps. It knows nothing but the contract of the core, so that what
//! it shows is what any store must show.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of the world")]

pub mod desk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::change::{Event, Incident, OutboxMessage, Reply};
use formwork_core::eval::{Environment, Find, RowView, evaluate};
use formwork_core::facts::{LoadedPage, TaskQuery, UserFacts};
use formwork_core::ids::Ids;
use formwork_core::instance::{Instance, InstanceStatus, Pool, Subscription, Task, TaskStatus, TimerRow};
use formwork_core::read::Query;
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, ChangeSet, Facts, Need, Record, Rejection, Stimulus, Stop, Viewer, decide};
use formwork_model::expr::Ir;
use formwork_model::expr::Type;
use formwork_model::pack::analytics::TaskBox;
use formwork_model::{Key, Pack, SourceMap, Value, compile};

/// Rounds of asking before a world gives up.
const ROUNDS_MAX: u32 = 50;

/// Everything that is stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    pub records: BTreeMap<(Key, Uuid), Record>,
    pub instances: BTreeMap<Uuid, Instance>,
    pub start_keys: BTreeMap<(Key, String), Uuid>,
    pub tasks: BTreeMap<Uuid, Task>,
    pub timers: BTreeMap<Uuid, TimerRow>,
    pub subscriptions: BTreeMap<Uuid, Subscription>,
    pub messages: BTreeSet<(Key, String)>,
    pub series: BTreeMap<(Key, Key, String), i64>,
    pub outbox: Vec<OutboxMessage>,
    pub events: Vec<Event>,
    pub incidents: Vec<Incident>,
}

/// A world on a clock that stands until it is moved.
pub struct World {
    pub pack: Arc<Pack>,
    pub packs: HashMap<String, Arc<Pack>>,
    pub at: DateTime<Utc>,
    pub stored: Stored,
    pub users: BTreeMap<Uuid, UserFacts>,
    pub teams: BTreeMap<Key, String>,
    /// Round trips of the last stimulus.
    pub rounds: u32,
    seed: u64,
}

/// Compiles a pack from files; panics with its diagnostics.
pub fn pack(files: &[(&str, Json)]) -> Arc<Pack> {
    let text = |(path, json): &(&str, Json)| {
        let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        ((*path).to_owned(), text)
    };
    let sources: SourceMap = files.iter().map(text).collect();
    let (pack, diagnostics) = compile("test", &sources);
    let told: Vec<String> = diagnostics.iter().map(|diagnostic| format!("{diagnostic:?}")).collect();
    Arc::new(pack.unwrap_or_else(|| panic!("the pack does not compile:\n{}", told.join("\n"))))
}

/// An instant.
pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The fields of a JSON object.
pub fn object(json: Json) -> Map<String, Json> {
    json.as_object().cloned().expect("an object")
}

impl World {
    pub fn new(files: &[(&str, Json)]) -> Self {
        let pack = pack(files);
        Self {
            packs: HashMap::from([(pack.hash().clone(), pack.clone())]),
            pack,
            at: instant("2026-01-05T01:00:00Z"),
            stored: Stored::default(),
            users: BTreeMap::new(),
            teams: BTreeMap::new(),
            rounds: 0,
            seed: 0,
        }
    }

    /// Deploys another version; instances stay with theirs.
    pub fn deploy(&mut self, files: &[(&str, Json)]) {
        let (before, after) = (self.pack.clone(), pack(files));
        for ((form, _), record) in &mut self.stored.records {
            let (old, new) = (before.form(form), after.form(form));
            let value = |key: &str| old.field(key).map(|(position, _)| record.values[position].clone());
            record.values = new.fields.iter().map(|field| value(&field.key).unwrap_or_default()).collect();
        }
        self.packs.insert(after.hash().clone(), after.clone());
        self.pack = after;
    }

    /// A person with these roles and queues.
    pub fn person(&mut self, name: &str, roles: &[&str], queues: &[&str]) -> Viewer {
        let keys = |names: &[&str]| names.iter().map(|name| Key::from(*name)).collect::<Vec<Key>>();
        let id = Ids::named(instant("2020-01-01T00:00:00Z"), name);
        let facts = UserFacts {
            name: name.to_owned(),
            active: true,
            roles: keys(roles),
            queues: keys(queues),
            ..UserFacts::default()
        };
        self.users.insert(id, facts);
        Viewer::person(&self.pack, id, &keys(roles), keys(queues), "en")
    }

    /// The person as a member of a team, or its lead; there is such a team then.
    pub fn in_team(&mut self, viewer: Viewer, team: &str, lead: bool) -> Viewer {
        self.teams.insert(team.into(), team.to_owned());
        let facts = self.users.get_mut(&viewer.user.unwrap()).unwrap();
        match lead {
            true => facts.leads.push(team.into()),
            false => facts.team = Some(team.into()),
        }
        Viewer::of(&self.pack, viewer.user.unwrap(), facts, "en")
    }

    /// Lets something happen; a refusal leaves the world as it was.
    pub fn submit(&mut self, actor: &Viewer, act: Act) -> Result<Reply, Rejection> {
        self.seed += 1;
        let stimulus = Stimulus { at: self.at, seed: self.seed, actor: actor.clone(), act };
        let mut facts = Facts::default();
        // Numbers drawn by a transaction that is refused are not drawn.
        let series = self.stored.series.clone();
        for round in 1..=ROUNDS_MAX {
            match decide(&self.pack, &self.packs, &stimulus, &facts) {
                Ok(change) => {
                    self.rounds = round;
                    return Ok(self.write(change));
                }
                Err(Stop::Need(needs)) => needs.into_iter().for_each(|need| self.load(need, &mut facts)),
                Err(Stop::Reject(rejection)) => {
                    self.stored.series = series;
                    return Err(*rejection);
                }
                Err(Stop::Fault(message) | Stop::Overflow(message)) => panic!("a fault: {message}"),
                Err(Stop::TooMany(too_many)) => panic!("{too_many:?}"),
            }
        }
        panic!("the core still asks after {ROUNDS_MAX} rounds");
    }

    /// Answers a pure question.
    pub fn ask(&mut self, question: impl Fn(&Facts) -> Result<Json, Stop>) -> Result<Json, Rejection> {
        let mut facts = Facts::default();
        for _ in 0..ROUNDS_MAX {
            match question(&facts) {
                Ok(answer) => return Ok(answer),
                Err(Stop::Need(needs)) => needs.into_iter().for_each(|need| self.load(need, &mut facts)),
                Err(Stop::Reject(rejection)) => return Err(*rejection),
                Err(Stop::Fault(message) | Stop::Overflow(message)) => panic!("a fault: {message}"),
                Err(Stop::TooMany(too_many)) => panic!("{too_many:?}"),
            }
        }
        panic!("the core still asks after {ROUNDS_MAX} rounds");
    }

    pub fn create(&mut self, actor: &Viewer, form: &str, values: Json) -> Result<Uuid, Rejection> {
        let act = Act::Create { form: form.into(), values: object(values), effects: Effects::ALL };
        match self.submit(actor, act)? {
            Reply::Record { id, .. } => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    pub fn update(&mut self, actor: &Viewer, form: &str, id: Uuid, patch: Json) -> Result<Reply, Rejection> {
        self.submit(actor, Act::Update { form: form.into(), id, expected_version: None, patch: object(patch) })
    }

    pub fn read(&mut self, viewer: &Viewer, form: &str, id: Uuid) -> Result<Json, Rejection> {
        let (pack, at) = (self.pack.clone(), self.at);
        self.ask(|facts| formwork_core::questions::record(&pack, viewer, &form.into(), id, None, at, facts))
    }

    pub fn task_act(&mut self, actor: &Viewer, id: Uuid, verb: Verb) -> Result<Reply, Rejection> {
        self.submit(actor, Act::Task { id, verb })
    }

    /// Completes a task.
    pub fn complete(&mut self, actor: &Viewer, id: Uuid, outcome: &str, fields: Json) -> Result<Reply, Rejection> {
        let verb = Verb::Complete { outcome: outcome.to_owned(), fields: object(fields), expected_version: None };
        self.task_act(actor, id, verb)
    }

    /// Moves the clock, firing each timer at its instant.
    pub fn advance_to(&mut self, target: DateTime<Utc>) {
        loop {
            let next = self.stored.timers.values().filter(|timer| timer.due_at <= target);
            let Some(timer) = next.min_by_key(|timer| (timer.due_at, timer.id)).cloned() else { break };
            self.at = self.at.max(timer.due_at);
            let reply = self.submit(&Viewer::system("en"), Act::Timer { id: timer.id });
            reply.expect("timers are never refused");
            assert!(!self.stored.timers.contains_key(&timer.id), "a timer that fired is gone");
        }
        self.at = target;
    }

    /// The only open task of a step.
    pub fn open_task(&self, step: &str) -> Task {
        let open = self.stored.tasks.values().filter(|task| task.status == TaskStatus::Open && &*task.step == step);
        let open: Vec<&Task> = open.collect();
        assert_eq!(open.len(), 1, "one open task `{step}`");
        open[0].clone()
    }

    /// The stored value of a field, as on the wire.
    pub fn value(&self, form: &str, id: Uuid, field: &str) -> Json {
        let (position, field) = self.pack.form(form).field(field).expect("a field");
        let record = &self.stored.records[&(form.into(), id)];
        formwork_core::wire::render(&record.values[position], field.ty())
    }

    /// Kinds of all events so far.
    pub fn kinds(&self) -> Vec<&str> {
        self.stored.events.iter().map(|event| event.kind.as_str()).collect()
    }

    fn write(&mut self, change: ChangeSet) -> Reply {
        let stored = &mut self.stored;
        for record in change.records {
            let key = (record.form.clone(), record.id());
            assert_eq!(stored.records.get(&key), record.before.as_ref(), "a change starts from what is stored");
            match record.after {
                Some(after) => stored.records.insert(key, after),
                None => stored.records.remove(&key),
            };
        }
        for instance in change.instances {
            let before = stored.instances.get(&instance.id).map_or(0, |instance| instance.revision);
            assert_eq!(instance.revision, before + 1, "each change adds one to the revision");
            stored.instances.insert(instance.id, instance);
        }
        for (workflow, key, instance) in change.start_keys {
            let before = stored.start_keys.insert((workflow, key), instance);
            assert_eq!(before, None, "a start key starts one instance");
        }
        stored.tasks.extend(change.tasks.into_iter().map(|task| (task.id, task)));
        for id in change.timers_removed {
            stored.timers.remove(&id);
        }
        stored.timers.extend(change.timers_set.into_iter().map(|timer| (timer.id, timer)));
        for id in change.subscriptions_removed {
            stored.subscriptions.remove(&id);
        }
        stored.subscriptions.extend(change.subscriptions_set.into_iter().map(|waiting| (waiting.id, waiting)));
        for (name, id, _) in change.messages {
            assert!(stored.messages.insert((name, id)), "a message is taken in once");
        }
        stored.outbox.extend(change.outbox);
        stored.events.extend(change.events);
        stored.incidents.extend(change.incidents);
        change.reply
    }

    /// Loads what is needed; asked twice, it is a defect of the core.
    pub fn load(&mut self, need: Need, facts: &mut Facts) {
        if let Need::Found(find) = need {
            let records = self.found(&find);
            return facts.add_found(find, records);
        }
        let everything = self.everything();
        let stored = &mut self.stored;
        match need {
            Need::Record(form, id) => {
                let record = stored.records.get(&(form.clone(), id)).cloned();
                facts.add_record(form, id, record);
            }
            Need::Backlinks { form, link, to } => {
                let (position, _) = self.pack.form(&form).field(&link).expect("a link field");
                let links = stored
                    .records
                    .iter()
                    .filter(|((of, _), record)| *of == form && record.values[position] == Value::Id(to));
                let links = links.map(|(_, record)| Arc::new(record.clone())).collect();
                facts.backlinks.insert((form, link, to), links);
            }
            Need::Found(_) => unreachable!("loaded above"),
            Need::Unique { ref form, ref fields, ref values, ref unique } => {
                let filter = unique.as_ref().and_then(|key| self.pack.form(form).uniques[key].filter.clone());
                let found = stored.records.iter().find(|((of, _), record)| {
                    of == form
                        && fields.iter().zip(values).all(|(position, value)| record.values[*position] == *value)
                        && filter
                            .as_ref()
                            .is_none_or(|filter| holds(&everything, &filter.ir, record, &Viewer::system("en")))
                });
                let found = found.map(|((_, id), _)| *id);
                facts.uniques.push((need, found));
            }
            Need::Series { form, field, period } => {
                let key = (form, field, period);
                let number = stored.series.entry(key.clone()).or_default();
                *number += 1;
                facts.series.insert(key, *number);
            }
            Need::Instance(id) => {
                facts.instances.insert(id, stored.instances.get(&id).cloned());
            }
            Need::StartKey(workflow, key) => {
                let found = stored.start_keys.get(&(workflow.clone(), key.clone())).copied();
                facts.start_keys.insert((workflow, key), found);
            }
            Need::Task(id) => {
                facts.tasks.insert(id, stored.tasks.get(&id).cloned());
            }
            Need::Timer(id) => {
                facts.timers.insert(id, stored.timers.get(&id).cloned());
            }
            Need::Subscriptions { name, key } => {
                let of = stored.subscriptions.values().filter(|waiting| waiting.name == name && waiting.key == key);
                let mut waiting: Vec<_> = of.cloned().collect();
                waiting.sort_by_key(|waiting| (waiting.instance, waiting.activation));
                facts.subscriptions.insert((name, key), waiting);
            }
            Need::Judged(form, id) => {
                facts.judged.insert((form, id), Vec::new());
            }
            Need::Message(name, id) => {
                let taken = stored.messages.contains(&(name.clone(), id.clone()));
                facts.messages.insert((name, id), taken);
            }
            Need::User(id) => {
                facts.users.insert(id, self.users.get(&id).cloned());
            }
            Need::Team(key) => {
                let name = self.teams.get(&key).cloned();
                facts.teams.insert(key, name);
            }
            // The packs of these tests have no clocks.
            Need::Clocks(form, id) => {
                facts.clocks.insert((form, id), Vec::new());
            }
            Need::ClockSegments(form, id) => {
                facts.clock_segments.insert((form, id), Vec::new());
            }
            Need::OpenTasks(instance) => {
                let open =
                    stored.tasks.values().filter(|task| task.instance == instance && task.status == TaskStatus::Open);
                facts.open_tasks.insert(instance, open.cloned().collect());
            }
            Need::RecordInstances(form, id) => {
                let live = |status| matches!(status, InstanceStatus::Running | InstanceStatus::Failed);
                let of = stored.instances.values().filter(|instance| instance.record == Some((form.clone(), id)));
                let live = of.filter(|instance| live(instance.status)).cloned().collect();
                facts.record_instances.insert((form, id), live);
            }
            Need::RecordTasks(form, id) => {
                let tasks = stored.tasks.values().filter(|task| task.record == Some((form.clone(), id)));
                facts.record_tasks.insert((form.clone(), id), tasks.cloned().collect());
            }
            Need::Page(query) => {
                let page = self.page(&query);
                facts.pages.push((query, page));
            }
            Need::Tasks(query) => {
                let (tasks, more) = self.tasks(&query);
                facts.task_pages.push((query, tasks, more));
            }
            Need::Events { form, id, before, limit } => {
                let of_record = Some((form.clone(), id));
                let events = stored.events.iter().enumerate().map(|(index, event)| (index as i64 + 1, event.clone()));
                let events = events
                    .filter(|(seq, event)| event.record == of_record && before.is_none_or(|before| *seq < before));
                let mut events: Vec<(i64, Event)> = events.collect();
                events.reverse();
                events.truncate(limit as usize);
                facts.events.insert((form, id, before), events);
            }
        }
    }

    /// What predicates over links read.
    fn everything(&self) -> (Arc<Pack>, DateTime<Utc>, Facts) {
        let mut facts = Facts::default();
        for ((form, id), record) in &self.stored.records {
            facts.add_record(form.clone(), *id, Some(record.clone()));
        }
        for (form, field) in
            self.pack.forms().values().flat_map(|form| form.fields.iter().map(move |field| (form, field)))
        {
            let (Type::Link(to), Some((place, _))) = (field.ty(), form.field(&field.key)) else { continue };
            for (_, target) in self.stored.records.keys().filter(|(of, _)| of == to) {
                let linked = self
                    .stored
                    .records
                    .iter()
                    .filter(|((of, _), record)| *of == form.key && record.values[place] == Value::Id(*target));
                let linked = linked.map(|(_, record)| Arc::new(record.clone())).collect();
                facts.backlinks.insert((form.key.clone(), field.key.clone(), *target), linked);
            }
        }
        (self.pack.clone(), self.at, facts)
    }

    /// At most one more than may be found.
    fn found(&self, find: &Find) -> Vec<Record> {
        let (everything, nobody) = (self.everything(), Viewer::system("en"));
        let of_form = self.stored.records.iter().filter(|((form, _), _)| *form == find.form);
        let matching = of_form.filter(|(_, record)| holds(&everything, &find.condition, record, &nobody));
        matching.map(|(_, record)| record.clone()).take(find.most as usize + 1).collect()
    }

    fn page(&self, query: &Query) -> LoadedPage {
        let everything = self.everything();
        let matching = self.stored.records.iter().filter(|((form, _), record)| {
            let found = query.search().is_none_or(|search| {
                let mut texts = search.fields.iter().filter_map(|position| record.values[*position].as_text());
                texts.any(|text| text.to_ascii_lowercase().contains(&search.text))
            });
            form == query.form() && found && holds(&everything, query.predicate(), record, query.viewer())
        });
        let mut records: Vec<Record> = matching.map(|(_, record)| record.clone()).collect();
        let place = |record: &Record| -> Vec<(Value, bool)> {
            query.sort().iter().map(|key| (record.get(key.slot), key.descending)).collect()
        };
        records.sort_by(|a, b| order(&place(a), a.id, &place(b), b.id));
        let total = records.len() as u64;
        if let Some(after) = query.after() {
            let cursor: Vec<(Value, bool)> =
                after.values.iter().cloned().zip(query.sort().iter().map(|key| key.descending)).collect();
            records.retain(|record| order(&place(record), record.id, &cursor, after.id).is_gt());
        }
        let more = records.len() > query.limit() as usize;
        records.truncate(query.limit() as usize);
        LoadedPage {
            records: records.into_iter().map(Arc::new).collect(),
            more,
            total: query.count().then_some((total, true)),
        }
    }

    fn tasks(&self, query: &TaskQuery) -> (Vec<Task>, bool) {
        let viewer = &query.viewer;
        let is_mine = |task: &Task| task.assignee.is_some() && task.assignee == viewer.user;
        let in_pool = |task: &Task| match &task.pool {
            Pool::Queue(queue) => viewer.queues.contains(queue),
            Pool::Role(role) => viewer.roles.contains(role),
            Pool::Team(team) => viewer.team.as_ref() == Some(team),
            Pool::Person => false,
        };
        let is_asked = |task: &&Task| {
            let of_queue = query.page.queue.as_ref().is_none_or(|queue| task.pool == Pool::Queue(queue.clone()));
            of_queue && query.page.workflow.as_ref().is_none_or(|workflow| *workflow == task.workflow)
        };
        let fits = |task: &&Task| match query.page.tasks {
            TaskBox::Mine => task.status == TaskStatus::Open && is_mine(task),
            TaskBox::Claimable => task.status == TaskStatus::Open && task.assignee.is_none() && in_pool(task),
            TaskBox::Team => {
                task.status == TaskStatus::Open
                    && match &task.pool {
                        Pool::Queue(queue) => {
                            let lead = self.pack.queues()[queue].lead.as_ref();
                            lead.is_some_and(|lead| viewer.roles.contains(lead))
                        }
                        Pool::Team(team) => viewer.leads.contains(team),
                        Pool::Role(_) | Pool::Person => false,
                    }
            }
            TaskBox::Cc => task.copies.iter().any(|(person, _)| viewer.user == Some(*person)),
            TaskBox::Started => task.status == TaskStatus::Open && viewer.user.is_some() && task.starter == viewer.user,
            TaskBox::Done => task.closed.is_some_and(|(_, by)| by == viewer.user),
        };
        let mut tasks: Vec<Task> = self.stored.tasks.values().filter(fits).filter(is_asked).cloned().collect();
        tasks.sort_by_key(|task| (task.due_at.is_none(), task.due_at, task.id));
        if let Some(after) = query.page.after {
            let place = tasks.iter().position(|task| task.id == after).map_or(0, |place| place + 1);
            tasks.drain(..place);
        }
        let more = tasks.len() > query.page.limit as usize;
        tasks.truncate(query.page.limit as usize);
        (tasks, more)
    }
}

fn holds(world: &(Arc<Pack>, DateTime<Utc>, Facts), ir: &Ir, record: &Record, viewer: &Viewer) -> bool {
    let (pack, at, everything) = world;
    let rows = [RowView::from(record)];
    let environment = Environment::new(*at, *pack.timezone(), viewer, &**pack, everything).with_rows(&rows);
    evaluate(ir, &environment).expect("links lead to what is stored").is_true()
}

/// Nulls last; the id decides.
fn order(a: &[(Value, bool)], a_id: Uuid, b: &[(Value, bool)], b_id: Uuid) -> std::cmp::Ordering {
    for ((a, descending), (b, _)) in a.iter().zip(b) {
        let order = match (a, b) {
            (Value::Null, Value::Null) => std::cmp::Ordering::Equal,
            (Value::Null, _) => return std::cmp::Ordering::Greater,
            (_, Value::Null) => return std::cmp::Ordering::Less,
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            other => panic!("{other:?} cannot be ordered"),
        };
        let order = if *descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    a_id.cmp(&b_id)
}
