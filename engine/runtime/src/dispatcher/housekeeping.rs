//! What a node does for itself: it follows deployments of other nodes, and removes what nobody asks for any more.

use std::sync::atomic::Ordering;

use tracing::error;

use formwork_store::Fault;

use super::POLL;
use crate::Engine;

/// Seconds between two cleanings.
const CLEAN_EVERY: i64 = 3_600;

impl Engine {
    pub(super) async fn run_housekeeping(&self) {
        loop {
            if let Err(fault) = self.keep_house().await {
                error!(error = ?fault, "looking after the node failed, trying again");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) async fn keep_house(&self) -> Result<(), Fault> {
        self.follow().await?;
        let now = self.clock().now();
        let hour = now.timestamp() / CLEAN_EVERY;
        if self.cleaned.swap(hour, Ordering::Relaxed) == hour {
            return Ok(());
        }
        self.store().clean(now).await
    }
}
