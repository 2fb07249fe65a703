//! Business time: the vectors of workflow.md §3.2 and of other products' bugs (§3.3), and random calendars in many zones
//! against an oracle that looks at every minute.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use formwork_core::calendar::{add, between};
use formwork_model::expr::duration::parse_iso;
use formwork_model::pack::calendar::{Calendar, Hours, Off};
use formwork_model::value::Duration;
use formwork_model::{SourceMap, compile};
use proptest::prelude::*;

fn calendar(zone: Tz, week: [&str; 7]) -> Calendar {
    let minutes = |text: &str| {
        let (hour, minute) = text.split_once(':').unwrap();
        hour.parse::<u32>().unwrap() * 60 + minute.parse::<u32>().unwrap()
    };
    let hours = |day: &str| {
        let interval = |text: &str| {
            let (start, end) = text.split_once('-').unwrap();
            let (start, end) = (minutes(start), minutes(end));
            Hours { start, end: if end <= start { end + 1440 } else { end } }
        };
        day.split_whitespace().map(interval).collect()
    };
    let week = week.map(hours);
    Calendar {
        key: "c".into(),
        label: "c".into(),
        timezone: zone,
        week,
        off: Vec::new(),
        work: BTreeMap::new(),
        covers: None,
    }
}

fn daily(zone: Tz, hours: &str) -> Calendar {
    calendar(zone, [hours; 7])
}

fn weekdays(hours: &str) -> Calendar {
    calendar(Tz::UTC, [hours, hours, hours, hours, hours, "", ""])
}

/// The service desk of workflow.md §3.2, from its JSON.
fn service_desk() -> Calendar {
    let week = r#"["08:30-12:00", "13:30-18:00"]"#;
    let desk = format!(
        r#"{{"label": "Service desk", "timezone": "Asia/Shanghai",
        "week": {{"mon": {week}, "tue": {week}, "wed": {week}, "thu": {week}, "fri": {week}, "sat": [], "sun": []}},
        "off": {{"spring_2026": {{"from": "2026-02-15", "to": "2026-02-23"}}, "labour_day": {{"yearly": "05-01"}}}},
        "work": {{"makeup_a": {{"date": "2026-02-14", "as": "fri"}}, "makeup_b": {{"date": "2026-02-28", "as": "fri"}}}}}}"#
    );
    let files = [
        (
            "pack.json".to_owned(),
            r#"{"version": "1.0.0", "title": "P", "languages": ["en"], "timezone": "UTC"}"#.to_owned(),
        ),
        ("calendars/service_desk.json".to_owned(), desk),
    ];
    let (pack, diagnostics) = compile("test", &files.into_iter().collect::<SourceMap>());
    (*pack.unwrap_or_else(|| panic!("{diagnostics:?}")).calendars()["service_desk"]).clone()
}

/// `2026-02-13 17:00` in the zone of the calendar.
fn local(calendar: &Calendar, text: &str) -> DateTime<Utc> {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    calendar.timezone.from_local_datetime(&naive).earliest().unwrap().with_timezone(&Utc)
}

fn duration(text: &str) -> Duration {
    parse_iso(text).unwrap()
}

fn check(calendar: &Calendar, vectors: &[(&str, &str, &str)]) {
    for (length, from, expected) in vectors {
        let found = add(calendar, local(calendar, from), &duration(length), false);
        let shown = found.map(|at| at.with_timezone(&calendar.timezone).format("%Y-%m-%d %H:%M").to_string());
        assert_eq!(shown.as_deref(), Some(*expected), "{length} from {from}");
    }
}

#[test]
fn the_service_desk_counts_as_its_table_says() {
    let desk = service_desk();
    check(
        &desk,
        &[
            ("PT4H", "2026-02-13 17:00", "2026-02-14 11:30"),
            ("PT4H", "2026-02-14 17:00", "2026-02-24 11:30"),
            ("PT30M", "2026-02-24 12:30", "2026-02-24 14:00"),
            ("P1D", "2026-02-13 10:00", "2026-02-14 10:00"),
            ("P2D", "2026-02-13 10:00", "2026-02-24 10:00"),
            ("P1D", "2026-02-15 10:00", "2026-02-25 08:30"),
            ("P1D", "2026-02-27 20:00", "2026-03-02 08:30"),
            // What ends when the desk closes ends then, not at the next opening.
            ("PT3H30M", "2026-02-13 08:30", "2026-02-13 12:00"),
            // 1 May 2026 is a Friday.
            ("PT1H", "2026-04-30 17:30", "2026-05-04 09:00"),
            // Backwards: from the opening, over the holiday, to the make-up day's last half hour.
            ("-PT30M", "2026-02-24 08:30", "2026-02-14 17:30"),
            ("-P1D", "2026-02-24 10:00", "2026-02-14 10:00"),
        ],
    );
    let end = add(&desk, local(&desk, "2026-02-13 10:00"), &duration("P10D"), true).unwrap();
    assert_eq!(end, local(&desk, "2026-03-06 00:00"), "the end of 5 March");
    assert_eq!(add(&desk, end, &duration("P1M"), false), None, "a calendar has no months");
}

