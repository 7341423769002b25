//! Theil-Sen: how steep a monthly series is, in units of y per month, for whoever prices a drift.
//!
//! # Formula
//! slope = median of (y_j - y_i) / (x_j - x_i) over all pairs with x_j > x_i;
//! intercept = median(y) - slope * median(x) (each median apart: SciPy's `method='separate'`);
//! 95 % interval = the slopes of rank (N -/+ 1.96 sigma) / 2 among the N pair slopes, where
//! sigma^2 = [n(n-1)(2n+5) - sum t(t-1)(2t+5)] / 18 over tie groups t of y.
//!
//! # Source
//! Theil 1950, parts I-III; Sen 1968, J. Amer. Statist. Assoc. 63:1379, eq. 2.6 (interval); numbers agree with SciPy
//! 1.17 `stats.theilslopes(y, x, alpha=0.95, method='separate')` (`tests/oracle/theil_sen.csv`).
//!
//! # Minimum samples
//! | n | answer | reason |
//! |---|---|---|
//! | 0, 1 | none | no pair |
//! | 2 | slope; interval = slope | one pair; its rank interval is itself, i.e. the interval is not yet informative |
//! | 3-5 | slope; interval = all pair slopes | the 95 % ranks fall outside the N slopes and are cut to them |
//! | 6+ | as above | rank interval meaningful |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant | slope 0, interval [0, 0] |
//! | all points in one month | none (averaged to one point) |
//! | exactly linear | slope exact, interval of width rounding |
//!
//! # NULL, NaN, infinity
//! Skipped. Rows of the same month are averaged first ([`super::series::monthly`]).
//!
//! # Ties, gaps, seasonality, autocorrelation
//! Ties of y narrow sigma as in SciPy. Gaps are exact: differences are divided by the months between. Seasonality is not
//! removed. The interval assumes independent noise: at AR(1) 0.5 it is too narrow by about 1.7 times; use
//! [`super::mann_kendall`] to decide, and this interval to describe.
//!
//! # Cost
//! O(n^2) time and memory up to [`EXACT_UP_TO`] points, ranks by counting (`pair_slopes.rs`): 36 points, 630 slopes, 1.2 microseconds of a core
//! with AVX-512, 1.4 when most values are tied. Beyond, rank selection by counting inversions, O(n log n) per step and at most 64 steps per
//! rank, O(n) memory, correct to rounding of y - slope * x.
//!
//! ```
//! use shortfall::kernels::{series::Point, theil_sen::theil_sen};
//! let y = [12.0, 11.5, 13.1, 12.7, 14.2, 13.9, 15.0, 14.1, 16.3, 15.8, 17.0, 16.2];
//! let points: Vec<Point> = (0..).zip(y).map(|(x, y)| Point { x, y }).collect();
//! let line = theil_sen(&points).unwrap();
//! assert!((line.slope - 0.48125).abs() < 1e-12);
//! assert!((line.intercept - 11.503125).abs() < 1e-12);
//! ```

use super::comparisons::{Order, order};
use super::inversions::count_inversions;
use super::pair_slopes::{Ends, Ranks, ranked};
use super::series::{Arguments, Point, SeriesKernel, Value, count, fill_row, monthly, real, whole};
use super::tails::NORMAL_975;

/// Largest n for which all pair slopes are laid out: at 1,000 points 499,500 slopes, 4 MB, a few milliseconds.
pub const EXACT_UP_TO: usize = 1_000;

/// A robust line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TheilSen {
    /// Months used.
    pub n: usize,
    /// y per month.
    pub slope: f64,
    /// y at x = 0 (extrapolated when month indices do not start near 0).
    pub intercept: f64,
    /// Lower end of Sen's 95 % interval.
    pub slope_low: f64,
    /// Upper end of Sen's 95 % interval.
    pub slope_high: f64,
}

/// SQL: `theil_sen(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "theil_sen",
    arguments: Arguments::MonthAndValue,
    fields: &[whole("n"), real("slope"), real("intercept"), real("slope_low"), real("slope_high")],
    fill: |points, row| {
        let cells = theil_sen(points).map(|line| {
            [
                Value::from(line.n),
                Value::Real(line.slope),
                Value::Real(line.intercept),
                Value::Real(line.slope_low),
                Value::Real(line.slope_high),
            ]
        });
        fill_row(cells, row)
    },
};

/// Slope, intercept and Sen's interval; `None` below two months.
#[must_use]
pub fn theil_sen(points: &[Point]) -> Option<TheilSen> {
    let points = monthly(points);
    line(&points, &order(points.iter().map(|point| point.y)))
}

/// [`theil_sen`] of points that are [`monthly`], and whose order is known.
pub(super) fn line(points: &[Point], order: &Order) -> Option<TheilSen> {
    let n = points.len();
    if n < 2 {
        return None;
    }
    let median_y = order.median?;
    let median_x = 0.5 * f64::from(points[(n - 1) / 2].x) + 0.5 * f64::from(points[n / 2].x);
    let pairs = n * (n - 1) / 2;
    let (low, high) = interval_ranks(pairs, order.variance.sqrt());
    let [middle, (slope_low, _), (_, slope_high)] = slopes(points, [middle_ranks(pairs), single(low), single(high)])?;
    let slope = mean(middle);
    Some(TheilSen { n, slope, intercept: median_y - slope * median_x, slope_low, slope_high })
}

