//! Cells of a sheet as people write them, made into what the wire takes: labels of options, dates with slashes, thousands
//! apart, a link by the key of its record. What cannot be made out stays as it is and is refused where it is read.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use formwork_model::expr::Type;
use formwork_model::pack::form::{Field, FieldKind};
use formwork_model::{Pack, Text};

use crate::wire;

/// What the cell says of the field, as on the wire.
pub(crate) fn read(pack: &Pack, field: &Field, cell: &str) -> Json {
    let text = cell.trim();
    let read = match &field.kind {
        FieldKind::Text { .. } | FieldKind::LongText { .. } | FieldKind::Series { .. } => None,
        FieldKind::Choice { options, .. } => {
            let labels = options.iter().map(|(key, option)| (&**key, &option.label));
            option(text, labels).map(Json::from)
        }
        FieldKind::Queue => {
            let labels = pack.queues().iter().map(|(key, queue)| (&**key, &queue.title));
            option(text, labels).map(Json::from)
        }
        FieldKind::Boolean => boolean(text).map(Json::from),
        FieldKind::Date => date(text).map(|(date, _)| Json::from(date)),
        FieldKind::DateTime => datetime(text).map(Json::from),
        FieldKind::Integer { .. } | FieldKind::Decimal { .. } | FieldKind::Money { .. } => number(text).map(Json::from),
        FieldKind::Link { ty: Type::Link(to), .. } if text.parse::<Uuid>().is_err() => {
            let form = pack.form(to);
            match form.natural_key.as_slice() {
                [only] => {
                    let key = &form.fields[*only].key;
                    Some(json!({"key": {&**key: text}}))
                }
                _ => None,
            }
        }
        _ => None,
    };
    read.unwrap_or_else(|| Json::from(cell))
}

/// Whether the cell is a value of the field, as far as can be told without looking anything up.
pub(crate) fn fits(pack: &Pack, field: &Field, cell: &str) -> bool {
    match wire::parse(pack, field, &read(pack, field, cell)) {
        Ok(wire::Input::Value(value)) => wire::limits(field, &value).is_none(),
        Ok(wire::Input::NaturalKey(_)) => true,
        Err(_) => false,
    }
}

/// The key of the option that is written so, or labelled so in any language.
fn option<'a>(text: &str, mut options: impl Iterator<Item = (&'a str, &'a Text)> + Clone) -> Option<&'a str> {
    let is_it = |label: &str| label.trim().eq_ignore_ascii_case(text);
    let exact = options.clone().find(|(key, _)| *key == text);
    let found = exact.or_else(|| options.find(|(key, label)| is_it(key) || label.all().any(is_it)));
    found.map(|(key, _)| key)
}

fn boolean(text: &str) -> Option<&'static str> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "是" | "真" | "√" | "✓" => Some("true"),
        "false" | "no" | "n" | "0" | "否" | "假" | "×" => Some("false"),
        _ => None,
    }
}

/// The date at the start as `2026-01-31`, and what follows it: `2026/1/31`, `2026.1.31`, `2026年1月31日`, `20260131`; a
/// time of midnight is no time.
fn date(text: &str) -> Option<(String, &str)> {
    let (year, rest) = digits(text)?;
    if year.len() == 8 {
        return Some((format!("{}-{}-{}", &year[..4], &year[4..6], &year[6..]), rest));
    }
    let (month, rest) = digits(rest.strip_prefix(['-', '/', '.', '年'])?)?;
    let (day, rest) = digits(rest.strip_prefix(['-', '/', '.', '月'])?)?;
    let rest = rest.strip_prefix('日').unwrap_or(rest);
    let fits = year.len() == 4 && month.len() <= 2 && day.len() <= 2;
    let is_midnight = rest.chars().all(|c| matches!(c, ' ' | '0' | ':' | '.' | 'T'));
    let rest = if is_midnight { "" } else { rest };
    fits.then(|| (format!("{year}-{month:0>2}-{day:0>2}"), rest))
}

/// A date with a time of day, in the pack's zone unless it says one: `2026/1/31 9:05` is `2026-01-31T09:05:00`.
fn datetime(text: &str) -> Option<String> {
    let (date, rest) = date(text)?;
    let rest = rest.trim_start_matches([' ', 'T']);
    if rest.is_empty() {
        return Some(format!("{date}T00:00:00"));
    }
    let (hour, rest) = digits(rest)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?)?;
    let seconds = if rest.starts_with(':') { rest.to_owned() } else { format!(":00{rest}") };
    (hour.len() <= 2 && minute.len() == 2).then(|| format!("{date}T{hour:0>2}:{minute}{}", seconds.trim_end()))
}

/// A number without its currency and without what parts its thousands.
fn number(text: &str) -> Option<String> {
    let bare = text.trim_start_matches(['¥', '￥', '$', '€']).trim();
    let (sign, bare) = match bare.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", bare),
    };
    let (whole, fraction) = bare.split_once('.').map_or((bare, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.split(',');
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()) || !whole.contains(','));
    let fits = first
        && groups.all(|group| group.len() == 3)
        && whole.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let whole = whole.replace(',', "");
    fits.then(|| fraction.map_or_else(|| format!("{sign}{whole}"), |fraction| format!("{sign}{whole}.{fraction}")))
}

/// The digits at the start, at least one, and the rest.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in ["2026-01-31", "2026/1/31", "2026.01.31", "2026年1月31日", "20260131", "2026/1/31  0:00:00"] {
            assert_eq!(date(text), Some(("2026-01-31".to_owned(), "")), "{text}");
        }
        assert_eq!(date("31/1/2026"), None);
        assert_eq!(datetime("2026/1/31 9:05").as_deref(), Some("2026-01-31T09:05:00"));
        assert_eq!(datetime("2026-01-31T09:05:07+08:00").as_deref(), Some("2026-01-31T09:05:07+08:00"));
        assert_eq!(datetime("soon"), None);
    }

    #[test]
    fn numbers_lose_what_parts_their_thousands() {
        assert_eq!(number("1,234,567.50").as_deref(), Some("1234567.50"));
        assert_eq!(number("-1,000").as_deref(), Some("-1000"));
        assert_eq!(number("￥ 12").as_deref(), Some("12"));
        assert_eq!(number("1,23"), None);
        assert_eq!(number("1.234,5").as_deref(), Some("1.234,5"));
    }
}
