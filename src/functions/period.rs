//! Periods and months: where a charge's days fall, and its exact share of each month.
//!
//! | function | gives |
//! | --- | --- |
//! | `segment_start(measure, from, to)` | `from` if the row must be spread over days (a level, or a flow that leaves its month), else NULL |
//! | `segment_end(measure, from, to)` | the same for `to` |
//! | `month_share(amount, from, to, month)` | the part of `amount` for the days of `month`; the parts of all months sum exactly to `amount` |
//! | `period_share(amount, from, to, piece_from, piece_to)` | the same for any days of the period, the second exclusive |
//! | `site_day(instant)` | midnight of the day meant: a full quarter of an hour is midnight somewhere, the nearest of UTC; else the day that holds it |
//! | `day_weighted(quantity, from, to, month)` | `quantity` x days of the period in `month` / days of `month` |
//!
//! Periods are half-open; a period without an end, or an empty one, belongs to the month of its start as a whole.

use super::columnar;
use super::exact::{MONEY, money};
use crate::lake::schema::instant;
use crate::money::{from_decimal, to_decimal};
use crate::month::{Month, Spread};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimestampMicrosecondType};
use chrono::{Duration, NaiveDate};
use datafusion::common::Result;
use datafusion::common::cast::as_string_view_array;
use datafusion::logical_expr::ScalarUDF;
use rust_decimal::Decimal;
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;
/// Midnights of the world lie apart by quarters of an hour.
const QUARTER_HOUR: i64 = 900_000_000;

pub(super) fn functions() -> Vec<ScalarUDF> {
    // Text as a view, as tables are read: the largest one is not copied for a word of five letters.
    let edge = || vec![DataType::Utf8View, instant(), instant()];
    let share = || vec![MONEY, instant(), instant(), DataType::Date32];
    vec![
        columnar("segment_start", edge(), instant(), |arrays| segment_edge(arrays, 1)),
        columnar("segment_end", edge(), instant(), |arrays| segment_edge(arrays, 2)),
        columnar("month_share", share(), MONEY, month_share),
        columnar("period_share", vec![MONEY, instant(), instant(), DataType::Date32, DataType::Date32], MONEY, period_share),
        columnar("site_day", vec![instant()], instant(), site_day),
        columnar("day_weighted", share(), MONEY, day_weighted),
    ]
}

/// The day number (since 1970) of an instant.
pub(super) fn day_of(micros: i64) -> i64 {
    micros.div_euclid(DAY)
}

fn site_day(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let midnight = |micros: i64| day_of(if micros % QUARTER_HOUR == 0 { micros + DAY / 2 } else { micros }) * DAY;
    let days: TimestampMicrosecondArray = arrays[0].as_primitive::<TimestampMicrosecondType>().unary(midnight);
    Ok(Arc::new(days.with_timezone("UTC")))
}

/// First day of the month of a day, and of the month after.
pub(super) fn month_bounds(day: i64) -> (i64, i64) {
    let date = NaiveDate::default().checked_add_signed(Duration::days(day)).unwrap_or_default();
    let month = Month::of(date);
    let start = |month: Month| (month.first_day() - NaiveDate::default()).num_days();
    (start(month), start(month.plus(1)))
}

fn segment_edge(arrays: &[ArrayRef], wanted: usize) -> Result<ArrayRef> {
    let measures = as_string_view_array(&arrays[0])?;
    let starts = arrays[1].as_primitive::<TimestampMicrosecondType>();
    let ends = arrays[2].as_primitive::<TimestampMicrosecondType>();
    let edges = if wanted == 1 { starts } else { ends };
    let mut spread = Spread::default();
    let values: TimestampMicrosecondArray = (0..starts.len())
        .map(|row| {
            if starts.is_null(row) || ends.is_null(row) {
                return None;
            }
            let is_level = measures.is_valid(row) && measures.value(row) == "level";
            spread.is_spread(is_level, starts.value(row), ends.value(row)).then(|| edges.value(row))
        })
        .collect();
    Ok(Arc::new(values.with_timezone("UTC")))
}

/// Days from the start of a period to the start of a month, within the period.
fn days_until(period: (i64, i64), edge: i64) -> i64 {
    edge.clamp(period.0, period.1) - period.0
}

/// Period and month of a row as day numbers: (from, to), (month start, next month start).
fn row_days(arrays: &[ArrayRef], row: usize) -> Option<((i64, i64), (i64, i64))> {
    let starts = arrays[1].as_primitive::<TimestampMicrosecondType>();
    let ends = arrays[2].as_primitive::<TimestampMicrosecondType>();
    let months = arrays[3].as_primitive::<Date32Type>();
    if starts.is_null(row) || months.is_null(row) {
        return None;
    }
    let month = month_bounds(i64::from(months.value(row)));
    let from = day_of(starts.value(row));
    // A period of hours still touches its day.
    let to = if ends.is_valid(row) { day_of(ends.value(row) + DAY - 1) } else { from };
    Some(((from, to.max(from)), month))
}

fn each_row(arrays: &[ArrayRef], compute: impl Fn(i128, (i64, i64), (i64, i64)) -> Option<i128>) -> Result<ArrayRef> {
    let amounts = arrays[0].as_primitive::<Decimal128Type>();
    let values: Decimal128Array = (0..amounts.len())
        .map(|row| {
            let (period, month) = row_days(arrays, row)?;
            if amounts.is_null(row) { None } else { compute(amounts.value(row), period, month) }
        })
        .collect();
    money(values)
}

fn month_share(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    each_row(arrays, share_of_days)
}

/// Like [`month_share`], for the days between two dates.
fn period_share(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let (firsts, ends) = (arrays[3].as_primitive::<Date32Type>(), arrays[4].as_primitive::<Date32Type>());
    let amounts = arrays[0].as_primitive::<Decimal128Type>();
    let values: Decimal128Array = (0..amounts.len())
        .map(|row| {
            let (period, _) = row_days(arrays, row)?;
            if amounts.is_null(row) || ends.is_null(row) {
                return None;
            }
            share_of_days(amounts.value(row), period, (i64::from(firsts.value(row)), i64::from(ends.value(row))))
        })
        .collect();
    money(values)
}

/// The parts telescope: each is the difference of two running shares, so that no unit of money is lost or made by rounding.
fn share_of_days(amount: i128, period: (i64, i64), days: (i64, i64)) -> Option<i128> {
    let length = period.1 - period.0;
    if length == 0 {
        return Some(if (days.0..days.1).contains(&period.0) { amount } else { 0 });
    }
    let until = |edge| -> Option<i128> {
        let covered = days_until(period, edge);
        if covered == length {
            return Some(amount);
        }
        let part = to_decimal(amount)?.checked_mul(Decimal::from(covered))?.checked_div(Decimal::from(length))?;
        from_decimal(part)
    };
    until(days.1)?.checked_sub(until(days.0)?)
}

fn day_weighted(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    each_row(arrays, |quantity, period, month| {
        let days = month.1 - month.0;
        if period.0 == period.1 {
            return Some(if (month.0..month.1).contains(&period.0) { quantity } else { 0 });
        }
        let covered = days_until(period, month.1) - days_until(period, month.0);
        if covered == days {
            return Some(quantity);
        }
        let weighted = to_decimal(quantity)?.checked_mul(Decimal::from(covered))?.checked_div(Decimal::from(days))?;
        from_decimal(weighted)
    })
}
