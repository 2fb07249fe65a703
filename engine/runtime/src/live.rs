//! Live pages: who watches is told which kinds of things changed, as far as they may see them.
//!
//! ```text
//! commit ─► change log, traces ─► one tail per process ─► every listener: what was touched
//!                                                            └─► news(viewer): the kinds this viewer may know of
//! ```
//! A node's own commits wake the tail; those of others it finds by looking. It runs while somebody listens and for a
//! while after.
//!
//! What one may learn from being told at all (the leak by timing), and what is done about it:
//! * A kind is named only if the viewer reads one of the touched things as it is now, or did as it was before. Names are
//!   all there is: no id, no value, no number of changes, no place in a log that others' changes move.
//! * A listener looks at fixed beats that begin with its connection, never because of what was touched; what is not for
//!   the viewer puts off nothing, sends nothing, and moves no later look. What remains is that a look takes a little
//!   longer where there is more to look at.
//! * Who falls behind, or comes back later than is remembered, is told to look at everything, whatever happened.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration as Wait;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use formwork_core::questions::{self, Touched};
use formwork_core::trace::Trace;
use formwork_model::Key;
use formwork_store::{Failure, Fault, User};

use crate::Engine;

/// How often the tail looks for what other nodes have committed.
const POLL: Wait = Wait::from_millis(500);
/// How long the tail rests after it has looked: what is committed close together is told together.
const REST: Wait = Wait::from_millis(100);
/// Rows of each log read at once.
const ROWS: u32 = 500;
/// How often a listener looks at what was touched.
const LOOK: Wait = Wait::from_millis(500);
/// How often a listener is asked whether it is still allowed to listen.
const CHECK: Wait = Wait::from_secs(5);
/// How long the tail runs on when nobody listens: whoever comes back meanwhile has missed nothing.
const LINGER: Wait = Wait::from_secs(60);
/// How long what was touched is remembered for those who come back.
const REMEMBERED: TimeDelta = TimeDelta::seconds(60);
/// Most batches remembered, and most a listener may be behind.
const BATCHES_MAX: usize = 256;
/// By how much clocks of nodes, and a commit and the look that finds it, may be apart.
const SLACK: TimeDelta = TimeDelta::seconds(3);
/// Most connections of one person.
const OF_ONE_MAX: usize = 24;
/// Most connections of all.
const OF_ALL_MAX: usize = 4_096;
/// Seconds after which who was refused may try again.
const AGAIN_S: u32 = 5;
/// Records and tasks looked at in one question.
const LOOK_MAX: usize = 200;

/// What was touched, by pack.
type ByPack = BTreeMap<Key, Touched>;

/// Those who listen, and what the tail has found for them.
pub(crate) struct Live {
    state: Mutex<State>,
    /// There is something to read, or nobody is to listen any more.
    wake: Notify,
    /// One at a time begins to follow the logs.
    begin: tokio::sync::Mutex<()>,
}

struct State {
    /// None once no more is told: the server stops.
    news: Option<broadcast::Sender<Word>>,
    listeners: HashMap<Uuid, usize>,
    is_tailed: bool,
    /// What was touched lately, and when it was found.
    lately: VecDeque<(DateTime<Utc>, Arc<ByPack>)>,
    /// Since when nothing is missing there.
    since: DateTime<Utc>,
}

/// What a listener hears from inside.
#[derive(Clone)]
enum Word {
    /// This was touched.
    Touched(Arc<ByPack>),
    /// Something about this person's sessions changed.
    Check(Uuid),
}

/// What a listener is to do.
#[derive(Debug)]
pub enum Heard {
    /// Look at what was touched: [`Engine::news`].
    Touched(Missed),
    /// See whether it may still listen; nothing else happened.
    Check,
    /// No more is told.
    Over,
}

/// What was touched since a listener last looked.
#[derive(Debug, Default)]
pub struct Missed {
    all: bool,
    packs: ByPack,
}

/// What a viewer is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Anything may have changed.
    pub all: bool,
    /// Something in their boxes did.
    pub tasks: bool,
    /// There is a notice for them that tells of no task.
    pub notices: bool,
    /// Records of these forms did, as `pack.form`.
    pub forms: Vec<String>,
}

/// One connection. Dropping it makes room for another.
pub struct Listener {
    live: Weak<Engine>,
    person: Uuid,
    words: broadcast::Receiver<Word>,
    missed: Missed,
    look: Instant,
    check: Instant,
}

impl Default for Live {
    fn default() -> Self {
        let state = State {
            news: Some(broadcast::Sender::new(BATCHES_MAX)),
            listeners: HashMap::new(),
            is_tailed: false,
            lately: VecDeque::new(),
            since: DateTime::<Utc>::MAX_UTC,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), begin: Default::default() }
    }
}

