//! The world a case plays in: an engine over an empty store, people, named records, a virtual clock.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::stimulus::Effects;
use formwork_core::{Act, Viewer};
use formwork_model::pack::form::FieldKind;
use formwork_model::pack::material::Case;
use formwork_model::{Key, Pack};
use formwork_store::{Failure, Fault, Store, User};

use crate::channels::Channels;
use crate::clock::Clock;
use crate::deploy::Bundle;
use crate::{Engine, Environment, Seeds, key};

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
    pub(super) host: &'h dyn Host,
    pub(super) name: String,
    pub(super) case: Json,
    pub(super) engine: Arc<Engine>,
    pub(super) pack: Arc<Pack>,
    pub(super) users: HashMap<String, User>,
    pub(super) records: HashMap<String, (Key, Uuid)>,
    /// The record last named by a step: what `task`, `sent` and `instance` are about.
    pub(super) last: Option<(Key, Uuid)>,
    /// One line per act and expectation.
    pub transcript: Vec<String>,
    /// What was not as expected.
    pub failures: Vec<String>,
}

impl<'h> World<'h> {
    /// Opens an empty store, deploys the pack, makes the people and the records of `given`.
    pub async fn begin(
        host: &'h dyn Host,
        pack: &Arc<Pack>,
        files: &[(String, String)],
        case: &Case,
    ) -> Result<Self, Fault> {
        let name = format!("{}_{}", pack.key(), case.key);
        let given = &case.document["given"];
        let clock = given["clock"].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let clock = clock.map_or_else(|| DateTime::<Utc>::UNIX_EPOCH, |at| at.with_timezone(&Utc));
        let engine = start(host, &name, clock, 1).await?;
        let bundle = Bundle { pack: pack.key().to_string(), files: files.to_vec() };
        engine.deploy_if_safe(&bundle).await.map_err(|error| fault(format!("deploying the pack: {error}")))?;
        let mut world = Self {
            host,
            name,
            case: case.document.clone(),
            pack: engine.deployed().packs[0].clone(),
            engine,
            users: HashMap::new(),
            records: HashMap::new(),
            last: None,
            transcript: Vec::new(),
            failures: Vec::new(),
        };
        world.make_people().await?;
        world.make_records().await?;
        Ok(world)
    }

    /// The steps, in order.
    pub fn steps(&self) -> Vec<Json> {
        self.case["steps"].as_array().cloned().unwrap_or_default()
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

    async fn make_people(&mut self) -> Result<(), Fault> {
        let people = self.case["given"]["users"].as_object().cloned().unwrap_or_default();
        for (login, user) in people {
            let keys = |name: &str| -> Vec<Key> {
                user[name].as_array().into_iter().flatten().filter_map(Json::as_str).map(key).collect()
            };
            let user = User {
                id: self.engine.new_id(),
                login: login.clone(),
                // Nobody logs in to a case.
                password_hash: "!".to_owned(),
                facts: formwork_core::facts::UserFacts {
                    name: login.clone(),
                    active: true,
                    roles: keys("roles"),
                    queues: keys("queues"),
                },
                language: user["language"].as_str().unwrap_or("en").to_owned(),
                theme: "system".to_owned(),
            };
            self.engine.store().put_user(&user).await?;
            self.users.insert(login, user);
        }
        Ok(())
    }

    async fn make_records(&mut self) -> Result<(), Fault> {
        let forms = self.case["given"]["records"].as_object().cloned().unwrap_or_default();
        for (form, records) in forms {
            for (name, values) in records.as_object().cloned().unwrap_or_default() {
                let form = key(&form);
                let values = self.with_ids(&form, values.as_object().cloned().unwrap_or_default());
                let act = Act::Create { form: form.clone(), values, effects: Effects::NONE };
                let committed = self.engine.submit(&self.pack, self.viewer(None), act, None).await;
                match committed.map_err(|failure| told(&failure)) {
                    Ok(committed) => {
                        if let Reply::Record { id, .. } = committed.reply {
                            self.records.insert(name, (form, id));
                        }
                    }
                    Err(told) => self.failures.push(format!("given record `{name}`: {told}")),
                }
            }
        }
        Ok(())
    }

    /// Who acts: a person of `given`, the public, or (without a name) the engine itself.
    pub(super) fn viewer(&self, name: Option<&str>) -> Viewer {
        match name {
            None => Viewer::system("en"),
            Some("public") => Viewer::public("en"),
            Some(name) => self.engine.viewer(&self.pack, self.users.get(name), "en"),
        }
    }

    /// Links are written as the names of records: here they become ids.
    pub(super) fn with_ids(&self, form: &Key, mut values: Map<String, Json>) -> Map<String, Json> {
        let Some(form) = self.pack.forms().get(form) else { return values };
        for field in &form.fields {
            let Some(value) = values.get_mut(&*field.key) else { continue };
            let named = value.as_str().and_then(|name| match field.kind {
                FieldKind::Link { .. } => self.records.get(name).map(|(_, id)| id.to_string()),
                FieldKind::User => self.users.get(name).map(|user| user.id.to_string()),
                _ => None,
            });
            if let Some(id) = named {
                *value = Json::String(id);
            }
        }
        values
    }
}

async fn start(host: &dyn Host, name: &str, at: DateTime<Utc>, first_seed: u64) -> Result<Arc<Engine>, Fault> {
    let environment = Environment {
        clock: Clock::standing_at(at),
        channels: Channels::default(),
        message_file: host.message_file(name),
        seeds: Seeds::Counting(AtomicU64::new(first_seed)),
        replica_bytes_max: 64 << 20,
    };
    Engine::start(host.open(name).await?, environment).await
}

/// A failure in one line: its code, its places.
pub(crate) fn told(failure: &Failure) -> String {
    match failure {
        Failure::Rejected(rejection) if rejection.errors.is_empty() => {
            format!("{} ({})", rejection.code, rejection.title)
        }
        Failure::Rejected(rejection) => {
            let places = rejection.errors.iter().map(|error| format!("{} at {}", error.code, error.pointer));
            places.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn fault(context: String) -> Fault {
    Fault { context, source: None }
}
