//! Checked calendars: when there is somebody there.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use chrono_tz::Tz;

use crate::{Key, Text};

/// A business calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// The zone of its local times.
    pub timezone: Tz,
    /// Open hours by weekday, Monday first: ascending, apart from one another.
    pub week: [Vec<Hours>; 7],
    /// Days that are closed.
    pub off: Vec<Off>,
    /// Days that are open like a weekday, whatever else says.
    pub work: BTreeMap<NaiveDate, Weekday>,
    /// The last day whose closed and make-up days are known; later times are provisional.
    pub covers: Option<NaiveDate>,
}

/// Open hours of a day, in minutes after its midnight; an end after 1440 lies on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// From.
    pub start: u32,
    /// To, excluded.
    pub end: u32,
}

/// Days that are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// From the first to the last.
    Days(NaiveDate, NaiveDate),
    /// A month and a day of every year; 29 February only where there is one.
    Yearly(u32, u32),
    /// So many days after Easter Sunday.
    Easter(i32),
}

impl Calendar {
    /// The open hours that begin on a date: `work` beats `off` beats `week`.
    pub fn hours(&self, date: NaiveDate) -> &[Hours] {
        if let Some(weekday) = self.work.get(&date) {
            return &self.week[weekday.num_days_from_monday() as usize];
        }
        match self.off.iter().any(|off| off.holds(date)) {
            true => &[],
            false => &self.week[date.weekday().num_days_from_monday() as usize],
        }
    }
}

impl Off {
    fn holds(self, date: NaiveDate) -> bool {
        match self {
            Off::Days(from, to) => (from..=to).contains(&date),
            Off::Yearly(month, day) => (date.month(), date.day()) == (month, day),
            Off::Easter(days) => {
                // A day late in one year may count from the Easter of another; a hundred days do not reach that far.
                let count = Days::new(u64::from(days.unsigned_abs()));
                let easter = if days < 0 { date.checked_add_days(count) } else { date.checked_sub_days(count) };
                easter.is_some_and(|easter| Some(easter) == easter_sunday(easter.year()))
            }
        }
    }
}

/// Easter Sunday of a year of the Gregorian calendar, by the anonymous algorithm (Meeus, Jones, Butcher; Nature, 1876).
fn easter_sunday(year: i32) -> Option<NaiveDate> {
    let (golden, century, rest) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (century.div_euclid(4), century.rem_euclid(4));
    let g = (8 * century + 13).div_euclid(25);
    let h = (19 * golden + century - d - g + 15).rem_euclid(30);
    let (i, k) = (rest.div_euclid(4), rest.rem_euclid(4));
    let l = (32 + 2 * e + 2 * i - h - k).rem_euclid(7);
    let m = (golden + 11 * h + 19 * l).div_euclid(433);
    let month = (h + l - 7 * m + 90).div_euclid(25);
    let day = (h + l - 7 * m + 33 * month + 19).rem_euclid(32);
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dates of the tables in the Book of Common Prayer and of the Federal Office of Metrology (PTB).
    #[test]
    fn easter_is_when_the_tables_say() {
        for (year, month, day) in
            [(1990, 4, 15), (2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2024, 3, 31), (2026, 4, 5), (2038, 4, 25)]
        {
            assert_eq!(easter_sunday(year), NaiveDate::from_ymd_opt(year, month, day));
        }
    }
}
