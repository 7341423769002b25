//! Heaping: are quantities rounder than counting makes them, for whoever asks whether they were measured or estimated.
//!
//! # Formula
//! Of the n *different* values of a series, t are multiples of 10 and f multiples of 5:
//!
//! p_tens = P(Binomial(n, 1/10) >= t),  p_fives = P(Binomial(n, 1/5) >= f),  p = min(1, 2 min(p_tens, p_fives))
//!
//! * **Null**: the last digit has no preference: every different value is a multiple of ten with probability 1/10, of five with 1/5,
//!   independently.
//! * Different values, not months: a quantity of 50 that stands for a year is one round number, not twelve, and a count that goes to and
//!   fro between 50 and 51 is two.
//! * Only values of at least 20 count: below, a tenth of the numbers is no tenth any more (of 1 to 9 none is a multiple of ten), and five or
//!   ten seats are a size, not an estimate. A value that is not whole counts, and is not round: nobody estimates 41.37.
//! * The factor 2 is Bonferroni's, for looking at both.
//!
//! # Source
//! Digit preference as in demography (Myers 1940, Trans. Actuar. Soc. Am. 41:395: heaping on 0 and 5), here with exact tails instead
//! of an index, so that many series can be judged together. Tails agree with SciPy (`tests/oracle/heaping.csv`).
//!
//! # Minimum samples
//! | different values | answer | reason |
//! |---|---|---|
//! | 0-2 | p NULL | two round numbers in a row happen to everybody (fives: 1 in 25) |
//! | 3 | p >= 0.002 | 2 / 10^3; all multiples of five only: 0.016 |
//! | 5 | p >= 2e-5 | all multiples of five only: 6e-4 |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant | n = 1, p NULL |
//! | sold in tens or by the dozen pack | a small p for a true reason: compare with the delivered series |
//! | all below 20 | n = 0, p NULL |
//!
//! # NULL, NaN, infinity
//! Skipped.
//!
//! # Ties, gaps, seasonality
//! Equal values count once; order and gaps have no say.
//!
//! # Level and power, measured
//! Share of series with p <= .05 / .01 (`SHORTFALL_KERNEL_TABLES=100000 cargo bench --bench kernels`):
//!
//! | series of whole numbers | 12 months | 24 | 36 | 60 |
//! |---|---|---|---|---|
//! | uniform on 20-999 (the null) | .021 / .006 | .019 / .004 | .030 / .003 | .024 / .005 |
//! | a seat walk with steps | .007 / .001 | .005 / .001 | .003 / .001 | .002 / .000 |
//! | Poisson(50) | .002 / .000 | .000 / .000 | .000 / .000 | .000 / .000 |
//!
//! Levels lie under the nominal ones because counts are discrete, and because different values of one neighbourhood cannot all be round.
//! Power, exactly: of twelve different values six multiples of five are enough at 5 %; if each is one with probability 2/3, that
//! happens in 93 of 100 series.
//!
//! # Cost
//! O(n log n), one allocation.
//!
//! ```
//! use shortfall::kernels::heaping::heaping;
//! let typed = heaping(&[100.0, 120.0, 120.0, 150.0, 145.0, 160.0]);
//! assert_eq!((typed.n, typed.tens, typed.fives), (5, 4, 5));
//! assert!(typed.p.unwrap() < 0.001);
//! ```

use super::series::{Arguments, LARGEST_VALUE, SeriesKernel, Value, fill_row, real, whole};
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
    /// Probability of at least so many multiples of ten or five, if digits have no preference.
    pub p: Option<f64>,
}

/// SQL: `heaping(y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "heaping",
    arguments: Arguments::ValueOnly,
    fields: &[whole("n"), whole("tens"), whole("fives"), real("p")],
    fill: |points, row| {
        let values: Vec<f64> = points.iter().map(|point| point.y).collect();
        let heaping = heaping(&values);
        let cells = [Value::from(heaping.n), Value::from(heaping.tens), Value::from(heaping.fives), Value::from(heaping.p)];
        fill_row(Some(cells), row)
    },
};

/// Counts multiples of ten and five among the different values, and how probable as many are by chance.
#[must_use]
pub fn heaping(values: &[f64]) -> Heaping {
    let is_judged = |value: &f64| (SMALLEST_VALUE..=LARGEST_WHOLE).contains(value) && *value <= LARGEST_VALUE;
    let mut judged: Vec<f64> = values.iter().map(|value| value.abs()).filter(is_judged).collect();
    judged.sort_unstable_by(f64::total_cmp);
    judged.dedup();
    let n = judged.len();
    let multiples = |of: f64| judged.iter().filter(|value| **value % of == 0.0).count();
    let (tens, fives) = (multiples(10.0), multiples(5.0));
    let p = (n >= MIN_VALUES).then(|| (2.0 * at_least(tens, n, 0.1).min(at_least(fives, n, 0.2))).min(1.0));
    Heaping { n, tens, fives, p }
}

#[cfg(test)]
mod tests {
    use super::heaping;

    #[test]
    fn a_quantity_that_stands_is_one_round_number() {
        let standing = heaping(&[50.0; 12]);
        assert_eq!((standing.n, standing.tens, standing.p), (1, 1, None));
    }

    #[test]
    fn small_counts_and_fractions_are_not_round() {
        assert_eq!(heaping(&[5.0, 10.0, 15.0, 19.0]).n, 0);
        let metered = heaping(&[41.37, 50.5, 60.01, 70.25]);
        assert_eq!((metered.n, metered.fives, metered.p), (4, 0, Some(1.0)));
    }

    #[test]
    fn unusable_values_are_skipped() {
        let clean = heaping(&[20.0, 30.0, 45.0]);
        assert_eq!(heaping(&[f64::NAN, 20.0, 30.0, f64::INFINITY, 45.0, 1e300]), clean);
        assert!((clean.p.unwrap() - 2.0 * 0.2_f64.powi(3)).abs() < 1e-15);
    }
}
