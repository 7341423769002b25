//! Change point: in which month a series moved to another level, how far, and whether that is more than noise.
//! For whoever must say *when* a price or a yield broke; a slow drift belongs to [`super::mann_kendall`].
//!
//! # Formula
//! For every cut k with at least [`MIN_SEGMENT`] months on each side, the share of the squared variation that two
//! means explain, `share(k)` = between / (between + within); the change is the cut with the largest share (exact
//! least squares over all cuts, nothing snapped to a grid). With F = (n - 2) share / (1 - share), the step in `between` cut to
//! what the two *medians* confirm (one spike moves a mean of three months, not their median):
//!
//! p(phi) = min(1, (n - 5) * P(F_{1,n-2} > F / lambda(phi))),   p_gaussian = sum_j w_j p(phi_j),
//! p = max(p_gaussian, 2 / C(n, k))
//!
//! * n - 5 = number of cuts (union bound over the search);
//! * lambda(phi) = the largest over k of [E between / E within * (n - 2)] under AR(1) phi, exact second moments;
//! * w_j = how possible each phi is, from the residuals' lag-1 autocorrelation ([`super::autocorrelation`]);
//! * 2 / C(n, k) = the *order floor*: how often k exchangeable months all fall below (or above) the other n - k. Past that,
//!   only the Gaussian shape speaks, and noise that comes in whole seats has no such shape: without the floor 3 of 1,000
//!   correctly billed pairs with six months reached p < 1e-5.
//!
//! Interval for the month: all cuts with (within(k) - within) / omega^2 <= 7.35, omega^2 = within / (n - 2) * mean lambda,
//! hulled; 7.35 solves (1 - exp(-x/2))^2 = 0.95.
//!
//! # Source
//! Segmentation: Jackson et al. 2005 with one cut ([`super::segments`]). sup-F: Andrews 1993, Econometrica 61:821, with a
//! finite-sample bound in place of the asymptotic table. Interval: Eo & Morley 2015, Quantitative Economics 6:463
//! (inverted likelihood ratio; their 95 % value 7.35, after Bhattacharya 1987). The p(phi) above was checked against 10^6
//! simulations per cell: n 6-60, phi 0-0.6, tail 0.01 to 1e-5: true level / stated level between 0.2 and 1.3.
//!
//! # Minimum samples
//! | n | answer | reason |
//! |---|---|---|
//! | 0-5 | none | two segments of three do not fit |
//! | 6-8 | estimate; p >= 0.03 | order floor |
//! | 12 | p >= 0.002 (middle), 0.009 (three months old) | order floor: no use in a large family, good for dating |
//! | 24 | p >= 1e-6 (middle), 3e-6 (eight months old), 1e-3 (three) | steps of 4 noise sd are found |
//! | 36 | p >= 3e-4 (three months old), 5e-6 (five) | |
//!
//! # Degenerate cases
//! | series | answer |
//! |---|---|
//! | constant | p = 1, month and interval NULL, step 0 |
//! | one spike, else constant | p near 1 (the medians see no step) |
//! | exact step, no noise (`noise_sd` = 0) | p from the grain rule and the order floor, not 0; **judge such a step by its size** |
//! | a change three months old, small noise | the order floor: three odd months look the same; size decides, or more months |
//! | a straight drift | p small, month in the middle: compare `line_share` with `step_share` before telling a step story |
//!
//! *Grain rule*: `within` is at least (n - 2) g^2 / 12 with g the smallest gap between two different values (Sheppard:
//! values are read as rounded to their grain). Without it the two-valued series 0,0,0,0,0,1,1,1 has no noise and would be a
//! certain step, and rare counts would shout.
//!
//! # NULL, NaN, infinity
//! Skipped. Rows of the same month are averaged first ([`super::series::monthly`]).
//!
//! # Ties, gaps, seasonality
//! Ties: grain rule. Gaps: `month` is the first *observed* month of the new level; the change may lie anywhere in the gap
//! before it. Memory is estimated from consecutive months only. Seasonality is not removed: a season of half a year looks like a step.
//!
//! # Level and power, measured
//! Share of 100,000 Gaussian AR(1) series without change (`SHORTFALL_KERNEL_TABLES=100000 cargo bench --bench kernels`):
//!
//! | n | phi | `p` <= .05 | .01 | 1e-3 | 1e-4 | 1e-5 |
//! |---|---|---|---|---|---|---|
//! | 8 | 0.6 | .047 | 0 | 0 | 0 | 0 |
//! | 12 | 0.0 | .001 | .0002 | 0 | 0 | 0 |
//! | 12 | 0.4 | .013 | .0022 | 0 | 0 | 0 |
//! | 12 | 0.6 | .035 | .0073 | 0 | 0 | 0 |
//! | 24 | 0.0 | .002 | 0 | 0 | 0 | 0 |
//! | 24 | 0.4 | .012 | .0018 | 5e-5 | 0 | 0 |
//! | 24 | 0.6 | .031 | .0084 | 9e-4 | 9e-5 | 0 |
//! | 36 | 0.6 | .026 | .0062 | 6e-4 | 3e-5 | 0 |
//! | 24 | 0.8 (outside) | .086 | .0355 | 8.7e-3 | 1.4e-3 | 1.3e-4 |
//!
//! Ten books of 20,000 trendless pairs, n = 12-33, BH at q <= 0.05: 0 findings at phi 0, 0.3 and 0.6; 60 at 0.8 (outside).
//! Other noise at n = 12 / 24, `p` <= .01: AR(1) 0.4 with every fifth month missing .0007 / .0008; Poisson(3) .0002 / 0;
//! Poisson(0.3) .0002 / .0006; ln ratio of a correctly billed seat walk .0008 / .0002; the walk itself, unpaired, .14 / .18.
//!
//! Step after two thirds of the series, in innovation sd (10,000 series): found, dated to the very month, interval covers it.
//!
//! | n | phi | step | `p` <= .05 | `p` <= 1e-3 | exact month | covered |
//! |---|---|---|---|---|---|---|
//! | 12 | 0.0 | 2 / 4 / 8 | .08 / .68 / 1 | 0 (order floor) | .64 / .94 / 1 | .99 / 1 / 1 |
//! | 12 | 0.6 | 2 / 4 / 8 | .14 / .56 / .99 | 0 (order floor) | .53 / .92 / 1 | .98 / 1 / 1 |
//! | 24 | 0.0 | 2 / 4 / 8 | .41 / .99 / 1 | .01 / .55 / 1 | .62 / .95 / 1 | .99 / 1 / 1 |
//! | 24 | 0.4 | 2 / 4 / 8 | .22 / .78 / 1 | .01 / .28 / .97 | .51 / .92 / 1 | .98 / 1 / 1 |
//! | 24 | 0.6 | 2 / 4 / 8 | .17 / .61 / 1 | .02 / .17 / .88 | .43 / .87 / 1 | .97 / 1 / 1 |
//! | 36 | 0.4 | 2 / 4 / 8 | .36 / .93 / 1 | .03 / .55 / 1 | .50 / .92 / 1 | .98 / 1 / 1 |
//!
//! # Cost
//! O(n) for the cuts, O(n log n) for the grain, nine tails: 10 microseconds at 36 months
//! (100,000 series in 0.95 s, one core).
//!
//! ```
//! use shortfall::kernels::{change_point::change_point, series::Point};
//! let yields = [9.9, 10.1, 10.0, 9.8, 10.2, 10.0, 9.9, 8.1, 7.9, 8.0, 8.2, 7.9];
//! let points: Vec<Point> = (0..).zip(yields).map(|(x, y)| Point { x, y }).collect();
//! let change = change_point(&points).unwrap();
//! assert_eq!((change.month, change.month_low, change.month_high), (Some(7), Some(7), Some(7)));
//! assert!(change.p < 0.01 && (change.step + 1.97).abs() < 0.02);
//! ```

