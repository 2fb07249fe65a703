//! Numbers, dates and times as the reader writes them.

use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::i18n;

/// How a reader is spoken to: language, zone, and what now is.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    /// `zh-CN`, `en`.
    pub(crate) language: String,
    /// The zone of the pack.
    pub(crate) zone: Tz,
    /// The instant of the request.
    pub(crate) now: DateTime<Utc>,
}

/// A time to show.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Time {
    text: String,
    iso: String,
    title: String,
    relative: bool,
}

/// How much time is left.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Due {
    text: String,
    iso: String,
    title: String,
    tone: &'static str,
}

impl Local {
    /// The text of the catalogue, places filled in.
    pub(crate) fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        let text = i18n::text(&self.language, key).to_owned();
        values.iter().fold(text, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// A label inside a sentence: English ones begin small there, unless they are capitals on purpose.
    pub(crate) fn inside(&self, label: &str) -> String {
        let mut letters = label.chars();
        match (letters.next(), letters.next()) {
            (Some(first), Some(second)) if self.language.starts_with("en") && second.is_ascii_lowercase() => {
                format!("{}{}", first.to_ascii_lowercase(), &label[first.len_utf8()..])
            }
            _ => label.to_owned(),
        }
    }

    /// A date: `2026-01-05`, `5 Jan 2026`.
    pub(crate) fn date(&self, date: NaiveDate) -> String {
        date.format(if self.is_chinese() { "%Y-%m-%d" } else { "%-d %b %Y" }).to_string()
    }

    /// A day of a year one knows: `01-05`, `5 Jan`.
    pub(crate) fn day(&self, date: NaiveDate) -> String {
        date.format(if self.is_chinese() { "%m-%d" } else { "%-d %b" }).to_string()
    }

    /// An instant, to the minute, in the pack's zone; the year where it is not this one.
    pub(crate) fn instant(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone);
        let is_this_year = local.year() == self.now.with_timezone(&self.zone).year();
        let date = if is_this_year { self.day(local.date_naive()) } else { self.date(local.date_naive()) };
        format!("{date} {}", local.format("%H:%M"))
    }

    /// A time said relative to now while it is near, else as a date.
    pub(crate) fn time(&self, at: DateTime<Utc>) -> Time {
        let passed = self.now - at;
        let relative = passed < Duration::days(7) && passed > Duration::days(-7);
        let text = if relative { self.ago(passed) } else { self.date(at.with_timezone(&self.zone).date_naive()) };
        Time { text, iso: iso(at), title: self.exact(at), relative }
    }

    /// The time of an answer: exact, and never "just now".
    pub(crate) fn as_of(&self, at: DateTime<Utc>) -> Time {
        let local = at.with_timezone(&self.zone);
        let is_today = local.date_naive() == self.now.with_timezone(&self.zone).date_naive();
        let text = if is_today { local.format("%H:%M").to_string() } else { self.instant(at) };
        Time { text, iso: iso(at), title: self.exact(at), relative: false }
    }

    /// A point in time as such, not relative to now.
    pub(crate) fn point(&self, at: DateTime<Utc>) -> Time {
        Time { text: self.instant(at), iso: iso(at), title: self.exact(at), relative: false }
    }

    /// The time left, or by how much it is over.
    pub(crate) fn due(&self, at: DateTime<Utc>) -> Due {
        let left = at - self.now;
        let (key, tone) = match left {
            _ if left < Duration::zero() => ("due.over", "bad"),
            _ if left < Duration::hours(4) => ("due.left", "warn"),
            _ => ("due.left", ""),
        };
        let text = self.say(key, &[("time", &self.span(left.abs()))]);
        Due { text, iso: iso(at), title: self.say("due.at", &[("time", &self.exact(at))]), tone }
    }

