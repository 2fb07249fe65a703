//! What people keep for themselves beside the records, and what can be undone at once.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_core::change::Reply;
use formwork_core::{Act, Rejection, RejectionKind, Viewer};
use formwork_model::{Key, Pack};
use formwork_store::{Failure, Fault, Kept};

use crate::Engine;

/// Name under which the pack and the form of an undo are kept.
const UNDO: &str = "undo";

/// A change that can be taken back: the record, and the version it has now; none for one that was deleted.
pub type Done = (Uuid, Option<i64>);

impl Engine {
    /// What a form is called where things are kept about it: `pack.form`.
    pub fn scope(pack: &Pack, form: &Key) -> String {
        format!("{}.{form}", pack.key())
    }

    /// Keeps something for a person, in place of what they kept under that name.
    pub async fn keep(&self, owner: Uuid, kind: &str, scope: &str, name: &str, body: Json) -> Result<(), Fault> {
        let (kind, scope, name) = (kind.to_owned(), scope.to_owned(), name.to_owned());
        self.store().keep(&Kept { owner, kind, scope, name, at: self.clock().now(), body }).await
    }

    /// Notes what a person just did, so that one click takes all of it back: the token of that; none where nothing was
    /// done.
    pub async fn note_done(&self, owner: Uuid, scope: &str, done: &[Done]) -> Result<Option<String>, Fault> {
        if done.is_empty() {
            return Ok(None);
        }
        let token = self.new_id().simple().to_string();
        self.keep(owner, UNDO, "", &token, json!({"form": scope, "done": done})).await?;
        Ok(Some(token))
    }

    /// The form (`pack.form`) and the changes behind a token of that person; gone once they were taken back.
    pub async fn noted(&self, owner: Uuid, token: &str) -> Result<(String, Vec<Done>), Failure> {
        let kept = self.store().kept(owner, UNDO, "", token).await?;
        let noted = kept.and_then(|kept| {
            let form = kept.body["form"].as_str()?.to_owned();
            Some((form, serde_json::from_value(kept.body["done"].clone()).ok()?))
        });
        let gone = || Rejection::new(RejectionKind::NotFound, "FW1001", "there is nothing to undo any more");
        noted.ok_or_else(|| Failure::Rejected(Box::new(gone())))
    }

    /// Forgets a token.
    pub async fn forget_done(&self, owner: Uuid, token: &str) -> Result<(), Fault> {
        self.store().forget(owner, UNDO, "", token).await.map(drop)
    }

    /// Takes the last change of a record back: its version afterwards.
    pub async fn undo(
        &self,
        pack: &std::sync::Arc<Pack>,
        viewer: &Viewer,
        form: &Key,
        (id, version): Done,
        key: Option<(String, String)>,
    ) -> Result<i64, Failure> {
        let act = Act::Undo { form: form.clone(), id, expected_version: version };
        match self.submit(pack, viewer.clone(), act, key).await?.reply {
            Reply::Record { version, .. } => Ok(version),
            other => {
                Err(Failure::Fault(Fault { context: format!("an undo was answered with {other:?}"), source: None }))
            }
        }
    }
}

/// Longest name of a saved view, in characters.
const NAME_MAX: usize = 80;
/// Longest query of a saved view, in bytes.
const QUERY_MAX: usize = 4_000;
/// Most views one person saves of a form.
const VIEWS_MAX: usize = 100;
const VIEW: &str = "view";

/// A saved view: a name and a query string. It shows nobody more than they see without it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SavedView {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The address behind `?`.
    pub query: String,
    /// The roles it is shared with.
    pub roles: Vec<Key>,
    /// Whether it is the viewer's own.
    pub mine: bool,
}

/// A view to save.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// What it is called.
    pub name: String,
    /// The address behind `?`.
    pub query: String,
    /// The roles it is shared with: only such as its owner has.
    #[serde(default)]
    pub roles: Vec<Key>,
}

impl Engine {
    /// The views of a form (`pack.form`) that a person saved, and those shared with a role they have.
    pub async fn views(&self, owner: Uuid, viewer: &Viewer, scope: &str) -> Result<Vec<SavedView>, Fault> {
        let kept = self.store().kept_in(VIEW, scope).await?;
        let views = kept.into_iter().filter_map(|kept| {
            let roles: Vec<Key> = serde_json::from_value(kept.body["roles"].clone()).unwrap_or_default();
            let mine = kept.owner == owner;
            (mine || roles.iter().any(|role| viewer.has_role(role))).then(|| SavedView {
                id: kept.name,
                name: kept.body["name"].as_str().unwrap_or_default().to_owned(),
                query: kept.body["query"].as_str().unwrap_or_default().to_owned(),
                roles,
                mine,
            })
        });
        Ok(views.collect())
    }

    /// Saves a view, in place of one's own of that id.
    pub async fn save_view(
        &self,
        owner: Uuid,
        viewer: &Viewer,
        scope: &str,
        id: Option<&str>,
        view: NewView,
    ) -> Result<SavedView, Failure> {
        let refuse = |title: String| Failure::Rejected(Box::new(Rejection::new(RejectionKind::Invalid, "view", title)));
        let name = view.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return Err(refuse(format!("a view has a name of 1 to {NAME_MAX} characters")));
        }
        if view.query.len() > QUERY_MAX || view.query.contains(char::is_control) {
            return Err(refuse(format!("the query of a view has at most {QUERY_MAX} bytes, all of them visible")));
        }
        if let Some(role) = view.roles.iter().find(|role| !viewer.has_role(role)) {
            return Err(refuse(format!("a view is shared with roles one has, and `{role}` is none of them")));
        }
        let own = self.views(owner, viewer, scope).await?.into_iter().filter(|view| view.mine);
        let own: Vec<String> = own.map(|view| view.id).collect();
        let id = match id {
            Some(id) if own.iter().any(|known| known == id) => id.to_owned(),
            Some(_) => return Err(gone_view()),
            None if own.len() >= VIEWS_MAX => return Err(refuse(format!("at most {VIEWS_MAX} views of one form"))),
            None => self.new_id().simple().to_string(),
        };
        let body = json!({"name": name, "query": view.query, "roles": view.roles});
        self.keep(owner, VIEW, scope, &id, body).await?;
        Ok(SavedView { id, name, query: view.query, roles: view.roles, mine: true })
    }

    /// Forgets one's own view.
    pub async fn forget_view(&self, owner: Uuid, scope: &str, id: &str) -> Result<(), Failure> {
        if self.store().forget(owner, VIEW, scope, id).await? { Ok(()) } else { Err(gone_view()) }
    }
}

fn gone_view() -> Failure {
    let title = "there is no such view of yours";
    Failure::Rejected(Box::new(Rejection::new(RejectionKind::NotFound, "FW1001", title)))
}
