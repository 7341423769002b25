//! Mann-Kendall: does a monthly series drift up or down, for whoever turns thousands of series into findings.
//!
//! # Formula
//! S = #{later > earlier} - #{later < earlier} over all pairs of months; var(S) = \[n(n-1)(2n+5) - sum t(t-1)(2t+5)\] / 18
//! over tie groups t. Three readings of the same S:
//!
//! | field | variance of S | tail | for |
//! |---|---|---|---|
//! | `p_plain` | var(S) | normal | comparison with other packages; **do not decide by it** |
//! | `p_ess` | var(S) * max(1, 1 + 2 sum_{k<n} (1 - k/n) r'^k) | normal | comparison with the plug-in correction |
//! | `p` | var(S) * c(phi_j), averaged over the phi_j the series leaves possible | bounded (beta) | **deciding** |
//!
//! r' = (n r + 2) / (n - 4), clamped to \[0, 0.95\]: lag-1 autocorrelation of the residuals from the Sen line, bias-corrected.
//! z = sign(S) max(|S| - 1, 0) / sd, tau = S / (n(n-1)/2). The field `z` belongs to `p_ess`.
//!
//! `p` differs from `p_ess` in three ways, each of which the far tail needs (see *Level* below):
//! * c(phi) = 1 + 2 / (n(n-1)(n-2)) sum_k (n-k)(n-k-1)(n-k-2) (6/pi) asin(phi^k / 2): the variance of S itself, not of a mean
//!   (within 2 % of simulation for n 8-36, phi 0-0.6);
//! * S is bounded: S / (untied pairs) is read as a correlation with 1 / variance - 1 degrees of freedom. A normal tail calls
//!   a perfectly monotone year under phi = 0.6 a 1-in-200 event; it is 1 in 400,000;
//! * phi is not known from 12-36 months, so p is averaged over it ([`super::autocorrelation`]) instead of trusting r'. That also keeps
//!   the power against smooth *curved* trends, whose residuals from a line look like strong memory: ln(40 -> 60 seats) over
//!   12 months has r' = 0.8 and p_ess = 0.07, yet p = 4e-5.
//!
//! # Source
//! Mann 1945, Econometrica 13:245; Kendall 1975, *Rank Correlation Methods*, ch. 4 (ties); Hamed & Rao 1998, J. Hydrol. 204:182,
//! eq. 15 (c, used with a known phi, not with their noisy estimate per lag, which can turn the variance negative). S beyond 128 points by merge
//! sort: Knight 1966. `s`, `var_s`, `z_plain`, `p_plain` agree with pymannkendall 1.4.3 `original_test`
//! (`tests/oracle/mann_kendall.csv`).
//!
//! # Minimum samples
//! | n | answer | reason |
//! |---|---|---|
//! | 0-3 | none | no order of three values reaches 5 % |
//! | 4, 5 | p >= 0.12, 0.03 | two of 24, of 120 orders are monotone; memory unknown |
//! | 6, 7, 8 | p >= 0.007, 0.002, 0.0007 | lag-1 autocorrelation rests on 5-7 pairs |
//! | 12 | monotone series reach 4e-5 to 1e-5 | enough to survive 20,000 tests when one in a hundred is real |
//! | 24+ | noisy trends too | |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant, or all values tied | s = 0, var_s = 0, z = 0, every p = 1 |
//! | exactly linear | `autocorrelation` NULL (no noise to measure), p averaged over all phi alike |
//! | fewer than 5 pairs of consecutive months | `autocorrelation` NULL; z uses 0.6, p averages over all phi alike |
//! | negative r' | clamped to 0: the variance is never deflated |
//! | two-valued, e.g. one step | answered, but a step is not a slope: ask [`super::change_point`] too |
//!
//! p is never NaN and lies in \[0, 1\].
//!
//! # NULL, NaN, infinity
//! Skipped. Rows of the same month are averaged first ([`super::series::monthly`]).
//!
//! # Ties, gaps, seasonality
//! Ties: corrected variance, and the bound of S is the number of untied pairs. Gaps: order needs no spacing; memory is
//! estimated from consecutive months only and c treats the series as if closed up (never less cautious). Seasonality is not removed:
//! test whole years, or a ratio in which the season cancels.
//!
//! # Level and power, measured
//! Share of 100,000 Gaussian AR(1) series without trend (`SHORTFALL_KERNEL_TABLES=100000 cargo bench --bench kernels`):
//!
//! | n | phi | `p_plain` <= .05 | `p_ess` <= .05 | **`p` <= .05** | `p` <= .01 | `p` <= 1e-3 | `p` <= 1e-4 | `p` <= 1e-5 |
//! |---|---|---|---|---|---|---|---|---|
//! | 6 | 0.0 | .016 | .009 | .004 | .0004 | 0 | 0 | 0 |
//! | 6 | 0.6 | .074 | .036 | .019 | .0032 | 0 | 0 | 0 |
//! | 12 | 0.0 | .045 | .029 | .007 | .0005 | 0 | 0 | 0 |
//! | 12 | 0.4 | .145 | .064 | .029 | .0039 | 1e-4 | 1e-5 | 0 |
//! | 12 | 0.6 | .238 | .088 | .055 | .0097 | 7e-4 | 1e-5 | 0 |
//! | 24 | 0.0 | .043 | .032 | .015 | .0010 | 1e-5 | 0 | 0 |
//! | 24 | 0.4 | .162 | .061 | .040 | .0070 | 3e-4 | 0 | 0 |
//! | 24 | 0.6 | .274 | .074 | .062 | .0151 | 1.5e-3 | 7e-5 | 0 |
//! | 36 | 0.0 | .048 | .036 | .019 | .0018 | 3e-5 | 0 | 0 |
//! | 36 | 0.4 | .178 | .058 | .043 | .0080 | 5e-4 | 0 | 0 |
//! | 36 | 0.6 | .297 | .065 | .060 | .0142 | 1.7e-3 | 4e-5 | 0 |
//! | 24 | 0.8 (outside) | .446 | .101 | **.120** | .0371 | 6.2e-3 | 6e-4 | 1e-5 |
//!
//! Promise, tested at n = 12, 24, 36 and 60, phi 0 to 0.6, on Gaussian noise, Poisson counts, paired seat walks with steps and series with
//! missing months (`tests/kernels/level.rs`, table in the README): at a nominal 5 % at most 7 %; the largest level measured is 6.9 %. From
//! 1e-4 down, where a large family decides, the level holds as stated. Books of 20,000 trendless pairs, n = 12-33, BH at q <= 0.05, findings in ten books together (true number: 0):
//!
//! | phi | `p_plain` | `p_ess` | **`p`** |
//! |---|---|---|---|
//! | 0.0 | 0 | 0 | **0** |
//! | 0.3 | 13 | 1 | **0** |
//! | 0.6 | 19,551 | 203 | **0** |
//! | 0.8 (outside) | 65,204 | 1,821 | **5** |
//!
//! Other noise, `p` <= .05 and 1e-3 at n = 24: AR(1) 0.4 with every fifth month missing .023, 1e-4; Poisson(3) .014, 3e-5;
//! Poisson(0.3) .004, 0; Binomial(20, .9) .014, 0; ln ratio of a correctly billed integer seat walk with steps .019, 1e-4.
//! **Refused**: the seat walk itself, *unpaired*: .378, .125. A random walk does drift; test the ratio, not the walk. No signal decides by a
//! raw quantity (`queries/facts/trend_test.sql` tests ratios; the trends of their parts can only silence a finding).
//!
//! Power at slope 0.1 / 0.2 / 0.4 innovation sd per month (10,000 series):
//!
//! | n | phi | `p_plain` <= .05 | `p` <= .05 | `p` <= 1e-3 |
//! |---|---|---|---|---|
//! | 12 | 0.0 | .16 / .50 / .97 | .04 / .19 / .73 | 0 / .00 / .03 |
//! | 12 | 0.4 | (level broken) | .06 / .17 / .56 | 0 / .00 / .03 |
//! | 24 | 0.0 | .86 / 1 / 1 | .68 / 1.0 / 1 | .02 / .57 / .99 |
//! | 24 | 0.4 | (level broken) | .39 / .88 / 1 | .02 / .22 / .76 |
//! | 24 | 0.6 | (level broken) | .27 / .70 / 1.0 | .02 / .12 / .52 |
//! | 36 | 0.0 | 1 / 1 / 1 | 1 / 1 / 1 | .66 / 1 / 1 |
//! | 36 | 0.4 | (level broken) | .88 / 1 / 1 | .24 / .84 / 1 |
//!
//! Noise-free smooth growth, ln(40 -> 60 whole seats): p = 4e-4 at 9 months, 4e-5 at 12, 1e-7 at 18, 8e-10 at 24.
//!
//! # Cost
//! S by comparing all pairs up to 128 points (`comparisons.rs`), in O(n log n) beyond; the Sen line O(n^2) up to 1,000 points
//! ([`super::theil_sen`]); nine tails, remembered by n and S where nothing is tied. 36 points: 1.0 microsecond of a core with AVX-512, 1.9 with ties;
//! with the Sen line and its interval ([`super::trend`]) 1.7 and 2.7 (20,000 series, CPU time).
//!
//! ```
//! use shortfall::kernels::{mann_kendall::mann_kendall, series::Point};
//! let y = [12.0, 11.5, 13.1, 12.7, 14.2, 13.9, 15.0, 14.1, 16.3, 15.8, 17.0, 16.2];
//! let points: Vec<Point> = (0..).zip(y).map(|(x, y)| Point { x, y }).collect();
//! let test = mann_kendall(&points).unwrap();
//! assert_eq!(test.s, 50);
//! assert!((test.z_plain - 3.3600548585).abs() < 1e-9);
//! assert!(test.p < 0.01);
//! ```

