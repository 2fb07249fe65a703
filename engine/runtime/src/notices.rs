//! The notices of a person, worded by what they may read of what each is about.

use serde_json::{Value as Json, json};

use formwork_store::{Failure, Fault, Noticed, User};

use crate::Engine;

/// Notices of a page.
pub const PAGE: u32 = 30;
/// Unread ones counted; beyond it stands a plus.
pub const UNREAD_MAX: u32 = 100;

impl Engine {
    /// A page, the newest first: `{"items": [{"id", "at", "kind", "actor": {"id", "name"} | null, "read", "task": {"id",
    /// "label", "workflow", "record"} | null, "import": {"id", "form", "name", "state"} | null}], "next": id | null,
    /// "unread"}`. A task they know of no longer is null: the notice stays, its subject is not told.
    pub async fn notices(&self, user: &User, language: &str, before: Option<i64>) -> Result<Json, Failure> {
        let kept = self.store().notices_of(user.id, before, PAGE + 1).await?;
        let more = kept.len() > PAGE as usize;
        let mut items = Vec::with_capacity(kept.len());
        let shown = &kept[..kept.len().min(PAGE as usize)];
        for notice in shown {
            items.push(self.about_notice(user, language, notice).await?);
        }
        let next = shown.last().filter(|_| more).map(|notice| notice.number);
        Ok(json!({"items": items, "next": next, "unread": self.unread(user).await?}))
    }

    /// How many notices a person has not read, up to [`UNREAD_MAX`].
    pub async fn unread(&self, user: &User) -> Result<i64, Fault> {
        self.store().unread_of(user.id, UNREAD_MAX).await
    }

    /// Marks a person's own notices as read: that one alone, or all up to it. How many that were.
    pub async fn read_notices(&self, user: &User, id: i64, only: bool) -> Result<u64, Fault> {
        self.store().read_notices(user.id, id, only, self.clock().now()).await
    }

    async fn about_notice(&self, user: &User, language: &str, notice: &Noticed) -> Result<Json, Failure> {
        let actor = match notice.actor {
            Some(actor) => {
                self.store().user(actor).await?.map(|actor| json!({"id": actor.id, "name": actor.facts.name}))
            }
            None => None,
        };
        let mut body = json!({
            "id": notice.number,
            "at": notice.at,
            "kind": notice.kind,
            "actor": actor,
            "read": notice.is_read,
            "task": null,
            "import": null,
        });
        if notice.kind.starts_with("task.") {
            body["task"] = match self.task(Some(user), language, notice.subject).await {
                Ok((_, task)) => {
                    let record = &task["record"];
                    let record = json!({"form": record["form"], "id": record["id"], "title": record["title"]});
                    json!({"id": task["id"], "label": task["label"], "workflow": task["workflow"], "record": record})
                }
                Err(Failure::Rejected(_)) => Json::Null,
                Err(failure) => return Err(failure),
            };
        } else if let Some(job) =
            self.store().import_job(notice.subject).await?.filter(|job| job.owner == Some(user.id))
        {
            body["import"] = json!({"id": job.id, "form": job.form, "name": job.name, "state": job.state});
        }
        Ok(body)
    }
}
