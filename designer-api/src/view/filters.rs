//! Filters of a list: `f.state=open&f.state=new` in the address ↔ chips on the page ↔ one condition in the expression
//! language. Values become quoted literals; what is no value of the field's type is left out.

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use formwork_model::Key;
use formwork_model::pack::form::{Field, FieldKind, Level, View};
use rust_decimal::Decimal;
use serde::Serialize;

use super::field::Choice;
use super::format::{Local, iso};
use super::query::{Pairs, changed, first};
use super::seen::Seen;

/// Most chips of a bar, but for those in use.
const CHIPS_MAX: usize = 6;

/// The bar above results (templates/parts/filters.html).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Bar {
    pub(crate) action: String,
    pub(crate) query: Option<String>,
    pub(crate) hidden: Vec<Hidden>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) clear: String,
}

/// A parameter that the form carries along.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hidden {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A chip.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Filter {
    pub(crate) key: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Name of the tick for rows where the field is empty; "" where there is none.
    pub(crate) empty: String,
    pub(crate) is_empty: bool,
    pub(crate) options: Vec<Choice>,
    pub(crate) active: bool,
    pub(crate) text: String,
    pub(crate) clear: String,
}

/// How a field can be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Options,
    Flag,
    Dates,
    Instants,
    Numbers,
    Text,
}

/// The bar of a list: its search box, its chips, and what stays.
pub(crate) fn bar(seen: &Seen, view: Option<&View>, local: &Local, path: &str, pairs: &Pairs) -> Bar {
    let filters = chosen(seen, view, pairs).into_iter().map(|(key, field)| chip(seen, field, key, local, path, pairs));
    let mut bar = Bar {
        action: path.to_owned(),
        query: Some(first(pairs, "q").unwrap_or_default().to_owned()),
        hidden: carried(pairs, &["view", "sort", "saved", "columns"]),
        filters: filters.collect(),
        clear: String::new(),
    };
    if is_filtered(pairs) {
        bar.clear = changed(path, pairs, |name| narrows(name) || name == "after", &[]);
    }
    bar
}

/// Parameters that a GET form has to carry along.
pub(crate) fn carried(pairs: &Pairs, names: &[&str]) -> Vec<Hidden> {
    let kept = pairs.iter().filter(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
    kept.map(|(name, value)| Hidden { name: name.clone(), value: value.clone() }).collect()
}

/// Whether the address narrows the list.
pub(crate) fn is_filtered(pairs: &Pairs) -> bool {
    pairs.iter().any(|(name, value)| narrows(name) && !value.is_empty())
}

/// The condition of all filters of an address, `filter=` included; none where there are none.
pub(crate) fn expression(seen: &Seen, pairs: &Pairs, zone: Tz) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for (position, field) in seen.form.fields.iter().enumerate() {
        if let Some(manner) = manner(seen, field).filter(|_| seen.level(position) >= Level::Read) {
            let value = condition(seen, field, manner, pairs, zone);
            let empty = asks_empty(&field.key, pairs).then(|| format!("{} == null", field.key));
            parts.extend(match (value, empty) {
                (Some(value), Some(empty)) => Some(format!("({value} or {empty})")),
                (value, empty) => value.or(empty),
            });
        }
    }
    parts.extend(first(pairs, "filter").map(|filter| format!("({filter})")));
    (!parts.is_empty()).then(|| parts.join(" and "))
}

fn narrows(name: &str) -> bool {
    name.starts_with("f.") || name == "q" || name == "filter"
}

