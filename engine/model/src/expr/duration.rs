//! Durations as ISO 8601 text: `P1Y2M`, `P2W`, `PT4H30M`, `-P3D`, `PT0.5S`.

use crate::value::Duration;

const MILLISECONDS_PER_SECOND: i64 = 1_000;
const MILLISECONDS_PER_MINUTE: i64 = 60 * MILLISECONDS_PER_SECOND;
const MILLISECONDS_PER_HOUR: i64 = 60 * MILLISECONDS_PER_MINUTE;

/// The duration, or nothing if the text is none. Years are twelve months, weeks seven days; seconds may have up to
/// three places; a sign may stand before the `P` and, for mixed durations, before each number.
pub fn parse_iso(text: &str) -> Option<Duration> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (date, time) = match rest.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let mut duration = Duration::default();
    let mut units = ['Y', 'M', 'W', 'D'].iter();
    for (number, unit) in parts(date)? {
        units.by_ref().find(|known| **known == unit)?;
        let number: i32 = number.parse().ok()?;
        let (field, factor) = match unit {
            'Y' => (&mut duration.months, 12),
            'M' => (&mut duration.months, 1),
            'W' => (&mut duration.days, 7),
            _ => (&mut duration.days, 1),
        };
        *field = field.checked_add(number.checked_mul(factor * sign)?)?;
    }
    let mut units = ['H', 'M', 'S'].iter();
    for (number, unit) in parts(time)? {
        units.by_ref().find(|known| **known == unit)?;
        let milliseconds = match unit {
            'H' => number.parse::<i64>().ok()?.checked_mul(MILLISECONDS_PER_HOUR)?,
            'M' => number.parse::<i64>().ok()?.checked_mul(MILLISECONDS_PER_MINUTE)?,
            _ => seconds(number)?,
        };
        duration.milliseconds = duration.milliseconds.checked_add(milliseconds.checked_mul(i64::from(sign))?)?;
    }
    Some(duration)
}

/// The canonical text: no weeks, no zero parts, hours not folded into days. `PT0S` is the empty duration.
pub fn format_iso(duration: &Duration) -> String {
    let (months, days, milliseconds) =
        (i128::from(duration.months), i128::from(duration.days), i128::from(duration.milliseconds));
    let negative = months <= 0 && days <= 0 && milliseconds <= 0 && (months, days, milliseconds) != (0, 0, 0);
    let sign = if negative { -1 } else { 1 };
    let mut text = String::from(if negative { "-P" } else { "P" });
    let part = |text: &mut String, number: i128, unit: char| {
        if number != 0 {
            text.push_str(&format!("{}{unit}", number * sign));
        }
    };
    part(&mut text, months / 12, 'Y');
    part(&mut text, months % 12, 'M');
    part(&mut text, days, 'D');
    if milliseconds != 0 || (months, days) == (0, 0) {
        text.push('T');
        part(&mut text, milliseconds / i128::from(MILLISECONDS_PER_HOUR), 'H');
        let rest = milliseconds % i128::from(MILLISECONDS_PER_HOUR);
        part(&mut text, rest / i128::from(MILLISECONDS_PER_MINUTE), 'M');
        let rest = rest % i128::from(MILLISECONDS_PER_MINUTE) * sign;
        if rest != 0 {
            text.push_str(&seconds_text(rest));
        } else if milliseconds == 0 {
            text.push_str("0S");
        }
    }
    text
}

/// `["4", 'H'], ["30", 'M']` of `4H30M`.
fn parts(text: &str) -> Option<Vec<(&str, char)>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_uppercase())?;
        let number = &rest[..end];
        let digits = number.strip_prefix('-').unwrap_or(number);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.ends_with('.') {
            return None;
        }
        parts.push((number, char::from(rest.as_bytes()[end])));
        rest = &rest[end + 1..];
    }
    Some(parts)
}

fn seconds(number: &str) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
    let milliseconds = whole.parse::<i64>().ok()?.checked_mul(MILLISECONDS_PER_SECOND)?;
    milliseconds.checked_add(if number.starts_with('-') { -fraction } else { fraction })
}

fn seconds_text(milliseconds: i128) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let (whole, fraction) = (milliseconds.abs() / 1_000, milliseconds.abs() % 1_000);
    if fraction == 0 {
        return format!("{sign}{whole}S");
    }
    let fraction = format!("{fraction:03}");
    format!("{sign}{whole}.{}S", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(months: i32, days: i32, milliseconds: i64) -> Option<Duration> {
        Some(Duration { months, days, milliseconds })
    }

    #[test]
    fn reads_iso_text() {
        for (text, expected) in [
            ("P1D", of(0, 1, 0)),
            ("PT24H", of(0, 0, 86_400_000)),
            ("P1Y2M", of(14, 0, 0)),
            ("P2W1D", of(0, 15, 0)),
            ("-P3D", of(0, -3, 0)),
            ("P1M-3D", of(1, -3, 0)),
            ("PT1H30M5.25S", of(0, 0, 5_405_250)),
            ("PT-0.5S", of(0, 0, -500)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("P1", None),
            ("PD", None),
            ("P1D1Y", None),
            ("PT1.5H", None),
            ("PT0.0001S", None),
            ("P1H", None),
            ("1D", None),
            ("P99999999999D", None),
            ("P天", None),
        ] {
            assert_eq!(parse_iso(text), expected, "{text}");
        }
    }

    #[test]
    fn writes_the_canonical_text() {
        for (text, canonical) in [
            ("P2W", "P14D"),
            ("P14M", "P1Y2M"),
            ("PT90M", "PT1H30M"),
            ("-P3DT1H", "-P3DT1H"),
            ("P1M-3D", "P1M-3D"),
            ("PT0.050S", "PT0.05S"),
            ("P0D", "PT0S"),
        ] {
            let duration = parse_iso(text).unwrap();
            assert_eq!(format_iso(&duration), canonical, "{text}");
            assert_eq!(parse_iso(canonical), Some(duration), "{canonical}");
        }
    }
}