    /// A number with its thousands grouped; what is no number stays.
    pub(crate) fn number(&self, text: &str) -> String {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
        if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.to_owned();
        }
        let mut grouped = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
        format!("{}{grouped}{fraction}", if sign.is_empty() { "" } else { "−" })
    }

    /// An amount with its currency.
    pub(crate) fn money(&self, text: &str, currency: &str) -> String {
        let number = self.number(text);
        match (currency, number.strip_prefix('−')) {
            ("CNY", Some(amount)) => format!("−¥{amount}"),
            ("CNY", None) => format!("¥{number}"),
            _ => format!("{currency} {number}"),
        }
    }

    /// An instant to the second, with the zone's name.
    pub(crate) fn exact(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone);
        format!("{} {} ({})", self.date(local.date_naive()), local.format("%H:%M:%S"), self.zone.name())
    }

    /// An instant on the wire as a sheet takes it: to the second, in the zone of the pack; what is none stays.
    pub(crate) fn stamp(&self, text: &str) -> String {
        let stamp = |at: DateTime<Utc>| at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string();
        parse_instant(text).map_or_else(|| text.to_owned(), stamp)
    }

    fn ago(&self, passed: Duration) -> String {
        if passed.abs() < Duration::minutes(1) {
            return self.say("time.now", &[]);
        }
        let key = if passed > Duration::zero() { "time.ago" } else { "time.ahead" };
        self.say(key, &[("time", &self.span(passed.abs()))])
    }

    /// The greatest unit of a span: "3 hours".
    fn span(&self, span: Duration) -> String {
        let (unit, count) = match span {
            _ if span >= Duration::days(1) => ("day", span.num_days()),
            _ if span >= Duration::hours(1) => ("hour", span.num_hours()),
            _ => ("minute", span.num_minutes().max(1)),
        };
        let many = if count == 1 { "one" } else { "many" };
        self.say(&format!("time.{unit}.{many}"), &[("n", &count.to_string())])
    }

    fn is_chinese(&self) -> bool {
        self.language.starts_with("zh")
    }
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The instant an RFC 3339 text writes.
pub(crate) fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn local(language: &str) -> Local {
        let now = Utc.with_ymd_and_hms(2026, 1, 5, 1, 0, 0).unwrap();
        Local { language: language.to_owned(), zone: chrono_tz::Asia::Shanghai, now }
    }

    #[test]
    fn numbers_are_grouped_and_amounts_carry_their_currency() {
        let local = local("en");
        for (plain, shown) in
            [("0", "0"), ("812", "812"), ("6000.00", "6,000.00"), ("-1234567", "−1,234,567"), ("x", "x")]
        {
            assert_eq!(local.number(plain), shown);
        }
        assert_eq!(local.money("6000.00", "CNY"), "¥6,000.00");
        assert_eq!(local.money("-5.00", "CNY"), "−¥5.00");
        assert_eq!(local.money("5.00", "EUR"), "EUR 5.00");
    }

    #[test]
    fn labels_begin_small_inside_a_sentence() {
        assert_eq!(local("en").inside("Service ticket"), "service ticket");
        assert_eq!(local("en").inside("VIP request"), "VIP request");
        assert_eq!(local("zh-CN").inside("服务工单"), "服务工单");
        assert_eq!(local("en").inside(""), "");
    }

    #[test]
    fn times_are_told_in_the_packs_zone() {
        let at = Utc.with_ymd_and_hms(2026, 1, 4, 22, 30, 0).unwrap();
        assert_eq!(local("zh-CN").instant(at), "01-05 06:30");
        assert_eq!(local("en").instant(at), "5 Jan 06:30");
        assert_eq!(local("zh-CN").instant(at - Duration::days(30)), "2025-12-06 06:30");
        assert_eq!(local("en").time(at).text, "2 hours ago");
        assert_eq!(local("zh-CN").time(at).text, "2 小时前");
        assert_eq!(local("en").time(at - Duration::days(30)).text, "6 Dec 2025");
        assert_eq!(local("en").due(at).tone, "bad");
        assert_eq!(local("en").due(local("en").now + Duration::hours(3)).text, "3 hours left");
    }
}
