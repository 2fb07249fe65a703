//! Ranges of time, made absolute: `last 13 weeks` at an instant, in a zone, is a half-open interval of instants.
//!
//! ```text
//!                                    as_of
//! last 2 weeks      [──w──)[──w──)  .  |        complete units before the current one
//! this week                        [───]        its start to the run, the run's own instant included
//! past 24 hours           (────────────]        trailing, the run's own instant included
//! ```

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use formwork_model::pack::analytics::{Grain, Range};

use crate::civil;
use crate::fault::Refusal;

/// The time a question is about, against the same question earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// The range itself.
    Current,
    /// As much time before it; for a running period the same elapsed length of the one before.
    Previous,
}

/// A half-open interval `[from, to)`; an absent side is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its first instant.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after it.
    pub to: Option<DateTime<Utc>>,
    /// Whether the period it stands for is not over at the run.
    pub running: bool,
}

/// Makes a range absolute. None where it has no such period: there is nothing before `all`.
///
/// # Errors
/// [`Refusal::OutOfCalendar`] when it leaves the calendar (`last 4000000 years`).
pub fn resolve(range: &Range, period: Period, zone: Tz, as_of: DateTime<Utc>) -> Result<Option<Interval>, Refusal> {
    let bounds = match range {
        Range::All if period == Period::Previous => return Ok(None),
        Range::All => return Ok(Some(Interval { from: None, to: None, running: false })),
        Range::Last(count, grain) => last(*count, *grain, period, zone, as_of),
        Range::This(grain) => this(*grain, period, zone, as_of),
        Range::Past(count, grain) => past(*count, *grain, period, zone, as_of),
        Range::Dates(first, last) => dates(*first, *last, period, zone),
    };
    let (from, to) = bounds.ok_or(Refusal::OutOfCalendar)?;
    let running = period == Period::Current
        && match range {
            Range::This(_) => true,
            Range::Dates(..) => to > as_of,
            _ => false,
        };
    Ok(Some(Interval { from: Some(from), to: Some(to), running }))
}

/// The range as [`Range::parse`] reads it.
pub fn text(range: &Range) -> String {
    let counted = |word: &str, count: u32, grain: Grain| {
        format!("{word} {count} {}{}", grain.word(), if count == 1 { "" } else { "s" })
    };
    match range {
        Range::All => "all".to_owned(),
        Range::This(grain) => format!("this {}", grain.word()),
        Range::Last(count, grain) => counted("last", *count, *grain),
        Range::Past(count, grain) => counted("past", *count, *grain),
        Range::Dates(first, last) => format!("{first}..{last}"),
    }
}

/// Both ends of a resolved range, `[from, to)`.
type Bounds = Option<(DateTime<Utc>, DateTime<Utc>)>;

fn last(count: u32, grain: Grain, period: Period, zone: Tz, as_of: DateTime<Utc>) -> Bounds {
    let current = civil::floor(civil::local(zone, as_of), grain);
    let units_back = match period {
        Period::Current => 0,
        Period::Previous => i64::from(count),
    };
    let to = civil::step(current, grain, -units_back)?;
    let from = civil::step(current, grain, -units_back - i64::from(count))?;
    Some((civil::first_instant(zone, from), civil::first_instant(zone, to)))
}

fn this(grain: Grain, period: Period, zone: Tz, as_of: DateTime<Utc>) -> Bounds {
    let current = civil::floor(civil::local(zone, as_of), grain);
    let start = civil::first_instant(zone, current);
    if period == Period::Current {
        return Some((start, just_after(as_of)));
    }
    let before = civil::first_instant(zone, civil::step(current, grain, -1)?);
    Some((before, start.min(just_after(before + (as_of - start)))))
}

fn past(count: u32, grain: Grain, period: Period, zone: Tz, as_of: DateTime<Utc>) -> Bounds {
    // Hours are elapsed hours; longer units are civil, so that `past 1 days` on a day of 23 hours reaches the same time.
    let back = |at: DateTime<Utc>| match grain {
        Grain::Hour => at.checked_sub_signed(Duration::try_hours(i64::from(count))?),
        _ => Some(civil::first_instant(zone, civil::step(civil::local(zone, at), grain, -i64::from(count))?)),
    };
    let from = back(as_of)?;
    match period {
        Period::Current => Some((just_after(from), just_after(as_of))),
        Period::Previous => Some((just_after(back(from)?), just_after(from))),
    }
}

fn dates(first: NaiveDate, last: NaiveDate, period: Period, zone: Tz) -> Bounds {
    let start = |date: NaiveDate| civil::first_instant(zone, date.and_time(NaiveTime::MIN));
    let after = last.succ_opt()?;
    match period {
        Period::Current => Some((start(first), start(after))),
        Period::Previous => Some((start(first.checked_sub_signed(after - first)?), start(first))),
    }
}

/// The smallest instant after this one: instants have microseconds.
fn just_after(at: DateTime<Utc>) -> DateTime<Utc> {
    at + Duration::microseconds(1)
}
