//! Civil time: units of the calendar in a zone, and the instants at which they start.
//!
//! A local time in a gap of the zone starts at the first instant after the gap; one that occurs twice starts at its first
//! occurrence (`formwork_core::eval::time`).

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;

use formwork_core::eval::time::at_local;
use formwork_model::pack::analytics::Grain;

/// The local time shown by clocks of the zone at that instant.
pub(crate) fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// The instant at which that local time starts.
pub(crate) fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    at_local(local, zone).unwrap_or_else(|| local.and_utc())
}

/// The start of the unit that holds that local time. Weeks are ISO weeks: they start on Monday.
pub(crate) fn floor(local: NaiveDateTime, grain: Grain) -> NaiveDateTime {
    let date = local.date();
    let day = match grain {
        Grain::Hour => return date.and_time(NaiveTime::MIN) + Duration::hours(i64::from(local.hour())),
        Grain::Day => date,
        Grain::Week => date - Days::new(u64::from(date.weekday().num_days_from_monday())),
        Grain::Month => first_of_month(date, date.month()),
        Grain::Quarter => first_of_month(date, (date.month0() / 3) * 3 + 1),
        Grain::Year => first_of_month(date, 1),
    };
    day.and_time(NaiveTime::MIN)
}

/// That many units later (earlier where negative); none beyond the calendar.
pub(crate) fn step(local: NaiveDateTime, grain: Grain, count: i64) -> Option<NaiveDateTime> {
    let months = |per: i64| {
        let months = count.checked_mul(per)?;
        let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 { local.checked_sub_months(size) } else { local.checked_add_months(size) }
    };
    match grain {
        Grain::Hour => local.checked_add_signed(Duration::try_hours(count)?),
        Grain::Day => local.checked_add_signed(Duration::try_days(count)?),
        Grain::Week => local.checked_add_signed(Duration::try_weeks(count)?),
        Grain::Month => months(1),
        Grain::Quarter => months(3),
        Grain::Year => months(12),
    }
}

/// The first date whose midnight is not before that local time.
pub(crate) fn first_date(local: NaiveDateTime) -> NaiveDate {
    match local.time() == NaiveTime::MIN {
        true => local.date(),
        false => local.date().succ_opt().unwrap_or(NaiveDate::MAX),
    }
}

/// The first day of a month of the date's year.
fn first_of_month(date: NaiveDate, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date)
}