use super::autocorrelation::{Bias, ENVELOPE, Lag1, envelope_weights, lag1};
use super::comparisons::{Order, order};
use super::series::{Arguments, Point, SeriesKernel, Value, count, fill_row, monthly, real, whole};
use super::tails::{normal_two_sided, share_tails};
use super::theil_sen::sen_slope;
use std::sync::OnceLock;

/// Fewest months tested.
pub const MIN_MONTHS: usize = 4; // below it no order of the values reaches 5 % (3 months: at best 1/3)

/// Removing a Sen line shifts the expected lag-1 autocorrelation by -(2 + 4 phi) / n.
const DETRENDED: Bias = Bias { at_zero: 2.0, per_phi: 4.0 };

/// How much more probable a long memory is before the series is seen (exp(2 phi)): what keeps the level at phi = 0.6.
const LEAN: f64 = 2.0;

/// What z assumes when the autocorrelation cannot be measured.
const UNKNOWN_AUTOCORRELATION: f64 = 0.6;

/// One number for each autocorrelation of the envelope.
type Tails = [f64; ENVELOPE.len()];

/// Series shorter than this find what depends on their length remembered: 5 MB when all lengths and every S have occurred.
const REMEMBERED: usize = 61;

/// Series up to this length need no memory of their own.
const SHORT: usize = 64;

