//! How often the trend kernels see a trend where there is none: one small cell at a time for `tests/kernels/level.rs`, the whole table
//! for `benches/kernels.rs`. Both count the same way.

use crate::noise::Noise;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shortfall::kernels::change_point::change_point;
use shortfall::kernels::mann_kendall::mann_kendall;
use shortfall::kernels::seasonal_mann_kendall::seasonal_mann_kendall;
use shortfall::kernels::series::count;

/// Lengths of the table.
pub const MONTHS: [usize; 4] = [12, 24, 36, 60];

/// Autocorrelations of the table.
pub const PHI: [f64; 4] = [0.0, 0.2, 0.4, 0.6];

/// The promise: at a nominal 5 % no kernel errs more often than 7 % of the time on any of [`nulls`].
pub const NOMINAL: f64 = 0.05;
/// What a level may lie above it.
pub const TOLERANCE: f64 = 0.02;

/// Trendless series of every kind that monthly books are made of.
pub fn nulls(phi: f64) -> [(&'static str, Noise); 4] {
    [
        ("Gaussian", Noise::Ar1(phi)),
        ("Poisson(5)", Noise::Counts { mean: 5.0, phi }),
        ("integer walk with steps, paired", Noise::CorrelatedWalk(phi)),
        ("Gaussian, every fifth month missing", Noise::Ar1WithGaps(phi)),
    ]
}

/// Shares of series with p at or under 0.05: Mann-Kendall `p`, change point `p`, and for comparison, outside the
/// promise, Mann-Kendall `p_plain` and seasonal Mann-Kendall `p` (no share where the series is too short for it).
pub fn rates(noise: Noise, n: usize, runs: usize, seed: u64) -> [f64; 4] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut hits = [0_usize; 4];
    for _ in 0..runs {
        let series = noise.series(n, &mut rng);
        let trend = mann_kendall(&series);
        let step = change_point(&series).map_or(1.0, |change| change.p);
        let seasonal = seasonal_mann_kendall(&series).map_or(1.0, |test| test.p);
        let p = [trend.map_or(1.0, |test| test.p), step, trend.map_or(1.0, |test| test.p_plain), seasonal];
        for (hits, p) in hits.iter_mut().zip(p) {
            *hits += usize::from(p <= NOMINAL);
        }
    }
    hits.map(|hits| count(hits) / count(runs))
}
