//! Ranges and buckets against a calendar worked out by hand.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use formwork_model::pack::analytics::{Grain, Range};
use formwork_report::buckets::Buckets;
use formwork_report::fault::Refusal;
use formwork_report::range::{Interval, Period, resolve, text};

const SHANGHAI: Tz = Tz::Asia__Shanghai;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("an instant").with_timezone(&Utc)
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn interval(range: &str, period: Period, zone: Tz, as_of: &str) -> Interval {
    let range = Range::parse(range).expect("a range");
    resolve(&range, period, zone, at(as_of)).expect("in the calendar").expect("a period")
}

/// `label edge` of each bucket, then the end.
fn shown(grain: Grain, zone: Tz, range: &str, as_of: &str) -> Vec<String> {
    let interval = interval(range, Period::Current, zone, as_of);
    let buckets = Buckets::new(Some(grain), zone, &interval, None, at(as_of)).expect("few buckets");
    let label = |index: usize| match buckets.buckets().get(index).and_then(|bucket| bucket.label) {
        Some(label) => label.format("%m-%d %H:%M").to_string(),
        None => "end".to_owned(),
    };
    let edge = |edge: &DateTime<Utc>| edge.format("%m-%dT%H:%M").to_string();
    buckets.edges().iter().enumerate().map(|(index, at)| format!("{} {}", label(index), edge(at))).collect()
}

#[test]
fn ranges_are_absolute_in_the_zone() {
    // Monday 5 January 2026, 09:00 in Shanghai.
    let as_of = "2026-01-05T01:00:00Z";
    let just_after = "2026-01-05T01:00:00.000001Z";
    for (range, from, to, running) in [
        ("last 1 week", "2025-12-28T16:00:00Z", "2026-01-04T16:00:00Z", false),
        ("last 2 months", "2025-10-31T16:00:00Z", "2025-12-31T16:00:00Z", false),
        ("last 1 quarters", "2025-09-30T16:00:00Z", "2025-12-31T16:00:00Z", false),
        ("last 1 day", "2026-01-03T16:00:00Z", "2026-01-04T16:00:00Z", false),
        ("this week", "2026-01-04T16:00:00Z", just_after, true),
        ("this year", "2025-12-31T16:00:00Z", just_after, true),
        ("past 24 hours", "2026-01-04T01:00:00.000001Z", just_after, false),
        ("past 7 days", "2025-12-29T01:00:00.000001Z", just_after, false),
        ("2025-12-01..2025-12-31", "2025-11-30T16:00:00Z", "2025-12-31T16:00:00Z", false),
        ("2026-01-01..2026-01-31", "2025-12-31T16:00:00Z", "2026-01-31T16:00:00Z", true),
    ] {
        let expected = Interval { from: Some(at(from)), to: Some(at(to)), running };
        assert_eq!(interval(range, Period::Current, SHANGHAI, as_of), expected, "{range}");
    }
}

#[test]
fn the_period_before_is_as_long() {
    let as_of = "2026-01-05T01:00:00Z";
    for (range, from, to) in [
        ("last 1 week", "2025-12-21T16:00:00Z", "2025-12-28T16:00:00Z"),
        // Nine hours into this week against the first nine hours of the one before.
        ("this week", "2025-12-28T16:00:00Z", "2025-12-29T01:00:00.000001Z"),
        ("past 24 hours", "2026-01-03T01:00:00.000001Z", "2026-01-04T01:00:00.000001Z"),
        ("2025-12-01..2025-12-31", "2025-10-30T16:00:00Z", "2025-11-30T16:00:00Z"),
    ] {
        let expected = Interval { from: Some(at(from)), to: Some(at(to)), running: false };
        assert_eq!(interval(range, Period::Previous, SHANGHAI, as_of), expected, "{range}");
    }
    // On 31 March the month before is shorter than what has elapsed: it ends with its own month.
    let march = interval("this month", Period::Previous, Tz::UTC, "2026-03-31T12:00:00Z");
    assert_eq!(march.to, Some(at("2026-03-01T00:00:00Z")));
    assert_eq!(resolve(&Range::All, Period::Previous, Tz::UTC, at(as_of)), Ok(None));
}

#[test]
fn ranges_are_read_and_written() {
    for written in ["all", "this month", "last 1 week", "last 13 weeks", "past 24 hours", "2026-01-01..2026-03-31"] {
        assert_eq!(text(&Range::parse(written).expect(written)), written);
    }
    let beyond = resolve(&Range::Last(4_000_000, Grain::Year), Period::Current, Tz::UTC, at("2026-01-05T00:00:00Z"));
    assert_eq!(beyond, Err(Refusal::OutOfCalendar));
}

#[test]
fn days_have_23_24_or_25_hours() {
    // Shanghai, 1986: clocks went forward on 4 May at 02:00 and back on 14 September at 02:00.
    assert_eq!(
        shown(Grain::Day, SHANGHAI, "1986-05-03..1986-05-05", "2026-01-01T00:00:00Z"),
        ["05-03 00:00 05-02T16:00", "05-04 00:00 05-03T16:00", "05-05 00:00 05-04T15:00", "end 05-05T15:00"]
    );
    assert_eq!(
        shown(Grain::Day, SHANGHAI, "1986-09-13..1986-09-14", "2026-01-01T00:00:00Z"),
        ["09-13 00:00 09-12T15:00", "09-14 00:00 09-13T15:00", "end 09-14T16:00"]
    );
}

