//! The reference interpreter: row by row over records, with no cleverness. It is the specification in code, and the oracle
//! of every other executor.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveTime, Utc};
use formwork_core::Record;
use formwork_model::expr::Ir;
use formwork_model::expr::ir::FieldRef;
use formwork_model::pack::analytics::AggregateFold;
use formwork_model::{Key, Pack, Value};
use indexmap::IndexMap;
use uuid::Uuid;

use crate::buckets::Buckets;
use crate::civil;
use crate::fault::{Fault, Refusal};
use crate::partial::{BranchPartials, Budget, DimensionKey, Executor, GroupKey, Partial, Partials};
use crate::plan::{AggregateSpec, Branch, Plan, Policed};
use crate::rows::{Rows, Source};
use crate::scale;

/// Records by form, in memory.
#[derive(Debug, Clone, Default)]
pub struct Interpreter {
    records: IndexMap<Key, Vec<Record>>,
}

impl Interpreter {
    /// Over these records; a form that is absent is not loaded.
    pub fn new(records: IndexMap<Key, Vec<Record>>) -> Self {
        Self { records }
    }

    fn of_form(&self, form: &Key) -> Result<&[Record], Fault> {
        self.records.get(form).map(Vec::as_slice).ok_or_else(|| Fault::NotLoaded(form.clone()))
    }
}

impl Source for Interpreter {
    fn record(&self, form: &Key, id: Uuid) -> Result<Option<Record>, Fault> {
        Ok(self.of_form(form)?.iter().find(|record| record.id == id).cloned())
    }

    fn backlink(&self, link: &FieldRef, to: Uuid) -> Result<Vec<Record>, Fault> {
        let linked = self.of_form(&link.table.form)?.iter().filter(|record| record.get(link.slot).as_id() == Some(to));
        Ok(linked.cloned().collect())
    }
}

impl Executor for Interpreter {
    fn run(&self, plan: &Plan<Policed>, as_of: DateTime<Utc>, budget: &Budget) -> Result<Partials, Fault> {
        let branches = plan.branches().iter().map(|branch| {
            let rows = Rows::new(plan.pack(), plan.viewer(), as_of, self, branch.all_expressions());
            let records = match branch.is_hidden() {
                true => &[],
                false => self.of_form(branch.form())?,
            };
            aggregate(plan.pack(), branch, &rows, records.iter().cloned(), as_of, budget)
        });
        Ok(Partials { as_of, as_of_seq: None, branches: branches.collect::<Result<_, _>>()? })
    }
}

/// Runs a branch over these stored records of its form: policy, filter, bucket, keys, aggregates.
///
/// # Errors
/// [`Fault`].
pub fn aggregate(
    pack: &Pack,
    branch: &Branch,
    rows: &Rows,
    records: impl Iterator<Item = Record>,
    as_of: DateTime<Utc>,
    budget: &Budget,
) -> Result<BranchPartials, Fault> {
    let mut kept = Vec::new();
    for record in records {
        let record = rows.completed(branch.form(), record)?;
        if holds(rows, Some(branch.policy()), &record)? && holds(rows, branch.filter(), &record)? {
            let time = rows.value(branch.time(), &record)?;
            kept.push((record, time));
        }
    }
    let extent = || {
        let mut times = kept.iter().filter_map(|(_, time)| instant_of(pack, time)).collect::<Vec<_>>();
        times.sort();
        Ok(times.first().copied().zip(times.last().copied()))
    };
    let buckets = branch.buckets(pack, as_of, extent)?;
    let mut groups = BTreeMap::new();
    for (record, time) in &kept {
        let Some(bucket) = bucket_of(&buckets, time) else { continue };
        let key = GroupKey { bucket, keys: keys(branch, rows, record)? };
        if groups.len() == budget.groups_max && !groups.contains_key(&key) {
            return Err(Refusal::TooManyGroups(budget.groups_max).into());
        }
        let group = groups.entry(key).or_insert_with(|| vec![Gathered::default(); branch.aggregates().len()]);
        for (gathered, spec) in group.iter_mut().zip(branch.aggregates()) {
            gathered.add(spec, rows, record)?;
        }
    }
    let finished = |group: Vec<Gathered>| -> Result<Vec<Partial>, Fault> {
        group.into_iter().zip(branch.aggregates()).map(|(gathered, spec)| gathered.partial(spec)).collect()
    };
    let groups = groups.into_iter().map(|(key, group)| Ok((key, finished(group)?)));
    Ok(BranchPartials { buckets, groups: groups.collect::<Result<_, Fault>>()? })
}

