//! Series with known truth, for level and power: used by `tests/kernels.rs` (small, always run) and
//! `benches/kernels.rs` (the tables in the kernels' docs).

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use shortfall::kernels::series::Point;

/// A standard normal value (polar method; the spare value is dropped for a simpler stream).
pub fn normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let u = rng.random_range(-1.0..1.0_f64);
        let v = rng.random_range(-1.0..1.0_f64);
        let q = u * u + v * v;
        if q > 0.0 && q < 1.0 {
            return u * (-2.0 * q.ln() / q).sqrt();
        }
    }
}

/// Kinds of trendless (and one deliberately hopeless) monthly series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// Gaussian AR(1), unit innovations, started in its stationary state.
    Ar1(f64),
    /// The same with every fifth month missing on average.
    Ar1WithGaps(f64),
    /// Independent Poisson counts with this mean (inversion by products).
    Poisson(f64),
    /// Poisson counts that remember: of this month's count each unit stays with probability `phi`, new ones arrive (INAR(1);
    /// McKenzie 1985, Water Resour. Bull. 21:645). Mean and autocorrelation are exactly the two numbers.
    Counts { mean: f64, phi: f64 },
    /// Independent Binomial(trials, 0.9): attach rates over few seats.
    Binomial(u32),
    /// ln(delivered) - ln(billed) of a pair that follows the same integer seat walk with steps: billed right, up to one
    /// seat of proration either way. The paired test's null.
    PairedWalk,
    /// The same with an error that remembers: ln(delivered) - ln(billed), the delivered quantity off by AR(1) noise of one to two seats,
    /// rounded to whole seats.
    CorrelatedWalk(f64),
    /// The integer seat walk itself, not paired. It *does* wander: outside what any trend test can hold.
    RawWalk,
}

impl Noise {
    /// One series of `n` months (fewer points when months are missing).
    pub fn series(self, n: usize, rng: &mut ChaCha8Rng) -> Vec<Point> {
        let mut points = Vec::with_capacity(n);
        let mut state = match self {
            Self::Ar1(phi) | Self::Ar1WithGaps(phi) => normal(rng) / (1.0 - phi * phi).sqrt(),
            Self::Counts { mean, .. } => poisson(mean, rng),
            _ => 40.0,
        };
        let mut error = match self {
            Self::CorrelatedWalk(phi) => normal(rng) / (1.0 - phi * phi).sqrt(),
            _ => 0.0,
        };
        for x in (0..).take(n) {
            let y = match self {
                Self::Ar1(phi) | Self::Ar1WithGaps(phi) => {
                    let y = state;
                    state = phi * state + normal(rng);
                    y
                }
                Self::Poisson(mean) => poisson(mean, rng),
                Self::Counts { mean, phi } => {
                    let y = state;
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
                    let units = state as u32;
                    let stay: f64 = (0..units).map(|_| f64::from(u8::from(rng.random_bool(phi)))).sum();
                    state = stay + poisson(mean * (1.0 - phi), rng);
                    y
                }
                Self::Binomial(trials) => (0..trials).map(|_| f64::from(u8::from(rng.random_bool(0.9)))).sum(),
                Self::CorrelatedWalk(phi) => {
                    step(&mut state, rng);
                    let delivered = (state + error.round()).max(1.0);
                    error = phi * error + normal(rng);
                    (delivered / state).ln()
                }
                Self::PairedWalk | Self::RawWalk => {
                    step(&mut state, rng);
                    let delivered = state + f64::from(rng.random_range(-1..=1));
                    if self == Self::PairedWalk { (delivered / state).ln() } else { state }
                }
            };
            if !matches!(self, Self::Ar1WithGaps(_)) || rng.random_bool(0.8) {
                points.push(Point { x, y });
            }
        }
        points
    }
}

/// Three months in ten up to five seats come or go.
fn step(seats: &mut f64, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.3) {
        *seats = (*seats + f64::from(rng.random_range(-5..=5))).max(10.0);
    }
}

fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> f64 {
    let limit = (-mean).exp();
    let mut product = rng.random::<f64>();
    let mut count = 0.0;
    while product > limit {
        product *= rng.random::<f64>();
        count += 1.0;
    }
    count
}
