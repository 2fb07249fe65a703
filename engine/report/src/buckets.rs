//! Time buckets: a grain over an interval becomes UTC edges, and executors search those. No engine truncates a date.
//!
//! ```text
//! edges    e0      e1      e2   e3 = end of the interval      bucket i = [e i, e i+1)
//! labels   01-05   01-12   01-19                              local start of the unit, also where the interval cuts it
//! ```

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use formwork_model::pack::analytics::Grain;

use crate::civil;
use crate::fault::Refusal;
use crate::range::Interval;

/// Most buckets of an answer.
pub const BUCKETS_MAX: usize = 2_000;

/// The buckets of a branch, in order, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// One more than there are buckets, ascending; two are equal where the zone skips a unit.
    edges: Vec<DateTime<Utc>>,
    /// The same edges for civil dates: a date belongs where its midnight does.
    date_edges: Vec<NaiveDate>,
    buckets: Vec<Bucket>,
}

/// A bucket of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The local time at which its unit starts; none for the one bucket of a question without a grain.
    pub label: Option<NaiveDateTime>,
    /// Whether its unit is not over at the run.
    pub running: bool,
}

impl Buckets {
    /// The buckets of a grain over an interval, or one bucket where there is no grain. An interval with an open side and a
    /// grain is closed by the extent of the data (first and last time); without data it has no bucket.
    ///
    /// # Errors
    /// [`Refusal::TooManyBuckets`], [`Refusal::OutOfCalendar`].
    pub fn new(
        grain: Option<Grain>,
        zone: Tz,
        interval: &Interval,
        extent: Option<(DateTime<Utc>, DateTime<Utc>)>,
        as_of: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let Some(grain) = grain else {
            return Ok(Self::one(zone, interval));
        };
        let first = interval.from.or(extent.map(|(first, _)| first));
        let end = interval.to.or(extent.map(|(_, last)| last + chrono::Duration::microseconds(1)));
        match (first, end) {
            (Some(first), Some(end)) if first < end => Self::of_grain(grain, zone, first, end, as_of),
            _ => Ok(Self { edges: Vec::new(), date_edges: Vec::new(), buckets: Vec::new() }),
        }
    }

    /// The bucket an instant falls into.
    pub fn of_instant(&self, at: DateTime<Utc>) -> Option<usize> {
        search(&self.edges, &at)
    }

    /// The bucket a civil date falls into.
    pub fn of_date(&self, date: NaiveDate) -> Option<usize> {
        search(&self.date_edges, &date)
    }

    /// The buckets in order.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// The edges: one more than buckets, or none.
    pub fn edges(&self) -> &[DateTime<Utc>] {
        &self.edges
    }

    /// The edges for civil dates.
    pub fn date_edges(&self) -> &[NaiveDate] {
        &self.date_edges
    }

    fn one(zone: Tz, interval: &Interval) -> Self {
        let edges =
            vec![interval.from.unwrap_or(DateTime::<Utc>::MIN_UTC), interval.to.unwrap_or(DateTime::<Utc>::MAX_UTC)];
        let date = |at: Option<DateTime<Utc>>, open: NaiveDate| {
            at.map_or(open, |at| civil::first_date(civil::local(zone, at)))
        };
        let date_edges = vec![date(interval.from, NaiveDate::MIN), date(interval.to, NaiveDate::MAX)];
        Self { edges, date_edges, buckets: vec![Bucket { label: None, running: interval.running }] }
    }

    fn of_grain(
        grain: Grain,
        zone: Tz,
        first: DateTime<Utc>,
        end: DateTime<Utc>,
        as_of: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let mut made = Self { edges: Vec::new(), date_edges: Vec::new(), buckets: Vec::new() };
        let first_local = civil::local(zone, first);
        let mut label = civil::floor(first_local, grain);
        let mut start = civil::first_instant(zone, label);
        while start < end {
            if made.buckets.len() == BUCKETS_MAX {
                return Err(Refusal::TooManyBuckets);
            }
            let next = civil::step(label, grain, 1).ok_or(Refusal::OutOfCalendar)?;
            let next_start = civil::first_instant(zone, next);
            // The interval may cut the first unit: its edge is the interval's, its label the unit's.
            made.edges.push(start.max(first));
            made.date_edges.push(civil::first_date(if start < first { first_local } else { label }));
            made.buckets.push(Bucket { label: Some(label), running: next_start > as_of });
            (label, start) = (next, next_start);
        }
        made.edges.push(end);
        made.date_edges.push(civil::first_date(civil::local(zone, end)));
        Ok(made)
    }
}

/// The index of the bucket that holds a value: the last edge not after it.
fn search<T: Ord>(edges: &[T], value: &T) -> Option<usize> {
    let after = edges.partition_point(|edge| edge <= value);
    (after > 0 && after < edges.len()).then(|| after - 1)
}
