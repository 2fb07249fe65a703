//! Messages: a few of each channel at once, so that a receiver that hangs holds up nobody but itself.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Duration;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tracing::{error, warn};

use formwork_model::Key;
use formwork_store::{ClaimedMessage, Delivery, Fault};

use super::failing::wait_before_retry;
use super::{RETRY_MAX, passed};
use crate::Engine;
use crate::channels::Refused;

/// Messages of one channel under way at once.
const AT_ONCE: u32 = 8;
/// How long a node may hold a message before another may try: each is claimed when its sending starts, and a sending
/// ends well before ([`crate::channels`] waits 10 s).
const LEASE: Duration = Duration::seconds(60);

impl Engine {
    pub(super) async fn run_messages(self: &Arc<Self>) {
        let mut under_way = UnderWay::default();
        loop {
            passed(self.start_sending(&mut under_way).await);
            let wait = self.until_next_due().await;
            tokio::select! {
                Some(ended) = under_way.sends.join_next() => under_way.ended(ended),
                _ = tokio::time::timeout(wait, self.due.wake_messages.notified()) => {}
            }
        }
    }

    /// Claims as many of each channel as may be sent now.
    async fn start_sending(self: &Arc<Self>, under_way: &mut UnderWay) -> Result<usize, Fault> {
        let now = self.clock().now();
        let mut started = 0;
        for channel in self.store().due_channels(now).await? {
            let room = AT_ONCE.saturating_sub(under_way.of(&channel));
            if room == 0 {
                continue;
            }
            for message in self.store().claim_messages(&channel, now, now + LEASE, room).await? {
                let engine = self.clone();
                under_way.start(&message.message.channel.clone(), async move { engine.deliver(message).await });
                started += 1;
            }
        }
        Ok(started)
    }

    /// Sends what is due and waits for it.
    pub(super) async fn deliver_messages(&self) -> Result<usize, Fault> {
        let now = self.clock().now();
        let mut count = 0;
        for channel in self.store().due_channels(now).await? {
            let claimed = self.store().claim_messages(&channel, now, now + LEASE, AT_ONCE).await?;
            count += claimed.len();
            join_all(claimed.into_iter().map(|message| self.deliver(message))).await;
        }
        Ok(count)
    }

    async fn deliver(&self, claimed: ClaimedMessage) {
        let deployed = self.deployed();
        let sent = match deployed.pack(&claimed.message.pack) {
            Some(pack) => self.sender.send(pack, &claimed.message, &claimed.key).await,
            None => Err(Refused { reason: "its pack is not deployed".into(), passing: false, retry_after: None }),
        };
        let at = self.clock().now();
        let attempts = u32::try_from(claimed.attempts).unwrap_or_default();
        let delivery = match sent {
            Ok(()) => Delivery::Sent,
            Err(refused) if refused.passing && attempts + 1 < RETRY_MAX => {
                Delivery::Retry { at: at + wait_as_asked(attempts, &refused), reason: refused.reason }
            }
            Err(refused) => {
                warn!(key = claimed.key, reason = refused.reason, "a message could not be sent and is given up");
                Delivery::Failed { reason: refused.reason }
            }
        };
        match self.store().settle_message(&claimed.key, claimed.epoch, &delivery, at).await {
            Ok(true) => {}
            Ok(false) => {
                warn!(key = claimed.key, "the lease of a message was lost: it may be sent again under the same key")
            }
            Err(fault) => {
                error!(key = claimed.key, error = ?fault, "a message could not be settled: it is sent again under the same key")
            }
        }
    }
}

/// The usual wait; never less than the other side asked for.
fn wait_as_asked(attempts: u32, refused: &Refused) -> Duration {
    let asked = refused.retry_after.and_then(|wait| Duration::from_std(wait).ok()).unwrap_or_default();
    wait_before_retry(attempts).max(asked)
}

/// What this node is sending. Dropped with its loop: what was under way is sent again when its lease is over.
#[derive(Default)]
struct UnderWay {
    sends: JoinSet<Key>,
    by_channel: HashMap<Key, u32>,
}

impl UnderWay {
    fn of(&self, channel: &str) -> u32 {
        self.by_channel.get(channel).copied().unwrap_or(0)
    }

    fn start(&mut self, channel: &Key, send: impl Future<Output = ()> + Send + 'static) {
        *self.by_channel.entry(channel.clone()).or_default() += 1;
        let channel = channel.clone();
        self.sends.spawn(async move {
            send.await;
            channel
        });
    }

    fn ended(&mut self, ended: Result<Key, tokio::task::JoinError>) {
        match ended {
            Ok(channel) => {
                if let Some(count) = self.by_channel.get_mut(&channel) {
                    *count -= 1;
                }
            }
            Err(error) => {
                error!(%error, "a sending broke");
                // Nobody knows which channel it was of: better a few too many at once than a channel that stands still.
                self.by_channel.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_waits_as_long_as_the_other_side_asks() {
        let patient =
            Refused { reason: String::new(), passing: true, retry_after: Some(std::time::Duration::from_secs(7_200)) };
        assert_eq!(wait_as_asked(0, &patient), Duration::hours(2));
    }
}
