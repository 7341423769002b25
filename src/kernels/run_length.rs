//! Run length: how long has a series stood still, for whoever asks whether a quantity is measured or typed.
//!
//! # Formula
//! A *run* is the longest stretch of observed months, one after the other, with one value; two values are one if they differ by at most
//! 1e-9 of the larger. `length` and `start` are those of the last run, `longest` is the length of the longest one, `runs` their number.
//!
//! # Source
//! Arithmetic, no statistic: a bill that stands still while the meter moves needs no null hypothesis, only the two facts side by side
//! (`queries/signals/flatline_estimate.sql`). Agrees with Python's `itertools.groupby` (`tests/oracle/run_length.csv`).
//!
//! # Minimum samples
//! | n | answer | reason |
//! |---|---|---|
//! | 0 | NULL | nothing stands still |
//! | 1+ | exact | what length means something is the caller's rule |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant | one run of n months |
//! | no two neighbours alike | n runs of one month |
//!
//! # NULL, NaN, infinity
//! Skipped. Rows of the same month are averaged first ([`super::series::monthly`]).
//!
//! # Ties, gaps, seasonality
//! Ties are what is counted. A missing month neither ends a run nor adds to its length: nobody saw another value. Seasonality has
//! no say.
//!
//! # Level and power
//! None: nothing is estimated and nothing rejected.
//!
//! # Cost
//! O(n), no allocation for a clean series.
//!
//! ```
//! use shortfall::kernels::{run_length::run_length, series::Point};
//! let billed = [42.0, 44.0, 45.0, 45.0, 45.0, 45.0];
//! let points: Vec<Point> = (0..).zip(billed).map(|(x, y)| Point { x, y }).collect();
//! let run = run_length(&points).unwrap();
//! assert_eq!((run.length, run.start, run.longest, run.runs), (4, 2, 4, 3));
//! ```

use super::series::{Arguments, Point, SeriesKernel, Value, fill_row, monthly, whole};

/// Two values closer than this, relative to the larger one, are one value.
const SAME_VALUE: f64 = 1e-9;

/// The runs of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLength {
    /// Months used.
    pub n: usize,
    /// Observed months of the last run.
    pub length: usize,
    /// First month of the last run.
    pub start: i32,
    /// Observed months of the longest run.
    pub longest: usize,
    /// Number of runs.
    pub runs: usize,
}

/// SQL: `run_length(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "run_length",
    arguments: Arguments::MonthAndValue,
    fields: &[whole("n"), whole("length"), whole("start"), whole("longest"), whole("runs")],
    fill: |points, row| {
        let cells = run_length(points).map(|run| {
            [
                Value::from(run.n),
                Value::from(run.length),
                Value::Whole(i64::from(run.start)),
                Value::from(run.longest),
                Value::from(run.runs),
            ]
        });
        fill_row(cells, row)
    },
};

/// The last and the longest run; `None` without a month.
#[must_use]
pub fn run_length(points: &[Point]) -> Option<RunLength> {
    let points = monthly(points);
    let is_same = |left: &Point, right: &Point| (left.y - right.y).abs() <= SAME_VALUE * left.y.abs().max(right.y.abs());
    let mut answer: Option<RunLength> = None;
    for run in points.chunk_by(is_same) {
        let before = answer.unwrap_or(RunLength { n: 0, length: 0, start: 0, longest: 0, runs: 0 });
        answer = Some(RunLength {
            n: before.n + run.len(),
            length: run.len(),
            start: run[0].x,
            longest: before.longest.max(run.len()),
            runs: before.runs + 1,
        });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::{Point, RunLength, run_length};

    fn series(y: &[f64]) -> Vec<Point> {
        (100..).zip(y).map(|(x, &y)| Point { x, y }).collect()
    }

    #[test]
    fn constant_series_is_one_run_and_an_empty_one_none() {
        assert_eq!(run_length(&[]), None);
        assert_eq!(run_length(&series(&[f64::NAN])), None);
        let whole = RunLength { n: 7, length: 7, start: 100, longest: 7, runs: 1 };
        assert_eq!(run_length(&series(&[0.0; 7])), Some(whole));
    }

    #[test]
    fn float_dirt_does_not_end_a_run_and_a_real_change_does() {
        let run = run_length(&series(&[0.3, 0.1 + 0.2, 0.3, 0.300_001])).unwrap();
        assert_eq!((run.length, run.start, run.longest, run.runs), (1, 103, 3, 2));
    }

    #[test]
    fn a_missing_month_neither_ends_a_run_nor_lengthens_it() {
        let mut points = series(&[8.0, 5.0, 5.0, 5.0, 5.0]);
        points.remove(2);
        let run = run_length(&points).unwrap();
        assert_eq!((run.n, run.length, run.start), (4, 3, 101));
    }
}
