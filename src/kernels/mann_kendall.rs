use super::autocorrelation::{Bias, ENVELOPE, Lag1, envelope_weights, lag1};
use super::inversions::{count_inversions, tie_sum};
use super::series::{Arguments, Point, SeriesKernel, Value, count, fill_row, monthly, real, whole};
use super::tails::{normal_two_sided, share_tail};
use super::theil_sen::{sen_slope, sigma_squared};

/// Fewest months tested.
pub const MIN_MONTHS: usize = 4; // below it no order of the values reaches 5 % (3 months: at best 1/3)

/// Removing a Sen line shifts the expected lag-1 autocorrelation by -(2 + 4 phi) / n.
const DETRENDED: Bias = Bias { at_zero: 2.0, per_phi: 4.0 };

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
    let n = points.len();
    if n < MIN_MONTHS {
        return None;
    }
    let mut ys: Vec<f64> = points.iter().map(|point| point.y).collect();
    let discordant = count_inversions(&mut ys, &mut Vec::with_capacity(n));
    let pairs = count(n * (n - 1) / 2);
    let untied = pairs - tie_sum(&ys, |t| t * (t - 1.0) / 2.0);
    let s = untied - 2.0 * count(discordant);
    let var_s = sigma_squared(n, &mut ys);

    let estimate = residual_lag1(&points);
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

const UNKNOWN_AUTOCORRELATION: f64 = 0.6;

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
fn residual_lag1(points: &[Point]) -> Option<Lag1> {
    let slope = sen_slope(points)?;
    let origin = f64::from(points[0].x);
    let mut magnitude = 0.0_f64;
    let mut residuals: Vec<f64> = points
        .iter()
        .map(|point| {
            let drift = slope * (f64::from(point.x) - origin);
            magnitude = magnitude.max(point.y.abs()).max(drift.abs());
            point.y - drift
        })
        .collect();
    lag1(points, &mut residuals, magnitude)
}

/// max(1, 1 + 2 sum_{k<n} (1 - k/n) r^k): variance inflation of a mean of n AR(1) values.
fn mean_inflation(r: f64, n: usize) -> f64 {
    let mut power = 1.0;
    let mut sum = 0.0;
    for k in 1..n {
        power *= r;
        if power < 1e-18 {
            break;
        }
        sum += (1.0 - count(k) / count(n)) * power;
    }
    (1.0 + 2.0 * sum).max(1.0)
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

fn averaged_p(s: f64, untied: f64, var_s: f64, n: usize, estimate: Option<Lag1>) -> f64 {
    let excess = s.abs() - CONTINUITY;
    if excess <= 0.0 || var_s <= 0.0 {
        return 1.0;
    }
    let share = (excess / untied).powi(2);
    let weights = envelope_weights(estimate, DETRENDED);
    let p: f64 = weights.iter().zip(ENVELOPE).map(|(weight, phi)| {
        if *weight < 1e-12 { return 0.0; }
        let variance = var_s * rank_inflation(phi, n) / (untied * untied);
        weight * share_tail(share, 1.0 / variance - 1.0)
    }).sum();
    p.clamp(0.0, 1.0)
}

const CONTINUITY: f64 = 1.0;