/// A trend test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannKendall {
    /// Months used.
    pub n: usize,
    /// Later-is-higher pairs minus later-is-lower pairs.
    pub s: i64,
    /// S over the number of pairs (tau-a), in [-1, 1].
    pub tau: f64,
    /// Variance of S for independent noise, corrected for ties.
    pub var_s: f64,
    /// z with `var_s`.
    pub z_plain: f64,
    /// Two-sided normal p of `z_plain`: too small when months remember each other.
    pub p_plain: f64,
    /// r', the bias-corrected lag-1 autocorrelation of the detrended series, clamped to [0, 0.95].
    pub autocorrelation: Option<f64>,
    /// Factor on `var_s` from r'; at least 1.
    pub inflation: f64,
    /// z with `var_s * inflation`.
    pub z: f64,
    /// Two-sided normal p of `z`.
    pub p_ess: f64,
    /// The p to decide by: averaged over the autocorrelations the series leaves possible, with the bounded tail of S.
    pub p: f64,
}

/// SQL: `mann_kendall(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "mann_kendall",
    arguments: Arguments::MonthAndValue,
    fields: &[
        whole("n"),
        whole("s"),
        real("tau"),
        real("var_s"),
        real("z_plain"),
        real("p_plain"),
        real("autocorrelation"),
        real("inflation"),
        real("z"),
        real("p_ess"),
        real("p"),
    ],
    fill: |points, row| {
        let cells = mann_kendall(points).map(|test| {
            [
                Value::from(test.n),
                Value::Whole(test.s),
                Value::Real(test.tau),
                Value::Real(test.var_s),
                Value::Real(test.z_plain),
                Value::Real(test.p_plain),
                Value::from(test.autocorrelation),
                Value::Real(test.inflation),
                Value::Real(test.z),
                Value::Real(test.p_ess),
                Value::Real(test.p),
            ]
        });
        fill_row(cells, row)
    },
};

