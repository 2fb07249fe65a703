//! The world a case plays in: an engine over an empty store, people, named records, a virtual clock.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_model::pack::case::{Actor, Case};
use formwork_model::pack::form::{Field, FieldKind};
use formwork_model::{Key, Pack};
use formwork_store::{Fault, Store, Team, User};

use super::coverage::Coverage;
use super::words::told;
use crate::channels::Channels;
use crate::clock::Clock;
use crate::deploy::Bundle;
use crate::people::By;
use crate::{Engine, Environment, Seeds};

/// Where a case's store lives. The same name opens the same data again: that is what `crash` relies on.
#[async_trait]
pub trait Host: Send + Sync {
    /// Opens the store of a case, empty the first time.
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>, Fault>;
    /// The file that the messages of a case are appended to.
    fn message_file(&self, name: &str) -> PathBuf;
}

/// The world of one case.
pub struct World<'h> {
    host: &'h dyn Host,
    name: String,
    pub(super) engine: Arc<Engine>,
    pub(super) pack: Arc<Pack>,
    /// The author's files as they were deployed last.
    files: Vec<(String, String)>,
    pub(super) users: HashMap<Key, User>,
    pub(super) records: HashMap<Key, (Key, Uuid)>,
    /// Keys of messages that stand in the transcript.
    pub(super) told: HashSet<String>,
    /// Keys of messages that an expectation was about.
    pub(super) asked: HashSet<String>,
    pub(super) coverage: Coverage,
    pub(super) transcript: Vec<String>,
    pub(super) failures: Vec<String>,
}

impl<'h> World<'h> {
    /// Opens an empty store, deploys the pack, makes the people and the records of `given`.
    pub(super) async fn begin(
        host: &'h dyn Host,
        pack: &Arc<Pack>,
        files: &[(String, String)],
        case: &Case,
    ) -> Result<Self, Fault> {
        let name = format!("{}_{}", pack.key(), case.key);
        let engine = start(host, &name, case.clock, 1).await?;
        let bundle = Bundle { pack: pack.key().to_string(), files: files.to_vec() };
        engine
            .deploy_if_safe(&bundle)
            .await
            .map_err(|error| Fault { context: format!("deploying the pack: {error}"), source: None })?;
        let mut world = Self {
            host,
            name,
            pack: engine.deployed().packs[0].clone(),
            files: files.to_vec(),
            engine,
            users: HashMap::new(),
            records: HashMap::new(),
            told: HashSet::new(),
            asked: HashSet::new(),
            coverage: Coverage::default(),
            transcript: Vec::new(),
            failures: Vec::new(),
        };
        world.make_people(case).await?;
        world.make_records(case).await;
        Ok(world)
    }

    /// Deploys the pack with some of its files changed, as they were deployed last.
    pub(super) async fn deploy(&mut self, patches: &IndexMap<String, Map<String, Json>>) -> Result<(), Fault> {
        let fault = |path: &str, why: String| Fault { context: format!("changing `{path}`: {why}"), source: None };
        for (path, patch) in patches {
            let known = self.files.iter_mut().find(|(known, _)| known == path);
            let Some((_, text)) = known else { return Err(fault(path, "the pack has no such file".to_owned())) };
            let mut file = serde_json::from_str(text).map_err(|error| fault(path, error.to_string()))?;
            merge(&mut file, &Json::Object(patch.clone()));
            *text = file.to_string();
        }
        let bundle = Bundle { pack: self.pack.key().to_string(), files: self.files.clone() };
        let done = self.engine.deploy_if_safe(&bundle).await;
        done.map_err(|error| Fault { context: format!("deploying the pack: {error}"), source: None })?;
        self.pack = self.engine.deployed().packs[0].clone();
        Ok(())
    }

    /// The process dies and starts again over the same store: all that was only in memory is gone.
    pub(super) async fn crash(&mut self) -> Result<(), Fault> {
        let now = self.engine.clock().now();
        self.engine.store().close().await;
        // Seeds go on where no id of before can come again.
        self.engine = start(self.host, &self.name, now, 1_000_000).await?;
        self.pack = self.engine.deployed().packs[0].clone();
        Ok(())
    }

