//! Heaping: are quantities rounder than counting makes them, for whoever asks whether they were measured or estimated.
//!
//! # Formula
//! Of the n *different* values of a series, t are multiples of 10 and f multiples of 5; d different ones stand in the *last stretch*, the
//! latest months that hold nothing but multiples of 5:
//!
//! p_tens = P(Binomial(n, 1/10) >= t),  p_fives = P(Binomial(n, 1/5) >= f),  p_stretch = 1 / 5^d,  p = min(1, 3 min(p_tens, p_fives, p_stretch))
//!
//! * **Null**: the last digit has no preference: every different value is a multiple of ten with probability 1/10, of five with 1/5,
//!   independently.
//! * Different values, not months: a quantity of 50 that stands for a year is one round number, not twelve, and a count that goes to and
//!   fro between 50 and 51 is two.
//! * The last stretch finds whoever began to estimate half a year ago after years of measuring; `start` says when.
//! * Only values of at least 20 count: below, a tenth of the numbers is no tenth any more (of 1 to 9 none is a multiple of ten), and five or
//!   ten seats are a size, not an estimate. A value that is not whole counts, and is not round: nobody estimates 41.37.
//! * The factor 3 is Bonferroni's, for looking in three ways.
//!
//! # Source
//! Digit preference as in demography (Myers 1940, Trans. Actuar. Soc. Am. 41:395: heaping on 0 and 5), here with exact tails instead
//! of an index, so that many series can be judged together. Tails agree with SciPy (`tests/oracle/heaping.csv`).
//!
//! # Minimum samples
//! | different values | answer | reason |
//! |---|---|---|
//! | 0-2 | p NULL | two round numbers in a row happen to everybody (fives: 1 in 25) |
//! | 3 | p >= 0.003 | 3 / 10^3; all multiples of five only: 0.024 |
//! | 5 | p >= 3e-5 | all multiples of five only: 1e-3 |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant | n = 1, p NULL |
//! | the last value is not round, or below 20 | no stretch: 0 values, `start` NULL |
//! | sold in tens or by the dozen pack | a small p for a true reason: compare with the delivered series |
//! | all below 20 | n = 0, p NULL |
//!
//! # NULL, NaN, infinity
//! Skipped. Rows of the same month are averaged first ([`super::series::monthly`]).
//!
//! # Ties, gaps, seasonality
//! Equal values count once. A missing month does not end the stretch: nobody saw a value that is not round.
//!
//! # Level and power, measured
//! Share of series with p <= .05 / .01 (`SHORTFALL_KERNEL_TABLES=100000 cargo bench --bench kernels`):
//!
//! | series of whole numbers | 12 months | 24 | 36 | 60 |
//! |---|---|---|---|---|
//! | uniform on 20-999 (the null) | .014 / .003 | .022 / .004 | .021 / .005 | .025 / .004 |
//! | a seat walk with steps | .007 / .001 | .006 / .001 | .005 / .001 | .005 / .000 |
//! | Poisson(50) | .005 / .001 | .005 / .000 | .005 / .000 | .004 / .000 |
//!
//! Levels lie under the nominal ones because counts are discrete, and because different values of one neighbourhood cannot all be round.
//! Power: who rounds to fives for five different months after any number of measured ones has p <= 1e-3, for seven p <= 4e-5.
//!
//! # Cost
//! O(n log n), one allocation.
//!
//! ```
//! use shortfall::kernels::{heaping::heaping, series::Point};
//! let billed = [101.0, 118.5, 120.0, 150.0, 145.0, 145.0, 160.0];
//! let points: Vec<Point> = (0..).zip(billed).map(|(x, y)| Point { x, y }).collect();
//! let typed = heaping(&points);
//! assert_eq!((typed.n, typed.tens, typed.fives, typed.stretch, typed.start), (6, 3, 4, 4, Some(2)));
//! assert!(typed.p.unwrap() < 0.005);
//! ```

use super::series::{Arguments, Point, SeriesKernel, Value, fill_row, monthly, real, whole};
use super::tails::at_least;

/// Values below it say nothing by their last digit.
pub const SMALLEST_VALUE: f64 = 20.0;

/// Fewest different values that are judged.
pub const MIN_VALUES: usize = 3;

/// Above it a float has no last digit.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0; // 2^53

