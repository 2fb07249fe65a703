//! Demonstration users and records.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use uuid::Uuid;

use formwork_core::Act;
use formwork_core::change::Reply;
use formwork_core::material::{Drawn, demo_row};
use formwork_core::stimulus::Effects;
use formwork_model::{Key, Pack};
use formwork_store::{Failure, Fault};

use crate::Engine;
use crate::people::NewUser;
use crate::people::admin::PLATFORM_ROLES;

/// Rows under way at once.
const UNDER_WAY: usize = 256;
/// The password of every demonstration user.
const PASSWORD: &str = "demo";

impl Engine {
    /// One user per role of the packs and of the platform, password `demo`; (login, name). They serve every queue.
    pub async fn add_demo_users(&self) -> Result<Vec<(String, String)>, Failure> {
        let deployed = self.deployed();
        let mut users = Vec::new();
        for pack in &deployed.packs {
            let language = pack.languages().first().cloned().unwrap_or_else(|| "en".to_owned());
            let queues: Vec<Key> = pack.queues().keys().cloned().collect();
            for (role, declared) in pack.roles() {
                users.push((role.clone(), declared.title.get(&language).to_owned(), language.clone(), queues.clone()));
            }
        }
        for role in PLATFORM_ROLES {
            let name = format!("{}{}", role[..1].to_uppercase(), &role[1..]);
            users.push((Key::from(role), name, "en".to_owned(), Vec::new()));
        }
        let mut made = Vec::new();
        for (role, name, language, queues) in users {
            let login = role.to_string();
            // Hashing a password takes tens of milliseconds: those who are there already are left alone.
            if self.store().user_by_login(&login).await?.is_none() {
                let new = NewUser {
                    login: login.clone(),
                    name: name.clone(),
                    password: PASSWORD.into(),
                    roles: vec![role],
                    queues,
                    language,
                };
                self.add_user(new).await?;
            }
            made.push((login, name));
        }
        Ok(made)
    }

    /// Runs the demo recipes of every pack whose first recipe's form is still empty; how many records were made.
    pub async fn load_demo_records(&self) -> Result<u64, Fault> {
        let mut made = 0;
        for pack in &self.deployed().packs {
            made += self.load_demo_of(pack).await?;
        }
        Ok(made)
    }

    async fn load_demo_of(&self, pack: &Arc<Pack>) -> Result<u64, Fault> {
        let mut recipes: Vec<_> = pack.demos().values().cloned().collect();
        recipes.sort_by_key(|recipe| recipe.order);
        let Some(first) = recipes.first() else { return Ok(0) };
        let now = self.clock().now();
        if !self.store().ids(pack, &first.form, None, now, None, 1).await?.is_empty() {
            return Ok(0);
        }
        let mut drawn: HashMap<Key, Vec<Uuid>> = HashMap::new();
        let mut made = 0;
        for recipe in recipes {
            for start in (0..recipe.count).step_by(UNDER_WAY) {
                let mut acts = Vec::new();
                for index in start..recipe.count.min(start + UNDER_WAY as u32) {
                    let values = demo_row(pack, &recipe, index, now, &Drawn { records: &drawn })
                        .map_err(|error| refused(&recipe.key, index, error.to_string()))?;
                    let effects = Effects { starts: true, notify: false };
                    acts.push(self.submit_as_system(pack, Act::Create { form: recipe.form.clone(), values, effects }));
                }
                for (index, result) in join_all(acts).await.into_iter().enumerate() {
                    match result {
                        Ok(committed) => {
                            if let Reply::Record { id, .. } = committed.reply {
                                drawn.entry(recipe.form.clone()).or_default().push(id);
                                made += 1;
                            }
                        }
                        Err(Failure::Fault(fault)) => return Err(fault),
                        Err(failure) => {
                            return Err(refused(&recipe.key, start + index as u32, crate::cases::told(&failure)));
                        }
                    }
                }
            }
        }
        Ok(made)
    }
}

fn refused(recipe: &str, index: u32, why: String) -> Fault {
    Fault { context: format!("row {index} of the demo recipe `{recipe}`: {why}"), source: None }
}