/// What an aggregate has seen of its group.
#[derive(Debug, Clone, Default)]
struct Gathered {
    rows: u64,
    distinct: BTreeSet<DimensionKey>,
    units: Vec<i128>,
}

impl Gathered {
    fn add(&mut self, spec: &AggregateSpec, rows: &Rows, record: &Record) -> Result<(), Fault> {
        if spec.hidden || !holds(rows, spec.filter.as_ref(), record)? {
            return Ok(());
        }
        match (spec.fold, &spec.compute) {
            (AggregateFold::Count, _) | (_, None) => self.rows += 1,
            (AggregateFold::CountDistinct, Some(compute)) => {
                self.distinct.extend(spec.distinct_key(&rows.value(compute, record)?)?);
            }
            (_, Some(compute)) => self.units.extend(scale::units(&rows.value(compute, record)?, spec.scale)?),
        }
        Ok(())
    }

    fn partial(mut self, spec: &AggregateSpec) -> Result<Partial, Fault> {
        let n = self.units.len() as u64;
        let extreme = |units: Option<&i128>| Partial { units: units.copied().unwrap_or(0), upper: 0, n };
        Ok(match spec.fold {
            AggregateFold::Count => Partial { n: self.rows, ..Partial::default() },
            AggregateFold::CountDistinct => Partial { n: self.distinct.len() as u64, ..Partial::default() },
            AggregateFold::Min => extreme(self.units.iter().min()),
            AggregateFold::Max => extreme(self.units.iter().max()),
            AggregateFold::Sum | AggregateFold::Avg => {
                let mut sum = 0_i128;
                for units in &self.units {
                    sum = sum.checked_add(*units).ok_or(Fault::Overflow)?;
                }
                Partial { units: sum, upper: 0, n }
            }
            AggregateFold::Percentile(percent) => {
                self.units.sort_unstable();
                let at = |place: u64| self.units.get(usize::try_from(place).ok()?).copied();
                let around = percent.rank(n).and_then(|(below, above, _)| at(below).zip(at(above)));
                let (units, upper) = around.unwrap_or_default();
                Partial { units, upper, n }
            }
        })
    }
}

/// The instant a time stands for: a civil date is its midnight in the pack's zone.
pub fn instant_of(pack: &Pack, time: &Value) -> Option<DateTime<Utc>> {
    match time {
        Value::DateTime(at) => Some(*at),
        Value::Date(date) => Some(civil::first_instant(*pack.timezone(), date.and_time(NaiveTime::MIN))),
        _ => None,
    }
}

/// A row whose time is null is in no bucket.
fn bucket_of(buckets: &Buckets, time: &Value) -> Option<usize> {
    match time {
        Value::DateTime(at) => buckets.of_instant(*at),
        Value::Date(date) => buckets.of_date(*date),
        _ => None,
    }
}

fn holds(rows: &Rows, condition: Option<&Ir>, record: &Record) -> Result<bool, Fault> {
    match condition {
        Some(condition) => Ok(rows.value(condition, record)?.is_true()),
        None => Ok(true),
    }
}

fn keys(branch: &Branch, rows: &Rows, record: &Record) -> Result<Vec<DimensionKey>, Fault> {
    branch.keys().iter().map(|key| key.key_of(&rows.value(&key.ir, record)?)).collect()
}