#[test]
fn hours_skip_the_gap_and_double_at_the_fold() {
    let new_york = Tz::America__New_York;
    // 8 March 2026: 01:59 EST is followed by 03:00 EDT. The hour 02 starts where 03 starts and holds nothing.
    let spring = shown(Grain::Hour, new_york, "2026-03-08..2026-03-08", "2026-04-01T00:00:00Z");
    assert_eq!(spring[1..4], ["03-08 01:00 03-08T06:00", "03-08 02:00 03-08T07:00", "03-08 03:00 03-08T07:00"]);
    // 1 November 2026: 01:00 occurs twice and is one bucket of two hours.
    let autumn = shown(Grain::Hour, new_york, "2026-11-01..2026-11-01", "2026-12-01T00:00:00Z");
    assert_eq!(autumn[1..3], ["11-01 01:00 11-01T05:00", "11-01 02:00 11-01T07:00"]);
    assert_eq!(autumn.len(), 25);
}

#[test]
fn midnights_that_do_not_exist_or_exist_twice() {
    // Beirut, 29 March 2026: 00:00 does not exist; the day starts at 01:00 = 22:00 UTC.
    assert_eq!(
        shown(Grain::Day, Tz::Asia__Beirut, "2026-03-28..2026-03-29", "2026-04-01T00:00:00Z"),
        ["03-28 00:00 03-27T22:00", "03-29 00:00 03-28T22:00", "end 03-29T21:00"]
    );
    // Havana, 1 November 2026: 00:00 exists twice; the day starts at the first.
    assert_eq!(
        shown(Grain::Day, Tz::America__Havana, "2026-11-01..2026-11-01", "2026-12-01T00:00:00Z"),
        ["11-01 00:00 11-01T04:00", "end 11-02T05:00"]
    );
    // Samoa had no 30 December 2011: its bucket is empty, and the instant belongs to the 31st.
    let apia = interval("2011-12-29..2011-12-31", Period::Current, Tz::Pacific__Apia, "2026-01-01T00:00:00Z");
    let buckets =
        Buckets::new(Some(Grain::Day), Tz::Pacific__Apia, &apia, None, at("2026-01-01T00:00:00Z")).expect("3");
    assert_eq!(buckets.edges()[1], buckets.edges()[2]);
    assert_eq!(buckets.of_instant(at("2011-12-30T10:00:00Z")), Some(2));
    assert_eq!(buckets.of_instant(at("2011-12-30T09:59:59.999999Z")), Some(0));
}

#[test]
fn weeks_are_iso_weeks() {
    // 2020 has a week 53: Monday 28 December 2020 to Sunday 3 January 2021.
    assert_eq!(
        shown(Grain::Week, Tz::UTC, "2020-12-21..2021-01-10", "2026-01-01T00:00:00Z"),
        ["12-21 00:00 12-21T00:00", "12-28 00:00 12-28T00:00", "01-04 00:00 01-04T00:00", "end 01-11T00:00"]
    );
}

#[test]
fn a_cut_unit_keeps_its_label_and_the_running_one_says_so() {
    let interval = interval("this month", Period::Current, Tz::UTC, "2026-01-14T10:00:00Z");
    let buckets = Buckets::new(Some(Grain::Week), Tz::UTC, &interval, None, at("2026-01-14T10:00:00Z")).expect("3");
    let labels: Vec<_> = buckets.buckets().iter().map(|b| (b.label.map(|l| l.date().to_string()), b.running)).collect();
    let expected = [("2025-12-29", false), ("2026-01-05", false), ("2026-01-12", true)];
    assert_eq!(labels, expected.map(|(label, running)| (Some(label.to_owned()), running)));
    assert_eq!(buckets.edges()[0], at("2026-01-01T00:00:00Z"));
    // The run's own instant is in; the one after it is not.
    assert_eq!(buckets.of_instant(at("2026-01-14T10:00:00Z")), Some(2));
    assert_eq!(buckets.of_instant(at("2026-01-14T10:00:00.000001Z")), None);
}

#[test]
fn dates_belong_where_their_midnight_does() {
    let interval = interval("this month", Period::Current, SHANGHAI, "2026-01-14T10:00:00Z");
    let buckets = Buckets::new(Some(Grain::Week), SHANGHAI, &interval, None, at("2026-01-14T10:00:00Z")).expect("3");
    for (day, bucket) in [
        ("2025-12-31", None),
        ("2026-01-01", Some(0)),
        ("2026-01-04", Some(0)),
        ("2026-01-05", Some(1)),
        ("2026-01-14", Some(2)),
        ("2026-01-15", None),
    ] {
        assert_eq!(buckets.of_date(date(day)), bucket, "{day}");
    }
}

#[test]
fn an_open_range_is_closed_by_the_data() {
    let open = Interval { from: None, to: None, running: false };
    let as_of = at("2026-01-14T10:00:00Z");
    let extent = Some((at("2025-11-30T23:59:59Z"), at("2026-01-01T00:00:00Z")));
    let buckets = Buckets::new(Some(Grain::Month), Tz::UTC, &open, extent, as_of).expect("3");
    assert_eq!(buckets.buckets().len(), 3);
    assert_eq!(buckets.of_instant(at("2026-01-01T00:00:00Z")), Some(2));
    let empty = Buckets::new(Some(Grain::Month), Tz::UTC, &open, None, as_of).expect("none");
    assert!(empty.buckets().is_empty());
    let whole = Buckets::new(None, Tz::UTC, &open, None, as_of).expect("one");
    assert_eq!(whole.of_instant(at("1700-01-01T00:00:00Z")), Some(0));
    assert_eq!(whole.of_date(date("1700-01-01")), Some(0));
}

#[test]
fn too_many_buckets_are_refused() {
    let days = interval("2010-01-01..2026-01-01", Period::Current, Tz::UTC, "2026-01-14T10:00:00Z");
    let made = Buckets::new(Some(Grain::Day), Tz::UTC, &days, None, at("2026-01-14T10:00:00Z"));
    assert_eq!(made, Err(Refusal::TooManyBuckets));
}