/// The fields with a chip: those of the view's columns that have few values first, then other choices, and all in use.
fn chosen<'s>(seen: &'s Seen, view: Option<&View>, pairs: &Pairs) -> Vec<(&'s Key, &'s Field)> {
    let columns: Vec<&str> =
        view.map(|view| view.columns.iter().map(|column| &*column.key).collect()).unwrap_or_default();
    let mut found: Vec<(u8, usize, &Field)> = Vec::new();
    for (position, field, level) in seen.fields() {
        let Some(manner) = manner(seen, field).filter(|_| level >= Level::Read) else { continue };
        let column = columns.iter().position(|column| *column == &*field.key);
        let rank = match (manner, column) {
            _ if is_used(&field.key, pairs) => 0,
            (Manner::Options, Some(_)) => 1,
            (Manner::Flag | Manner::Dates | Manner::Instants | Manner::Numbers, Some(_)) => 2,
            (Manner::Options | Manner::Flag, None) => 3,
            _ => continue,
        };
        found.push((rank, column.unwrap_or(columns.len() + position), field));
    }
    let used = found.iter().filter(|(rank, ..)| *rank == 0).count();
    found.sort_by_key(|(rank, place, _)| (*rank, *place));
    found.truncate(CHIPS_MAX.max(used));
    // Chips do not jump when they are used: on the page they stand in the order of the columns.
    found.sort_by_key(|(rank, place, _)| (*rank > 2, *place));
    found.into_iter().map(|(_, _, field)| (&field.key, field)).collect()
}

fn is_used(key: &str, pairs: &Pairs) -> bool {
    let name = format!("f.{key}");
    let is_of =
        |other: &str| other.strip_prefix(&name).is_some_and(|rest| matches!(rest, "" | ".from" | ".to" | ".is"));
    pairs.iter().any(|(other, value)| is_of(other) && !value.is_empty())
}

/// `f.state.is=empty`: rows where nothing stands, beside those of the values chosen.
fn asks_empty(key: &str, pairs: &Pairs) -> bool {
    pairs.iter().any(|(name, value)| value == "empty" && name.strip_prefix("f.") == Some(&format!("{key}.is")))
}

fn manner(seen: &Seen, field: &Field) -> Option<Manner> {
    if !field.is_stored() {
        return None;
    }
    Some(match &seen.source(field).kind {
        FieldKind::Choice { .. } | FieldKind::Queue => Manner::Options,
        FieldKind::Boolean => Manner::Flag,
        FieldKind::Date => Manner::Dates,
        FieldKind::DateTime => Manner::Instants,
        FieldKind::Integer { .. } | FieldKind::Decimal { .. } | FieldKind::Money { .. } => Manner::Numbers,
        FieldKind::Text { .. } | FieldKind::LongText { .. } | FieldKind::Email | FieldKind::Phone { .. } => {
            Manner::Text
        }
        FieldKind::Series { .. } => Manner::Text,
        _ => return None,
    })
}

/// Keys and labels of what a field may hold.
fn options(seen: &Seen, field: &Field, local: &Local) -> Vec<(String, String)> {
    let language = &local.language;
    match &seen.source(field).kind {
        FieldKind::Choice { options, .. } => {
            options.iter().map(|(key, option)| (key.to_string(), option.label.get(language).to_owned())).collect()
        }
        FieldKind::Queue => {
            let queues = seen.pack.queues().iter();
            queues.map(|(key, queue)| (key.to_string(), queue.title.get(language).to_owned())).collect()
        }
        FieldKind::Boolean => ["true", "false"]
            .map(|flag| (flag.to_owned(), local.say(if flag == "true" { "field.yes" } else { "field.no" }, &[])))
            .to_vec(),
        _ => Vec::new(),
    }
}

