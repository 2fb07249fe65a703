//! Loading demo recipes: what has happened up to now, in the order in which it would have.
//!
//! ```text
//! every recipe: its rows by time ─► filed, many to a transaction
//! what happens then, by time: timers that come due, deeds of people ─► done, many to a transaction
//! ```
//! Each is an ordinary stimulus at its own instant, decided by the core: a demonstration breaks no rule.
//!
//! A load that is cut short is carried on at the next start: the day it was begun for is kept until it is done, ids follow
//! from it, and what is there already is passed over.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::demo::{DemoRow, Drawn, day};
use formwork_core::ids::seed_of;
use formwork_core::stimulus::{Effects, Verb};
use formwork_core::{Act, Stimulus, Viewer};
use formwork_model::pack::material::Demo;
use formwork_model::{Key, Pack};
use formwork_store::{Committed, Fault, NotTogether, Packs, Store, Submission, WaitsFor};

use crate::Engine;
use crate::cases::told;

/// Most stimuli of one transaction.
const TOGETHER: usize = 500;

/// Events read at once.
const EVENTS: u32 = 10_000;

/// Loads the recipes of a pack, unless that was done or there are records of other making; how many were made.
pub(super) async fn load(engine: &Engine, pack: &Arc<Pack>) -> Result<u64, Fault> {
    let now = engine.clock().now();
    let Some(first) = pack.demos().values().next() else { return Ok(0) };
    let store = engine.store();
    let begun = store.demo_begun(pack.key()).await?;
    if begun.is_none() {
        if !store.ids(pack, &first.form, None, now, None, 1).await?.is_empty() {
            return Ok(0);
        }
        store.set_demo_begun(pack.key(), Some(day(pack, now))).await?;
    }
    let mut loader = Loader {
        engine,
        pack,
        packs: engine.deployed().by_hash.clone(),
        now,
        as_of: begun.unwrap_or_else(|| day(pack, now)),
        resumes: begun.is_some(),
        done: if begun.is_some() { done(store).await? } else { HashSet::new() },
        drawn: Drawn::default(),
        people: HashMap::new(),
        filed: Vec::new(),
        to_come: BinaryHeap::new(),
    };
    loader.find_seeds().await?;
    let mut made = 0;
    for demo in pack.demos().values() {
        loader.find_people(demo).await?;
        made += loader.file(demo).await?;
    }
    loader.carry_on().await?;
    store.set_demo_begun(pack.key(), None).await?;
    Ok(made)
}

/// A deed that was done: on which record, when, at which step, and whether that completed the task.
type Done = (Uuid, DateTime<Utc>, Key, bool);

/// What people have done before a load was cut short.
async fn done(store: &dyn Store) -> Result<HashSet<Done>, Fault> {
    let (mut done, mut after) = (HashSet::new(), 0);
    loop {
        let events = store.events(after, EVENTS).await?;
        let Some((last, _)) = events.last() else { return Ok(done) };
        after = *last;
        for (_, event) in events {
            let completes = event.kind == "task.completed";
            if (completes || event.kind == "task.claimed")
                && let (Some((_, id)), Some((step, _))) = (event.record, event.step)
            {
                done.insert((id, event.at, step, completes));
            }
        }
    }
}

struct Loader<'e> {
    engine: &'e Engine,
    pack: &'e Arc<Pack>,
    packs: Arc<Packs>,
    now: DateTime<Utc>,
    as_of: DateTime<Utc>,
    drawn: Drawn,
    /// Whether a load goes on that was cut short.
    resumes: bool,
    /// What was done before.
    done: HashSet<Done>,
    /// Who does deeds, by role.
    people: HashMap<Key, Viewer>,
    /// Records to which something more may happen.
    filed: Vec<Filed<'e>>,
    /// When something happens next, and to which of them. Outdated entries are passed over.
    to_come: BinaryHeap<Reverse<(DateTime<Utc>, usize)>>,
}

