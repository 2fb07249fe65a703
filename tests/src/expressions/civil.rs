//! Civil time by hand: days counted from 1970-01-01, microseconds from its midnight in UTC. Of the time zones only the
//! offset at an instant is asked of the zone database; local times are found by searching.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// The day number of a civil date (proleptic Gregorian).
pub fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before: i64 = (1..month).map(|month| month_length(year, month)).sum();
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    years + before + day - 1
}

/// Year, month and day of a day number.
pub fn civil_of(number: i64) -> (i64, i64, i64) {
    let mut year = 1970 + number.div_euclid(366);
    while day_of(year + 1, 1, 1) <= number {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && day_of(year, month + 1, 1) <= number {
        month += 1;
    }
    (year, month, number - day_of(year, month, 1) + 1)
}

/// How many days the month has.
pub fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// So many months later, at most the month's last day.
pub fn add_months(number: i64, months: i64) -> i64 {
    let (year, month, day) = civil_of(number);
    let index = year * 12 + month - 1 + months;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    day_of(year, month, day.min(month_length(year, month)))
}

/// 1 Monday … 7 Sunday; 1970-01-01 was a Thursday.
pub fn weekday(number: i64) -> i64 {
    (number + 3).rem_euclid(7) + 1
}

/// Local microseconds of an instant.
pub fn to_local(at: i64, zone: Tz) -> i64 {
    at + offset(at, zone)
}

/// The instant of local microseconds: the first instant at which the clock shows that time or a later one, which is the
/// earlier of two where the time occurs twice, and the end of the gap where it does not occur.
pub fn from_local(local: i64, zone: Tz) -> i64 {
    let offsets = [offset(local - DAY, zone), offset(local, zone), offset(local + DAY, zone)];
    let exact = offsets.iter().map(|offset| local - offset).filter(|at| to_local(*at, zone) == local).min();
    if let Some(at) = exact {
        return at;
    }
    let (mut before, mut after) = (local - DAY, local + DAY);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if to_local(middle, zone) >= local { after = middle } else { before = middle }
    }
    after
}

fn offset(at: i64, zone: Tz) -> i64 {
    let utc = DateTime::from_timestamp_micros(at).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * 1_000_000
}
