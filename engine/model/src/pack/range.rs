//! Ranges of time as they are written.

use chrono::NaiveDate;

use super::analytics::{Grain, Range};

/// Greatest count in `last N …`: bounds what a reader may ask for.
const COUNT_MAX: u32 = 10_000;

impl Range {
    /// Reads `last 13 weeks`, `this month`, `past 24 hours`, `2026-01-01..2026-03-31` (both days included) or `all`.
    /// With a `/`, as ISO 8601 writes intervals, the second day is the first that is left out: `2026-01-01/2026-02-01` is
    /// January.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Range::All);
        }
        let day = |text: &str| text.trim().parse::<NaiveDate>().ok();
        let dates = match (text.split_once(".."), text.split_once('/')) {
            (Some((first, last)), _) => Some((day(first)?, day(last)?)),
            (None, Some((first, end))) => Some((day(first)?, day(end)?.pred_opt()?)),
            (None, None) => None,
        };
        if let Some((first, last)) = dates {
            return (first <= last).then_some(Range::Dates(first, last));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["last", count, unit] => Some(Range::Last(counted(count)?, Grain::of_unit(unit)?)),
            ["past", count, unit] => Some(Range::Past(counted(count)?, Grain::of_unit(unit)?)),
            ["this", unit] => Some(Range::This(Grain::of_word(unit)?)),
            _ => None,
        }
    }
}

fn counted(word: &str) -> Option<u32> {
    word.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count))
}

impl Grain {
    /// The grain of its word: `week`.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "hour" => Grain::Hour,
            "day" => Grain::Day,
            "week" => Grain::Week,
            "month" => Grain::Month,
            "quarter" => Grain::Quarter,
            "year" => Grain::Year,
            _ => return None,
        })
    }

    /// Its word: `week`.
    pub fn word(self) -> &'static str {
        match self {
            Grain::Hour => "hour",
            Grain::Day => "day",
            Grain::Week => "week",
            Grain::Month => "month",
            Grain::Quarter => "quarter",
            Grain::Year => "year",
        }
    }

    /// The grain of a unit in the singular or the plural: `weeks`.
    fn of_unit(unit: &str) -> Option<Self> {
        Self::of_word(unit.strip_suffix('s').unwrap_or(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_and_nothing_else() {
        let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day).unwrap();
        for (text, expected) in [
            ("last 13 weeks", Some(Range::Last(13, Grain::Week))),
            ("last 1 day", Some(Range::Last(1, Grain::Day))),
            ("this quarter", Some(Range::This(Grain::Quarter))),
            ("past 24 hours", Some(Range::Past(24, Grain::Hour))),
            ("past 90 days", Some(Range::Past(90, Grain::Day))),
            ("2026-01-01..2026-03-31", Some(Range::Dates(day(1, 1), day(3, 31)))),
            ("2026-01-01/2026-02-01", Some(Range::Dates(day(1, 1), day(1, 31)))),
            ("2026-01-01/2026-01-01", None),
            ("all", Some(Range::All)),
            ("last 0 weeks", None),
            ("last weeks", None),
            ("this weeks", None),
            ("2026-03-31..2026-01-01", None),
            ("tomorrow", None),
        ] {
            assert_eq!(Range::parse(text), expected, "{text}");
        }
    }
}