#[test]
fn nights_last_what_they_really_last() {
    let berlin = daily(chrono_tz::Europe::Berlin, "22:00-06:00");
    let five = duration("PT5H");
    for (from, expected) in
        [("2026-03-28 22:00", "2026-03-29T04:00:00+02:00"), ("2026-10-24 22:00", "2026-10-25T02:00:00+01:00")]
    {
        let expected: DateTime<Utc> = DateTime::parse_from_rfc3339(expected).unwrap().into();
        assert_eq!(add(&berlin, local(&berlin, from), &five, false), Some(expected), "{from}");
    }
}

/// What others got wrong; the sources stand in workflow.md §3.3.
#[test]
fn what_other_products_got_wrong() {
    check(&weekdays("08:00-18:00"), &[("P1D", "2026-01-05 17:50", "2026-01-06 17:50")]);
    check(&weekdays("14:00-18:00"), &[("PT2H", "2026-01-05 09:00", "2026-01-05 16:00")]);
    check(&weekdays("09:00-17:00"), &[("PT1H", "2026-01-09 16:30", "2026-01-12 09:30")]);
    check(&weekdays("08:00-18:00"), &[("PT4H", "2026-01-05 17:00", "2026-01-06 11:00")]);
    check(&weekdays("08:00-18:00"), &[("-PT1H", "2026-01-06 11:00", "2026-01-06 10:00")]);
}

#[test]
fn a_calendar_that_closes_for_good_is_never_due() {
    let mut closed = weekdays("09:00-17:00");
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    closed.off.push(Off::Days(day("2026-01-01"), day("2060-01-01")));
    assert_eq!(add(&closed, local(&closed, "2026-01-05 09:00"), &duration("PT1H"), false), None);
    assert_eq!(add(&closed, local(&closed, "2026-01-05 09:00"), &duration("P1D"), false), None);
}

/// Open time between two local instants of a calendar, in minutes.
fn open_minutes(calendar: &Calendar, from: &str, to: &str) -> i64 {
    between(calendar, local(calendar, from), local(calendar, to)).unwrap().num_minutes()
}

#[test]
fn open_time_between_two_instants() {
    let desk = service_desk();
    for (from, to, minutes) in [
        ("2026-02-13 17:00", "2026-02-14 11:30", 240),
        // Over the holiday, and over lunch.
        ("2026-02-14 17:00", "2026-02-24 11:30", 240),
        ("2026-02-24 11:00", "2026-02-24 14:00", 90),
        ("2026-02-24 12:10", "2026-02-24 13:20", 0),
        ("2026-02-15 00:00", "2026-02-24 00:00", 0),
        // A whole day is 3.5 and 4.5 hours.
        ("2026-02-12 00:00", "2026-02-13 00:00", 480),
        ("2026-02-14 11:30", "2026-02-13 17:00", -240),
        ("2026-02-13 09:00", "2026-02-13 09:00", 0),
    ] {
        assert_eq!(open_minutes(&desk, from, to), minutes, "{from} to {to}");
    }
    // Nights last what they really last: eight hours, but seven and nine where the clock changes.
    let berlin = daily(chrono_tz::Europe::Berlin, "22:00-06:00");
    for (from, to, minutes) in [
        ("2026-01-05 12:00", "2026-01-06 12:00", 480),
        ("2026-03-28 12:00", "2026-03-29 12:00", 420),
        ("2026-10-24 12:00", "2026-10-25 12:00", 540),
    ] {
        assert_eq!(open_minutes(&berlin, from, to), minutes, "{from} to {to}");
    }
    let (then, now) = (local(&desk, "1925-01-01 00:00"), local(&desk, "2026-01-01 00:00"));
    assert_eq!(between(&desk, then, now), None, "more than a century");
}

/// Whether the calendar is open in the minute that begins then, by nothing but its definition.
fn is_open(calendar: &Calendar, at: DateTime<Utc>) -> bool {
    let local = at.with_timezone(&calendar.timezone);
    let inside = |date: NaiveDate, minute: i64| {
        let like = calendar.work.get(&date).copied();
        let off = calendar.off.iter().any(|off| match off {
            Off::Days(from, to) => *from <= date && date <= *to,
            Off::Yearly(month, day) => date.month() == *month && date.day() == *day,
            Off::Easter(_) => unreachable!("not generated"),
        });
        let weekday = like.or((!off).then(|| date.weekday()));
        let hours = weekday.map(|weekday| &calendar.week[weekday.num_days_from_monday() as usize]);
        hours.into_iter().flatten().any(|hours| i64::from(hours.start) <= minute && minute < i64::from(hours.end))
    };
    let minute = i64::from(local.hour() * 60 + local.minute());
    inside(local.date_naive(), minute) || inside(local.date_naive() - TimeDelta::days(1), minute + 1440)
}

/// Counts open minutes one by one: the first instant by which so many are over.
fn oracle(calendar: &Calendar, at: DateTime<Utc>, minutes: i64) -> Option<DateTime<Utc>> {
    let (mut now, mut left) = (at, minutes);
    while left > 0 {
        if now - at > TimeDelta::days(60) {
            return None;
        }
        left -= i64::from(is_open(calendar, now));
        now += TimeDelta::minutes(1);
    }
    Some(now)
}