impl Live {
    /// Something was committed here.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics in the middle of a change of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn say(&self, word: Word) {
        if let Some(news) = &self.news {
            // Nobody may be there to hear it.
            let _ = news.send(word);
        }
    }

    /// Whether the tail may rest: no more is told, or nobody has listened for long.
    fn rests(&mut self, idle_since: &mut Instant) -> bool {
        if !self.listeners.is_empty() {
            *idle_since = Instant::now();
        }
        let rests = self.news.is_none() || idle_since.elapsed() > LINGER;
        if rests {
            self.is_tailed = false;
            self.lately.clear();
        }
        rests
    }

    /// What was touched after `since`, or that it is no longer known.
    fn missed(&self, since: DateTime<Utc>) -> Missed {
        let mut missed = Missed { all: since - SLACK / 2 < self.since, ..Missed::default() };
        let later = self.lately.iter().filter(|(at, _)| *at > since - SLACK);
        later.for_each(|(_, touched)| missed.add(touched));
        missed
    }

    fn remember(&mut self, at: DateTime<Utc>, touched: Arc<ByPack>) {
        self.lately.push_back((at, touched));
        let old = |(found, _): &(DateTime<Utc>, _)| *found < at - REMEMBERED;
        while self.lately.len() > BATCHES_MAX || self.lately.front().is_some_and(old) {
            if let Some((found, _)) = self.lately.pop_front() {
                self.since = self.since.max(found + TimeDelta::milliseconds(1));
            }
        }
    }
}

impl Engine {
    /// Listens for a person. `since`: what they have seen already; what was touched after it is told first. Refused as busy
    /// where there are too many connections.
    pub async fn listen(self: &Arc<Self>, person: Uuid, since: Option<DateTime<Utc>>) -> Result<Listener, Failure> {
        self.follow_logs().await?;
        let mut state = self.live.state();
        let Some(news) = &state.news else { return Err(Failure::Busy(1)) };
        let words = news.subscribe();
        let of_one = state.listeners.get(&person).copied().unwrap_or_default();
        if of_one >= OF_ONE_MAX || state.listeners.values().sum::<usize>() >= OF_ALL_MAX {
            return Err(Failure::Busy(AGAIN_S));
        }
        state.listeners.insert(person, of_one + 1);
        let missed = since.map(|since| state.missed(since)).unwrap_or_default();
        let (live, now) = (Arc::downgrade(self), Instant::now());
        Ok(Listener { live, person, words, missed, look: now + LOOK, check: now + CHECK })
    }

    /// Begins to follow the logs, if nobody does.
    async fn follow_logs(self: &Arc<Self>) -> Result<(), Fault> {
        let _turn = self.live.begin.lock().await;
        if self.live.state().is_tailed {
            return Ok(());
        }
        let place = Place { change: self.store().seq().await?, trace: self.store().newest_trace().await? };
        let mut state = self.live.state();
        (state.is_tailed, state.since) = (true, Utc::now());
        tokio::spawn(tail(Arc::downgrade(self), place));
        Ok(())
    }

    /// Ends all listening: nothing more is told, and nobody may begin.
    pub fn stop_live(&self) {
        self.live.state().news = None;
        self.live.wake();
    }

    /// Something about a person's sessions or rights changed here: who listens for them looks at once.
    pub(crate) fn check_listeners(&self, person: Uuid) {
        self.live.state().say(Word::Check(person));
    }

    /// What of it concerns this user.
    pub async fn news(&self, user: &User, missed: &Missed) -> Result<News, Failure> {
        let mut news = News { all: missed.all, ..News::default() };
        for (key, touched) in &missed.packs {
            let Some(pack) = self.deployed().pack(key).cloned() else { continue };
            let viewer = self.viewer(&pack, Some(user), &user.language);
            news.notices |= touched.people.contains(&user.id);
            for part in parts(touched) {
                if part.is_told(&news, key) {
                    continue;
                }
                let (p, v, at) = (pack.clone(), viewer.clone(), self.clock().now());
                let question = Box::new(move |facts: &_| questions::noticed(&p, &v, &part.0, at, facts));
                let noticed = self.ask(&pack, question).await?;
                news.tasks |= noticed["tasks"] == json!(true);
                for form in noticed["forms"].as_array().into_iter().flatten().filter_map(|form| form.as_str()) {
                    let name = format!("{key}.{form}");
                    if !news.forms.contains(&name) {
                        news.forms.push(name);
                    }
                }
            }
        }
        Ok(news)
    }
}

