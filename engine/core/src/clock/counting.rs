//! What a clock counts by: the open hours of a calendar, or all time there is.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use formwork_model::pack::calendar::Calendar;
use formwork_model::value::Duration;

use crate::calendar;
use crate::eval::time::{add_to_instant, at_local};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counting<'a> {
    /// Always open; days and months are civil in this zone.
    Always(Tz),
    /// By a calendar.
    Open(&'a Calendar),
}

impl Counting<'_> {
    /// A duration later (earlier, where negative).
    pub(crate) fn add(&self, at: DateTime<Utc>, duration: &Duration, day_end: bool) -> Option<DateTime<Utc>> {
        match self {
            Self::Always(zone) => add_to_instant(at, duration, *zone),
            Self::Open(calendar) => calendar::add(calendar, at, duration, day_end),
        }
    }

    /// So much open time later.
    pub(super) fn later(&self, at: DateTime<Utc>, open_ms: i64) -> Option<DateTime<Utc>> {
        match open_ms {
            0 => Some(at),
            _ => self.add(at, &Duration::of_milliseconds(open_ms), false),
        }
    }

    /// Open time between two instants, in milliseconds.
    pub(crate) fn open_ms(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<i64> {
        match self {
            Self::Always(_) => Some((to - from).num_milliseconds()),
            Self::Open(calendar) => calendar::between(calendar, from, to).map(|open| open.num_milliseconds()),
        }
    }

    /// The instant itself where it is open then, else the next opening.
    pub(super) fn opening(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Always(_) => Some(at),
            Self::Open(calendar) => calendar::opening(calendar, at),
        }
    }

    /// Whether it is open at an instant, and when that changes; never where it does not.
    pub(crate) fn turn(&self, at: DateTime<Utc>) -> Option<(bool, Option<DateTime<Utc>>)> {
        match self {
            Self::Always(_) => Some((true, None)),
            Self::Open(calendar) => {
                let (start, end) = calendar::next_open(calendar, at)?;
                Some(if start <= at { (true, Some(end)) } else { (false, Some(start)) })
            }
        }
    }

    /// 24:00 of the day that an instant ends or lies in.
    pub(super) fn day_end(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone = match self {
            Self::Always(zone) => *zone,
            Self::Open(calendar) => calendar.timezone,
        };
        let date = (at - TimeDelta::microseconds(1)).with_timezone(&zone).date_naive();
        at_local(date.succ_opt()?.and_time(NaiveTime::MIN), zone)
    }

    /// Whether the calendar does not know of that day yet.
    pub(super) fn is_beyond(&self, at: DateTime<Utc>) -> bool {
        match self {
            Self::Always(_) => false,
            Self::Open(calendar) => {
                let day = (at - TimeDelta::microseconds(1)).with_timezone(&calendar.timezone).date_naive();
                calendar.covers.is_some_and(|last| day > last)
            }
        }
    }
}
