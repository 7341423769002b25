//! Heaping: are quantities rounder than counting makes them, for whoever asks whether they were measured or estimated.
//!
//! # Formula
//! Of the n *different* values of a series, t are multiples of 10 and f multiples of 5; d different ones stand in the *last stretch*, the
//! latest months that hold nothing but multiples of 5:
//!
//! p_tens = P(Binomial(n, 1/10) >= t),  p_fives = P(Binomial(n, 1/5) >= f),  p_stretch = 1 / 5^d,
//! p_coarse = min over s_k = 10, 50, 100, 500, 1000 ... of 2^k / s_k^(d_k),  p = min(1, 4 min(p_tens, p_fives, p_stretch, p_coarse))
//!
//! * **Coarse**: d_k different ones stand in the latest months that hold nothing but multiples of s_k, each at least 4 s_k and at least two of them:
//!   who rounds consumption to full 500 has few different values, but each of them happens once in 500 times. 2^k shares one look among
//!   all scales (the sum of 1 / 2^k is one).
//! * **Null**: the last digit has no preference: every different value is a multiple of ten with probability 1/10, of five with 1/5,
//!   independently.
//! * Different values, not months: a quantity of 50 that stands for a year is one round number, not twelve, and a count that goes to and
//!   fro between 50 and 51 is two.
//! * The last stretch finds whoever began to estimate half a year ago after years of measuring; `start` says when.
//! * Only values of at least 20 count: below, a tenth of the numbers is no tenth any more (of 1 to 9 none is a multiple of ten), and five or
//!   ten seats are a size, not an estimate. A value that is not whole counts, and is not round: nobody estimates 41.37.
//! * The factor 4 is Bonferroni's, for looking in four ways.
//!
//! # Source
//! Digit preference as in demography (Myers 1940, Trans. Actuar. Soc. Am. 41:395: heaping on 0 and 5), here with exact tails instead
//! of an index, so that many series can be judged together. Tails agree with SciPy (`tests/oracle/heaping.csv`).
//!
//! # Minimum samples
//! | different values | answer | reason |
//! |---|---|---|
//! | 0-2 | p NULL | two round numbers in a row happen to everybody (fives: 1 in 25) |
//! | 3 | p >= 0.004 | 4 / 10^3; all multiples of five only: 0.032; two of them full 500: 3e-4 |
//! | 5 | p >= 4e-5 | all multiples of five only: 1.3e-3 |
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
//! Power: who rounds to fives for five different months after any number of measured ones has p <= 1.3e-3, for seven p <= 6e-5.
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
//! assert!(typed.p.unwrap() < 0.01);
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
    /// The scale whose latest months are the least probable; `None` if no two different values are that round.
    pub coarse: Option<i64>,
    /// Different values in the latest months that hold nothing but its multiples.
    pub coarse_stretch: usize,
    /// First of these months.
    pub coarse_start: Option<i32>,
    /// Probability of a series so round, if digits have no preference.
    pub p: Option<f64>,
}