use super::autocorrelation::{Bias, ENVELOPE, envelope_weights, lag1};
use super::segments::SegmentCost;
use super::series::{Arguments, Point, SeriesKernel, Value, count, fill_row, median, monthly, real, whole};
use super::tails::share_tail;

/// Fewest months on either side of a change. Two could be one outlier and its neighbour.
pub const MIN_SEGMENT: usize = 3;

/// Fewest months tested.
pub const MIN_MONTHS: usize = 2 * MIN_SEGMENT;

/// Removing the best-placed step shifts the expected lag-1 autocorrelation by about -(2.9 + 7.2 phi) / n: fitted to 100,000
/// trendless series per cell, n 8-36, phi 0-0.8. A true step shifts it less, which makes p larger, never smaller.
const STEPPED: Bias = Bias { at_zero: 2.9, per_phi: 7.2 };

/// The order floor and the union bound keep the level by themselves.
const NO_LEAN: f64 = 0.0;

/// 95 % point of the likelihood ratio of a change date: -2 ln(1 - sqrt(0.95)).
const DATE_RATIO_95: f64 = 7.352_276_694_155_739;

/// Two values closer than this, relative to the largest, are the same value: float dirt is not grain.
const SAME_VALUE: f64 = 1e-9;

/// Variation below this, relative to the largest value, is rounding.
const ROUNDING: f64 = 1e-12;