    async fn make_people(&mut self, case: &Case) -> Result<(), Fault> {
        for (login, given) in &case.users {
            for key in given.team.iter().chain(&given.leads) {
                // One that is there already was made for somebody before.
                let team = Team { key: key.clone(), name: key.to_string() };
                let audit = self.engine.told(&By::command_line(), "team.added", key, Json::Null);
                self.engine.store().add_team(&team, &audit).await?;
            }
            let user = User {
                id: self.engine.new_id(),
                login: login.to_string(),
                // Nobody logs in to a case.
                password_hash: "!".to_owned(),
                facts: formwork_core::facts::UserFacts {
                    name: login.to_string(),
                    active: true,
                    roles: given.roles.clone(),
                    queues: given.queues.clone(),
                    team: given.team.clone(),
                    leads: given.leads.clone(),
                },
                language: self.language().to_owned(),
                theme: "system".to_owned(),
                password_until: None,
                revision: 0,
            };
            self.engine.store().put_user(&user).await?;
            self.users.insert(login.clone(), user);
        }
        Ok(())
    }

    async fn make_records(&mut self, case: &Case) {
        for record in &case.records {
            let values = self.with_ids(&record.form, &record.values);
            let act = Act::Create { form: record.form.clone(), values, effects: Effects::NONE };
            let committed = self.engine.submit(&self.pack, self.viewer(&Actor::System), act, None).await;
            match committed {
                Ok(committed) => {
                    if let Reply::Record { id, .. } = committed.reply {
                        self.records.insert(record.name.clone(), (record.form.clone(), id));
                    }
                }
                Err(failure) => self.failures.push(format!("given record `{}`: {}", record.name, told(&failure))),
            }
        }
    }

    /// Who acts.
    pub(super) fn viewer(&self, actor: &Actor) -> Viewer {
        match actor {
            Actor::System => Viewer::system(self.language()),
            Actor::Public => Viewer::public(self.language()),
            Actor::User(name) => self.engine.viewer(&self.pack, self.users.get(name), self.language()),
        }
    }

    /// The language cases are played in: the pack's first.
    fn language(&self) -> &str {
        self.pack.languages().first().map_or("en", String::as_str)
    }

    /// Links and users are written as names: here they become ids.
    pub(super) fn with_ids(&self, form: &Key, values: &Map<String, Json>) -> Map<String, Json> {
        self.resolved(&self.pack.form(form).fields, values)
    }

    fn resolved(&self, fields: &[Field], values: &Map<String, Json>) -> Map<String, Json> {
        let mut resolved = values.clone();
        for field in fields {
            let Some(value) = resolved.get_mut(&*field.key) else { continue };
            match (&field.kind, &mut *value) {
                (FieldKind::Table { fields, .. }, Json::Array(rows)) => {
                    for row in rows {
                        if let Json::Object(map) = row {
                            *row = Json::Object(self.resolved(fields, map));
                        }
                    }
                }
                (_, Json::String(name)) => {
                    if let Some(id) = self.id_of(field, name) {
                        *value = Json::String(id.to_string());
                    }
                }
                _ => {}
            }
        }
        resolved
    }

    /// The id that a name stands for in a field.
    fn id_of(&self, field: &Field, name: &str) -> Option<Uuid> {
        match field.ty() {
            formwork_model::expr::Type::Link(_) => self.records.get(name).map(|(_, id)| *id),
            formwork_model::expr::Type::User => self.users.get(name).map(|user| user.id),
            _ => None,
        }
    }

    /// The form and id of a record that must be there by now.
    pub(super) fn named(&self, name: &Key) -> Result<(Key, Uuid), Fault> {
        let found = self.records.get(name).cloned();
        // The compiler knows the name; its record is missing where an earlier step that creates it has failed.
        found.ok_or_else(|| Fault { context: format!("the record `{name}` was never created"), source: None })
    }
}

async fn start(host: &dyn Host, name: &str, at: DateTime<Utc>, first_seed: u64) -> Result<Arc<Engine>, Fault> {
    let environment = Environment {
        clock: Clock::standing_at(at),
        channels: Channels::pretending(),
        message_file: host.message_file(name),
        seeds: Seeds::Counting(AtomicU64::new(first_seed)),
        replica_bytes_max: 64 << 20,
    };
    Engine::start(host.open(name).await?, environment).await
}

/// A merge patch: null removes, objects are gone into, all else replaces.
fn merge(into: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Json::Object(Map::new());
    }
    let Json::Object(into) = into else { return };
    for (key, value) in patch {
        match value {
            Json::Null => {
                into.shift_remove(key);
            }
            value => merge(into.entry(key.clone()).or_insert(Json::Null), value),
        }
    }
}
