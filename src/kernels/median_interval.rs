//! Median with a distribution-free interval: a baseline that says how far it can be trusted.
//!
//! # Formula
//! \[y_(k), y_(n-k+1)\] with the largest k for which P(Binomial(n, 1/2) < k) <= 0.025. The true median lies inside with
//! probability `coverage` = 1 - 2 P(Binomial(n, 1/2) < k) >= 95 %, whatever the (continuous) distribution.
//!
//! # Source
//! Thompson 1936, Ann. Math. Statist. 7:122; David & Nagaraja, *Order Statistics* (3rd ed.), eq. 7.1.2.
//! Binomial numbers agree with SciPy (`tests/oracle/median_interval.csv`).
//!
//! # Minimum samples
//! | n | answer | reason |
//! |---|---|---|
//! | 0 | NULL | nothing |
//! | 1-5 | median, interval NULL | even \[min, max\] covers only 1 - 2^(1-n) < 95 % (n = 5: 93.75 %) |
//! | 6-8 | interval = \[min, max\] | 96.9 % at n = 6 |
//! | 9+ | inner order statistics | |
//!
//! # Degenerate cases
//! | values | answer |
//! |---|---|
//! | constant | median = low = high |
//! | ties | coverage is then at least the stated one |
//!
//! # NULL, NaN, infinity
//! Skipped and not counted in `n`.
//!
//! # Autocorrelation, seasonality
//! Coverage is for independent values. Remembering months (AR(1)) make the interval too narrow.
//!
//! # Cost
//! O(n log n) (one sort), no allocation beyond the values.
//!
//! ```
//! use shortfall::kernels::median_interval::median_interval;
//! let interval = median_interval(&[3.0, 1.0, 2.0, 5.0, 4.0, 6.0, 7.0, 9.0, 8.0]).unwrap();
//! assert_eq!((interval.median, interval.low, interval.high), (5.0, Some(2.0), Some(8.0)));
//! ```

use super::series::{Arguments, LARGEST_VALUE, SeriesKernel, Value, count, fill_row, median, real, whole};
use super::tails::fair_coin_below;

const ONE_TAIL: f64 = 0.025; // half of 1 - 95 %

/// A median and what is known about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MedianInterval {
    /// Values used.
    pub n: usize,
    /// Mean of the middle two when `n` is even.
    pub median: f64,
    /// Lower end, an observed value.
    pub low: Option<f64>,
    /// Upper end, an observed value.
    pub high: Option<f64>,
    /// Exact probability that the interval covers the true median; at least 0.95.
    pub coverage: Option<f64>,
}

/// SQL: `median_interval(y)`.
pub static KERNEL: SeriesKernel = SeriesKernel {
    name: "median_interval",
    arguments: Arguments::ValueOnly,
    fields: &[whole("n"), real("median"), real("low"), real("high"), real("coverage")],
    fill: |points, row| {
        let values: Vec<f64> = points.iter().map(|point| point.y).collect();
        let cells = median_interval(&values).map(|interval| {
            [
                Value::from(interval.n),
                Value::Real(interval.median),
                Value::from(interval.low),
                Value::from(interval.high),
                Value::from(interval.coverage),
            ]
        });
        fill_row(cells, row)
    },
};

/// Median and order-statistic interval; `None` without a usable value.
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<MedianInterval> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.abs() <= LARGEST_VALUE).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let rank = interval_rank(n);
    let ends = rank.map(|k| (sorted[k - 1], sorted[n - k]));
    Some(MedianInterval {
        n,
        median: median(&mut sorted)?,
        low: ends.map(|(low, _)| low),
        high: ends.map(|(_, high)| high),
        coverage: rank.map(|k| 1.0 - 2.0 * fair_coin_below(k, n)),
    })
}

/// The largest k (one-based, at least 1) with P(Binomial(n, 1/2) < k) <= 2.5 %.
fn interval_rank(n: usize) -> Option<usize> {
    // The answer is near n/2 - 0.98 sqrt(n); start a little below and climb.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..n before")]
    let mut k = (0.5 * count(n) - 0.98 * count(n).sqrt() - 1.0).clamp(1.0, count(n.max(1))) as usize;
    while k > 1 && fair_coin_below(k, n) > ONE_TAIL {
        k -= 1;
    }
    if n == 0 || fair_coin_below(k, n) > ONE_TAIL {
        return None;
    }
    while k < n / 2 && fair_coin_below(k + 1, n) <= ONE_TAIL {
        k += 1;
    }
    Some(k)
}

#[cfg(test)]
mod tests {
    use super::{interval_rank, median_interval};

    #[test]
    fn ranks_follow_the_published_table() {
        // David & Nagaraja table 7.1 / Dixon & Massey: n -> k for 95 %.
        for (n, k) in [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (15, 4), (20, 6), (25, 8), (36, 12), (50, 18)] {
            assert_eq!(interval_rank(n), Some(k), "n = {n}");
        }
        assert_eq!((interval_rank(0), interval_rank(5)), (None, None));
    }

    #[test]
    fn five_values_have_a_median_but_no_interval() {
        let answer = median_interval(&[1.0, f64::NAN, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((answer.n, answer.median, answer.low), (5, 3.0, None));
        assert_eq!(median_interval(&[f64::INFINITY]), None);
    }
}