/// SQL: `heaping(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "heaping",
    arguments: Arguments::MonthAndValue,
    fields: &[
        whole("n"),
        whole("tens"),
        whole("fives"),
        whole("stretch"),
        whole("start"),
        whole("coarse"),
        whole("coarse_stretch"),
        whole("coarse_start"),
        real("p"),
    ],
    fill: |points, row| {
        let heaping = heaping(points);
        let cells = [
            Value::from(heaping.n),
            Value::from(heaping.tens),
            Value::from(heaping.fives),
            Value::from(heaping.stretch),
            heaping.start.map_or(Value::Missing, |x| Value::Whole(i64::from(x))),
            heaping.coarse.map_or(Value::Missing, Value::Whole),
            Value::from(heaping.coarse_stretch),
            heaping.coarse_start.map_or(Value::Missing, |x| Value::Whole(i64::from(x))),
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
    let last = latest(&points, 5.0);
    let stretch = different(last).len();
    let coarse = coarsest(&points);
    let p_coarse = coarse.as_ref().map_or(1.0, |coarse| coarse.p);
    let smallest = at_least(tens, n, 0.1).min(at_least(fives, n, 0.2)).min(all_multiples(5.0, stretch)).min(p_coarse);
    let p = (n >= MIN_VALUES).then(|| (4.0 * smallest).min(1.0));
    Heaping {
        n,
        tens,
        fives,
        stretch,
        start: last.first().map(|point| point.x),
        coarse: coarse.as_ref().map(|coarse| coarse.scale),
        coarse_stretch: coarse.as_ref().map_or(0, |coarse| coarse.stretch),
        coarse_start: coarse.map(|coarse| coarse.start),
        p,
    }
}

/// The latest months that hold nothing but multiples of `scale`.
fn latest(points: &[Point], scale: f64) -> &[Point] {
    let smallest = SMALLEST_VALUE.max(4.0 * scale);
    let is_round = |point: &Point| (smallest..=LARGEST_WHOLE).contains(&point.y.abs()) && point.y % scale == 0.0;
    points.iter().rposition(|point| !is_round(point)).map_or(points, |place| &points[place + 1..])
}

/// How often as many values are all multiples by chance.
fn all_multiples(scale: f64, values: usize) -> f64 {
    (0..values).fold(1.0, |p, _| p / scale)
}

struct Coarse {
    scale: i64,
    stretch: usize,
    start: i32,
    p: f64,
}

/// The least probable of 10, 50, 100, 500 ... that at least two different values share.
fn coarsest(points: &[Point]) -> Option<Coarse> {
    let mut best: Option<Coarse> = None;
    let (mut scale, mut looks) = (10_i64, 2.0);
    for step in [5_i64, 2].iter().cycle() {
        let size = scale as f64;
        let last = latest(points, size);
        let stretch = different(last).len();
        // A coarser scale has no longer stretch.
        let first = last.first().filter(|_| stretch >= 2);
        let Some(first) = first else { break };
        let p = looks * all_multiples(size, stretch);
        if best.as_ref().is_none_or(|best| p < best.p) {
            best = Some(Coarse { scale, stretch, start: first.x, p });
        }
        (scale, looks) = (scale * step, looks * 2.0);
    }
    best
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
        assert!((found.p.unwrap() - 4.0 * 0.2_f64.powi(6)).abs() < 1e-15, "{found:?}");
        // One measured month ends the stretch.
        assert_eq!(heaping(&series(&[estimated.to_vec(), vec![301.0]].concat())).stretch, 0);
    }

    #[test]
    fn two_full_five_hundreds_are_an_estimate() {
        let measured = [1730.5, 1812.0, 1655.25];
        let found = heaping(&series(&[&measured[..], &[2000.0, 2500.0, 2000.0, 2500.0]].concat()));
        assert_eq!((found.coarse, found.coarse_stretch, found.coarse_start), (Some(500), 2, Some(103)));
        assert!((found.p.unwrap() - 4.0 * 16.0 / 500.0_f64.powi(2)).abs() < 1e-12, "{found:?}");
        // Multiples of 500 that are one, two and three of them are a size.
        assert_eq!(heaping(&series(&[500.0, 1000.0, 1500.0])).coarse, Some(100));
        assert_eq!(heaping(&series(&[2000.0, 2500.0, 2501.0])).coarse, None);
    }

    #[test]
    fn unusable_values_are_skipped() {
        let dirty = heaping(&series(&[f64::NAN, 20.0, 30.0, f64::INFINITY, 45.0]));
        assert_eq!((dirty.n, dirty.fives, dirty.stretch, dirty.start), (3, 3, 3, Some(101)));
        assert!((dirty.p.unwrap() - 4.0 * 0.2_f64.powi(3)).abs() < 1e-15);
        assert_eq!(heaping(&series(&[20.0, 30.0, 45.0, 1e30])).stretch, 0);
    }
}
