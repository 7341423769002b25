//! Which months and days the rows of a file speak of, counted while they are written, so that nobody has to read the lake to learn what
//! it covers.
//!
//! `core.batch.months` holds it as text, a word for each month:
//! ```text
//! 2024-03:1200:4294967294 2024-04:0:0
//! month  : rows whose service month it is : days on which a row of at most one day begins, bit n for day n
//! ```
//! A month without rows of its own stands there if a longer period reaches into it: an invoice for a year covers twelve months, of which
//! only the first has rows. At most [`MOST_MONTHS`] are counted for one period: `9999-12-31` means no end, not eight thousand years. Rows
//! without a service month are in none.
//!
//! Cost: a comparison a row while neighbours agree, else a look into a table of the distinct days of the file.

use crate::month::Month;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use chrono::{Datelike as _, Duration, NaiveDate};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Months that one period covers at most.
pub const MOST_MONTHS: i32 = 120;

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// What a file says of one month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InMonth {
    /// Rows whose service month it is.
    pub rows: u64,
    /// Days on which a row of at most one day begins: bit `n` for day `n`.
    pub days: u32,
}

/// The months that a file speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar(BTreeMap<Month, InMonth>);

impl Calendar {
    /// The months, in their order.
    pub fn months(&self) -> impl Iterator<Item = (Month, InMonth)> {
        self.0.iter().map(|(&month, &of)| (month, of))
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (month, InMonth { rows, days })) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{month}:{rows}:{days}")?;
        }
        Ok(())
    }
}

/// Rows with equal values here say the same about the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Span {
    /// Service month, first and last day of the period, in days since 1970.
    month: i32,
    first: i32,
    last: i32,
    /// Whether it is at most a day long, and more than a moment.
    is_short: bool,
}

/// Counts rows on their way to the lake.
#[derive(Debug, Default)]
pub(super) struct Counter {
    spans: HashMap<Span, u64, foldhash::fast::RandomState>,
}

impl Counter {
    /// Counts rows in a table's schema; those of a table without `service_month` count for nothing.
    pub(super) fn take(&mut self, rows: &RecordBatch) {
        let Some(months) = rows.column_by_name("service_month").and_then(|c| c.as_primitive_opt::<Date32Type>()) else { return };
        let instants = |name: &str| rows.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let (starts, ends) = (instants("period_start"), instants("period_end"));
        let mut same: Option<(Span, u64)> = None;
        for row in (0..rows.num_rows()).filter(|&row| months.is_valid(row)) {
            let month = months.value(row);
            let start = starts.filter(|c| c.is_valid(row)).map(|c| c.value(row));
            let end = start.and(ends.filter(|c| c.is_valid(row))).map(|c| c.value(row));
            let day = |micros: i64| i32::try_from(micros.div_euclid(MICROS_OF_DAY)).unwrap_or(month);
            let first = start.map_or(month, day);
            let span = Span {
                month,
                first,
                last: end.map_or(first, |end| day(end.saturating_sub(1))).max(first),
                is_short: start.zip(end).is_some_and(|(start, end)| (1..=MICROS_OF_DAY).contains(&end.saturating_sub(start))),
            };
            match &mut same {
                Some((known, count)) if *known == span => *count += 1,
                other => {
                    if let Some((known, count)) = other.replace((span, 1)) {
                        *self.spans.entry(known).or_default() += count;
                    }
                }
            }
        }
        if let Some((known, count)) = same {
            *self.spans.entry(known).or_default() += count;
        }
    }

    /// What another worker has counted of the same file.
    pub(super) fn add(&mut self, other: Self) {
        for (span, count) in other.spans {
            *self.spans.entry(span).or_default() += count;
        }
    }

