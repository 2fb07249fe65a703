//! Civil time: instants, dates and durations in a zone.
//!
//! A local time that a change of the clock skips stands for the first instant after the gap; one that occurs twice for
//! the earlier.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc,
};
use chrono_tz::{GapInfo, Tz};
use formwork_model::value::Duration;

const MILLISECONDS_PER_DAY: i64 = 86_400_000;

/// The instant of a local time; nothing beyond the years that can be counted.
pub fn at_local(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match local.and_local_timezone(zone) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        MappedLocalTime::None => GapInfo::new(&local, &zone)?.end.map(|end| end.with_timezone(&Utc)),
    }
}

/// `at + duration`: months first (clamped to the month's last day), then days, both keeping the local time, then
/// elapsed milliseconds. Nothing beyond the years that can be counted.
pub fn add_to_instant(at: DateTime<Utc>, duration: &Duration, zone: Tz) -> Option<DateTime<Utc>> {
    let mut at = at;
    if duration.months != 0 || duration.days != 0 {
        let local = at.with_timezone(&zone).naive_local();
        let date = add_civil(local.date(), duration.months, i64::from(duration.days))?;
        at = at_local(date.and_time(local.time()), zone)?;
    }
    at.checked_add_signed(TimeDelta::milliseconds(duration.milliseconds))
}

/// `date + duration`; of the milliseconds, the whole days.
pub fn add_to_date(date: NaiveDate, duration: &Duration) -> Option<NaiveDate> {
    let days = i64::from(duration.days) + duration.milliseconds.div_euclid(MILLISECONDS_PER_DAY);
    add_civil(date, duration.months, days)
}

fn add_civil(date: NaiveDate, months: i32, days: i64) -> Option<NaiveDate> {
    let count = Months::new(months.unsigned_abs());
    let date = if months < 0 { date.checked_sub_months(count) } else { date.checked_add_months(count) }?;
    let count = Days::new(days.unsigned_abs());
    if days < 0 { date.checked_sub_days(count) } else { date.checked_add_days(count) }
}

/// The first date of the unit that the date lies in; nothing for units shorter than a day and for unknown ones.
pub fn start_of_date(unit: &str, date: NaiveDate) -> Option<NaiveDate> {
    match unit {
        "day" => Some(date),
        "week" => date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday()))),
        "month" => date.with_day(1),
        "quarter" => date.with_day(1)?.with_month0(date.month0() / 3 * 3),
        "year" => NaiveDate::from_ymd_opt(date.year(), 1, 1),
        _ => None,
    }
}

/// The first instant of the unit that the instant lies in.
pub fn start_of_instant(unit: &str, at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let local = at.with_timezone(&zone).naive_local();
    let seconds = match unit {
        "minute" => local.second(),
        "hour" => local.minute() * 60 + local.second(),
        // Going back by what has elapsed keeps the hour that occurs twice apart; days have to be looked up.
        _ => return at_local(start_of_date(unit, local.date())?.and_time(NaiveTime::MIN), zone),
    };
    let elapsed = TimeDelta::seconds(i64::from(seconds)) + TimeDelta::nanoseconds(i64::from(local.nanosecond()));
    at.checked_sub_signed(elapsed)
}

/// The whole years from `a` to `b`: the most that can be added to `a` without passing `b`; mirrored where `b` is earlier.
pub fn years_between(a: NaiveDate, b: NaiveDate) -> i64 {
    if b < a {
        return -years_between(b, a);
    }
    let years = b.year() - a.year();
    let passed = add_civil(a, years * 12, 0).is_none_or(|date| date > b);
    i64::from(years - i32::from(passed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_model::expr::duration::parse_iso;

    fn instant(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn durations_are_civil_then_elapsed() {
        for (zone, at, duration, expected) in [
            // Clocks go forward on 29 March 2026 at 02:00: the day has 23 hours.
            ("Europe/Berlin", "2026-03-28T12:00:00+01:00", "P1D", "2026-03-29T12:00:00+02:00"),
            ("Europe/Berlin", "2026-03-28T12:00:00+01:00", "PT24H", "2026-03-29T13:00:00+02:00"),
            // 02:30 does not exist that day: the first instant after the gap.
            ("Europe/Berlin", "2026-03-28T02:30:00+01:00", "P1D", "2026-03-29T03:00:00+02:00"),
            // 02:30 occurs twice on 25 October: the earlier.
            ("Europe/Berlin", "2026-10-24T02:30:00+02:00", "P1D", "2026-10-25T02:30:00+02:00"),
            ("Asia/Shanghai", "2026-01-31T09:00:00+08:00", "P1M", "2026-02-28T09:00:00+08:00"),
            ("Asia/Shanghai", "2026-03-31T09:00:00+08:00", "-P1M", "2026-02-28T09:00:00+08:00"),
            ("Asia/Shanghai", "2026-01-31T09:00:00+08:00", "P1M1DT1H", "2026-03-01T10:00:00+08:00"),
        ] {
            let found = add_to_instant(instant(at), &parse_iso(duration).unwrap(), zone.parse().unwrap());
            assert_eq!(found, Some(instant(expected)), "{at} + {duration}");
        }
    }

    #[test]
    fn units_start_in_the_zone() {
        for (zone, unit, at, expected) in [
            ("Asia/Shanghai", "day", "2026-01-04T17:00:00Z", "2026-01-05T00:00:00+08:00"),
            ("Asia/Shanghai", "week", "2026-01-04T15:00:00Z", "2025-12-29T00:00:00+08:00"),
            ("Asia/Shanghai", "quarter", "2026-05-20T00:00:00Z", "2026-04-01T00:00:00+08:00"),
            ("Asia/Shanghai", "year", "2025-12-31T17:00:00Z", "2026-01-01T00:00:00+08:00"),
            // Havana goes forward at midnight: 00:00 of 9 March 2025 does not exist.
            ("America/Havana", "day", "2025-03-09T12:00:00-04:00", "2025-03-09T01:00:00-04:00"),
            // The second 01:30 of 1 November: its hour starts at the second 01:00.
            ("America/New_York", "hour", "2026-11-01T01:30:00-05:00", "2026-11-01T01:00:00-05:00"),
            ("Asia/Kathmandu", "hour", "2026-01-01T00:20:30.5Z", "2026-01-01T06:00:00+05:45"),
            ("Asia/Shanghai", "minute", "2026-01-01T00:20:30.5Z", "2026-01-01T00:20:00Z"),
        ] {
            let found = start_of_instant(unit, instant(at), zone.parse().unwrap());
            assert_eq!(found, Some(instant(expected)), "{unit} of {at}");
        }
    }

    #[test]
    fn years_are_whole() {
        for (a, b, expected) in [
            ("2000-03-01", "2026-02-28", 25),
            ("2000-03-01", "2026-03-01", 26),
            ("2004-02-29", "2005-02-28", 1),
            ("2004-02-29", "2005-02-27", 0),
            ("2026-03-01", "2000-03-02", -25),
            ("2026-03-01", "2026-03-01", 0),
        ] {
            assert_eq!(years_between(date(a), date(b)), expected, "{a} to {b}");
        }
    }

    #[test]
    fn dates_take_whole_days_of_milliseconds() {
        for (from, duration, expected) in [
            ("2026-01-31", "PT36H", "2026-02-01"),
            ("2026-01-31", "-PT1H", "2026-01-30"),
            ("2024-02-29", "P1Y", "2025-02-28"),
        ] {
            assert_eq!(
                add_to_date(date(from), &parse_iso(duration).unwrap()),
                Some(date(expected)),
                "{from} {duration}"
            );
        }
    }
}