/// The best single change in mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Months used.
    pub n: usize,
    /// First observed month of the new level; `None` when the series is constant.
    pub month: Option<i32>,
    /// Earliest month of the 95 % interval.
    pub month_low: Option<i32>,
    /// Latest month of the 95 % interval.
    pub month_high: Option<i32>,
    /// Months before the change.
    pub n_before: usize,
    /// Mean before.
    pub mean_before: f64,
    /// Mean from the change on.
    pub mean_after: f64,
    /// `mean_after - mean_before`.
    pub step: f64,
    /// Standard deviation around the two means (n - 2 degrees of freedom); 0 for an exact step.
    pub noise_sd: f64,
    /// Share of the squared variation the step explains.
    pub step_share: f64,
    /// Share of the squared variation a least-squares line explains: larger than `step_share` means drift, not step.
    pub line_share: f64,
    /// Lag-1 autocorrelation around the two means, as measured (biased low); `None` when it cannot be.
    pub autocorrelation: Option<f64>,
    /// p of "no change" if the noise is Gaussian AR(1).
    pub p_gaussian: f64,
    /// p of "no change": `p_gaussian`, but never smaller than order alone can justify. Decide by this one.
    pub p: f64,
}

/// SQL: `change_point(x, y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "change_point",
    arguments: Arguments::MonthAndValue,
    fields: &[
        whole("n"),
        whole("month"),
        whole("month_low"),
        whole("month_high"),
        whole("n_before"),
        real("mean_before"),
        real("mean_after"),
        real("step"),
        real("noise_sd"),
        real("step_share"),
        real("line_share"),
        real("autocorrelation"),
        real("p_gaussian"),
        real("p"),
    ],
    fill: |points, row| {
        let month = |x: Option<i32>| x.map_or(Value::Missing, |x| Value::Whole(i64::from(x)));
        let cells = change_point(points).map(|change| {
            [
                Value::from(change.n),
                month(change.month),
                month(change.month_low),
                month(change.month_high),
                Value::from(change.n_before),
                Value::Real(change.mean_before),
                Value::Real(change.mean_after),
                Value::Real(change.step),
                Value::Real(change.noise_sd),
                Value::Real(change.step_share),
                Value::Real(change.line_share),
                Value::from(change.autocorrelation),
                Value::Real(change.p_gaussian),
                Value::Real(change.p),
            ]
        });
        fill_row(cells, row)
    },
};

