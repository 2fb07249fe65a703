//! What the core needs, as queries: made here for both engines, run by each, and added to the facts.
//!
//! ```text
//! needs ─► loads ─► next() ─► query ─► take(rows) ─► … ─► finish(facts)
//! ```
//! Needs of one kind become one load, so that a stop of the core costs few round trips.

pub(crate) mod found;
pub(crate) mod page;
mod records;
mod system;
mod tasks;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use formwork_core::{Facts, facts::Need};
use formwork_model::{Key, Pack};
use uuid::Uuid;

use crate::dialect::Dialect;
use crate::layout::PackLayout;
use crate::statement::{Row, Select};
use crate::{Failure, Fault};

pub(crate) use records::RecordLoad;
use system::SystemLoad;
pub(crate) use system::{Target, subjects, targets};

/// Most records one backlink may lead to in a transaction; more is a fault, because it cannot be held.
const BACKLINKS_MAX: u32 = 100_000;

/// Where and for whom things are loaded.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) dialect: Dialect,
    pub(crate) pack: Arc<Pack>,
    pub(crate) layout: Arc<PackLayout>,
    pub(crate) locking: Locking,
}

/// How rows are locked as they are read.
#[derive(Debug, Clone)]
pub(crate) enum Locking {
    /// Not at all: a snapshot is read, or the writer is alone.
    None,
    /// Every row read is locked: these records for writing, others against writing by somebody else.
    Rows { exclusive: Arc<HashSet<Uuid>>, waits: Waits },
}

/// For which rows a transaction may wait. Two never wait for each other if each waits only for what comes later in the
/// one order (records by form and id, then instances by id, then what is of an instance) than all that it holds. What
/// comes out of order is locked at once or not at all: then the stimulus is played again, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// For records: nothing is held yet.
    pub(crate) records: bool,
    /// For instances: none is held yet.
    pub(crate) instances: bool,
}

/// The strength of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    None,
    /// Others may read it for their decisions, too, and link to it.
    Shared,
    /// Others may only link to it.
    Exclusive,
    /// Nobody else may even link to it.
    Gate,
}

impl Locking {
    /// The lock of a record.
    fn of(&self, id: Uuid) -> Lock {
        match self {
            Locking::None => Lock::None,
            Locking::Rows { exclusive, .. } if exclusive.contains(&id) => Lock::Exclusive,
            Locking::Rows { .. } => Lock::Shared,
        }
    }

    /// That lock, if rows are locked at all.
    fn at_least(&self, lock: Lock) -> Lock {
        match self {
            Locking::None => Lock::None,
            Locking::Rows { .. } => lock,
        }
    }

    /// For which rows to wait.
    fn waits(&self) -> Waits {
        match self {
            Locking::None => Waits { records: true, instances: true },
            Locking::Rows { waits, .. } => *waits,
        }
    }
}

impl Lock {
    /// The clause; rows are locked in the order of their ids, so that two transactions do not wait crosswise.
    fn clause(self, waits: bool) -> String {
        let lock = match self {
            Lock::None => return String::new(),
            Lock::Shared => "SHARE",
            Lock::Exclusive => "NO KEY UPDATE",
            Lock::Gate => "UPDATE",
        };
        format!(" FOR {lock}{}", if waits { "" } else { " NOWAIT" })
    }
}

/// A series number is wanted: each engine has its own way of counting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SeriesKey {
    pub(crate) form: Key,
    pub(crate) field: Key,
    pub(crate) period: String,
}

/// Something to load: one query after another until it is whole.
pub(crate) enum Load {
    Records(Box<RecordLoad>),
    System(Box<SystemLoad>),
}

impl Load {
    /// The next query; none when everything is there.
    pub(crate) fn next(&mut self) -> Result<Option<Select>, Fault> {
        match self {
            Load::Records(load) => load.next(),
            Load::System(load) => Ok(load.next()),
        }
    }

    /// The answer to the last query.
    pub(crate) fn take(&mut self, rows: Vec<Row>) -> Result<(), Fault> {
        match self {
            Load::Records(load) => load.take(rows),
            Load::System(load) => {
                load.take(rows);
                Ok(())
            }
        }
    }

    /// Adds what was loaded.
    pub(crate) fn finish(self, facts: &mut Facts) -> Result<(), Fault> {
        match self {
            Load::Records(load) => {
                load.finish(facts);
                Ok(())
            }
            Load::System(load) => load.finish(facts),
        }
    }
}

/// The loads that answer the needs, and the series numbers wanted.
pub(crate) fn loads(context: &Context, needs: &[Need]) -> Result<(Vec<Load>, Vec<SeriesKey>), Failure> {
    let (mut loads, mut series) = (Vec::new(), Vec::new());
    let mut records: BTreeMap<(Key, Lock), Vec<Uuid>> = BTreeMap::new();
    let mut backlinks = Vec::new();
    let mut together = system::Together::default();
    for need in needs {
        match need {
            Need::Record(form, id) => {
                let ids = records.entry((form.clone(), context.locking.of(*id))).or_default();
                if !ids.contains(id) {
                    ids.push(*id);
                }
            }
            Need::Series { form, field, period } => {
                let key = SeriesKey { form: form.clone(), field: field.clone(), period: period.clone() };
                if !series.contains(&key) {
                    series.push(key);
                }
            }
            Need::Backlinks { form, link, to } => backlinks.push((form, link, *to)),
            Need::Page(query) => loads.push(page::load(context, query)?),
            Need::Found(find) => loads.push(found::load(context, find)?),
            need => together.add(context, need, &mut loads)?,
        }
    }
    // What is locked comes first, in the one order: what is read behind the lock of an instance stays as it is read.
    let mut ordered = Vec::new();
    let mut last: Option<Key> = None;
    for ((form, lock), ids) in records {
        // The records of one form that are locked in two strengths are not in order.
        let waits = context.locking.waits().records && last.as_ref() != Some(&form);
        ordered.push(RecordLoad::by_id(context, &form, ids, (lock, waits))?);
        last = Some(form);
    }
    for (number, (form, link, to)) in backlinks.into_iter().enumerate() {
        let waits = context.locking.waits().records && last.is_none() && number == 0;
        ordered.push(RecordLoad::backlinks(context, form, link, to, waits)?);
    }
    ordered.append(&mut together.finish(context));
    ordered.append(&mut loads);
    Ok((ordered, series))
}
