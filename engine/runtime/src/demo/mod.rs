//! Demonstration users and records.

mod load;

use formwork_core::facts::UserFacts;
use formwork_core::ids::Ids;
use formwork_model::Key;
use formwork_store::{Failure, Fault, User};

use crate::Engine;
use crate::people::admin::PLATFORM_ROLES;
use crate::people::hash_password;

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
        let (mut made, mut hashed) = (Vec::new(), None);
        for (role, name, language, queues) in users {
            let login = role.to_string();
            if self.store().user_by_login(&login).await?.is_none() {
                // Hashing takes tens of milliseconds, and everybody knows the password: once is enough.
                let password_hash = match &hashed {
                    Some(hash) => String::clone(hash),
                    None => hashed.insert(self.gate.hash(|| hash_password(PASSWORD)).await?).clone(),
                };
                self.store()
                    .put_user(&User {
                        id: self.demo_user_id(&login),
                        login: login.clone(),
                        password_hash,
                        facts: UserFacts {
                            name: name.clone(),
                            active: true,
                            roles: vec![role],
                            queues,
                            ..UserFacts::default()
                        },
                        language,
                        theme: "system".to_owned(),
                        password_until: None,
                        revision: 0,
                    })
                    .await?;
            }
            made.push((login, name));
        }
        Ok(made)
    }

    /// The same on the same day: what a demonstration's users have done names them.
    fn demo_user_id(&self, login: &str) -> uuid::Uuid {
        let midnight = self.clock().now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        Ids::named(midnight, &format!("demo user {login}"))
    }

    /// Runs the demo recipes of every pack whose first recipe's form is still empty, and those that were cut short; how many
    /// records were made.
    pub async fn load_demo_records(&self) -> Result<u64, Fault> {
        let mut made = 0;
        for pack in &self.deployed().packs {
            made += load::load(self, pack).await?;
        }
        if made > 0 {
            self.due.wake();
        }
        Ok(made)
    }
}
