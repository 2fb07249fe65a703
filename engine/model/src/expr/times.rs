//! Dates and instants in text: what `date(…)` and `datetime(…)` read.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Utc};

/// What a text says about an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With an offset: an instant.
    Instant(DateTime<Utc>),
    /// Without one: a local time, of the pack's zone.
    Local(NaiveDateTime),
}

/// The date of `2026-01-31`, or of a text in that `strftime` format.
pub fn parse_date(text: &str, format: Option<&str>) -> Option<NaiveDate> {
    let text = text.trim();
    match format {
        Some(format) => NaiveDateTime::parse_from_str(text, format)
            .map(|moment| moment.date())
            .or_else(|_| NaiveDate::parse_from_str(text, format))
            .ok(),
        // chrono alone would take signs and single digits.
        None => is_iso_date(text).then(|| text.parse().ok()).flatten(),
    }
}

/// The moment of an RFC 3339 text (offset and seconds may be missing, a space may stand for the `T`), or of a text in
/// that `strftime` format. A date alone is its midnight. Microsecond precision: what is finer is cut off.
pub fn parse_datetime(text: &str, format: Option<&str>) -> Option<Moment> {
    let text = text.trim();
    let Some(format) = format else {
        return parse_rfc3339(text);
    };
    if let Ok(instant) = DateTime::parse_from_str(text, format) {
        return Some(Moment::Instant(instant.with_timezone(&Utc).trunc_subsecs(6)));
    }
    NaiveDateTime::parse_from_str(text, format)
        .or_else(|_| NaiveDate::parse_from_str(text, format).map(|date| date.and_time(NaiveTime::MIN)))
        .ok()
        .map(|local| Moment::Local(local.trunc_subsecs(6)))
}

/// Whether chrono knows every part of the format.
pub(crate) fn is_format(format: &str) -> bool {
    use chrono::format::{Item, StrftimeItems};
    !format.is_empty() && StrftimeItems::new(format).all(|item| !matches!(item, Item::Error))
}

fn is_iso_date(text: &str) -> bool {
    let digits = |(index, byte): (usize, u8)| if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(digits)
}

fn parse_rfc3339(text: &str) -> Option<Moment> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(Moment::Instant(instant.with_timezone(&Utc).trunc_subsecs(6)));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| parse_date(text, None).map(|date| date.and_time(NaiveTime::MIN)))
        .map(|local| Moment::Local(local.trunc_subsecs(6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates() {
        for (text, format, expected) in [
            ("2026-01-31", None, Some("2026-01-31")),
            (" 2026-01-31 ", None, Some("2026-01-31")),
            ("2026-1-31", None, None),
            ("2026-02-30", None, None),
            ("31/01/2026", Some("%d/%m/%Y"), Some("2026-01-31")),
            ("31/01/2026 08:00", Some("%d/%m/%Y %H:%M"), Some("2026-01-31")),
            ("", Some("%d/%m/%Y"), None),
        ] {
            assert_eq!(parse_date(text, format).map(|date| date.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn reads_moments() {
        let shown = |moment| match moment {
            Moment::Instant(at) => at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            Moment::Local(at) => at.to_string(),
        };
        for (text, format, expected) in [
            ("2026-01-05T09:00:00+08:00", None, Some("2026-01-05T01:00:00.000000Z")),
            ("2026-01-05T01:00:00.1234567Z", None, Some("2026-01-05T01:00:00.123456Z")),
            ("2026-01-05 09:00", None, Some("2026-01-05 09:00:00")),
            ("2026-01-05", None, Some("2026-01-05 00:00:00")),
            ("2015-02-24 11:35:52 -0800", Some("%Y-%m-%d %H:%M:%S %z"), Some("2015-02-24T19:35:52.000000Z")),
            ("24.02.2015 11:35", Some("%d.%m.%Y %H:%M"), Some("2015-02-24 11:35:00")),
            ("soon", None, None),
        ] {
            assert_eq!(parse_datetime(text, format).map(shown).as_deref(), expected, "{text}");
        }
    }
}
