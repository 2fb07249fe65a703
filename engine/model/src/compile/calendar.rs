//! Calendars: local times become minutes, words become days.

use std::collections::BTreeMap;

use chrono::{NaiveDate, Weekday};

use crate::diagnostic::At;
use crate::documents::calendar::{self as author, WeekdayWord};
use crate::documents::common::Keyed;
use crate::pack::calendar::{Calendar, Hours, Off};

use super::context::Context;
use super::load::Document;
use super::pack::timezone;

const DAY: u32 = 24 * 60;

/// Compiles the calendar; nothing where a day or an interval of it is none.
pub(super) fn compile(context: &Context<'_>, document: &Document<author::Calendar>) -> Option<Calendar> {
    let (author, at) = (&document.body, &document.at);
    let days = [
        ("mon", &author.week.mon),
        ("tue", &author.week.tue),
        ("wed", &author.week.wed),
        ("thu", &author.week.thu),
        ("fri", &author.week.fri),
        ("sat", &author.week.sat),
        ("sun", &author.week.sun),
    ];
    let week = days.map(|(day, intervals)| hours(context, intervals, &at.key("week").key(day)));
    if week.iter().all(Vec::is_empty) {
        let hint = Some("give a weekday its hours, such as `\"mon\": [\"09:00-17:00\"]`".to_owned());
        context.error_hint("FW0409", &at.key("week"), "the calendar is never open", hint);
        return None;
    }
    Some(Calendar {
        key: document.key.clone(),
        label: context.text(&author.label, &at.key("label")),
        timezone: timezone(context, &author.timezone, &at.key("timezone")),
        week,
        off: author.off.iter().filter_map(|(key, off)| closed(context, off, &at.key("off").key(key))).collect(),
        work: work(context, &author.work, &at.key("work")),
        covers: author.covers.as_ref().and_then(|day| date(context, day, &at.key("covers"))),
    })
}

/// Ascending, and none reaches into the next.
fn hours(context: &Context<'_>, intervals: &[String], at: &At) -> Vec<Hours> {
    let mut hours: Vec<Hours> = Vec::new();
    for (index, text) in intervals.iter().enumerate() {
        let Some((start, end)) = text.split_once('-').map(|(start, end)| (minutes(start), minutes(end))) else {
            continue;
        };
        let end = if end <= start { end + DAY } else { end };
        if hours.last().is_some_and(|before| before.end > start) {
            let message = format!("`{text}` begins before the interval in front of it ends");
            context.error("FW0409", &at.index(index), message);
        }
        hours.push(Hours { start, end });
    }
    hours
}

/// The schema has seen to the form.
fn minutes(text: &str) -> u32 {
    let number = |part: Option<&str>| part.and_then(|part| part.parse().ok()).unwrap_or(0);
    let mut parts = text.split(':');
    number(parts.next()) * 60 + number(parts.next())
}

fn closed(context: &Context<'_>, off: &author::Off, at: &At) -> Option<Off> {
    match (&off.from, &off.yearly, off.easter) {
        (Some(from), None, None) => {
            let from = date(context, from, &at.key("from"))?;
            let to = off.to.as_ref().map_or(Some(from), |to| date(context, to, &at.key("to")))?;
            if to < from {
                context.error("FW0409", &at.key("to"), "the last day comes before the first");
            }
            Some(Off::Days(from, to))
        }
        (None, Some(yearly), None) if off.to.is_none() => {
            let parts = yearly.split_once('-').and_then(|(month, day)| Some((month.parse().ok()?, day.parse().ok()?)));
            // A leap year has every day there is.
            let found = parts.filter(|(month, day)| NaiveDate::from_ymd_opt(2024, *month, *day).is_some());
            if found.is_none() {
                context.error("FW0409", &at.key("yearly"), format!("there is no day `{yearly}`"));
            }
            found.map(|(month, day)| Off::Yearly(month, day))
        }
        (None, None, Some(days)) if off.to.is_none() => Some(Off::Easter(days)),
        _ => {
            let message = "exactly one of `from` (with `to`), `yearly` and `easter` is needed";
            context.error_at_key("FW0117", at, message, None);
            None
        }
    }
}

fn work(context: &Context<'_>, work: &Keyed<author::Work>, at: &At) -> BTreeMap<NaiveDate, Weekday> {
    let mut days = BTreeMap::new();
    for (key, day) in work {
        let at = at.key(key).key("date");
        let Some(date) = date(context, &day.date, &at) else { continue };
        if days.insert(date, weekday(day.like)).is_some() {
            context.error("FW0409", &at, format!("`{date}` stands here twice"));
        }
    }
    days
}

fn date(context: &Context<'_>, text: &str, at: &At) -> Option<NaiveDate> {
    let date = text.parse().ok();
    if date.is_none() {
        context.error("FW0409", at, format!("there is no day `{text}`"));
    }
    date
}

fn weekday(word: WeekdayWord) -> Weekday {
    match word {
        WeekdayWord::Mon => Weekday::Mon,
        WeekdayWord::Tue => Weekday::Tue,
        WeekdayWord::Wed => Weekday::Wed,
        WeekdayWord::Thu => Weekday::Thu,
        WeekdayWord::Fri => Weekday::Fri,
        WeekdayWord::Sat => Weekday::Sat,
        WeekdayWord::Sun => Weekday::Sun,
    }
}
