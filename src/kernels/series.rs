//! What every series kernel reads and writes: points of one monthly series, and named values.
//!
//! Kernels are pure functions over `&[Point]`; they know nothing of Arrow or SQL. [`SeriesKernel`] is the description
//! from which [`super::sql_adapter`] makes an SQL aggregate, so a new kernel adds a file and one line in
//! [`super::KERNELS`], and no new accumulator.

use std::borrow::Cow;

/// One observation of a monthly series.
///
/// `x` counts months (any origin: `12 * year + month - 1`, or 0 for the first month); gaps are allowed and mean
/// "not observed", never zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Month index.
    pub x: i32,
    /// Observed value; kernels skip it when it is not usable.
    pub y: f64,
}

/// Largest magnitude kernels accept: squares and sums of larger values would overflow to infinity and come back as NaN.
pub const LARGEST_VALUE: f64 = 1e100;

impl Point {
    /// False for NaN, infinities and values beyond [`LARGEST_VALUE`].
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.y.abs() <= LARGEST_VALUE
    }

    /// Total order by month, then by the value's bits: the order in which every kernel sums, so that a result has the
    /// same bits whatever order the rows arrived in.
    #[must_use]
    pub fn canonical_order(&self, other: &Self) -> std::cmp::Ordering {
        self.x.cmp(&other.x).then(self.y.total_cmp(&other.y))
    }
}

/// The series as kernels see it: usable values only, one point per month, in month order.
///
/// Several rows of one month are averaged: the marts hold one row per month, and an average leaves a kernel
/// well-defined when a caller breaks that, without inventing a within-month order. Borrows when nothing must change,
/// which is the case for everything that comes through the SQL adapter from a clean mart.
#[must_use]
pub fn monthly(points: &[Point]) -> Cow<'_, [Point]> {
    let is_clean = points.iter().all(Point::is_usable) && points.windows(2).all(|pair| pair[0].x < pair[1].x);
    if is_clean {
        return Cow::Borrowed(points);
    }
    let mut sorted: Vec<Point> = points.iter().copied().filter(Point::is_usable).collect();
    sorted.sort_unstable_by(Point::canonical_order);
    let mut months: Vec<Point> = Vec::with_capacity(sorted.len());
    for month in sorted.chunk_by(|left, right| left.x == right.x) {
        let sum: f64 = month.iter().map(|point| point.y).sum();
        let y = sum / count(month.len());
        months.push(Point { x: month[0].x, y });
    }
    Cow::Owned(months)
}

/// A length as a float: exact below 2^53, and no series is that long.
#[expect(clippy::cast_precision_loss, reason = "series are far shorter than 2^53 points")]
#[must_use]
pub fn count(length: usize) -> f64 {
    length as f64
}

/// Median of values in any order; reorders them. `None` when empty. Even counts give the mean of the middle two.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !is_even {
        return Some(upper);
    }
    below.iter().copied().max_by(f64::total_cmp).map(|lower| 0.5 * lower + 0.5 * upper)
}

/// One cell of a kernel's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A whole number: counts, months, the statistic S.
    Whole(i64),
    /// A real number.
    Real(f64),
    /// SQL NULL: this part of the answer does not exist for this series.
    Missing,
}

impl From<Option<f64>> for Value {
    fn from(real: Option<f64>) -> Self {
        real.map_or(Self::Missing, Self::Real)
    }
}

impl From<usize> for Value {
    fn from(length: usize) -> Self {
        i64::try_from(length).map_or(Self::Missing, Self::Whole)
    }
}

/// Type of an output field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// BIGINT.
    Whole,
    /// DOUBLE.
    Real,
}

/// Which arguments the SQL function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// `(x, y)`: month index and value.
    MonthAndValue,
    /// `(y)`: values without time; every [`Point::x`] is 0.
    ValueOnly,
}

/// A named output field; always nullable.
#[derive(Debug, Clone, Copy)]
pub struct OutputField {
    /// Name inside the struct, as SQL writes it: `mk['p']`.
    pub name: &'static str,
    /// Its type.
    pub kind: FieldKind,
}

/// Shorthand for a whole-number field.
#[must_use]
pub const fn whole(name: &'static str) -> OutputField {
    OutputField { name, kind: FieldKind::Whole }
}

/// Shorthand for a real field.
#[must_use]
pub const fn real(name: &'static str) -> OutputField {
    OutputField { name, kind: FieldKind::Real }
}

/// A kernel as SQL needs it: name, arguments, output fields and the function.
#[derive(Debug)]
pub struct SeriesKernel {
    /// SQL name; also the name of the file and of the Rust function.
    pub name: &'static str,
    /// What it is given.
    pub arguments: Arguments,
    /// What it returns: a struct with these fields.
    pub fields: &'static [OutputField],
    /// Fills one row of `fields`; `false` means the whole struct is NULL (series too short).
    pub fill: fn(&[Point], &mut [Value]) -> bool,
}

/// Writes an estimate's cells into the adapter's row, or reports that there is none.
pub fn fill_row<const N: usize>(cells: Option<[Value; N]>, row: &mut [Value]) -> bool {
    match cells {
        Some(cells) if row.len() == N => {
            row.copy_from_slice(&cells);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Point, median, monthly};

    #[test]
    fn clean_series_is_borrowed_and_dirty_series_is_cleaned() {
        let clean = [Point { x: 0, y: 1.0 }, Point { x: 2, y: 3.0 }];
        assert!(matches!(monthly(&clean), std::borrow::Cow::Borrowed(_)));
        let dirty = [
            Point { x: 2, y: 3.0 },
            Point { x: 0, y: f64::NAN },
            Point { x: 1, y: 4.0 },
            Point { x: 2, y: 5.0 },
            Point { x: 3, y: f64::INFINITY },
        ];
        assert_eq!(monthly(&dirty).as_ref(), &[Point { x: 1, y: 4.0 }, Point { x: 2, y: 4.0 }]);
    }

    #[test]
    fn median_of_none_one_two_three() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [7.0]), Some(7.0));
        assert_eq!(median(&mut [3.0, 1.0]), Some(2.0));
        assert_eq!(median(&mut [3.0, 9.0, 1.0]), Some(3.0));
    }
}