/// Finds, dates and tests the best single change in mean; `None` below [`MIN_MONTHS`].
#[must_use]
pub fn change_point(points: &[Point]) -> Option<ChangePoint> {
    let points = monthly(points);
    let n = points.len();
    if n < MIN_MONTHS {
        return None;
    }
    let mut ys: Vec<f64> = points.iter().map(|point| point.y).collect();
    let magnitude = ys.iter().fold(0.0_f64, |largest, y| largest.max(y.abs()));
    let centre = ys[n / 2];
    let cost = SegmentCost::new(&ys, centre);
    let total = cost.error(0, n);
    if total <= count(n) * (ROUNDING * magnitude).powi(2) {
        return Some(unchanged(n, centre));
    }

    let split = best_split(&cost, n);
    let (before, after) = (cost.mean(0, split), cost.mean(split, n));
    // Squared errors again from the residuals: prefix sums leave rounding where an exact step leaves nothing.
    let mut residuals: Vec<f64> =
        ys.iter().enumerate().map(|(i, y)| y - centre - if i < split { before } else { after }).collect();
    let within: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let within = if within <= count(n) * (ROUNDING * magnitude).powi(2) { 0.0 } else { within };
    let leverage = count(split) * count(n - split) / count(n);
    let between = (after - before).powi(2) * leverage;
    let confirmed = confirmed_step(after - before, &ys, split).powi(2) * leverage;

    let estimate = lag1(&points, &mut residuals, magnitude);
    let weights = envelope_weights(estimate, STEPPED, NO_LEAN);
    let ratios = ENVELOPE.map(|phi| variance_ratio(phi, n));
    let freedom = count(n - 2);
    ys.sort_unstable_by(f64::total_cmp);
    let noise = within.max(freedom * grain(&ys, magnitude).powi(2) / 12.0);
    let cuts = count(n - 2 * MIN_SEGMENT + 1);
    let mut p_gaussian = 0.0;
    let mut mean_ratio = 0.0;
    for (weight, ratio) in weights.iter().zip(ratios) {
        p_gaussian += weight * (cuts * share_tail(confirmed / (confirmed + noise * ratio), freedom)).min(1.0);
        mean_ratio += weight * ratio;
    }

    let (first, last) = date_interval(&cost, n, split, within / freedom * mean_ratio);
    Some(ChangePoint {
        n,
        month: Some(points[split].x),
        month_low: Some(points[first].x),
        month_high: Some(points[last].x),
        n_before: split,
        mean_before: centre + before,
        mean_after: centre + after,
        step: after - before,
        noise_sd: (within / freedom).sqrt(),
        step_share: between / (between + within),
        line_share: line_share(&points, centre),
        autocorrelation: estimate.map(|lag1| lag1.r),
        p_gaussian: p_gaussian.clamp(0.0, 1.0),
        p: p_gaussian.clamp(order_floor(n, split), 1.0),
    })
}

/// The answer for a constant series: one level, no date.
fn unchanged(n: usize, level: f64) -> ChangePoint {
    ChangePoint {
        n,
        month: None,
        month_low: None,
        month_high: None,
        n_before: n,
        mean_before: level,
        mean_after: level,
        step: 0.0,
        noise_sd: 0.0,
        step_share: 0.0,
        line_share: 0.0,
        autocorrelation: None,
        p_gaussian: 1.0,
        p: 1.0,
    }
}

fn splits(n: usize) -> std::ops::RangeInclusive<usize> {
    MIN_SEGMENT..=n - MIN_SEGMENT
}

/// The cut with the smallest squared error; the earliest of equals.
fn best_split(cost: &SegmentCost, n: usize) -> usize {
    let mut best = (f64::INFINITY, MIN_SEGMENT);
    for split in splits(n) {
        let error = cost.error(0, split) + cost.error(split, n);
        if error < best.0 {
            best = (error, split);
        }
    }
    best.1
}

/// 2 / C(n, k): two-sided probability that exchangeable months separate completely at this cut. At most 0.1 (n = 6).
fn order_floor(n: usize, split: usize) -> f64 {
    let chosen = split.min(n - split);
    (0..chosen).fold(2.0, |floor, i| floor * count(chosen - i) / count(n - i))
}

/// As much of a step between means as the medians confirm: a single spike moves a mean of three, not their median.
fn confirmed_step(step: f64, ys: &[f64], split: usize) -> f64 {
    let mut ordered = ys.to_vec();
    let (before, after) = ordered.split_at_mut(split);
    let between_medians = median(after).zip(median(before)).map_or(0.0, |(after, before)| after - before);
    if between_medians * step <= 0.0 { 0.0 } else { step.abs().min(between_medians.abs()) }
}

/// First and last cut whose likelihood ratio against the best one stays under [`DATE_RATIO_95`].
fn date_interval(cost: &SegmentCost, n: usize, best: usize, variance: f64) -> (usize, usize) {
    let error = |split: usize| cost.error(0, split) + cost.error(split, n);
    let limit = error(best) + DATE_RATIO_95 * variance;
    let first = splits(n).find(|&split| error(split) <= limit).unwrap_or(best);
    let last = splits(n).rev().find(|&split| error(split) <= limit).unwrap_or(best);
    (first.min(best), last.max(best))
}