/// Tests a monthly series for a monotone trend; `None` below [`MIN_MONTHS`].
#[must_use]
pub fn mann_kendall(points: &[Point]) -> Option<MannKendall> {
    let points = monthly(points);
    if points.len() < MIN_MONTHS {
        return None;
    }
    test(&points, &order(points.iter().map(|point| point.y)), sen_slope(&points)?)
}

/// [`mann_kendall`] of points that are [`monthly`], and whose order and Sen slope are known.
pub(super) fn test(points: &[Point], order: &Order, slope: f64) -> Option<MannKendall> {
    let n = points.len();
    if n < MIN_MONTHS {
        return None;
    }
    let Order { s, untied, variance: var_s, .. } = *order;
    let pairs = count(n * (n - 1) / 2);

    let estimate = residual_lag1(points, slope);
    let autocorrelation = estimate.map(|lag1| lag1.corrected(DETRENDED).clamp(0.0, 0.95));
    // Unknown memory is read as the edge of the envelope in z, and as every value of it alike in p.
    let inflation = mean_inflation(autocorrelation.unwrap_or(UNKNOWN_AUTOCORRELATION), n);
    let z_plain = standardised(s, var_s);
    let z = standardised(s, var_s * inflation);
    Some(MannKendall {
        n,
        s: whole_s(s),
        tau: s / pairs,
        var_s,
        z_plain,
        p_plain: normal_two_sided(z_plain),
        autocorrelation,
        inflation,
        z,
        p_ess: normal_two_sided(z),
        p: averaged_p(s, untied, var_s, n, estimate),
    })
}

/// S as an integer; it is one, held in a float.
#[expect(clippy::cast_possible_truncation, reason = "|S| <= n(n-1)/2, exact in both types")]
fn whole_s(s: f64) -> i64 {
    s as i64
}

/// (|S| - 1) / sd with the sign of S, 0 when S is 0 or every value is tied.
fn standardised(s: f64, variance: f64) -> f64 {
    if variance <= 0.0 { 0.0 } else { s.signum() * (s.abs() - 1.0).max(0.0) / variance.sqrt() }
}

/// Lag-1 autocorrelation after removing the Sen line.
fn residual_lag1(points: &[Point], slope: f64) -> Option<Lag1> {
    let (first, last) = (points.first()?, points.last()?);
    let origin = f64::from(first.x);
    let drift = |point: &Point| slope * (f64::from(point.x) - origin);
    let largest = points.iter().fold(0.0_f64, |largest, point| if point.y.abs() > largest { point.y.abs() } else { largest });
    // The drift is largest at the end.
    let magnitude = largest.max(drift(last).abs());
    let mut short = [0.0; SHORT];
    if let Some(residuals) = short.get_mut(..points.len()) {
        for (residual, point) in residuals.iter_mut().zip(points) {
            *residual = point.y - drift(point);
        }
        return lag1(points, residuals, magnitude);
    }
    let mut residuals: Vec<f64> = points.iter().map(|point| point.y - drift(point)).collect();
    lag1(points, &mut residuals, magnitude)
}

/// max(1, 1 + 2 sum_{k<n} (1 - k/n) r^k): variance inflation of a mean of n AR(1) values. r is below 1.
fn mean_inflation(r: f64, n: usize) -> f64 {
    let left = 1.0 - r;
    let power = r.powi(i32::try_from(n).unwrap_or(i32::MAX));
    (1.0 + 2.0 * (r / left - r * (1.0 - power) / (count(n) * left * left))).max(1.0)
}

/// [`rank_inflation`] for each autocorrelation of the envelope; series of up to five years find it remembered.
fn envelope_inflation(n: usize) -> Tails {
    static KNOWN: [OnceLock<Tails>; REMEMBERED] = [const { OnceLock::new() }; REMEMBERED];
    let inflation = || ENVELOPE.map(|phi| rank_inflation(phi, n));
    KNOWN.get(n).map_or_else(inflation, |known| *known.get_or_init(inflation))
}

/// Variance inflation of S itself under Gaussian AR(1) phi (Hamed & Rao 1998, eq. 15, with their rank autocorrelation
/// (6/pi) asin(rho/2) of the *known* rho = phi^k instead of an estimate per lag).
fn rank_inflation(phi: f64, n: usize) -> f64 {
    let length = count(n);
    let scale = 2.0 / (length * (length - 1.0) * (length - 2.0));
    let mut power = 1.0;
    let mut sum = 0.0;
    for k in 1..n.saturating_sub(2) {
        power *= phi;
        if power < 1e-9 {
            break;
        }
        let left = length - count(k);
        sum += left * (left - 1.0) * (left - 2.0) * (6.0 / std::f64::consts::PI) * (0.5 * power).asin();
    }
    1.0 + scale * sum
}

