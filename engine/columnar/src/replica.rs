//! The frames of all packs: loaded when a plan needs them, kept up by the change log, dropped when memory runs out.
//!
//! ```text
//! plan ─► ready: catch up with the change log ─► scan what is not loaded ─► Columnar (a snapshot)
//!                                                └─► the longest unused is dropped beyond the byte budget
//! ```
//! Calls block on the feed; whoever owns the frames calls from a thread that may.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use formwork_core::Record;
use formwork_model::pack::analytics::clocks_key;
use formwork_model::{Key, Pack};
use formwork_report::plan::Policed;
use formwork_report::{Fault, Plan, Refusal};
use uuid::Uuid;

use crate::executor::Columnar;
use crate::frame::Frame;

/// Change-log rows asked for at once.
const CHANGES_MAX: u32 = 10_000;
/// Records asked for at once.
const RECORDS_MAX: usize = 1_000;

/// Why the feed did not deliver.
pub type FeedError = Box<dyn std::error::Error + Send + Sync>;

/// Where records and changes come from: the store.
pub trait ReplicaFeed {
    /// Every record of a form on one snapshot, with the change number it holds; every clock of one, as
    /// [`formwork_report::clocks::row`] has it, where the key is that of a table of clocks.
    ///
    /// # Errors
    /// Those of the store.
    fn scan(&self, pack: &Arc<Pack>, form: &Key) -> Result<(i64, Vec<Record>), FeedError>;

    /// Changes after this number, in commit order, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    fn changes(&self, after: i64, limit: u32) -> Result<Vec<FeedChange>, FeedError>;

    /// These records as they are now; deleted ones are absent. Of a table of clocks, the clocks of these records.
    ///
    /// # Errors
    /// Those of the store.
    fn records(&self, pack: &Arc<Pack>, form: &Key, ids: &[Uuid]) -> Result<Vec<Record>, FeedError>;
}

/// A row of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedChange {
    /// Its number.
    pub seq: i64,
    /// The pack.
    pub pack: Key,
    /// The form.
    pub form: Key,
    /// The record.
    pub id: Uuid,
}

/// The frames of a process.
#[derive(Debug)]
pub struct Frames {
    bytes_max: usize,
    loaded: HashMap<(Key, Key), Loaded>,
    /// Every loaded frame holds the changes up to here.
    watermark: i64,
    /// Counts uses, to find the longest unused.
    uses: u64,
}

/// A frame and what is known about it.
#[derive(Debug)]
struct Loaded {
    frame: Frame,
    pack: Arc<Pack>,
    /// It holds the changes up to here; never below the watermark.
    seq: i64,
    used: u64,
}

