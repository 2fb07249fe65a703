//! Who looks or acts.

use uuid::Uuid;

use formwork_model::{Key, Pack};

use crate::facts::UserFacts;

/// Who looks or acts: a person, the public, or the engine itself (timers, schedules).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The user; none for the public and the system.
    pub user: Option<Uuid>,
    /// What kind of actor.
    pub kind: ViewerKind,
    /// All roles held, those included by others too.
    pub roles: Vec<Key>,
    /// Queues served.
    pub queues: Vec<Key>,
    /// The team they are a member of.
    pub team: Option<Key>,
    /// Teams they lead.
    pub leads: Vec<Key>,
    /// Language of messages.
    pub language: String,
}

/// What kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewerKind {
    /// A person who is logged in.
    Person,
    /// Anybody.
    Public,
    /// The engine, acting for a definition. Row access does not bind it; types, rules and uniqueness do.
    System,
}

impl Viewer {
    /// A user: their roles (included ones are added), queues and teams.
    pub fn of(pack: &Pack, user: Uuid, facts: &UserFacts, language: &str) -> Self {
        let person = Self::person(pack, user, &facts.roles, facts.queues.clone(), language);
        Self { team: facts.team.clone(), leads: facts.leads.clone(), ..person }
    }

    /// A person with these roles (included ones are added) and queues, of no team.
    pub fn person(pack: &Pack, user: Uuid, roles: &[Key], queues: Vec<Key>, language: &str) -> Self {
        let roles = pack.with_included_roles(roles);
        let (kind, language) = (ViewerKind::Person, language.to_owned());
        Self { user: Some(user), kind, roles, queues, team: None, leads: Vec::new(), language }
    }

    /// Anybody: role `public`.
    pub fn public(language: &str) -> Self {
        Self {
            user: None,
            kind: ViewerKind::Public,
            roles: vec!["public".into()],
            queues: Vec::new(),
            team: None,
            leads: Vec::new(),
            language: language.to_owned(),
        }
    }

    /// The engine itself.
    pub fn system(language: &str) -> Self {
        Self {
            user: None,
            kind: ViewerKind::System,
            roles: Vec::new(),
            queues: Vec::new(),
            team: None,
            leads: Vec::new(),
            language: language.to_owned(),
        }
    }

    /// Whether the role is held.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| &**held == role)
    }
}
