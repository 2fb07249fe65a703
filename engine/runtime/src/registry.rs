//! What is deployed: the packs that run, and older ones that running instances are pinned to.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use formwork_core::{Rejection, RejectionKind};
use formwork_model::compile;
use formwork_model::source::SourceMap;
use formwork_model::{Key, Pack};
use formwork_store::{Deployment, Fault, Packs, Store};

/// The deployed packs. A reader takes one snapshot and works with it to the end of its request.
#[derive(Debug, Default)]
pub struct Registry {
    current: RwLock<Arc<Deployed>>,
}

/// A snapshot of the registry.
#[derive(Debug, Default, Clone)]
pub struct Deployed {
    /// The running version of each pack, in the order of first deployment.
    pub packs: Vec<Arc<Pack>>,
    /// The newest deployment of each pack.
    pub deployments: HashMap<Key, Deployment>,
    /// Every version something still runs on, by hash.
    pub by_hash: Arc<Packs>,
    /// The number of the newest deployment that was read.
    pub number: i64,
}

impl Registry {
    /// The packs as they run now.
    pub fn deployed(&self) -> Arc<Deployed> {
        self.current.read().expect("no writer of the registry panics").clone()
    }

    /// Reads all deployments from the store and compiles those not known yet.
    pub async fn reload(&self, store: &dyn Store) -> Result<(), Fault> {
        let known = self.deployed();
        let mut next = Deployed::default();
        let mut by_hash = HashMap::new();
        let mut deployments = store.deployments().await?;
        deployments.sort_by_key(|deployment| deployment.number);
        for deployment in deployments {
            next.number = deployment.number;
            let pack = match known.by_hash.by_hash.get(&deployment.hash) {
                Some(pack) => pack.clone(),
                None => Arc::new(compile_deployed(&deployment)?),
            };
            by_hash.insert(deployment.hash.clone(), pack.clone());
            next.packs.retain(|other| other.key() != pack.key());
            next.packs.push(pack);
            next.deployments.insert(deployment.pack.clone(), deployment);
        }
        next.packs.sort_by(|a, b| a.key().cmp(b.key()));
        next.by_hash = Arc::new(Packs { by_hash });
        *self.current.write().expect("no writer of the registry panics") = Arc::new(next);
        Ok(())
    }
}

/// What was deployed was checked, so an error here means that this release no longer accepts an older definition.
fn compile_deployed(deployment: &Deployment) -> Result<Pack, Fault> {
    let sources: SourceMap = deployment.files.iter().cloned().collect();
    let (pack, diagnostics) = compile(&deployment.pack, &sources);
    pack.ok_or_else(|| Fault {
        context: format!(
            "deployment {} of pack `{}` no longer compiles: {}",
            deployment.number,
            deployment.pack,
            diagnostics.first().map(|diagnostic| diagnostic.message.clone()).unwrap_or_default()
        ),
        source: None,
    })
}

impl Deployed {
    /// The pack of that key.
    pub fn pack(&self, key: &str) -> Option<&Arc<Pack>> {
        self.packs.iter().find(|pack| &**pack.key() == key)
    }

    /// The pack and the form an address names: `ticket`, or `crm.ticket` where two packs share a form's key.
    pub fn form(&self, address: &str) -> Result<(Arc<Pack>, Key), Rejection> {
        self.find(address, "form", |pack, key| pack.forms().get_key_value(key).map(|(key, _)| key.clone()))
    }

    /// The pack and the key an address names, among what `get` finds in a pack.
    pub fn find(
        &self,
        address: &str,
        kind: &str,
        get: impl Fn(&Pack, &str) -> Option<Key>,
    ) -> Result<(Arc<Pack>, Key), Rejection> {
        let (wanted, key) = match address.split_once('.') {
            Some((pack, key)) => (Some(pack), key),
            None => (None, address),
        };
        let mut found = self
            .packs
            .iter()
            .filter(|pack| wanted.is_none_or(|wanted| &**pack.key() == wanted))
            .filter_map(|pack| Some((pack.clone(), get(pack, key)?)));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(Rejection::new(
                RejectionKind::Malformed,
                "FW1002",
                format!("several packs have a {kind} `{key}`: write `pack.{key}`"),
            )),
            _ => Err(Rejection::new(RejectionKind::NotFound, "FW1001", format!("there is no {kind} `{key}`"))),
        }
    }
}