/// Tail of S for each autocorrelation of the envelope. Without ties it depends on n and S alone: series of up to five years find it remembered.
fn envelope_tails(excess: f64, untied: f64, var_s: f64, n: usize) -> Tails {
    static KNOWN: [OnceLock<Box<[OnceLock<Tails>]>>; REMEMBERED] = [const { OnceLock::new() }; REMEMBERED];
    let tails = || {
        let relative_variance = var_s / (untied * untied);
        share_tails((excess / untied).powi(2), envelope_inflation(n).map(|inflation| 1.0 / (relative_variance * inflation) - 1.0))
    };
    let pairs = n * (n - 1) / 2;
    if untied < count(pairs) {
        return tails();
    }
    let of_n = KNOWN.get(n).map(|known| known.get_or_init(|| (0..pairs).map(|_| OnceLock::new()).collect()));
    of_n.and_then(|of_n| of_n.get(place(excess))).map_or_else(tails, |known| *known.get_or_init(tails))
}

/// |S| - 1, a whole number, as an index.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and positive where p is not 1")]
fn place(excess: f64) -> usize {
    excess as usize
}

/// p over the possible autocorrelations, with the tail of a bounded statistic.
fn averaged_p(s: f64, untied: f64, var_s: f64, n: usize, estimate: Option<Lag1>) -> f64 {
    let excess = s.abs() - 1.0; // continuity: S moves in steps of 2
    if excess <= 0.0 || var_s <= 0.0 {
        return 1.0;
    }
    let weights = envelope_weights(estimate, DETRENDED, LEAN);
    let tails = envelope_tails(excess, untied, var_s, n);
    let p: f64 = weights.iter().zip(tails).map(|(weight, tail)| weight * tail).sum();
    p.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{MIN_MONTHS, Point, mann_kendall, rank_inflation};

    fn series(y: &[f64]) -> Vec<Point> {
        (0..).zip(y).map(|(x, &y)| Point { x, y }).collect()
    }

    #[test]
    fn constant_series_has_no_trend() {
        let test = mann_kendall(&series(&[7.0; 12])).unwrap();
        assert_eq!((test.s, test.var_s, test.z, test.p, test.p_plain, test.p_ess), (0, 0.0, 0.0, 1.0, 1.0, 1.0));
    }

    #[test]
    fn three_months_are_too_few() {
        assert!(mann_kendall(&series(&[1.0, 2.0, 3.0])).is_none());
        assert_eq!(mann_kendall(&series(&[1.0, 2.0, 3.0, 4.0])).map(|test| test.n), Some(MIN_MONTHS));
    }

    #[test]
    fn variance_of_s_matches_simulation() {
        // 2e7 (n = 12) and 1e7, 5e6 series of Gaussian AR(1): variance of S over its value at phi = 0.
        for (n, phi, simulated) in [(12, 0.6, 2.509), (12, 0.3, 1.535), (24, 0.6, 3.088), (36, 0.6, 3.328), (8, 0.6, 2.100)] {
            assert!((rank_inflation(phi, n) / simulated - 1.0).abs() < 0.02, "n = {n}, phi = {phi}");
        }
    }

    #[test]
    fn smooth_curve_keeps_its_power() {
        for n in [12, 18, 24] {
            let seats = |i: u32| (40.0 + 20.0 * f64::from(i) / f64::from(n - 1)).round();
            let y: Vec<f64> = (0..n).map(|i| seats(i).ln()).collect();
            let test = mann_kendall(&series(&y)).unwrap();
            assert!(test.p < 1e-4, "n = {n}: p = {}", test.p);
        }
    }

    #[test]
    fn memory_never_deflates_the_variance() {
        let zigzag: Vec<f64> = (0..12).map(|i| f64::from(i) + if i % 2 == 0 { 3.0 } else { -3.0 }).collect();
        let test = mann_kendall(&series(&zigzag)).unwrap();
        assert_eq!((test.autocorrelation, test.inflation), (Some(0.0), 1.0));
        assert_eq!(test.z.to_bits(), test.z_plain.to_bits());
    }
}
