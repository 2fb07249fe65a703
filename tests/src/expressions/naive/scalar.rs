//! Functions of single values.

use std::cmp::Ordering;

use formwork_model::Value;

use super::super::civil::{DAY, add_months, civil_of, day_of, from_local, month_length, to_local, weekday};
use super::super::ratio::Ratio;
use super::sha256::sha256;
use super::{Found, Thing, TooLarge, Walker, order, small};

impl Walker<'_> {
    pub(super) fn scalar(&self, name: &str, values: &[Thing]) -> Found {
        use Thing::{Day, Id, Moment, Number, Span, Text, Truth};
        let whole = |number: i128| Ok(Number(Ratio::whole(number)));
        let zone = self.world.zone;
        match (name, values) {
            ("has_role", [Text(role)]) => Ok(Truth(role == "clerk")),
            ("len", [Text(text)]) => whole(text.chars().count() as i128),
            ("upper", [Text(text)]) => Ok(Text(text.chars().flat_map(char::to_uppercase).collect())),
            ("matches", [Text(text), Text(pattern)]) => Ok(Truth(match pattern.strip_prefix('^') {
                Some(start) => text.find(start) == Some(0),
                None => text.matches(pattern.as_str()).count() > 0,
            })),
            ("lower", [Text(text)]) => Ok(Text(text.to_lowercase())),
            ("trim", [Text(text)]) => Ok(Text(text.trim_matches(char::is_whitespace).to_owned())),
            ("contains", [Text(text), Text(part)]) => Ok(Truth(text.find(part.as_str()).is_some())),
            ("starts_with", [Text(text), Text(start)]) => Ok(Truth(text.bytes().take(start.len()).eq(start.bytes()))),
            ("ends_with", [Text(text), Text(end)]) => Ok(Truth(text.strip_suffix(end.as_str()).is_some())),
            ("replace", [Text(text), Text(from), Text(_)]) if from.is_empty() => Ok(Text(text.clone())),
            ("replace", [Text(text), Text(from), Text(to)]) => {
                Ok(Text(text.split(from.as_str()).collect::<Vec<_>>().join(to)))
            }
            ("substr", [Text(text), Number(from), Number(count)]) => Ok(Text(part(text, from.above, count.above))),
            ("last", [Text(text), Number(count)]) => {
                Ok(Text(part(text, text.chars().count() as i128 - count.above, count.above)))
            }
            ("text", [Text(text)]) => Ok(Text(text.clone())),
            ("text", [Truth(value)]) => Ok(Text(value.to_string())),
            ("text", [Number(number)]) => number.digits().map(Text).ok_or(TooLarge),
            ("text", [Day(day)]) => {
                let (year, month, day) = civil_of(*day);
                Ok(Text(format!("{year:04}-{month:02}-{day:02}")))
            }
            ("text", [Id(id)]) => Ok(Text(format!("{id:x}"))),
            ("number", [Text(text)]) => match Ratio::parse(text.trim()) {
                Some(number) => small(number.rounded(12)),
                None => Ok(Thing::Null),
            },
            ("abs", [Number(number)]) if number.above < 0 => small(Some(number.negative())),
            ("abs", [Number(number)]) => Ok(Number(*number)),
            ("round", [Number(number)]) => small(number.rounded(0)),
            ("round", [Number(number), Number(places)]) => small(number.rounded(places.above as u32)),
            ("floor", [Number(number)]) => whole(number.floor()),
            ("ceil", [Number(number)]) => whole(-number.negative().floor()),
            ("clamp", [x, low, high]) => {
                let x = if order(x, high)?.is_some_and(Ordering::is_gt) { high } else { x };
                Ok(if order(x, low)?.is_some_and(Ordering::is_lt) { low } else { x }.clone())
            }
            ("date", [Moment(at)]) => Ok(Day(self.local_day(*at))),
            ("date", [Text(text)]) => Ok(day_written(text.trim()).map_or(Thing::Null, Day)),
            ("date", [Text(text), Text(format)]) => {
                let mut parts: Vec<&str> = text.split(['-', '/']).collect();
                let separators = if format.contains('/') {
                    parts.reverse();
                    text.matches('/').count()
                } else {
                    text.matches('-').count()
                };
                Ok(day_written(&parts.join("-")).filter(|_| separators == 2).map_or(Thing::Null, Day))
            }
            ("hash", [Text(text)]) => {
                Ok(Text(sha256(text.as_bytes()).iter().map(|word| format!("{word:08x}")).collect()))
            }
            ("bucket", [Text(_), Number(count)]) if count.above < 1 => Ok(Thing::Null),
            ("bucket", [Text(text), Number(count)]) => {
                let [high, low, ..] = sha256(text.as_bytes());
                whole(((i128::from(high) << 32) + i128::from(low)) % count.above)
            }
            ("datetime", [Text(text)]) => {
                Ok(Thing::of(&Value::DateTime(text.parse().unwrap_or_else(|_| panic!("not generated: {text}")))))
            }
            ("days", [Number(n)]) => Ok(Span(0, n.above as i64, 0)),
            ("months", [Number(n)]) => Ok(Span(n.above as i64, 0, 0)),
            ("hours", [Number(n)]) => Ok(Span(0, 0, n.above as i64 * 3_600_000)),
            ("minutes", [Number(n)]) => Ok(Span(0, 0, n.above as i64 * 60_000)),
            ("date_add", [from, Span(months, days, milliseconds)]) => {
                Ok(self.later(from.clone(), *months, *days, *milliseconds))
            }
            ("start_of", [Text(unit), Day(day)]) => Ok(Day(start(unit, *day))),
            // Within the hour nothing is looked up: what the local clock shows beyond it is taken off.
            ("start_of", [Text(unit), Moment(at)]) if unit == "minute" || unit == "hour" => {
                let length = if unit == "hour" { 3_600_000_000 } else { 60_000_000 };
                Ok(Moment(at - to_local(*at, zone).rem_euclid(length)))
            }
            ("start_of", [Text(unit), Moment(at)]) => {
                Ok(Moment(from_local(start(unit, self.local_day(*at)) * DAY, zone)))
            }
            ("weekday", [Day(day)]) => whole(i128::from(weekday(*day))),
            ("weekday", [Moment(at)]) => whole(i128::from(weekday(self.local_day(*at)))),
            ("local_date", [Moment(at), Text(zone)]) => {
                let zone = zone.parse().unwrap_or(chrono_tz::Tz::UTC);
                Ok(Day(to_local(*at, zone).div_euclid(DAY)))
            }
            ("days_between", [Day(a), Day(b)]) => whole(i128::from(b - a)),
            ("hours_between", [Moment(a), Moment(b)]) => {
                small(Ratio::new(i128::from(b - a), 3_600_000_000).and_then(|hours| hours.rounded(12)))
            }
            ("business_time", [Moment(a), Moment(b), Text(_)]) => {
                Ok(Span(0, 0, (open_until(*b) - open_until(*a)) / 1_000))
            }
            ("years_between", [Day(a), Day(b)]) => {
                let (early, late, sign) = if a <= b { (*a, *b, 1) } else { (*b, *a, -1) };
                let years = (1..).take_while(|years| add_months(early, years * 12) <= late).count();
                whole(sign * years as i128)
            }
            (name, values) => panic!("not generated: {name} of {values:?}"),
        }
    }
}

