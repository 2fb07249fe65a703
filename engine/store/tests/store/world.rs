//! A store under test: the same tests run on both engines, with a decider that does what the test says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeZone, Utc};
use formwork_core::change::{ChangeSet, RecordChange};
use formwork_core::facts::Need;
use formwork_core::{Act, Facts, Record, Stimulus, Stop, Viewer};
use formwork_model::{Key, Pack, SourceMap, Value, compile};
use formwork_store::testing::Cluster;
use formwork_store::{
    Committed, Decider, Deploy, DeployFailure, Failure, Packs, PostgresStore, SqliteStore, Store, Submission, postgres,
    sqlite,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// What a submission decides.
pub(crate) type Plan = Arc<dyn Fn(&Facts) -> Result<ChangeSet, Stop> + Send + Sync>;

/// A store, its pack, and the plans of the submissions under way.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pack: Mutex<Arc<Pack>>,
    plans: Arc<Mutex<HashMap<u64, Plan>>>,
    seeds: AtomicU64,
    /// The database, on PostgreSQL.
    pub(crate) url: Option<String>,
    /// The data folder, on SQLite.
    pub(crate) folder: Option<tempfile::TempDir>,
}

impl World {
    /// On SQLite, with the pack of these forms deployed.
    pub(crate) async fn sqlite(forms: impl Definition) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlite::Options { durability: sqlite::Durability::Off, ..Default::default() };
        Self::sqlite_in(folder, options, forms).await
    }

    /// On SQLite, opened in a way of one's own.
    pub(crate) async fn sqlite_in(
        folder: tempfile::TempDir,
        options: sqlite::Options,
        forms: impl Definition,
    ) -> Arc<Self> {
        let (plans, decider) = decider();
        let options = sqlite::Options { decider: Some(decider), ..options };
        let store = Arc::new(SqliteStore::open(folder.path(), options).unwrap());
        Self::new(store, plans, (None, Some(folder)), forms).await
    }

    /// The same data folder and pack, opened anew.
    pub(crate) async fn reopened(self: Arc<Self>, options: sqlite::Options) -> Arc<Self> {
        self.store.close().await;
        let world = Arc::into_inner(self).expect("nobody else holds the world");
        drop(world.store);
        let (plans, decider) = decider();
        let folder = world.folder.expect("a data folder");
        let options = sqlite::Options { decider: Some(decider), ..options };
        let store = Arc::new(SqliteStore::open(folder.path(), options).unwrap());
        Arc::new(Self { store, pack: world.pack, plans, seeds: world.seeds, url: None, folder: Some(folder) })
    }

    /// On PostgreSQL, in a database of its own.
    pub(crate) async fn postgres(forms: impl Definition) -> Arc<Self> {
        Self::postgres_with(postgres::Options { writers: 8, readers: 2, ..Default::default() }, forms).await
    }

    /// On PostgreSQL, opened in a way of one's own.
    pub(crate) async fn postgres_with(options: postgres::Options, forms: impl Definition) -> Arc<Self> {
        let (plans, decider) = decider();
        let url = Cluster::shared().unwrap().database().await.unwrap();
        let options = postgres::Options { decider: Some(decider), ..options };
        let store = Arc::new(PostgresStore::open(&url, options).await.unwrap());
        Self::new(store, plans, (Some(url), None), forms).await
    }

    async fn new(
        store: Arc<dyn Store>,
        plans: Arc<Mutex<HashMap<u64, Plan>>>,
        (url, folder): (Option<String>, Option<tempfile::TempDir>),
        forms: impl Definition,
    ) -> Arc<Self> {
        let pack = Arc::new(forms.pack());
        let files = [("pack.json".to_owned(), "{}".to_owned())];
        deploy(&*store, None, &pack, &files, at(0)).await.unwrap();
        let (pack, seeds) = (Mutex::new(pack), AtomicU64::new(1));
        Arc::new(Self { store, pack, plans, seeds, url, folder })
    }

    /// The pack deployed last.
    pub(crate) fn pack(&self) -> Arc<Pack> {
        self.pack.lock().unwrap().clone()
    }

    /// Deploys other forms.
    pub(crate) async fn deploy(&self, forms: Json) {
        let wanted = Arc::new(pack(forms));
        deploy(&*self.store, Some(&self.pack()), &wanted, &[], at(1)).await.unwrap();
        *self.pack.lock().unwrap() = wanted;
    }

    /// Submits a plan.
    pub(crate) async fn run(
        &self,
        plan: impl Fn(&Facts) -> Result<ChangeSet, Stop> + Send + Sync + 'static,
    ) -> Result<Committed, Failure> {
        self.run_as(None, plan).await
    }

    /// Submits a plan of somebody.
    pub(crate) async fn run_by(
        &self,
        actor: Viewer,
        plan: impl Fn(&Facts) -> Result<ChangeSet, Stop> + Send + Sync + 'static,
    ) -> Result<Committed, Failure> {
        self.submit(actor, None, timer(), plan).await
    }

    /// Submits a plan under an idempotency key and a hash of the request.
    pub(crate) async fn run_as(
        &self,
        idempotency: Option<(&str, &str)>,
        plan: impl Fn(&Facts) -> Result<ChangeSet, Stop> + Send + Sync + 'static,
    ) -> Result<Committed, Failure> {
        self.submit(Viewer::system("en"), idempotency, timer(), plan).await
    }

    /// Submits a plan as that act: what it is about is locked as the act wants it.
    pub(crate) async fn run_of(
        &self,
        act: Act,
        plan: impl Fn(&Facts) -> Result<ChangeSet, Stop> + Send + Sync + 'static,
    ) -> Result<Committed, Failure> {
        self.submit(Viewer::system("en"), None, act, plan).await
    }

    async fn submit(
        &self,
        actor: Viewer,
        idempotency: Option<(&str, &str)>,
        act: Act,
        plan: impl Fn(&Facts) -> Result<ChangeSet, Stop> + Send + Sync + 'static,
    ) -> Result<Committed, Failure> {
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed);
        self.plans.lock().unwrap().insert(seed, Arc::new(plan));
        let submission = Submission {
            pack: self.pack(),
            packs: Arc::new(Packs::default()),
            stimulus: Stimulus { at: at(2), seed, actor, act },
            idempotency: idempotency.map(|(key, hash)| (key.to_owned(), hash.to_owned())),
        };
        let result = self.store.submit(submission).await;
        self.plans.lock().unwrap().remove(&seed);
        result
    }

    /// Creates records and fails the test where that fails.
    pub(crate) async fn create(&self, form: &'static str, records: Vec<Record>) -> Committed {
        self.run(move |_| Ok(created(form, &records))).await.unwrap()
    }

    /// Waits until the change log shows that change. On PostgreSQL it waits for older transactions, also those of other
    /// tests on the same cluster.
    pub(crate) async fn seen(&self, seq: i64) {
        while self.store.seq().await.unwrap() < seq {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Replaces the values of a record, found by its id.
    pub(crate) async fn update(
        &self,
        form: &'static str,
        id: Uuid,
        change: impl Fn(&mut Record) + Send + Sync + 'static,
    ) -> Result<Committed, Failure> {
        self.run(move |facts| {
            let before = record(facts, form, id)?.expect("the record is there");
            let mut after = before.clone();
            after.version += 1;
            change(&mut after);
            Ok(changes(form, Some(before), Some(after)))
        })
        .await
    }

    /// Deletes a record.
    pub(crate) async fn delete(&self, form: &'static str, id: Uuid) -> Result<Committed, Failure> {
        self.run(move |facts| {
            let before = record(facts, form, id)?.expect("the record is there");
            Ok(changes(form, Some(before), None))
        })
        .await
    }

    /// The record as a question sees it.
    pub(crate) async fn get(&self, form: &'static str, id: Uuid) -> Option<Record> {
        let found = Arc::new(Mutex::new(None));
        let kept = found.clone();
        let question = Box::new(move |facts: &Facts| {
            *kept.lock().unwrap() = record(facts, form, id)?;
            Ok(Json::Null)
        });
        self.store.ask(&self.pack(), question).await.unwrap();
        found.lock().unwrap().clone()
    }
}

/// Looks at the migration and deploys it.
pub(crate) async fn deploy(
    store: &dyn Store,
    deployed: Option<&Pack>,
    wanted: &Arc<Pack>,
    files: &[(String, String)],
    at: DateTime<Utc>,
) -> Result<i64, DeployFailure> {
    let digest = store.migration(deployed, wanted).await?.digest;
    store.deploy(Deploy { deployed, wanted, digest: &digest, files, seeds: Vec::new(), at, audit: None }).await
}

fn decider() -> (Arc<Mutex<HashMap<u64, Plan>>>, Decider) {
    let plans: Arc<Mutex<HashMap<u64, Plan>>> = Arc::default();
    let known = plans.clone();
    let decider: Decider = Arc::new(move |submission: &Submission, facts: &Facts| {
        let plan = known.lock().unwrap()[&submission.stimulus.seed].clone();
        plan(facts)
    });
    (plans, decider)
}

/// What a world's pack is made of.
pub(crate) trait Definition {
    /// The pack.
    fn pack(self) -> Pack;
}

/// The forms by key.
impl Definition for Json {
    fn pack(self) -> Pack {
        pack(self)
    }
}

impl Definition for Pack {
    fn pack(self) -> Pack {
        self
    }
}

/// A pack `lab` with these forms.
pub(crate) fn pack(forms: Json) -> Pack {
    pack_of("lab", forms)
}

/// A pack of that key with these forms.
pub(crate) fn pack_of(key: &str, forms: Json) -> Pack {
    let mut sources = SourceMap::new();
    let pack = json!({
        "version": "1.0.0", "title": "Lab", "languages": ["en"], "timezone": "Asia/Shanghai",
        "roles": {"agent": {"title": "Agent"}}, "queues": {"north": {"title": "North"}, "south": {"title": "South", "lead": "agent"}},
        "settings": {"limit": {"type": "integer", "default": 3}}
    });
    sources.insert("pack.json", pack.to_string());
    for (key, form) in forms.as_object().unwrap() {
        sources.insert(format!("forms/{key}.json"), form.to_string());
    }
    let (pack, diagnostics) = compile(key, &sources);
    pack.unwrap_or_else(|| panic!("the pack of the test is broken: {diagnostics:#?}"))
}

/// An act that is about nothing.
fn timer() -> Act {
    Act::Timer { id: Uuid::nil() }
}

/// The fact, or the need for it.
pub(crate) fn record(facts: &Facts, form: &str, id: Uuid) -> Result<Option<Record>, Stop> {
    let key = (Key::from(form), id);
    match facts.records.get(&key) {
        Some(record) => Ok(record.as_deref().cloned()),
        None => Err(Stop::Need(vec![Need::Record(key.0, key.1)])),
    }
}

/// A change set that creates these records.
pub(crate) fn created(form: &str, records: &[Record]) -> ChangeSet {
    let records = records.iter().cloned();
    let records = records.map(|after| RecordChange { form: form.into(), before: None, after: Some(after) });
    ChangeSet { records: records.collect(), ..Default::default() }
}

/// A change set with one change.
pub(crate) fn changes(form: &str, before: Option<Record>, after: Option<Record>) -> ChangeSet {
    ChangeSet { records: vec![RecordChange { form: form.into(), before, after }], ..Default::default() }
}

/// A record of the form with these values by field; the others are null.
pub(crate) fn new_record(pack: &Pack, form: &str, id: u128, values: &[(&str, Value)]) -> Record {
    let form = pack.form(form);
    let empty = |field: &formwork_model::pack::form::Field| match field.kind.name() {
        "table" => Value::Rows(Vec::new()),
        _ => Value::Null,
    };
    let mut all: Vec<Value> = form.fields.iter().map(empty).collect();
    for (key, value) in values {
        all[form.field(key).unwrap_or_else(|| panic!("no field `{key}`")).0] = value.clone();
    }
    let (created_at, id) = (at(id as i64), Uuid::from_u128(id));
    Record { id, version: 1, created_at, created_by: None, updated_at: created_at, updated_by: None, values: all }
}

/// The value of a field.
pub(crate) fn value<'a>(pack: &Pack, form: &str, record: &'a Record, field: &str) -> &'a Value {
    &record.values[pack.form(form).field(field).unwrap().0]
}

/// A text value.
pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Seconds after the start of 2026.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
}

/// Runs each test on both engines, with its own store and the forms given.
#[macro_export]
macro_rules! on_both {
    ($forms:expr; $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::sqlite($forms).await).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::postgres($forms).await).await })+
        }
    };
}
