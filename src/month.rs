//! Calendar months and quarters: the service month is the grain of every fact.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A calendar month, stored as months since January of year 0, so that subtraction gives a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

/// A text that names no month or quarter.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a {wanted}")]
pub struct PeriodError {
    text: String,
    wanted: &'static str,
}

impl Month {
    /// The month `month` (1 to 12) of `year`.
    #[must_use]
    pub fn new(year: i32, month: u32) -> Option<Self> {
        let zero_based = i32::try_from(month.checked_sub(1)?).ok()?;
        (zero_based < 12).then_some(Self(year * 12 + zero_based))
    }

    /// The month that `date` lies in.
    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        Self(date.year() * 12 + date.month0().cast_signed())
    }

    /// Months since January of year 0; consecutive months differ by one.
    #[must_use]
    pub fn index(self) -> i32 {
        self.0
    }

    /// The month with this [`Month::index`].
    #[must_use]
    pub fn from_index(index: i32) -> Self {
        Self(index)
    }

    /// The month `months` later (earlier if negative).
    #[must_use]
    pub fn plus(self, months: i32) -> Self {
        Self(self.0 + months)
    }

    /// The first day of the month.
    ///
    /// # Panics
    /// Only outside chrono's years (about 262,000 either side of zero), which no parsed input reaches.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.0.div_euclid(12), self.0.rem_euclid(12).cast_unsigned() + 1, 1)
            .expect("the first of a month within chrono's range exists")
    }

    /// Calendar days in the month, 28 to 31.
    #[must_use]
    pub fn days(self) -> u32 {
        let days = (self.plus(1).first_day() - self.first_day()).num_days();
        u32::try_from(days).unwrap_or(31)
    }
}

/// Microseconds of a day, the unit of instants being microseconds.
const DAY: i64 = 86_400_000_000;

/// Decides which rows of usage must be spread over days: a level, or a flow that leaves the month of its start. All others belong to their
/// service month as a whole. Remembers the last month: neighbours mostly lie in one.
#[derive(Debug)]
pub struct Spread {
    /// Day numbers since 1970: the month's first, and the next month's.
    month: (i64, i64),
}

impl Default for Spread {
    fn default() -> Self {
        Self { month: (i64::MAX, i64::MIN) }
    }
}

impl Spread {
    /// Whether a row from `from` to `to` (UTC microseconds, half-open) must be spread.
    pub fn is_spread(&mut self, is_level: bool, from: i64, to: i64) -> bool {
        if is_level {
            return true;
        }
        let day = from.div_euclid(DAY);
        if day < self.month.0 || day >= self.month.1 {
            let date = NaiveDate::default().checked_add_signed(chrono::Duration::days(day)).unwrap_or_default();
            let start = |month: Month| (month.first_day() - NaiveDate::default()).num_days();
            let month = Month::of(date);
            self.month = (start(month), start(month.plus(1)));
        }
        to > self.month.1 * DAY
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl FromStr for Month {
    type Err = PeriodError;

    /// Reads `YYYY-MM`.
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let parse = || {
            let (year, month) = text.split_once('-')?;
            if year.len() != 4 || month.len() != 2 {
                return None;
            }
            Self::new(year.parse().ok()?, month.parse().ok()?)
        };
        parse().ok_or_else(|| PeriodError { text: text.to_owned(), wanted: "month such as `2026-07`" })
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A calendar quarter, written `2026Q3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter {
    first: Month,
}

impl Quarter {
    /// The quarter that `month` lies in.
    #[must_use]
    pub fn of(month: Month) -> Self {
        Self { first: Month(month.0 - month.0.rem_euclid(3)) }
    }

    /// The first of its three months.
    #[must_use]
    pub fn first_month(self) -> Month {
        self.first
    }

    /// The last of its three months.
    #[must_use]
    pub fn last_month(self) -> Month {
        self.first.plus(2)
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}Q{}", self.first.0.div_euclid(12), self.first.0.rem_euclid(12) / 3 + 1)
    }
}

impl FromStr for Quarter {
    type Err = PeriodError;

    /// Reads `YYYYQn` (also `YYYY-Qn`).
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let parse = || {
            let (year, quarter) = text.split_once(['Q', 'q'])?;
            let year = year.strip_suffix('-').unwrap_or(year);
            let quarter: u32 = quarter.parse().ok()?;
            if year.len() != 4 || !(1..=4).contains(&quarter) {
                return None;
            }
            Some(Self { first: Month::new(year.parse().ok()?, quarter * 3 - 2)? })
        };
        parse().ok_or_else(|| PeriodError { text: text.to_owned(), wanted: "quarter such as `2026Q3`" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_print_as_they_are_read() {
        let quarter: Quarter = "2026Q3".parse().expect("a quarter");
        assert_eq!(quarter.to_string(), "2026Q3");
        assert_eq!(quarter.first_month().to_string(), "2026-07");
        assert_eq!(quarter.last_month().to_string(), "2026-09");
        assert!("2026Q5".parse::<Quarter>().is_err());
    }

    #[test]
    fn months_know_their_length() {
        assert_eq!(Month::new(2024, 2).expect("a month").days(), 29);
        assert_eq!("2026-02".parse::<Month>().expect("a month").days(), 28);
        assert!("2026-13".parse::<Month>().is_err());
    }
}