impl Frames {
    /// No frames, and room for so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, loaded: HashMap::new(), watermark: 0, uses: 0 }
    }

    /// The change number up to which every loaded frame is current.
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// About how many bytes the frames take.
    pub fn bytes(&self) -> usize {
        self.loaded.values().map(|loaded| loaded.frame.bytes()).sum()
    }

    /// Catches up with the change log, loads what the plan needs, and gives a snapshot to run it on. It holds every change
    /// committed before the call.
    ///
    /// # Errors
    /// [`Fault::Feed`]; [`Refusal::TooLarge`] when the forms of the plan alone do not fit the budget.
    pub fn ready(&mut self, plan: &Plan<Policed>, feed: &dyn ReplicaFeed) -> Result<Columnar, Fault> {
        let forms = plan.needs_forms();
        let pack = plan.pack();
        self.uses += 1;
        self.drop_outdated(pack);
        self.catch_up(feed)?;
        for form in &forms {
            self.load(pack, form, feed)?;
        }
        // A scan is ahead of the frames loaded before it: all go to the newest change.
        self.catch_up(feed)?;
        for form in &forms {
            if let Some(loaded) = self.loaded.get_mut(&(pack.key().clone(), form.clone())) {
                loaded.used = self.uses;
            }
        }
        self.shrink(&forms)?;
        let frames = forms.iter().filter_map(|form| self.loaded.get(&(pack.key().clone(), form.clone())));
        Ok(Columnar::new(frames.map(|loaded| loaded.frame.clone()), Some(self.watermark)))
    }

    /// Forgets everything: the next plan loads what it needs.
    pub fn clear(&mut self) {
        self.loaded.clear();
    }

    /// Frames of another version of the pack have other columns.
    fn drop_outdated(&mut self, pack: &Pack) {
        self.loaded.retain(|(key, _), loaded| key != pack.key() || loaded.pack.hash() == pack.hash());
    }

    fn load(&mut self, pack: &Arc<Pack>, form: &Key, feed: &dyn ReplicaFeed) -> Result<(), Fault> {
        let key = (pack.key().clone(), form.clone());
        if self.loaded.contains_key(&key) {
            return Ok(());
        }
        let (seq, records) = feed.scan(pack, form).map_err(Fault::Feed)?;
        let table = pack.table(form).ok_or_else(|| Fault::NotLoaded(form.clone()))?;
        let frame = Frame::new(table.clone(), &records)?;
        if self.loaded.is_empty() {
            // Nothing older is of interest.
            self.watermark = self.watermark.max(seq);
        }
        self.loaded.insert(key, Loaded { frame, pack: pack.clone(), seq, used: self.uses });
        Ok(())
    }

    /// Applies the changes after the watermark to the loaded frames.
    fn catch_up(&mut self, feed: &dyn ReplicaFeed) -> Result<(), Fault> {
        if self.loaded.is_empty() {
            return Ok(());
        }
        loop {
            let changes = feed.changes(self.watermark, CHANGES_MAX).map_err(Fault::Feed)?;
            let Some(last) = changes.last().map(|change| change.seq) else { return Ok(()) };
            let mut touched: HashMap<(Key, Key), HashSet<Uuid>> = HashMap::new();
            for change in changes {
                let clocks = (change.pack.clone(), clocks_key(&change.form));
                for key in [(change.pack, change.form), clocks] {
                    if self.loaded.get(&key).is_some_and(|loaded| loaded.seq < change.seq) {
                        touched.entry(key).or_default().insert(change.id);
                    }
                }
            }
            for (key, ids) in touched {
                if let Some(loaded) = self.loaded.get_mut(&key) {
                    loaded.refresh(&key.1, ids.into_iter().collect(), feed)?;
                    loaded.seq = loaded.seq.max(last);
                }
            }
            self.watermark = last;
        }
    }

    /// Drops the longest unused frames that this plan does not need until the rest fits.
    fn shrink(&mut self, needed: &[Key]) -> Result<(), Fault> {
        while self.bytes() > self.bytes_max {
            let unused = self.loaded.iter().filter(|(_, loaded)| loaded.used < self.uses);
            match unused.min_by_key(|(_, loaded)| loaded.used).map(|(key, _)| key.clone()) {
                Some(oldest) => self.loaded.remove(&oldest),
                None => {
                    self.loaded.clear();
                    return Err(Refusal::TooLarge(needed.to_vec()).into());
                }
            };
        }
        Ok(())
    }
}

impl Loaded {
    /// Takes these records as they are now; of a table of clocks, those of these records.
    fn refresh(&mut self, form: &Key, ids: Vec<Uuid>, feed: &dyn ReplicaFeed) -> Result<(), Fault> {
        for ids in ids.chunks(RECORDS_MAX) {
            let records = feed.records(&self.pack, form, ids).map_err(Fault::Feed)?;
            let known = match self.pack.clocks().contains_key(form) {
                true => self.frame.linked_from(ids)?,
                false => ids.to_vec(),
            };
            let mut changes: HashMap<Uuid, Option<Record>> = known.into_iter().map(|id| (id, None)).collect();
            changes.extend(records.into_iter().map(|record| (record.id, Some(record))));
            self.frame.apply(changes)?;
        }
        Ok(())
    }
}
