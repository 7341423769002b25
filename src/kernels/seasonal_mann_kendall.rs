//! Seasonal Mann-Kendall: does a series drift, when every month of the year is compared only with itself.
//! For series of three years and more whose season does not cancel in a ratio: usage, tickets, storage.
//!
//! # Formula
//! S' = sum over the twelve months of the year of Mann-Kendall's S among that month's values, var(S') = sum of their variances, corrected for
//! ties; z = sign(S') max(|S'| - 1, 0) / sd, p two-sided normal. `slope` is the median of all slopes between two years of the same month,
//! in y per year (Hirsch's seasonal Kendall slope).
//!
//! # Source
//! Hirsch, Slack & Smith 1982, Water Resources Research 18:107, eq. 5-12. Agrees with pymannkendall 1.4.3 `seasonal_test(y, period=12)`
//! (`tests/oracle/seasonal_mann_kendall.csv`).
//!
//! # Minimum samples
//! | months | answer | reason |
//! |---|---|---|
//! | fewer than 12 pairs of one month in two years | none | a month that was seen once has nothing to be compared with |
//! | 24 | p >= 0.0015 | twelve pairs, all one way: no use in a large family, which is why `facts/trend_test` does not ask it |
//! | 36 | p >= 1e-7 if noise-free | 36 pairs |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant, or the same every year | s = 0, var_s = 0 where all is tied, z = 0, p = 1 |
//! | a step between two years | looks like a drift: ask [`super::change_point`] too |
//!
//! # NULL, NaN, infinity
//! Skipped. Rows of the same month are averaged first ([`super::series::monthly`]).
//!
//! # Ties, gaps, seasonality
//! Ties: corrected variance. Gaps: a missing month takes its pairs with it. Seasonality of twelve months is what it is for; x counts
//! months (`12 * year + month - 1`), so x mod 12 is the month of the year.
//!
//! # Level, measured
//! **Refused for remembering series**: months of one year that resemble each other are not independent, and the variance above says they
//! are. Share of trendless series with p <= .05 (`SHORTFALL_KERNEL_TABLES=100000 cargo bench --bench kernels`):
//!
//! | noise | phi | 24 months | 36 | 60 |
//! |---|---|---|---|---|
//! | Gaussian | 0.0 | .038 | .022 | .039 |
//! | Gaussian | 0.2 | .069 | .047 | **.076** |
//! | Gaussian | 0.4 | **.122** | **.093** | **.141** |
//! | Gaussian | 0.6 | **.208** | **.177** | **.248** |
//! | Poisson(5) | 0.0 | .023 | .033 | .041 |
//!
//! For remembering series ask [`super::mann_kendall`] on a ratio in which the season cancels, or on yearly sums.
//!
//! # Cost
//! O(n^2 / 12) for the slopes.
//!
//! ```
//! use shortfall::kernels::{seasonal_mann_kendall::seasonal_mann_kendall, series::Point};
//! let wave = |i: i32| 10.0 + 0.3 * f64::from(i) + 3.0 * (std::f64::consts::TAU * f64::from(i) / 12.0).sin();
//! let points: Vec<Point> = (0..36).map(|x| Point { x, y: wave(x) }).collect();
//! let test = seasonal_mann_kendall(&points).unwrap();
//! assert_eq!(test.s, 36);
//! assert!((test.slope - 3.6).abs() < 1e-9 && test.p < 1e-6);
//! ```

use super::comparisons::order;
use super::series::{Arguments, Point, SeriesKernel, Value, fill_row, median, monthly, real, whole};
use super::tails::normal_two_sided;

/// Months of a season's cycle.
const YEAR: i32 = 12;

/// Fewest pairs of the same month in two years: two full years have twelve.
pub const MIN_PAIRS: usize = 12;

/// A trend test that compares each month of the year with itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeasonalMannKendall {
    /// Months used.
    pub n: usize,
    /// Pairs of the same month in two years.
    pub pairs: usize,
    /// Later-is-higher pairs minus later-is-lower pairs.
    pub s: i64,
    /// Variance of S for independent noise, corrected for ties.
    pub var_s: f64,
    /// Standardised S.
    pub z: f64,
    /// Two-sided normal p.
    pub p: f64,
    /// y per year.
    pub slope: f64,
}

/// SQL: `seasonal_mann_kendall(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "seasonal_mann_kendall",
    arguments: Arguments::MonthAndValue,
    fields: &[whole("n"), whole("pairs"), whole("s"), real("var_s"), real("z"), real("p"), real("slope")],
    fill: |points, row| {
        let cells = seasonal_mann_kendall(points).map(|test| {
            [
                Value::from(test.n),
                Value::from(test.pairs),
                Value::Whole(test.s),
                Value::Real(test.var_s),
                Value::Real(test.z),
                Value::Real(test.p),
                Value::Real(test.slope),
            ]
        });
        fill_row(cells, row)
    },
};

/// Tests a monthly series for a drift beside its yearly season; `None` below [`MIN_PAIRS`].
#[must_use]
pub fn seasonal_mann_kendall(points: &[Point]) -> Option<SeasonalMannKendall> {
    let points = monthly(points);
    let (mut s, mut var_s) = (0.0, 0.0);
    let mut slopes = Vec::new();
    for season in 0..YEAR {
        let of_season: Vec<Point> = points.iter().copied().filter(|point| point.x.rem_euclid(YEAR) == season).collect();
        for (i, early) in of_season.iter().enumerate() {
            for late in &of_season[i + 1..] {
                slopes.push((late.y - early.y) / ((f64::from(late.x) - f64::from(early.x)) / f64::from(YEAR)));
            }
        }
        let years = of_season.len();
        if years < 2 {
            continue;
        }
        let order = order(of_season.iter().map(|point| point.y));
        s += order.s;
        var_s += order.variance;
    }
    let pairs = slopes.len();
    if pairs < MIN_PAIRS {
        return None;
    }
    let z = if var_s <= 0.0 { 0.0 } else { s.signum() * (s.abs() - 1.0).max(0.0) / var_s.sqrt() };
    Some(SeasonalMannKendall {
        n: points.len(),
        pairs,
        s: whole_s(s),
        var_s,
        z,
        p: normal_two_sided(z),
        slope: median(&mut slopes)?,
    })
}

/// S as an integer; it is one, held in a float.
#[expect(clippy::cast_possible_truncation, reason = "|S| <= n(n-1)/2, exact in both types")]
fn whole_s(s: f64) -> i64 {
    s as i64
}

#[cfg(test)]
mod tests {
    use super::{Point, seasonal_mann_kendall};

    #[test]
    fn one_year_and_a_bit_is_too_short() {
        let points: Vec<Point> = (0..23).map(|x| Point { x, y: f64::from(x) }).collect();
        assert!(seasonal_mann_kendall(&points).is_none());
    }

    #[test]
    fn the_same_every_year_is_no_trend() {
        let points: Vec<Point> = (-24..12).map(|x: i32| Point { x, y: f64::from(x.rem_euclid(12)) }).collect();
        let test = seasonal_mann_kendall(&points).unwrap();
        assert_eq!((test.s, test.var_s, test.z, test.p, test.slope, test.pairs), (0, 0.0, 0.0, 1.0, 0.0, 36));
    }
}
