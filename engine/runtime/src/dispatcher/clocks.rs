//! After a deployment: clocks that run by a calendar which is another one now are projected anew, behind everything else.

use std::sync::Arc;

use tracing::warn;
use uuid::Uuid;

use formwork_core::Act;
use formwork_model::Pack;
use formwork_store::{Failure, Fault};

use crate::Engine;

/// Clocks looked up at once (workflow.md §3.1).
const CHUNK: u32 = 500;

impl Engine {
    /// Once for each version that is deployed. How many records were looked after.
    pub(super) async fn recount_clocks(&self) -> Result<usize, Fault> {
        let deployed = self.deployed();
        let mut recounted = self.due.recounted.lock().await;
        let mut done = 0;
        for pack in &deployed.packs {
            if recounted.get(pack.key()) == Some(pack.hash()) {
                continue;
            }
            match self.recount_pack(pack).await {
                Ok(count) => done += count,
                // The queue is full: people come first.
                Err(Failure::Busy(_)) => return Ok(done),
                Err(Failure::Fault(fault)) => return Err(fault),
                Err(failure) => warn!(?failure, pack = %pack.key(), "clocks could not be counted anew"),
            }
            recounted.insert(pack.key().clone(), pack.hash().clone());
        }
        Ok(done)
    }

    async fn recount_pack(&self, pack: &Arc<Pack>) -> Result<usize, Failure> {
        let mut done = 0;
        for (calendar, version) in self.store().calendars_counted(pack.key()).await? {
            if version == *pack.hash() {
                continue;
            }
            let before = self.deployed().by_hash.by_hash.get(&version).cloned();
            let before = before.as_ref().and_then(|pack| pack.calendars().get(&calendar));
            if before.is_some() && before == pack.calendars().get(&calendar) {
                self.store().move_calendar(pack.key(), &calendar, &version, pack.hash()).await?;
                continue;
            }
            done += self.recount_calendar(pack, &calendar, &version).await?;
        }
        Ok(done)
    }

    async fn recount_calendar(&self, pack: &Arc<Pack>, calendar: &str, version: &str) -> Result<usize, Failure> {
        let (mut done, mut after) = (0, Uuid::nil());
        loop {
            let chunk = self.store().clocks_counted_by(pack.key(), calendar, version, after, CHUNK).await?;
            let Some((last, ..)) = chunk.last() else { return Ok(done) };
            after = *last;
            for (_, form, record) in chunk {
                match self.submit_as_system(pack, Act::Clocks { form, id: record }).await {
                    Ok(_) => done += 1,
                    Err(Failure::Busy(after)) => return Err(Failure::Busy(after)),
                    Err(failure) => {
                        warn!(%record, ?failure, "the clocks of a record stay as they were until it is touched");
                    }
                }
            }
        }
    }
}
