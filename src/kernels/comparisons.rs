//! All comparisons of a short series: how many pairs rise and fall, how large its ties are, and its median, without a sort.
//!
//! 36 values make 630 pairs. A register compares eight of them, and no branch depends on a value: a third of what a merge sort
//! ([`super::inversions`]) costs, whose every merge step is a coin toss to the processor. Beyond [`SHORT`] values the sort wins.
//!
//! Equal is `==`: -0 ties with 0. Values must not be NaN; the places behind the last one are, and compare with nothing.

use super::inversions::{count_inversions, tie_sum};
use super::series::{count, median};
use fearless_simd::{Level, Simd, dispatch, f64x8, prelude::*};

/// Values compared together.
const LANES: usize = 8;

/// Longest series that is compared pair by pair: a bit of a word each.
const SHORT: usize = 64;

/// What the pairs of a series say about its order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Order {
    /// Pairs whose later value is larger, less those whose later value is smaller: Kendall's S.
    pub s: f64,
    /// Pairs of different values.
    pub untied: f64,
    /// Variance of S without trend, corrected for ties.
    pub variance: f64,
    /// Median of the values; `None` when there is none.
    pub median: Option<f64>,
}

/// Kendall's S of the values in time order, its variance, and their median.
pub(super) fn order(values: impl ExactSizeIterator<Item = f64>) -> Order {
    let n = values.len();
    if n > SHORT {
        return by_sorting(values.collect());
    }
    let mut padded = [f64::NAN; SHORT];
    for (place, value) in padded.iter_mut().zip(values) {
        *place = value;
    }
    dispatch!(Level::new(), simd => by_comparing(simd, &padded, n))
}

fn by_sorting(mut values: Vec<f64>) -> Order {
    let n = values.len();
    let falling = count(count_inversions(&mut values, &mut Vec::with_capacity(n)));
    let untied = count(n * (n - 1) / 2) - tie_sum(&values, |t| t * (t - 1.0) / 2.0);
    let variance = (spread(count(n)) - tie_sum(&values, spread)) / 18.0;
    Order { s: untied - 2.0 * falling, untied, variance, median: median(&mut values) }
}

/// Term of a tie group, and of the whole series, in the variance of S.
pub(super) fn spread(t: f64) -> f64 {
    t * (t - 1.0) * (2.0 * t + 5.0)
}

#[inline(always)]
fn by_comparing<S: Simd>(simd: S, values: &[f64; SHORT], n: usize) -> Order {
    let chunks = values[..n.next_multiple_of(LANES)].as_chunks::<LANES>().0;
    let (mut untied, mut falling) = (0, 0);
    let mut below = [f64::INFINITY; SHORT];
    for ((place, &value), below) in values[..n].iter().enumerate().zip(&mut below) {
        let splat = f64x8::splat(simd, value);
        let mut smaller = 0_u64;
        for (at, chunk) in (0..).step_by(LANES).zip(chunks) {
            smaller |= f64x8::load_array_ref(simd, chunk).simd_lt(splat).to_bitmask() << at;
        }
        untied += smaller.count_ones();
        falling += (smaller >> place).count_ones();
        *below = f64::from(smaller.count_ones());
    }
    let pairs = n * n.saturating_sub(1) / 2;
    let ties = if (untied as usize) < pairs { tie_spread(simd, &values[..n], chunks) } else { 0.0 };
    Order {
        s: f64::from(untied) - 2.0 * f64::from(falling),
        untied: f64::from(untied),
        variance: (spread(count(n)) - ties) / 18.0,
        median: (n > 0).then(|| middle(simd, chunks, &below, n)),
    }
}

/// Half the sum of the values of rank (n - 1) / 2 and n / 2 from 0: the largest ones that at most so many values lie below.
#[inline(always)]
fn middle<S: Simd>(simd: S, chunks: &[[f64; LANES]], below: &[f64; SHORT], n: usize) -> f64 {
    let none = f64x8::splat(simd, f64::NEG_INFINITY);
    let ranks = [(n - 1) / 2, n / 2].map(|rank| f64x8::splat(simd, count(rank)));
    let mut largest = [none; 2];
    for (values, below) in chunks.iter().zip(below.as_chunks::<LANES>().0) {
        let (values, below) = (f64x8::load_array_ref(simd, values), f64x8::load_array_ref(simd, below));
        for (largest, rank) in largest.iter_mut().zip(ranks) {
            *largest = largest.max(below.simd_le(rank).select(values, none));
        }
    }
    let [lower, upper] = largest.map(|lanes| lanes.as_array().iter().copied().fold(f64::NEG_INFINITY, f64::max));
    0.5 * lower + 0.5 * upper
}

/// Sum of [`spread`] over the tie groups: each of a group's t members adds (t - 1)(2t + 5).
#[inline(always)]
fn tie_spread<S: Simd>(simd: S, values: &[f64], chunks: &[[f64; LANES]]) -> f64 {
    let mut sum = 0;
    for &value in values {
        let splat = f64x8::splat(simd, value);
        let mut equal = 0;
        for chunk in chunks {
            equal += f64x8::load_array_ref(simd, chunk).simd_eq(splat).to_bitmask().count_ones();
        }
        sum += (equal - 1) * (2 * equal + 5);
    }
    f64::from(sum)
}

#[cfg(test)]
mod tests {
    use super::{order, spread};
    use crate::kernels::inversions::tie_sum;
    use crate::kernels::series::median;

    fn values(n: u32, kinds: u32) -> Vec<f64> {
        (0..n).map(|i| f64::from((i * 7919 + 13) % 10_007 % kinds)).collect()
    }

    #[test]
    fn short_and_long_series_are_counted_like_the_double_loop() {
        for n in [0, 1, 2, 7, 8, 9, 12, 36, 63, 64, 65, 200] {
            for kinds in [1, 3, 9, 10_007] {
                let values = values(n, kinds);
                let mut s = 0.0;
                let mut untied = 0.0;
                for (i, left) in values.iter().enumerate() {
                    for right in &values[i + 1..] {
                        s += f64::from(i8::from(right > left) - i8::from(right < left));
                        untied += f64::from(u8::from(right != left));
                    }
                }
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                let found = order(values.iter().copied());
                assert_eq!((found.s, found.untied), (s, untied), "n = {n}, {kinds} kinds");
                assert_eq!(found.variance, (spread(f64::from(n)) - tie_sum(&sorted, spread)) / 18.0, "n = {n}, {kinds} kinds");
                assert_eq!(found.median, median(&mut values.clone()), "n = {n}, {kinds} kinds");
            }
        }
    }
}