    pub(super) fn finish(self) -> Calendar {
        let date = |day: i32| NaiveDate::default().checked_add_signed(Duration::days(i64::from(day)));
        let mut months: BTreeMap<Month, InMonth> = BTreeMap::new();
        for (span, count) in self.spans {
            let (Some(month), Some(first)) = (date(span.month), date(span.first)) else { continue };
            months.entry(Month::of(month)).or_default().rows += count;
            let begins = Month::of(first);
            if span.is_short {
                months.entry(begins).or_default().days |= 1 << first.day();
                continue;
            }
            let ends = date(span.last).map_or(begins, Month::of).index().min(begins.index() + MOST_MONTHS - 1);
            for covered in begins.index()..=ends {
                months.entry(Month::from_index(covered)).or_default();
            }
        }
        Calendar(months)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::Table;
    use arrow::array::{ArrayRef, Date32Array, TimestampMicrosecondArray, new_null_array};
    use arrow::compute::cast;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Rows of usage with these periods, in days; their service month is that of the start.
    fn usage(periods: &[(Option<i32>, Option<i32>)]) -> RecordBatch {
        let schema = Table::VendorUsage.schema();
        let instants = |days: Vec<Option<i32>>| -> ArrayRef {
            Arc::new(
                days.into_iter().map(|day| day.map(|day| i64::from(day) * MICROS_OF_DAY)).collect::<TimestampMicrosecondArray>(),
            )
        };
        let first_of = |day: i32| {
            let date = NaiveDate::default() + Duration::days(i64::from(day));
            day - i32::try_from(date.day0()).expect("small")
        };
        let columns = schema
            .fields()
            .iter()
            .map(|field| {
                let values: ArrayRef = match field.name().as_str() {
                    "period_start" => instants(periods.iter().map(|period| period.0).collect()),
                    "period_end" => instants(periods.iter().map(|period| period.1).collect()),
                    "service_month" => Arc::new(periods.iter().map(|period| period.0.map(first_of)).collect::<Date32Array>()),
                    _ => new_null_array(field.data_type(), periods.len()),
                };
                cast(&values, field.data_type()).expect("the column's type")
            })
            .collect();
        RecordBatch::try_new(schema, columns).expect("rows")
    }

    fn counted(periods: &[(Option<i32>, Option<i32>)]) -> String {
        let mut counter = Counter::default();
        counter.take(&usage(periods));
        counter.finish().to_string()
    }

    #[test]
    fn days_months_and_years_are_told_apart() {
        // 2024-01-01 is day 19,723; 2024 has a February of 29 days.
        let day = 19_723;
        assert_eq!(counted(&[(Some(day), Some(day + 1)), (Some(day + 2), Some(day + 3))]), "2024-01:2:10");
        assert_eq!(counted(&[(Some(day), Some(day + 31))]), "2024-01:1:0");
        assert_eq!(counted(&[(Some(day), Some(day + 32))]), "2024-01:1:0 2024-02:0:0");
        assert_eq!(counted(&[(Some(day + 30), Some(day + 31)), (Some(day + 31), None)]), "2024-01:1:2147483648 2024-02:1:0");
        let year = counted(&[(Some(day), Some(day + 366))]);
        assert_eq!(year.split(' ').count(), 12, "{year}");
        assert!(year.starts_with("2024-01:1:0 ") && year.ends_with(" 2024-12:0:0"), "{year}");
        let no_end = counted(&[(Some(day), Some(day + 2_000_000))]);
        assert_eq!(no_end.split(' ').count(), 120);
        assert_eq!(counted(&[(None, None), (None, Some(day))]), "");
        // A period that ends before it begins covers the month that it begins in.
        assert_eq!(counted(&[(Some(day), Some(day - 40)), (Some(day), Some(day))]), "2024-01:2:0");
    }

    proptest! {
        #[test]
        fn however_rows_are_cut_they_are_counted_once(
            periods in prop::collection::vec((prop::option::of(19_700_i32..19_800), prop::option::of(19_690_i32..19_900)), 0..60),
            cut in 0_usize..60,
        ) {
            let cut = cut.min(periods.len());
            let (mut one, mut other, mut whole) = (Counter::default(), Counter::default(), Counter::default());
            one.take(&usage(&periods[cut..]));
            other.take(&usage(&periods[..cut]));
            one.add(other);
            whole.take(&usage(&periods));
            let whole = whole.finish();
            prop_assert_eq!(&one.finish(), &whole);
            let dated = periods.iter().filter(|period| period.0.is_some()).count() as u64;
            prop_assert_eq!(whole.months().map(|(_, of)| of.rows).sum::<u64>(), dated);
        }
    }
}
