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

/// Longest series that is compared pair by pair.
const SHORT: usize = 128;

/// A lag below a register's width reads so much further.
const ROOM: usize = SHORT + LANES;

/// What the pairs of a series say about its order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Order {
    /// Pairs whose later value is larger, less those whose later value is smaller: Kendall's S.
    pub s: f64,
    /// Pairs of different values.
    pub untied: f64,
    /// Variance of S without trend, corrected for ties.
    pub variance: f64,
}

/// Kendall's S of the values in time order, and its variance.
pub(super) fn order(values: impl ExactSizeIterator<Item = f64>) -> Order {
    let n = values.len();
    let pairs = n * n.saturating_sub(1) / 2;
    let (rising, falling, ties) = if n > SHORT {
        let mut values: Vec<f64> = values.collect();
        let falling = count_inversions(&mut values, &mut Vec::with_capacity(n));
        let untied = count(pairs) - tie_sum(&values, |t| t * (t - 1.0) / 2.0);
        (untied - count(falling), count(falling), tie_sum(&values, spread))
    } else {
        let padded = padded(values);
        let (rising, falling) = dispatch!(Level::new(), simd => rises_and_falls(simd, &padded, n));
        let is_tied = rising + falling < pairs;
        let ties = if is_tied { dispatch!(Level::new(), simd => tie_spread(simd, &padded, n)) } else { 0.0 };
        (count(rising), count(falling), ties)
    };
    Order { s: rising - falling, untied: rising + falling, variance: (spread(count(n)) - ties) / 18.0 }
}

/// Median of the values; `None` when there is none.
pub(super) fn middle(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    if n > SHORT || n == 0 {
        return median(&mut values.collect::<Vec<f64>>());
    }
    let padded = padded(values);
    let (lower, upper) = dispatch!(Level::new(), simd => middle_two(simd, &padded, n));
    Some(if n.is_multiple_of(2) { 0.5 * lower + 0.5 * upper } else { upper })
}

/// Term of a tie group, and of the whole series, in the variance of S.
pub(super) fn spread(t: f64) -> f64 {
    t * (t - 1.0) * (2.0 * t + 5.0)
}

fn padded(values: impl Iterator<Item = f64>) -> [f64; ROOM] {
    let mut padded = [f64::NAN; ROOM];
    for (place, value) in padded.iter_mut().zip(values) {
        *place = value;
    }
    padded
}

#[inline(always)]
fn rises_and_falls<S: Simd>(simd: S, values: &[f64; ROOM], n: usize) -> (usize, usize) {
    let (mut rising, mut falling) = (0, 0);
    for lag in 1..n {
        let left = values[..n - lag].len().next_multiple_of(LANES);
        let (left, right) = (values[..left].as_chunks::<LANES>().0, values[lag..].as_chunks::<LANES>().0);
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (f64x8::load_array_ref(simd, left), f64x8::load_array_ref(simd, right));
            rising += right.simd_gt(left).to_bitmask().count_ones();
            falling += right.simd_lt(left).to_bitmask().count_ones();
        }
    }
    (rising as usize, falling as usize)
}

/// Sum of [`spread`] over the tie groups: each of a group's t members adds (t - 1)(2t + 5).
#[inline(always)]
fn tie_spread<S: Simd>(simd: S, values: &[f64; ROOM], n: usize) -> f64 {
    let chunks = values[..n.next_multiple_of(LANES)].as_chunks::<LANES>().0;
    let mut sum = 0;
    for value in &values[..n] {
        let value = f64x8::splat(simd, *value);
        let mut equal = 0;
        for chunk in chunks {
            equal += f64x8::load_array_ref(simd, chunk).simd_eq(value).to_bitmask().count_ones();
        }
        sum += (equal - 1) * (2 * equal + 5);
    }
    f64::from(sum)
}

/// The values of rank n/2 - 1 and n/2 (from 0): the largest ones that at most so many values lie below.
#[inline(always)]
fn middle_two<S: Simd>(simd: S, values: &[f64; ROOM], n: usize) -> (f64, f64) {
    let chunks = values[..n.next_multiple_of(LANES)].as_chunks::<LANES>().0;
    let half = n / 2;
    let (mut lower, mut upper) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &value in &values[..n] {
        let splat = f64x8::splat(simd, value);
        let mut below = 0;
        for chunk in chunks {
            below += f64x8::load_array_ref(simd, chunk).simd_lt(splat).to_bitmask().count_ones();
        }
        let below = below as usize;
        lower = if below < half && value > lower { value } else { lower };
        upper = if below <= half && value > upper { value } else { upper };
    }
    (lower, upper)
}

#[cfg(test)]
mod tests {
    use super::{middle, order, spread};
    use crate::kernels::inversions::tie_sum;
    use crate::kernels::series::median;

    fn values(n: u32, kinds: u32) -> Vec<f64> {
        (0..n).map(|i| f64::from((i * 7919 + 13) % 10_007 % kinds)).collect()
    }

    #[test]
    fn short_and_long_series_are_counted_like_the_double_loop() {
        for n in [0, 1, 2, 7, 8, 9, 12, 36, 127, 128, 129, 200] {
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
                assert_eq!(middle(values.iter().copied()), median(&mut values.clone()), "n = {n}, {kinds} kinds");
            }
        }
    }
}