/// Sen's slope alone: what other kernels detrend with. Points must be [`monthly`]; `None` below two.
#[must_use]
pub(super) fn sen_slope(points: &[Point]) -> Option<f64> {
    let n = points.len();
    slopes(points, [middle_ranks(n * n.saturating_sub(1) / 2)]).map(|[middle]| mean(middle))
}

/// The ranks whose mean is the median.
fn middle_ranks(pairs: usize) -> Ranks {
    Ranks { first: pairs.saturating_sub(1) / 2, last: pairs / 2 }
}

fn single(rank: usize) -> Ranks {
    Ranks { first: rank, last: rank }
}

fn mean((lower, upper): Ends) -> f64 {
    0.5 * lower + 0.5 * upper
}

/// Zero-based ranks of the interval's ends, with SciPy's rounding (half to even) and cutting.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..pairs just before")]
fn interval_ranks(pairs: usize, sigma: f64) -> (usize, usize) {
    let half = NORMAL_975 * sigma;
    let last = count(pairs) - 1.0;
    let high = (0.5 * (count(pairs) + half)).round_ties_even().clamp(0.0, last);
    let low = ((0.5 * (count(pairs) - half)).round_ties_even() - 1.0).clamp(0.0, last);
    (low as usize, high as usize)
}

/// The pair slopes at these ranks; `None` when there is none.
fn slopes<const Q: usize>(points: &[Point], ranks: [Ranks; Q]) -> Option<[Ends; Q]> {
    if points.len() <= EXACT_UP_TO {
        return ranked(points, ranks);
    }
    Some(ranks.map(|ranks| {
        let first = slope_by_counting(points, ranks.first);
        (first, if ranks.last > ranks.first { slope_by_counting(points, ranks.last) } else { first })
    }))
}

/// The slope of a zero-based rank among all pair slopes, without listing them.
///
/// The number of pair slopes below t is the number of pairs that y - t x puts out of order, so the slope is found by
/// bisection over the ordered bit patterns of f64: at most 64 counts, no tolerance to choose.
fn slope_by_counting(points: &[Point], rank: usize) -> f64 {
    // Differences from the first month keep t * x small beside y when month indices are large.
    let origin = f64::from(points[0].x);
    let mut residuals = vec![0.0; points.len()];
    let mut scratch = Vec::with_capacity(points.len());
    let mut count_below = |t: f64| {
        for (residual, point) in residuals.iter_mut().zip(points) {
            *residual = point.y - t * (f64::from(point.x) - origin);
        }
        count_inversions(&mut residuals, &mut scratch)
    };
    let (mut low, mut high) = (ordered_bits(-f64::MAX), ordered_bits(f64::MAX));
    // Invariant: at most `rank` slopes lie below low's value, more than `rank` below high's.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if count_below(from_ordered_bits(middle)) > rank { high = middle } else { low = middle }
    }
    from_ordered_bits(low)
}

/// Maps finite floats to integers in the same order.
fn ordered_bits(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn from_ordered_bits(ordered: u64) -> f64 {
    f64::from_bits(if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered })
}

#[cfg(test)]
mod tests {
    use super::{Point, from_ordered_bits, ordered_bits, single, slope_by_counting, slopes, theil_sen};

    fn series(y: &[f64]) -> Vec<Point> {
        (0..).zip(y).map(|(x, &y)| Point { x, y }).collect()
    }

    #[test]
    fn ordered_bits_keep_the_order_and_return() {
        let values = [-f64::MAX, -1.0, -1e-300, 0.0, 1e-300, 1.0, f64::MAX];
        assert!(values.windows(2).all(|pair| ordered_bits(pair[0]) < ordered_bits(pair[1])));
        assert!(values.iter().all(|&v| from_ordered_bits(ordered_bits(v)).to_bits() == v.to_bits()));
    }

    #[test]
    fn counting_finds_the_listed_slopes() {
        let y: Vec<f64> = (0..40).map(|i| f64::from((i * 7919) % 101) + 0.25 * f64::from(i)).collect();
        let points = series(&y);
        for rank in [0, 1, 100, 389, 390, 778, 779] {
            let [(expected, _)] = slopes(&points, [single(rank)]).unwrap();
            assert!((slope_by_counting(&points, rank) - expected).abs() < 1e-9, "rank {rank}");
        }
    }

    #[test]
    fn one_month_has_no_slope() {
        assert_eq!(theil_sen(&series(&[1.0])), None);
        assert_eq!(theil_sen(&[Point { x: 3, y: 1.0 }, Point { x: 3, y: 2.0 }]), None);
    }

    #[test]
    fn constant_series_is_flat() {
        let line = theil_sen(&series(&[5.0; 9])).unwrap();
        assert_eq!((line.slope, line.intercept, line.slope_low, line.slope_high), (0.0, 5.0, 0.0, 0.0));
    }
}
