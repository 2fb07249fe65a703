//! What operators see of the work that goes on by itself: messages on their way, imports. Nothing of a record is told.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use formwork_model::Key;

use crate::audit::{self, Audit};
use crate::codec::Reader;
use crate::dialect::ColumnKind::{DateTime as Time, Integer, Text};
use crate::dialect::{Bound, bind_id, bind_instant};
use crate::engine::{Command, Engine};
use crate::imports;
use crate::people::text;
use crate::statement::{Row, Select};
use crate::{Fault, ImportJob};

/// A message on its way, without whom it is for and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// Stable over tries; the receiver's idempotency key.
    pub key: String,
    /// The pack.
    pub pack: Key,
    /// The channel.
    pub channel: Key,
    /// The template it was made from.
    pub template: Key,
    /// `pending`, `leased` (being sent), `sent`, `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last try failed.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it is tried next, while it is pending.
    pub next_at: DateTime<Utc>,
    /// When it was sent or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Which messages are wanted; what is none narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct PostedFilter {
    /// The state.
    pub state: Option<String>,
    /// The channel.
    pub channel: Option<Key>,
}

/// What operators see and do.
#[async_trait]
pub trait Operations {
    /// Messages, the newest first, before the place (made at, key).
    async fn posted(
        &self,
        filter: &PostedFilter,
        before: Option<(DateTime<Utc>, String)>,
        limit: u32,
    ) -> Result<Vec<Posted>, Fault>;
    /// How many messages are in each state.
    async fn posted_counts(&self) -> Result<Vec<(String, i64)>, Fault>;
    /// Sends a message again that was given up, under the same key; false where it was not.
    async fn post_again(&self, key: &str, at: DateTime<Utc>, audit: &Audit) -> Result<bool, Fault>;
    /// Imports of everybody, the newest first, before the place (begun at, id).
    async fn import_jobs(&self, before: Option<(DateTime<Utc>, Uuid)>, limit: u32) -> Result<Vec<ImportJob>, Fault>;
}

#[async_trait]
impl<E: Engine> Operations for E {
    async fn posted(
        &self,
        filter: &PostedFilter,
        before: Option<(DateTime<Utc>, String)>,
        limit: u32,
    ) -> Result<Vec<Posted>, Fault> {
        let (mut conditions, mut params) = (Vec::new(), Vec::new());
        for (column, wanted) in [("state", filter.state.as_deref()), ("channel", filter.channel.as_deref())] {
            if let Some(wanted) = wanted {
                params.push(text(wanted));
                conditions.push(format!("{column} = ${}", params.len()));
            }
        }
        if let Some((at, key)) = before {
            params.extend([bind_instant(self.dialect(), at), text(&key)]);
            conditions.push(format!("(created_at, message_key) < (${}, ${})", params.len() - 1, params.len()));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let sql = format!(
            "SELECT message_key, pack, channel, template, state, attempts, reason, created_at, next_at, settled_at \
             FROM fw_outbox{condition} ORDER BY created_at DESC, message_key DESC LIMIT {limit}"
        );
        let kinds = [Text, Text, Text, Text, Text, Integer, Text, Time, Time, Time];
        self.rows(Select::new(sql, params, kinds)).await?.into_iter().map(message).collect()
    }

    async fn posted_counts(&self) -> Result<Vec<(String, i64)>, Fault> {
        let sql = "SELECT state, count(*) FROM fw_outbox GROUP BY state ORDER BY state".to_owned();
        let rows = self.rows(Select::new(sql, Vec::new(), [Text, Integer])).await?;
        let counted = |row| {
            let mut row = Reader::new(row);
            Ok((row.text()?, row.integer()?))
        };
        rows.into_iter().map(counted).collect()
    }

    async fn post_again(&self, key: &str, at: DateTime<Utc>, audit: &Audit) -> Result<bool, Fault> {
        let update = "UPDATE fw_outbox SET state = 'pending', attempts = 0, next_at = $1, epoch = epoch + 1, \
                      settled_at = NULL WHERE message_key = $2 AND state = 'failed'";
        let params: Vec<Bound> = vec![bind_instant(self.dialect(), at), text(key)];
        let commands = vec![Command::guarding(update, params), audit::note(self.dialect(), audit)];
        Ok(self.change(commands).await?.first() == Some(&1))
    }

    async fn import_jobs(&self, before: Option<(DateTime<Utc>, Uuid)>, limit: u32) -> Result<Vec<ImportJob>, Fault> {
        let dialect = self.dialect();
        let before = before.map(|(at, id)| [bind_instant(dialect, at), bind_id(dialect, id)]);
        imports::newest(self, before, limit).await
    }
}

fn message(row: Row) -> Result<Posted, Fault> {
    let mut row = Reader::new(row);
    Ok(Posted {
        key: row.text()?,
        pack: row.key()?,
        channel: row.key()?,
        template: row.key()?,
        state: row.text()?,
        attempts: row.integer()?,
        reason: row.maybe_text()?,
        created_at: row.time()?,
        next_at: row.time()?,
        settled_at: row.maybe_time()?,
    })
}