/// How long the calendar `desk` has been open since 1970: from Monday to Friday, 9 to 17 in UTC.
fn open_until(at: i64) -> i64 {
    const HOUR: i64 = 3_600_000_000;
    let (day, time) = (at.div_euclid(DAY), at.rem_euclid(DAY));
    // 5 January 1970 was a Monday.
    let (weeks, of_week) = ((day - 4).div_euclid(7), (day - 4).rem_euclid(7));
    let today = if of_week < 5 { (time - 9 * HOUR).clamp(0, 8 * HOUR) } else { 0 };
    (weeks * 5 + of_week.min(5)) * 8 * HOUR + today
}

fn part(text: &str, from: i128, count: i128) -> String {
    let inside = |place: i128| place >= from && place - from < count;
    text.chars().enumerate().filter(|(place, _)| inside(*place as i128)).map(|(_, letter)| letter).collect()
}

fn start(unit: &str, day: i64) -> i64 {
    let (year, month, _) = civil_of(day);
    match unit {
        "week" => day - (weekday(day) - 1),
        "month" => day_of(year, month, 1),
        "quarter" => day_of(year, month - (month - 1) % 3, 1),
        "year" => day_of(year, 1, 1),
        _ => day,
    }
}

fn day_written(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    if [year.len(), month.len(), day.len()] != [4, 2, 2] || !text.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let exists = (1..=12).contains(&month) && day >= 1 && day <= month_length(year, month);
    exists.then(|| day_of(year, month, day))
}
