//! What operators see and do: the audit log, messages on their way, imports of everybody.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use formwork_core::{Rejection, RejectionKind};
use formwork_store::{AuditFilter, Audited, Failure, ImportJob, Posted, PostedFilter};

use crate::Engine;
use crate::people::By;

impl Engine {
    /// Rows of the audit log, the newest first, before that number.
    pub async fn audited(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Audited>, Failure> {
        Ok(self.store().audited(filter, before, limit).await?)
    }

    /// Tells in the audit log what somebody did to an instance; its own history tells it, too.
    pub async fn tell_helped(&self, by: &By, verb: &str, instance: Uuid, reason: &str) -> Result<(), Failure> {
        let data = json!({"reason": reason});
        Ok(self.store().audit(&self.told(by, &format!("instance.{verb}"), &instance.to_string(), data)).await?)
    }

    /// Tells in the audit log that somebody took all of it with them.
    pub async fn tell_exported(&self, by: &By) -> Result<(), Failure> {
        Ok(self.store().audit(&self.told(by, "audit.exported", "", json!(null))).await?)
    }

    /// Messages, the newest first.
    pub async fn posted(
        &self,
        filter: &PostedFilter,
        before: Option<(DateTime<Utc>, String)>,
        limit: u32,
    ) -> Result<Vec<Posted>, Failure> {
        Ok(self.store().posted(filter, before, limit).await?)
    }

    /// How many messages are in each state.
    pub async fn posted_counts(&self) -> Result<Vec<(String, i64)>, Failure> {
        Ok(self.store().posted_counts().await?)
    }

    /// Sends a message again that was given up. It keeps its key: a receiver who has it already takes it once.
    pub async fn post_again(&self, by: &By, key: &str) -> Result<(), Failure> {
        let audit = self.told(by, "message.resent", key, json!(null));
        if self.store().post_again(key, self.clock().now(), &audit).await? {
            self.due.wake();
            return Ok(());
        }
        let title = "only a message that failed is sent again";
        Err(Failure::Rejected(Box::new(Rejection::new(RejectionKind::Conflict, "not_failed", title))))
    }

    /// Imports of everybody, the newest first.
    pub async fn import_jobs(
        &self,
        before: Option<(DateTime<Utc>, Uuid)>,
        limit: u32,
    ) -> Result<Vec<ImportJob>, Failure> {
        Ok(self.store().import_jobs(before, limit).await?)
    }
}
