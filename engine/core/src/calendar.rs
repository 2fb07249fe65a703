//! Business time (workflow.md §1.3): open hours and working days of a calendar.
//!
//! Hours are elapsed time while the calendar is open; a night over a change of the clock lasts what it really lasts.
//! A working day is one on which hours begin.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use formwork_model::pack::calendar::{Calendar, Hours};
use formwork_model::value::Duration;

use crate::eval::time::at_local;

/// Days that are searched for an open one: ten years.
const DAYS_MAX: u32 = 3_660;

/// Days between two instants at most: a hundred years.
const CENTURY: u32 = 36_525;

type Span = (DateTime<Utc>, DateTime<Utc>);

/// `at + duration`: working days first, then open time; negative durations mirror. Nothing where the duration has
/// months, and where the calendar is not open within ten years.
pub fn add(calendar: &Calendar, at: DateTime<Utc>, duration: &Duration, day_end: bool) -> Option<DateTime<Utc>> {
    if duration.months != 0 {
        return None;
    }
    let forwards = duration.days > 0 || (duration.days == 0 && duration.milliseconds >= 0);
    let mut at = at;
    if duration.days != 0 {
        at = match day_end {
            true => end_of_day(calendar, at, duration.days)?,
            false => same_time(calendar, open_from(calendar, at, forwards)?, duration.days)?,
        };
    }
    match duration.milliseconds {
        0 => Some(at),
        open if open > 0 => walk_on(calendar, at, TimeDelta::milliseconds(open)),
        open => walk_back(calendar, at, TimeDelta::milliseconds(-open)),
    }
}

/// How long the calendar is open between two instants; negative where the second is the earlier one. Nothing where they
/// lie more than a century apart.
pub fn between(calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<TimeDelta> {
    if to < from {
        return between(calendar, to, from).map(|open| -open);
    }
    let days = u32::try_from((to - from).num_days()).ok().filter(|days| *days <= CENTURY)?;
    let (mut at, mut open) = (from, TimeDelta::zero());
    // The hours of the day before may reach into the first, and those of the last begin on it.
    for (start, end) in spans_from(calendar, from, days + 3) {
        let (start, end) = (start.max(at), end.min(to));
        open += (end - start).max(TimeDelta::zero());
        at = at.max(end);
    }
    Some(open)
}

/// The open span that an instant lies in, else the next one.
pub fn next_open(calendar: &Calendar, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    spans_on(calendar, at).find(|(_, end)| *end > at)
}

/// The instant itself where the calendar is open then, else the next opening.
pub fn opening(calendar: &Calendar, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    open_from(calendar, at, true)
}

/// The instant itself where the calendar is open then, else the next opening (backwards: the last closing).
fn open_from(calendar: &Calendar, at: DateTime<Utc>, forwards: bool) -> Option<DateTime<Utc>> {
    match forwards {
        true => spans_on(calendar, at).find(|(_, end)| *end > at).map(|(start, _)| start.max(at)),
        false => spans_back(calendar, at).find(|(start, _)| *start <= at).map(|(_, end)| end.min(at)),
    }
}

/// The same local time so many working days on, clamped into the hours of that day.
fn same_time(calendar: &Calendar, at: DateTime<Utc>, days: i32) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(&calendar.timezone).naive_local();
    let date = working_day(calendar, local.date(), days)?;
    let wanted = at_local(date.and_time(local.time()), calendar.timezone)?;
    let spans = || calendar.hours(date).iter().filter_map(|hours| span(calendar, date, *hours));
    let open = spans().find(|(_, end)| *end > wanted).map(|(start, _)| start.max(wanted));
    open.or_else(|| spans().next_back().map(|(_, end)| end))
}

/// The end of the day so many working days on; the start is not moved first.
fn end_of_day(calendar: &Calendar, at: DateTime<Utc>, days: i32) -> Option<DateTime<Utc>> {
    let date = working_day(calendar, at.with_timezone(&calendar.timezone).date_naive(), days)?;
    at_local(date.succ_opt()?.and_time(NaiveTime::MIN), calendar.timezone)
}

fn working_day(calendar: &Calendar, from: NaiveDate, days: i32) -> Option<NaiveDate> {
    let (mut date, mut left, mut searched) = (from, days.unsigned_abs(), 0);
    while left > 0 {
        date = if days > 0 { date.succ_opt()? } else { date.pred_opt()? };
        searched += 1;
        match calendar.hours(date).is_empty() {
            false => (left, searched) = (left - 1, 0),
            true if searched > DAYS_MAX => return None,
            true => {}
        }
    }
    Some(date)
}

fn walk_on(calendar: &Calendar, at: DateTime<Utc>, open: TimeDelta) -> Option<DateTime<Utc>> {
    let (mut from, mut left) = (at, open);
    for (start, end) in spans_on(calendar, at) {
        from = from.max(start);
        let here = (end - from).max(TimeDelta::zero());
        if here >= left {
            return Some(from + left);
        }
        left -= here;
        from = from.max(end);
    }
    None
}

fn walk_back(calendar: &Calendar, at: DateTime<Utc>, open: TimeDelta) -> Option<DateTime<Utc>> {
    let (mut to, mut left) = (at, open);
    for (start, end) in spans_back(calendar, at) {
        to = to.min(end);
        let here = (to - start).max(TimeDelta::zero());
        if here >= left {
            return Some(to - left);
        }
        left -= here;
        to = to.min(start);
    }
    None
}

/// Open spans from the day before, ascending, as far as is searched.
fn spans_on(calendar: &Calendar, at: DateTime<Utc>) -> impl Iterator<Item = Span> + '_ {
    spans_from(calendar, at, DAYS_MAX)
}

/// Open spans of so many days from the day before, ascending. Those of neighbouring days may overlap: whoever walks
/// takes each instant once.
fn spans_from(calendar: &Calendar, at: DateTime<Utc>, days: u32) -> impl Iterator<Item = Span> + '_ {
    let first = at.with_timezone(&calendar.timezone).date_naive().pred_opt().unwrap_or(NaiveDate::MIN);
    let dates = first.iter_days().take(days as usize);
    dates.flat_map(move |date| calendar.hours(date).iter().filter_map(move |hours| span(calendar, date, *hours)))
}

/// Open spans from the day itself, descending.
fn spans_back(calendar: &Calendar, at: DateTime<Utc>) -> impl Iterator<Item = Span> + '_ {
    let first = at.with_timezone(&calendar.timezone).date_naive();
    let dates = (0..u64::from(DAYS_MAX)).map_while(move |days| first.checked_sub_days(Days::new(days)));
    dates.flat_map(move |date| calendar.hours(date).iter().rev().filter_map(move |hours| span(calendar, date, *hours)))
}

/// The hours of a date as instants; nothing where a change of the clock skips them.
fn span(calendar: &Calendar, date: NaiveDate, hours: Hours) -> Option<Span> {
    let instant = |minutes: u32| {
        let date = date.checked_add_days(Days::new(u64::from(minutes / (24 * 60))))?;
        let time = NaiveTime::from_num_seconds_from_midnight_opt(minutes % (24 * 60) * 60, 0)?;
        at_local(date.and_time(time), calendar.timezone)
    };
    Some((instant(hours.start)?, instant(hours.end)?)).filter(|(start, end)| start < end)
}