fn zones() -> impl Strategy<Value = Tz> {
    use chrono_tz::{America, Asia, Australia, Europe, Pacific};
    prop::sample::select(vec![
        Tz::UTC,
        Asia::Shanghai,
        Asia::Kathmandu,
        Europe::Berlin,
        America::New_York,
        America::St_Johns,
        Australia::Lord_Howe,
        Pacific::Apia,
        Pacific::Chatham,
    ])
}

/// Up to three intervals a day that stand apart, the last perhaps into the next day. Edges avoid the hours around which
/// clocks change: where a local time occurs twice, the rule and the oracle mean different halves of it.
fn week() -> impl Strategy<Value = Vec<Vec<Hours>>> {
    let day = (prop::collection::btree_set(5_u32..22, 0..=6), any::<bool>()).prop_map(|(edges, night)| {
        let edges: Vec<u32> = edges.into_iter().collect();
        let mut hours: Vec<Hours> =
            edges.chunks_exact(2).map(|pair| Hours { start: pair[0] * 60, end: pair[1] * 60 }).collect();
        if night && hours.last().is_none_or(|last| last.end <= 22 * 60) {
            hours.push(Hours { start: 22 * 60, end: 1440 + 5 * 60 });
        }
        hours
    });
    prop::collection::vec(day, 7).prop_filter("open at some time", |week| week.iter().any(|day| !day.is_empty()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn open_time_is_what_counting_every_minute_says(
        zone in zones(), week in week(), day in 0_i64..18_000, minute in 0_i64..1440, minutes in 1_i64..3_000,
        off in 0_i64..20, makeup in 0_i64..20,
    ) {
        let first = NaiveDate::from_ymd_opt(1990, 1, 1).unwrap() + TimeDelta::days(day);
        let closed = first + TimeDelta::days(off);
        let calendar = Calendar {
            key: "c".into(), label: "c".into(), timezone: zone, week: week.try_into().unwrap(),
            off: vec![Off::Days(closed, closed + TimeDelta::days(2))],
            work: BTreeMap::from([(first + TimeDelta::days(makeup), Weekday::Mon)]),
            covers: None,
        };
        let at = Utc.from_utc_datetime(&first.and_time(NaiveTime::MIN)) + TimeDelta::minutes(minute);
        if let Some(expected) = oracle(&calendar, at, minutes) {
            let length = Duration::of_milliseconds(minutes * 60_000);
            prop_assert_eq!(add(&calendar, at, &length, false), Some(expected));
            // And back again: to the instant from which the minutes were counted, or its opening.
            let back = add(&calendar, expected, &Duration::of_milliseconds(-minutes * 60_000), false);
            prop_assert_eq!(between(&calendar, at, expected), Some(TimeDelta::minutes(minutes)));
            let opening = oracle(&calendar, at, 1).map(|after| after - TimeDelta::minutes(1));
            prop_assert!(back <= opening && back >= Some(at).min(opening), "{back:?} {at} {opening:?}");
        }
    }

    #[test]
    fn open_time_adds_up_and_is_what_counting_every_minute_says(
        zone in zones(), week in week(), day in 0_i64..18_000, off in 0_i64..9,
        (a, b, c) in (0_i64..14_400, 0_i64..14_400, 0_i64..14_400),
    ) {
        let first = NaiveDate::from_ymd_opt(1990, 1, 1).unwrap() + TimeDelta::days(day);
        let closed = first + TimeDelta::days(off);
        let calendar = Calendar {
            key: "c".into(), label: "c".into(), timezone: zone, week: week.try_into().unwrap(),
            off: vec![Off::Days(closed, closed)], work: BTreeMap::new(),
            covers: None,
        };
        let [a, b, c] = [a, b, c].map(|minute| Utc.from_utc_datetime(&first.and_time(NaiveTime::MIN)) + TimeDelta::minutes(minute));
        let open = |from, to| between(&calendar, from, to).unwrap();
        prop_assert_eq!(open(a, b) + open(b, c), open(a, c));
        let (from, to) = (a.min(b), a.max(b));
        let minutes = (0..(to - from).num_minutes()).filter(|minute| is_open(&calendar, from + TimeDelta::minutes(*minute)));
        prop_assert_eq!(open(from, to), TimeDelta::minutes(minutes.count() as i64));
    }

    #[test]
    fn a_calendar_that_is_always_open_is_no_calendar(
        zone in zones(), day in 0_i64..18_000, second in 0_i64..86_400, milliseconds in 0_i64..1_000_000_000,
    ) {
        let always = daily(zone, "00:00-24:00");
        let at = DateTime::from_timestamp(631_152_000 + day * 86_400 + second, 0).unwrap();
        let expected = at + TimeDelta::milliseconds(milliseconds);
        prop_assert_eq!(add(&always, at, &Duration::of_milliseconds(milliseconds), false), Some(expected));
        prop_assert_eq!(between(&always, at, expected), Some(expected - at));
    }
}
