//! Days of a month and billing periods.

use crate::month::Month;
use chrono::{Datelike, Days, NaiveDate};

/// When a customer's recurring services are invoiced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Billing {
    /// On the first, for the month that begins; changes follow on the next invoice.
    Advance,
    /// On the fifth, for the month before.
    Arrears,
    /// On the fifteenth, for a month that begins that day; changes are invoiced at once.
    Anchor15,
}

/// A half-open stretch of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: NaiveDate,
    pub(crate) until: NaiveDate,
}

impl Span {
    pub(crate) fn month(month: Month) -> Self {
        Self { from: month.first_day(), until: month.plus(1).first_day() }
    }

    pub(crate) fn n_days(self) -> i64 {
        (self.until - self.from).num_days()
    }

    pub(crate) fn days(self) -> impl Iterator<Item = NaiveDate> {
        self.from.iter_days().take_while(move |day| *day < self.until)
    }

    pub(crate) fn last_day(self) -> NaiveDate {
        self.until.pred_opt().unwrap_or(self.until)
    }
}

impl Billing {
    /// The billing period that `day` lies in.
    pub(crate) fn period_of(self, day: NaiveDate) -> Span {
        let month = Month::of(day);
        match self {
            Self::Advance | Self::Arrears => Span::month(month),
            Self::Anchor15 => {
                let start = if day.day() >= 15 { month } else { month.plus(-1) };
                Span { from: nth(start, 15), until: nth(start.plus(1), 15) }
            }
        }
    }

    /// The first period that starts in `month` or, for calendar months, is `month`.
    pub(crate) fn period_starting_in(self, month: Month) -> Span {
        match self {
            Self::Advance | Self::Arrears => Span::month(month),
            Self::Anchor15 => self.period_of(nth(month, 15)),
        }
    }
}

/// Day number `day` of `month`, or its last day where the month is shorter.
pub(crate) fn nth(month: Month, day: u32) -> NaiveDate {
    let offset = day.clamp(1, month.days()) - 1;
    month.first_day() + Days::new(u64::from(offset))
}

/// The months from `first` on, `count` of them.
pub(crate) fn months(first: Month, count: usize) -> impl Iterator<Item = Month> {
    (first.index()..).take(count).map(Month::from_index)
}
