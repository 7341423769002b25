//! How much a month remembers of the month before, and how far a short series lets us know it.
//!
//! Shared by the two tests ([`super::mann_kendall`], [`super::change_point`]). Both face the same difficulty: with 12-36
//! months the lag-1 autocorrelation phi is known only to +/- 0.2, and a test that plugs the estimate in as if it were the truth
//! shouts whenever the estimate happens to be low. So the p-value is *averaged over the values of phi that
//! the series leaves possible*, the way Student's t averages over the unknown variance:
//!
//! p = sum_j w_j p(statistic | phi_j),   w_j = 0.95 e^(lean phi_j) N(r; mean(phi_j), sd(phi_j)) / norm + 0.05 / 9,   phi_j = 0, 0.1, ..., 0.8
//!
//! The grid is the *envelope*: a test built on it keeps its level for AR(1) noise up to about 0.6 and loses it slowly
//! beyond (the kernels' tables carry 0.8 as a warning). It ends at 0.8 so that series at 0.6 have neighbours on both sides. The 5 %
//! of `DOUBT` is what holds the far tail: an estimate that is low by four standard errors is rare, but among 20,000
//! series it occurs. Measured at phi = 0.6, n = 24: share of trendless series with a Mann-Kendall p < 1e-4 falls from 5.1e-4
//! (no doubt, envelope to 0.7) to below 1e-4, at a price of 1 % of power at the 5 % level
//! (n = 24, phi = 0, slope 0.1 sd a month: .73 to .72).
//!
//! `lean` says how much more a kernel expects a long memory before it has seen the series: 2 for Mann-Kendall, so that a phi of 0.8 starts
//! out five times as probable as none. Without it the level at phi = 0.6 is 7.1-8.3 % at a nominal 5 % (n = 12-36); with it at most 6.9 %,
//! for a tenth of the power at p < 1e-3 (n = 24, phi = 0, slope 0.2 sd a month: .63 to .56). The change point needs none.
//!
//! Averaging has a second use. A smooth curved trend leaves smooth residuals, r near 1, and a plug-in correction then
//! finds nothing in a perfectly monotone series; inside the envelope such a series is still very improbable, and that
//! is what the average reports.

use super::series::{Point, count};

/// The autocorrelations averaged over.
pub(super) const ENVELOPE: [f64; 9] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

/// Share of the average that ignores the estimate. At n = 33, phi = 0.6 a share of 0.02 leaves Mann-Kendall p < 1e-4 at twice its
/// level; power at p < 1e-3 (n = 36, phi = 0, slope 0.1 sd a month) is .82, .70, .47 for 0.02, 0.05, 0.1.
const DOUBT: f64 = 0.05;

/// Fewest pairs of consecutive months from which an autocorrelation is estimated. With fewer, r' = (n r + 2) / (n - 4)
/// divides by less than 2 and says nothing.
const MIN_PAIRS: usize = 5;

/// Lag-1 autocorrelation of residuals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lag1 {
    /// Estimate, biased toward zero as usual.
    pub r: f64,
    /// Sample size it rests on: pairs of consecutive months + 1.
    pub n: f64,
}

/// Lag-1 autocorrelation of `residuals` (mean removed here) at these months; only pairs of *consecutive* months count.
///
/// `None` when fewer than [`MIN_PAIRS`] such pairs exist, or the residuals are zero up to rounding of the `magnitude` of
/// the data: then there is no noise whose memory could be measured.
pub(super) fn lag1(points: &[Point], residuals: &mut [f64], magnitude: f64) -> Option<Lag1> {
    let n = count(residuals.len());
    let mean = residuals.iter().sum::<f64>() / n;
    let mut total = 0.0;
    for residual in residuals.iter_mut() {
        *residual -= mean;
        total += *residual * *residual;
    }
    let mut product = 0.0;
    let mut pairs = 0_usize;
    for (months, values) in points.windows(2).zip(residuals.windows(2)) {
        if i64::from(months[1].x) - i64::from(months[0].x) == 1 {
            product += values[0] * values[1];
            pairs += 1;
        }
    }
    let rounding = 1e-12 * magnitude;
    if pairs < MIN_PAIRS || !total.is_finite() || total <= n * rounding * rounding {
        return None;
    }
    let pairs = count(pairs);
    // Scaled so that a series without gaps gives the textbook sum_{n-1} / sum_n.
    Some(Lag1 { r: product / total * (n - 1.0) / pairs, n: pairs + 1.0 })
}

/// How an estimated r is distributed when the truth is phi: r ~ N(phi - (a + b phi) / n, (1 - phi^2) / n) after a fit that
/// costs `a` and `b`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bias {
    pub at_zero: f64,
    pub per_phi: f64,
}

impl Lag1 {
    /// The bias-corrected estimate, not clamped. For a detrended series (n r + 2) / (n - 4).
    pub(super) fn corrected(&self, bias: Bias) -> f64 {
        (self.n * self.r + bias.at_zero) / (self.n - bias.per_phi)
    }
}

/// Weights of the envelope's grid points given the estimate and the kernel's lean; equal weights when there is no estimate. They sum to 1.
pub(super) fn envelope_weights(estimate: Option<Lag1>, bias: Bias, lean: f64) -> [f64; ENVELOPE.len()] {
    let mut weights = [1.0; ENVELOPE.len()];
    if let Some(lag1) = estimate {
        // Logarithms first: far outside the envelope every likelihood underflows, their ratios do not.
        for (weight, phi) in weights.iter_mut().zip(ENVELOPE) {
            let mean = phi - (bias.at_zero + bias.per_phi * phi) / lag1.n;
            let variance = (1.0 - phi * phi) / lag1.n;
            *weight = lean * phi - 0.5 * (lag1.r - mean).powi(2) / variance;
        }
        let best = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (weight, phi) in weights.iter_mut().zip(ENVELOPE) {
            *weight = (*weight - best).exp() / (1.0 - phi * phi).sqrt();
        }
    }
    let total: f64 = weights.iter().sum();
    weights.map(|weight| (1.0 - DOUBT) * weight / total + DOUBT / count(ENVELOPE.len()))
}