fn chip(seen: &Seen, field: &Field, key: &str, local: &Local, path: &str, pairs: &Pairs) -> Filter {
    let name = format!("f.{key}");
    let own = |suffix: &str| first(pairs, &format!("{name}{suffix}")).unwrap_or_default().to_owned();
    let picked = |key: &str| pairs.iter().any(|(other, value)| *other == name && value == key);
    let options: Vec<Choice> = options(seen, field, local)
        .into_iter()
        .map(|(value, label)| Choice { selected: picked(&value), value, label })
        .collect();
    let (value, from, to) = (own(""), own(".from"), own(".to"));
    let is_empty = asks_empty(key, pairs);
    let nothing = local.say("filter.empty", &[]);
    let chosen = options.iter().filter(|one| one.selected).map(|one| one.label.as_str());
    let words: Vec<&str> = chosen.chain(is_empty.then_some(nothing.as_str())).collect();
    let text = match words.as_slice() {
        [] if !from.is_empty() || !to.is_empty() => format!("{from} – {to}"),
        [] if options.is_empty() => value.clone(),
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    Filter {
        key: key.to_owned(),
        kind: seen.source(field).kind.name(),
        label: field.label.get(&local.language).to_owned(),
        clear: changed(
            path,
            pairs,
            |other| other == name || other.starts_with(&format!("{name}.")) || other == "after",
            &[],
        ),
        active: !text.is_empty(),
        empty: if matches!(field.kind, FieldKind::Boolean) { String::new() } else { format!("{name}.is") },
        is_empty,
        name,
        value,
        from,
        to,
        options,
        text,
    }
}

fn condition(seen: &Seen, field: &Field, manner: Manner, pairs: &Pairs, zone: Tz) -> Option<String> {
    let key = &field.key;
    let name = format!("f.{key}");
    let ends = || (first(pairs, &format!("{name}.from")), first(pairs, &format!("{name}.to")));
    match manner {
        Manner::Options => {
            let known = |value: &&String| match &seen.source(field).kind {
                FieldKind::Choice { options, .. } => options.contains_key(value.as_str()),
                _ => seen.pack.queues().contains_key(value.as_str()),
            };
            let wanted = pairs.iter().filter(|(other, _)| *other == name).map(|(_, value)| value).filter(known);
            let wanted: Vec<String> = wanted.map(|value| quoted(value)).collect();
            (!wanted.is_empty()).then(|| format!("{key} in [{}]", wanted.join(", ")))
        }
        Manner::Flag => {
            let has = |flag: &str| pairs.iter().any(|(other, value)| *other == name && value == flag);
            match (has("true"), has("false")) {
                (true, false) => Some(format!("{key} == true")),
                (false, true) => Some(format!("({key} == false or {key} == null)")),
                _ => None,
            }
        }
        Manner::Text => first(pairs, &name).map(|part| format!("contains({key}, {})", quoted(part))),
        Manner::Numbers => {
            let number = |text: Option<&str>| text?.trim().parse::<Decimal>().ok().map(|number| number.to_string());
            let (from, to) = ends();
            between(key, number(from), "<=", number(to))
        }
        Manner::Dates => {
            let date = |text: Option<&str>| text?.parse::<NaiveDate>().ok().map(|date| format!("date('{date}')"));
            let (from, to) = ends();
            between(key, date(from), "<=", date(to))
        }
        Manner::Instants => {
            let (from, to) = ends();
            let start = from.and_then(|from| midnight(from, 0, zone));
            let end = to.and_then(|to| midnight(to, 1, zone));
            between(key, start, "<", end)
        }
    }
}

fn between(key: &str, from: Option<String>, until: &str, to: Option<String>) -> Option<String> {
    let parts = [from.map(|from| format!("{key} >= {from}")), to.map(|to| format!("{key} {until} {to}"))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// The start of a local day, some days later, as a literal.
fn midnight(date: &str, days: u64, zone: Tz) -> Option<String> {
    let start = date.parse::<NaiveDate>().ok()?.checked_add_days(Days::new(days))?.and_hms_opt(0, 0, 0)?;
    let at = formwork_core::eval::time::at_local(start, zone)?;
    Some(format!("datetime('{}')", iso(at)))
}

/// A text literal: nothing in it can end it.
fn quoted(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", clean.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        assert_eq!(quoted("o'brien"), r"'o\'brien'");
        assert_eq!(quoted(r"\' or true or '"), r"'\\\' or true or \''");
        assert_eq!(quoted("a\0b\n"), "'ab'");
    }

    #[test]
    fn days_begin_in_the_zone_of_the_pack() {
        let zone = chrono_tz::Asia::Shanghai;
        assert_eq!(midnight("2026-01-05", 0, zone).unwrap(), "datetime('2026-01-04T16:00:00Z')");
        assert_eq!(midnight("2026-01-05", 1, zone).unwrap(), "datetime('2026-01-05T16:00:00Z')");
        assert_eq!(midnight("tomorrow", 0, zone), None);
    }

    #[test]
    fn a_name_that_only_begins_alike_is_not_in_use() {
        let pairs = vec![("f.stateless".to_owned(), "x".to_owned()), ("f.day.from".to_owned(), "x".to_owned())];
        assert!(!is_used("state", &pairs));
        assert!(is_used("day", &pairs));
        assert!(is_filtered(&pairs));
    }
}