/// A record to which something more may happen.
struct Filed<'e> {
    demo: &'e Demo,
    index: u32,
    id: Uuid,
    /// The next deed: when, and its place in the recipe.
    deed: Option<(DateTime<Utc>, usize)>,
    /// Its timers, the first due first.
    timers: VecDeque<(DateTime<Utc>, Uuid)>,
    /// Its open tasks, by step.
    tasks: HashMap<Key, Uuid>,
    /// The step whose task was claimed last, and by whom.
    claimed: Option<(Key, Key)>,
}

impl Filed<'_> {
    /// When something happens to it next; at the same instant, timers come first.
    fn next(&self) -> Option<DateTime<Utc>> {
        let timer = self.timers.front().map(|(at, _)| *at);
        timer.into_iter().chain(self.deed.map(|(at, _)| at)).min()
    }
}

impl<'e> Loader<'e> {
    fn row(&self, demo: &'e Demo, index: u32) -> DemoRow<'e> {
        DemoRow { pack: self.pack, demo, index, as_of: self.as_of }
    }

    /// Seed rows are known by their natural key.
    async fn find_seeds(&mut self) -> Result<(), Fault> {
        for seed in self.pack.seeds() {
            let count = u32::try_from(seed.rows.len()).unwrap_or(u32::MAX);
            let store = self.engine.store();
            let ids = store.ids(self.pack, &seed.form, None, self.now, None, count).await?;
            for record in store.records(self.pack, &seed.form, &ids).await? {
                let [position] = *self.pack.form(&seed.form).natural_key else { continue };
                if let Some(key) = record.values[position].as_text() {
                    self.drawn.put_key(&seed.form, key.to_owned(), record.id);
                }
            }
        }
        Ok(())
    }

    /// The demonstration's users of the roles that do deeds.
    async fn find_people(&mut self, demo: &Demo) -> Result<(), Fault> {
        for deed in &demo.then {
            if self.people.contains_key(&deed.by) {
                continue;
            }
            let user = self.engine.store().user_by_login(&deed.by).await?;
            let Some(user) = user else {
                return Err(Fault::new(format!("the demo recipe `{}` needs a user `{}`", demo.key, deed.by)));
            };
            let viewer = self.engine.viewer(self.pack, Some(&user), &user.language);
            self.people.insert(deed.by.clone(), viewer);
        }
        Ok(())
    }

    /// Files the rows of a recipe whose time has come, in the order of their time; how many.
    async fn file(&mut self, demo: &'e Demo) -> Result<u64, Fault> {
        let mut due = Vec::new();
        for index in 0..demo.count {
            let at = self.row(demo, index).at(&self.drawn).map_err(|why| refused(demo, index, &why))?;
            if at <= self.now {
                due.push((at, index));
            }
        }
        due.sort_unstable();
        let mut rows = vec![None; demo.count as usize];
        let mut made = 0;
        let has_workflow = self.pack.workflows().values().any(|workflow| workflow.form.as_ref() == Some(&demo.form));
        let goes_on = has_workflow || !demo.then.is_empty();
        for some in due.chunks(TOGETHER) {
            let first = self.filed.len();
            let known = if self.resumes { self.known(demo, some).await? } else { HashSet::new() };
            let (mut filing, mut submissions) = (Vec::new(), Vec::new());
            for &(at, index) in some {
                let row = self.row(demo, index);
                let values = row.values(at, &self.drawn).map_err(|why| refused(demo, index, &why))?;
                let Some(values) = values else { continue };
                filing.push((at, index, self.natural_key(&demo.form, &values)));
                if known.contains(&self.row_id(demo, index, at)) {
                    continue;
                }
                let act =
                    Act::Create { form: demo.form.clone(), values, effects: Effects { starts: true, notify: false } };
                submissions.push(self.submission(at, row.seed(0), self.system(), act));
            }
            let new: Vec<u32> = filing
                .iter()
                .filter(|(at, index, _)| !known.contains(&self.row_id(demo, *index, *at)))
                .map(|(_, index, _)| *index)
                .collect();
            made += new.len() as u64;
            self.together(submissions).await.map_err(|(place, why)| refused(demo, new[place], &why))?;
            for (at, index, key) in filing {
                let id = self.row_id(demo, index, at);
                rows[index as usize] = Some(id);
                if let Some(key) = key {
                    self.drawn.put_key(&demo.form, key, id);
                }
                if goes_on {
                    let (timers, tasks) = (VecDeque::new(), HashMap::new());
                    self.filed.push(Filed { demo, index, id, deed: None, timers, tasks, claimed: None });
                    self.look_ahead(self.filed.len() - 1, 0, at)?;
                }
            }
            self.see(first..self.filed.len()).await?;
        }
        self.drawn.add(&demo.form, rows);
        Ok(made)
    }

    /// Which of these rows were filed before the load was cut short.
    async fn known(&self, demo: &Demo, rows: &[(DateTime<Utc>, u32)]) -> Result<HashSet<Uuid>, Fault> {
        let ids: Vec<Uuid> = rows.iter().map(|&(at, index)| self.row_id(demo, index, at)).collect();
        let records = self.engine.store().records(self.pack, &demo.form, &ids).await?;
        Ok(records.into_iter().map(|record| record.id).collect())
    }

    fn row_id(&self, demo: &Demo, index: u32, at: DateTime<Utc>) -> Uuid {
        DemoRow { pack: self.pack, demo, index, as_of: self.as_of }.id(at)
    }

    fn natural_key(&self, form: &Key, values: &Map<String, Json>) -> Option<String> {
        let form = self.pack.form(form);
        let [position] = *form.natural_key else { return None };
        Some(values.get(&*form.fields[position].key)?.as_str()?.to_owned())
    }

    /// Finds the next deed on the record from that place on, where what came before was at `before`.
    fn look_ahead(&mut self, place: usize, from: usize, mut before: DateTime<Utc>) -> Result<(), Fault> {
        let (demo, index, id) = (self.filed[place].demo, self.filed[place].index, self.filed[place].id);
        self.filed[place].deed = None;
        for number in from..demo.then.len() {
            let deed = &demo.then[number];
            let at = self.row(demo, index).done_at(deed, before, &self.drawn);
            if let Some(at) = at.map_err(|why| refused(demo, index, &why))? {
                if self.done.contains(&(id, at, deed.step.clone(), deed.outcome.is_some())) {
                    let claim = (deed.step.clone(), deed.by.clone());
                    self.filed[place].claimed = Some(claim).filter(|_| deed.outcome.is_none());
                    before = at;
                    continue;
                }
                self.filed[place].deed = Some((at, number)).filter(|_| at <= self.now);
                break;
            }
        }
        Ok(())
    }

    /// Looks what waits on these records now.
    async fn see(&mut self, places: impl IntoIterator<Item = usize>) -> Result<(), Fault> {
        let places: HashMap<Uuid, usize> = places.into_iter().map(|place| (self.filed[place].id, place)).collect();
        let mut records: Vec<Uuid> = places.keys().copied().collect();
        records.sort_unstable();
        for place in places.values() {
            self.filed[*place].timers.clear();
            self.filed[*place].tasks.clear();
        }
        for waiting in self.engine.store().waiting_on(&records).await? {
            let Some(place) = places.get(&waiting.record) else { continue };
            let filed = &mut self.filed[*place];
            match waiting.what {
                WaitsFor::Task(step) => drop(filed.tasks.insert(step, waiting.id)),
                WaitsFor::Timer(at) if at <= self.now => filed.timers.push_back((at, waiting.id)),
                WaitsFor::Timer(_) => {}
            }
        }
        for place in places.values() {
            self.remember(*place);
        }
        Ok(())
    }

    fn remember(&mut self, place: usize) {
        self.to_come.extend(self.filed[place].next().map(|at| Reverse((at, place))));
    }

    /// Everything up to now, in its order.
    async fn carry_on(&mut self) -> Result<(), Fault> {
        while !self.to_come.is_empty() {
            let (mut doing, mut moved) = (Doing::default(), HashSet::new());
            while let Some(&Reverse((at, place))) = self.to_come.peek() {
                if self.filed[place].next() != Some(at) {
                    self.to_come.pop();
                    continue;
                }
                // What waits on the record now is known only when this is committed.
                if moved.contains(&place) || doing.submissions.len() >= TOGETHER {
                    break;
                }
                self.to_come.pop();
                if self.happen(place, at, &mut doing)? {
                    moved.insert(place);
                }
                self.remember(place);
            }
            let done = self.together(doing.submissions).await;
            done.map_err(|(place, why)| {
                let (demo, index, what) = &doing.of[place];
                refused(demo, *index, &format!("{what}: {why}"))
            })?;
            self.see(moved).await?;
        }
        Ok(())
    }

    /// What happens to the record at that instant; whether that may have moved it on to another step.
    fn happen(&mut self, place: usize, at: DateTime<Utc>, doing: &mut Doing<'e>) -> Result<bool, Fault> {
        let (demo, index) = (self.filed[place].demo, self.filed[place].index);
        let filed = &mut self.filed[place];
        if let Some((_, id)) = filed.timers.pop_front_if(|(due, _)| *due == at) {
            let seed = seed_of(&format!("demo timer {id}"));
            doing.add(demo, index, "a timer", self.submission(at, seed, self.system(), Act::Timer { id }));
            return Ok(true);
        }
        let Some((_, number)) = filed.deed else { return Ok(false) };
        let deed = &demo.then[number];
        let Some(&id) = filed.tasks.get(&deed.step) else {
            return Err(refused(demo, index, &format!("`{}` finds no open task of `{}`", deed.key, deed.step)));
        };
        let mut verbs = Vec::new();
        let claim = Some((deed.step.clone(), deed.by.clone()));
        if filed.claimed != claim {
            verbs.push(Verb::Claim);
        }
        filed.claimed = claim.filter(|_| deed.outcome.is_none());
        let row = self.row(demo, index);
        if let Some(outcome) = &deed.outcome {
            let fields = row.deed_values(deed, at, &self.drawn).map_err(|why| refused(demo, index, &why))?;
            let fields = fields.ok_or_else(|| refused(demo, index, "a deed refers to a row that was left out"))?;
            verbs.push(Verb::Complete { outcome: outcome.to_string(), fields, expected_version: None });
        }
        for (part, verb) in verbs.into_iter().enumerate() {
            let seed = row.seed(2 * number as u64 + part as u64 + 1);
            let viewer = self.people[&deed.by].clone();
            doing.add(demo, index, &deed.key, self.submission(at, seed, viewer, Act::Task { id, verb }));
        }
        self.look_ahead(place, number + 1, at)?;
        Ok(deed.outcome.is_some())
    }

    fn system(&self) -> Viewer {
        Viewer::system(self.pack.languages().first().map_or("en", String::as_str))
    }

    fn submission(&self, at: DateTime<Utc>, seed: u64, actor: Viewer, act: Act) -> Submission {
        let stimulus = Stimulus { at, seed, actor, act };
        Submission { pack: self.pack.clone(), packs: self.packs.clone(), stimulus, idempotency: None }
    }

    /// The place of the one that was refused, and why.
    async fn together(&self, submissions: Vec<Submission>) -> Result<Vec<Committed>, (usize, String)> {
        let committed = self.engine.store().submit_together(submissions).await;
        committed.map_err(|NotTogether { at, failure }| (at, told(&failure)))
    }
}

/// What is done in one transaction.
#[derive(Default)]
struct Doing<'e> {
    submissions: Vec<Submission>,
    /// The row and what is done, of each.
    of: Vec<(&'e Demo, u32, String)>,
}

impl<'e> Doing<'e> {
    fn add(&mut self, demo: &'e Demo, index: u32, what: &str, submission: Submission) {
        self.submissions.push(submission);
        self.of.push((demo, index, what.to_owned()));
    }
}

fn refused(demo: &Demo, index: u32, why: &str) -> Fault {
    Fault::new(format!("row {index} of the demo recipe `{}`: {why}", demo.key))
}