/// lambda(phi): how much AR(1) noise inflates between / within, at the cut where it does so most.
fn variance_ratio(phi: f64, n: usize) -> f64 {
    let length = count(n);
    // sum_variance[k]: variance of a sum of k consecutive values of unit variance.
    let mut sum_variance = Vec::with_capacity(n + 1);
    let (mut variance, mut covariance, mut power) = (0.0, 0.0, 1.0);
    sum_variance.push(variance);
    for _ in 0..n {
        variance += 1.0 + 2.0 * covariance;
        sum_variance.push(variance);
        power *= phi;
        covariance += power;
    }
    let total = length - variance / length;
    let mut largest = 0.0_f64;
    for split in splits(n) {
        let (before, after) = (count(split), count(n - split));
        let (left, right) = (sum_variance[split], sum_variance[n - split]);
        let across = 0.5 * (variance - left - right);
        let difference = left / (before * before) + right / (after * after) - 2.0 * across / (before * after);
        largest = largest.max(before * after / length * difference);
    }
    (length - 2.0) * largest / (total - largest)
}

/// The smallest gap between two different values: the unit in which the series moves.
fn grain(sorted: &[f64], magnitude: f64) -> f64 {
    let gaps = sorted.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > SAME_VALUE * magnitude);
    let smallest = gaps.fold(f64::INFINITY, f64::min);
    if smallest.is_finite() { smallest } else { 0.0 }
}

/// Share of squared variation explained by a least-squares line.
fn line_share(points: &[Point], centre: f64) -> f64 {
    let n = count(points.len());
    let origin = f64::from(points[0].x);
    let mean_x = points.iter().map(|point| f64::from(point.x) - origin).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.y - centre).sum::<f64>() / n;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for point in points {
        let x = f64::from(point.x) - origin - mean_x;
        let y = point.y - centre - mean_y;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    (xy * xy / (xx * yy)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{Point, change_point, order_floor, variance_ratio};

    fn series(y: &[f64]) -> Vec<Point> {
        (100..).zip(y).map(|(x, &y)| Point { x, y }).collect()
    }

    #[test]
    fn independent_noise_has_variance_ratio_one() {
        for n in [6, 12, 36] {
            assert!((variance_ratio(0.0, n) - 1.0).abs() < 1e-12, "n = {n}");
            assert!(variance_ratio(0.6, n) > 2.5);
        }
    }

    #[test]
    fn order_floor_is_two_over_the_binomial_coefficient() {
        for (n, split, choices) in [(6, 3, 20.0), (12, 9, 220.0), (12, 6, 924.0), (24, 8, 735_471.0)] {
            assert!((order_floor(n, split) * choices / 2.0 - 1.0).abs() < 1e-12, "n = {n}, split = {split}");
        }
    }

    #[test]
    fn constant_series_has_no_change() {
        let change = change_point(&series(&[0.1; 12])).unwrap();
        assert_eq!((change.p, change.month, change.step), (1.0, None, 0.0));
    }

    #[test]
    fn five_months_are_too_few() {
        assert!(change_point(&series(&[1.0, 1.0, 1.0, 9.0, 9.0])).is_none());
        assert!(change_point(&series(&[1.0, 1.0, 1.0, 9.0, 9.0, f64::NAN])).is_none());
    }

    #[test]
    fn one_spike_is_not_a_change() {
        for n in [8, 12, 24, 36] {
            for place in 0..n {
                let mut y: Vec<f64> = (0..n).map(|i| f64::from(u8::try_from(i * 7 % 5).unwrap()) / 100.0).collect();
                y[place] += 50.0;
                assert!(change_point(&series(&y)).unwrap().p > 0.5, "n = {n}, spike at {place}");
            }
        }
    }

    #[test]
    fn exact_step_is_dated_to_the_month_and_its_p_is_not_zero() {
        let change = change_point(&series(&[vec![100.0; 6], vec![90.0; 6]].concat())).unwrap();
        assert_eq!((change.month, change.month_low, change.month_high), (Some(106), Some(106), Some(106)));
        assert_eq!((change.step, change.noise_sd, change.step_share), (-10.0, 0.0, 1.0));
        assert!(change.p > 1e-5 && change.p < 0.1, "p = {}", change.p);
    }

    #[test]
    fn a_drift_is_told_by_its_line_share() {
        let y: Vec<f64> = (0..24).map(f64::from).collect();
        let change = change_point(&series(&y)).unwrap();
        assert!(change.line_share > 0.99 && change.step_share < 0.8);
    }
}