impl News {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Missed {
    fn add(&mut self, touched: &ByPack) {
        for (pack, touched) in touched {
            let known = self.packs.entry(pack.clone()).or_default();
            for (form, ids) in &touched.records {
                known.records.entry(form.clone()).or_default().extend(ids);
            }
            for (form, former) in &touched.left {
                known.left.entry(form.clone()).or_default().extend(former.iter().cloned());
            }
            known.tasks.extend(touched.tasks.iter().cloned());
            known.people.extend(&touched.people);
        }
    }

    fn is_empty(&self) -> bool {
        !self.all && self.packs.is_empty()
    }
}

impl Listener {
    /// Waits until there is something to do.
    pub async fn next(&mut self) -> Heard {
        loop {
            let now = Instant::now();
            while self.look <= now {
                self.look += LOOK;
            }
            tokio::select! {
                biased;
                () = sleep_until(self.check) => {
                    self.check = Instant::now() + CHECK;
                    return Heard::Check;
                }
                () = sleep_until(self.look), if !self.missed.is_empty() => return Heard::Touched(take(&mut self.missed)),
                word = self.words.recv() => match word {
                    Ok(Word::Touched(touched)) => self.missed.add(&touched),
                    Ok(Word::Check(person)) if person == self.person => return Heard::Check,
                    Ok(Word::Check(_)) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => self.missed.all = true,
                    Err(broadcast::error::RecvError::Closed) => return Heard::Over,
                },
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(engine) = self.live.upgrade() else { return };
        let mut state = engine.live.state();
        if let Some(count) = state.listeners.get_mut(&self.person) {
            *count -= 1;
            if *count == 0 {
                state.listeners.remove(&self.person);
            }
        }
    }
}

/// A part of what was touched that is looked at in one question.
struct Part(Touched);

impl Part {
    /// Whether all it could tell is told already.
    fn is_told(&self, news: &News, pack: &str) -> bool {
        let forms = self.0.records.keys().chain(self.0.left.keys());
        let told = |form: &Key| news.forms.iter().any(|known| *known == format!("{pack}.{form}"));
        (news.tasks || self.0.tasks.is_empty()) && forms.into_iter().all(told)
    }
}

/// One thing at a time, a bounded number of each, each once.
fn parts(touched: &Touched) -> Vec<Part> {
    let mut parts = Vec::new();
    for tasks in touched.tasks.chunks(LOOK_MAX) {
        parts.push(Part(Touched { tasks: tasks.to_vec(), ..Touched::default() }));
    }
    for (form, ids) in &touched.records {
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        for ids in ids.chunks(LOOK_MAX) {
            let records = BTreeMap::from([(form.clone(), ids.to_vec())]);
            parts.push(Part(Touched { records, ..Touched::default() }));
        }
    }
    for (form, former) in &touched.left {
        for former in former.chunks(LOOK_MAX) {
            let left = BTreeMap::from([(form.clone(), former.to_vec())]);
            parts.push(Part(Touched { left, ..Touched::default() }));
        }
    }
    parts
}

/// How far the tail has read.
struct Place {
    change: i64,
    trace: i64,
}

/// Reads both logs until nobody has listened for a while.
async fn tail(engine: Weak<Engine>, mut place: Place) {
    let mut idle_since = Instant::now();
    loop {
        let Some(engine) = engine.upgrade() else { return };
        if engine.live.state().rests(&mut idle_since) {
            return;
        }
        if let Err(fault) = read_on(&engine, &mut place).await {
            tracing::error!(error = ?fault, "following the changes failed, trying again");
        }
        tokio::time::sleep(REST).await;
        // Looking is the truth; being woken is a hint.
        let _ = timeout(POLL - REST, engine.live.wake.notified()).await;
    }
}

/// Reads what came since, and tells it.
async fn read_on(engine: &Engine, place: &mut Place) -> Result<(), Fault> {
    let store = engine.store();
    loop {
        let changes = store.changes(place.change, ROWS).await?;
        let traces = store.traces(place.trace, ROWS).await?;
        if changes.is_empty() && traces.is_empty() {
            return Ok(());
        }
        let mut touched = ByPack::new();
        for change in changes {
            place.change = change.seq;
            let touched = touched.entry(change.pack).or_default();
            touched.records.entry(change.form).or_default().push(change.id);
        }
        for (seq, pack, trace) in traces {
            place.trace = seq;
            let touched = touched.entry(pack).or_default();
            match trace {
                Trace::Task { id, before } => touched.tasks.push((id, before)),
                Trace::Notice { person } => touched.people.push(person),
                Trace::Record { form, before } => touched.left.entry(form).or_default().push(before),
            }
        }
        let touched = Arc::new(touched);
        let mut state = engine.live.state();
        state.say(Word::Touched(touched.clone()));
        state.remember(Utc::now(), touched);
    }
}