/// How round a series is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heaping {
    /// Different values of at least [`SMALLEST_VALUE`].
    pub n: usize,
    /// Of them, multiples of ten.
    pub tens: usize,
    /// Of them, multiples of five, those of ten included.
    pub fives: usize,
    /// Different values in the latest months that hold nothing but multiples of five.
    pub stretch: usize,
    /// First of these months.
    pub start: Option<i32>,
    /// Probability of a series so round, if digits have no preference.
    pub p: Option<f64>,
}

/// SQL: `heaping(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "heaping",
    arguments: Arguments::MonthAndValue,
    fields: &[whole("n"), whole("tens"), whole("fives"), whole("stretch"), whole("start"), real("p")],
    fill: |points, row| {
        let heaping = heaping(points);
        let cells = [
            Value::from(heaping.n),
            Value::from(heaping.tens),
            Value::from(heaping.fives),
            Value::from(heaping.stretch),
            heaping.start.map_or(Value::Missing, |x| Value::Whole(i64::from(x))),
            Value::from(heaping.p),
        ];
        fill_row(Some(cells), row)
    },
};

/// Counts multiples of ten and five among the different values, and how probable as many are by chance.
#[must_use]
pub fn heaping(points: &[Point]) -> Heaping {
    let points = monthly(points);
    let judged = different(&points);
    let n = judged.len();
    let multiples = |of: f64| judged.iter().filter(|value| **value % of == 0.0).count();
    let (tens, fives) = (multiples(10.0), multiples(5.0));
    let is_round = |point: &Point| is_judged(point.y.abs()) && point.y % 5.0 == 0.0;
    let last = points.iter().rposition(|point| !is_round(point)).map_or(&*points, |place| &points[place + 1..]);
    let stretch = different(last).len();
    let p_stretch = (0..stretch).fold(1.0, |p, _| p * 0.2);
    let smallest = at_least(tens, n, 0.1).min(at_least(fives, n, 0.2)).min(p_stretch);
    let p = (n >= MIN_VALUES).then(|| (3.0 * smallest).min(1.0));
    Heaping { n, tens, fives, stretch, start: last.first().map(|point| point.x), p }
}

fn is_judged(size: f64) -> bool {
    (SMALLEST_VALUE..=LARGEST_WHOLE).contains(&size)
}

/// The sizes that are judged, each once.
fn different(points: &[Point]) -> Vec<f64> {
    let mut sizes: Vec<f64> = points.iter().map(|point| point.y.abs()).filter(|size| is_judged(*size)).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::{Point, heaping};

    fn series(y: &[f64]) -> Vec<Point> {
        (100..).zip(y).map(|(x, &y)| Point { x, y }).collect()
    }

    #[test]
    fn a_quantity_that_stands_is_one_round_number() {
        let standing = heaping(&series(&[50.0; 12]));
        assert_eq!((standing.n, standing.tens, standing.stretch, standing.p), (1, 1, 1, None));
    }

    #[test]
    fn small_counts_and_fractions_are_not_round() {
        let small = heaping(&series(&[5.0, 10.0, 15.0, 19.0]));
        assert_eq!((small.n, small.stretch, small.start), (0, 0, None));
        let metered = heaping(&series(&[41.37, 50.5, 60.01, 70.25]));
        assert_eq!((metered.n, metered.fives, metered.p), (4, 0, Some(1.0)));
    }

    #[test]
    fn who_began_to_estimate_is_found_after_a_year_of_measuring() {
        let measured: Vec<f64> = (0..18_u32).map(|i| f64::from(101 + 17 * i) + 0.5).collect();
        let estimated = [300.0, 315.0, 290.0, 290.0, 325.0, 340.0, 305.0];
        let found = heaping(&series(&[measured.clone(), estimated.to_vec()].concat()));
        assert_eq!((found.stretch, found.start), (6, Some(118)));
        assert!((found.p.unwrap() - 3.0 * 0.2_f64.powi(6)).abs() < 1e-15, "{found:?}");
        // One measured month ends the stretch.
        assert_eq!(heaping(&series(&[estimated.to_vec(), vec![301.0]].concat())).stretch, 0);
    }

    #[test]
    fn unusable_values_are_skipped() {
        let dirty = heaping(&series(&[f64::NAN, 20.0, 30.0, f64::INFINITY, 45.0]));
        assert_eq!((dirty.n, dirty.fives, dirty.stretch, dirty.start), (3, 3, 3, Some(101)));
        assert!((dirty.p.unwrap() - 3.0 * 0.2_f64.powi(3)).abs() < 1e-15);
        assert_eq!(heaping(&series(&[20.0, 30.0, 45.0, 1e30])).stretch, 0);
    }
}
