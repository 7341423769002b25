//! Ranks among the slopes of all pairs of months, without sorting the slopes.
//!
//! A series of n months has N = n(n-1)/2 pair slopes (y_j - y_i) / (x_j - x_i); Theil-Sen asks for their middle and for two more
//! ranks. A list of them that is sorted, or selected from, spends its time on mispredicted branches. Here no branch depends on a slope until
//! a handful of them is left:
//!
//! 1. y scaled to \[-1, 1\], less its least-squares line; the slopes of what remains in single precision. Row k holds the pairs (i, i + k); where
//!    i + k would leave the series it starts again at its front, which gives the pairs of lag n - k. So rows are full, and n/2 of them hold all pairs.
//! 2. The slopes in whole steps from the line, one byte each: 254 steps, of [`RANKS_A_STEP`] slopes each were the noise normal.
//!    Slopes outside go to the first or last byte.
//! 3. The byte of each rank asked, bit after bit: eight counts of how many bytes are smaller, 64 bytes an instruction.
//! 4. The few slopes of that byte and its two neighbours, in double precision: the answer is among them, and it has the bits that sorting all
//!    slopes would give. A rank in the outermost bytes asks for longer steps.
//!
//! # Why the answer is exact
//! A slope in single precision is less than E = 2^-19 away from the same slope in double precision, less the line's: what remains of y is at most 4, so rounded
//! by at most 2^-23, a difference by 2^-21 altogether, and its product with the rounded 1/lag by 2 * 2^-24 of 8 more. Moving every value of a list by
//! less than E moves each order statistic by less than E. So the slope of rank r is approximated within 2E of the r-th smallest approximation,
//! and as a step is at least [`SHORTEST_STEP`] = 4E, its byte is the same or the next one; what lies two bytes below is smaller, two bytes above larger.
//!
//! # Degenerate cases
//! | series | way |
//! |---|---|
//! | fewer than [`FEWEST`] months, a span of 2^20 months or more, or values within 1e-280 of each other (constant) | a sorted list |
//! | many equal slopes (whole numbers) | all of them are looked at in double precision |
//!
//! # Cost
//! O(n^2) time, 17 bytes a pair, kept by the thread for the next series.

use super::series::Point;
use fearless_simd::{Level, Simd, dispatch, f32x16, f64x8, i32x16, prelude::*, u8x64};
use std::cell::RefCell;

/// Slopes computed together: a register of AVX-512, two of AVX2, four of SSE2 or NEON.
const LANES: usize = 16;

/// The same for bytes.
const BYTES: usize = 64;

/// The same for double precision.
const DOUBLES: usize = 8;

/// Fewest months that are worth the preparation.
const FEWEST: usize = 8;

/// Slopes that a byte stands for near the line: so few that little is looked at in the end, so many that 127 steps to
/// both sides hold the interval of a noisy series.
const RANKS_A_STEP: f64 = 1.0;

/// 4E of the module's proof.
const SHORTEST_STEP: f64 = 7.629_394_531_25e-6;

/// No slope lies further than 120 such steps from any line that is used.
const LONGEST_STEP: f64 = 0.1;

/// Zero-based ranks, both inclusive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranks {
    pub first: usize,
    pub last: usize,
}

/// Smallest and largest slope of a range of ranks.
pub(super) type Ends = (f64, f64);

/// Buffers that a thread keeps from series to series.
#[derive(Default)]
struct Scratch {
    /// Months from the first, for which the next four hold.
    months: Vec<i32>,
    /// The same, less their mean; zeros up to a whole register.
    centred: Vec<f64>,
    /// Sum of squares of `centred`.
    spread: f64,
    /// Sum over all pairs of the months between.
    lags: f64,
    /// Every pair, in the order of `slopes`.
    pairs: Vec<Pair>,
    /// 1 / (x_j - x_i) of the same.
    per_month: Vec<f32>,
    scaled: Vec<f64>,
    /// What remains of the scaled y, twice.
    rest: Vec<f32>,
    slopes: Vec<f32>,
    steps: Vec<[u8; BYTES]>,
    exact: Vec<f64>,
}

/// A pair of months as found again from the place of its slope: eight bytes, for series of up to 65,536 months.
#[derive(Clone, Copy)]
struct Pair {
    earlier: u16,
    later: u16,
    /// x_j - x_i, a whole number below 2^20.
    between: f32,
}

impl Pair {
    /// The slope in double precision, as [`slope`] has it.
    #[inline(always)]
    fn slope(self, points: &[Point]) -> f64 {
        (points[usize::from(self.later)].y - points[usize::from(self.earlier)].y) / f64::from(self.between)
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The slopes at these ranks; `None` when there is no such rank. Points must be [`super::series::monthly`].
pub(super) fn ranked<const Q: usize>(points: &[Point], ranks: [Ranks; Q]) -> Option<[Ends; Q]> {
    let n = points.len();
    let pairs = n * n.saturating_sub(1) / 2;
    if ranks.iter().any(|ranks| ranks.first > ranks.last || ranks.last >= pairs) {
        return None;
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let counted = Scale::of(points)
            .and_then(|scale| dispatch!(Level::new(), simd => by_counting(simd, points, &scale, ranks, scratch)));
        counted.or_else(|| by_sorting(points, ranks, &mut scratch.exact))
    })
}

fn by_sorting<const Q: usize>(points: &[Point], ranks: [Ranks; Q], slopes: &mut Vec<f64>) -> Option<[Ends; Q]> {
    slopes.clear();
    for (i, left) in points.iter().enumerate() {
        slopes.extend(points[i + 1..].iter().map(|right| slope(left, right)));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let mut ends = [(0.0, 0.0); Q];
    for (ends, ranks) in ends.iter_mut().zip(ranks) {
        *ends = (*slopes.get(ranks.first)?, *slopes.get(ranks.last)?);
    }
    Some(ends)
}

#[inline(always)]
fn slope(left: &Point, right: &Point) -> f64 {
    (right.y - left.y) / (f64::from(right.x) - f64::from(left.x))
}

/// How y is brought to \[-1, 1\].
struct Scale {
    lowest: f64,
    factor: f64,
}

impl Scale {
    fn of(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let (mut lowest, mut highest) = (first.y, first.y);
        for point in points {
            lowest = if point.y < lowest { point.y } else { lowest };
            highest = if point.y > highest { point.y } else { highest };
        }
        let is_short = i64::from(last.x) - i64::from(first.x) < 1 << 20;
        (points.len() >= FEWEST && is_short && highest - lowest > 1e-280)
            .then(|| Self { lowest, factor: 2.0 / (highest - lowest) })
    }
}

#[inline(always)]
fn by_counting<S: Simd, const Q: usize>(
    simd: S,
    points: &[Point],
    scale: &Scale,
    ranks: [Ranks; Q],
    scratch: &mut Scratch,
) -> Option<[Ends; Q]> {
    let n = points.len();
    let is_known = scratch.months.len() == n
        && scratch.months.iter().zip(points).all(|(month, point)| *month == point.x.wrapping_sub(points[0].x));
    if !is_known {
        lay_out_months(points, scratch);
    }
    let noise = lay_out_rest(simd, points, scale, scratch);
    lay_out_slopes(simd, n, scratch);
    // A pair's slope is spread around the line by sqrt(2) noise / lag; 1 / (2 sqrt(pi)) is the normal density of that at its middle.
    let mut step = (RANKS_A_STEP * noise / (0.282_1 * scratch.lags)).clamp(SHORTEST_STEP, LONGEST_STEP);
    let mut bytes;
    loop {
        lay_out_steps(simd, step, scratch);
        bytes = bytes_of(simd, &scratch.steps, ranks);
        if step >= LONGEST_STEP || bytes.iter().all(|&(first, last)| first >= 2 && last <= 253) {
            break;
        }
        step = (16.0 * step).min(LONGEST_STEP);
    }
    let mut ends = [(0.0, 0.0); Q];
    for ((ends, bytes), ranks) in ends.iter_mut().zip(bytes).zip(ranks) {
        *ends = among(simd, points, scratch, bytes, ranks)?;
    }
    Some(ends)
}

/// What depends on the months alone: mostly there already, as the series of a book share their months.
#[inline(never)]
fn lay_out_months(points: &[Point], scratch: &mut Scratch) {
    let n = points.len();
    let Scratch { months, centred, pairs, per_month, .. } = scratch;
    months.clear();
    months.extend(points.iter().map(|point| point.x - points[0].x));
    let mean = months.iter().map(|&month| f64::from(month)).sum::<f64>() / n as f64;
    centred.clear();
    centred.extend(months.iter().map(|&month| f64::from(month) - mean));
    scratch.spread = centred.iter().map(|x| x * x).sum();
    centred.resize(n.next_multiple_of(DOUBLES), 0.0);
    pairs.clear();
    per_month.clear();
    scratch.lags = 0.0;
    for place in 0..n * (n - 1) / 2 {
        let (lag, from) = (place / n + 1, place % n);
        // Row k starts again at the front with the later month on the left.
        let (earlier, later) = if from + lag < n { (from, from + lag) } else { (from + lag - n, from) };
        let between = (months[later] - months[earlier]) as f32;
        scratch.lags += f64::from(between);
        pairs.push(Pair { earlier: earlier as u16, later: later as u16, between });
        per_month.push(if earlier == from { 1.0 / between } else { -1.0 / between });
    }
    per_month.resize(n * (n / 2) + LANES, 0.0);
}

/// The scaled y less its least-squares line; the root mean square of that.
#[inline(always)]
fn lay_out_rest<S: Simd>(simd: S, points: &[Point], scale: &Scale, scratch: &mut Scratch) -> f64 {
    let n = points.len();
    let Scratch { centred, scaled, rest, .. } = scratch;
    scaled.resize(centred.len(), 0.0);
    for (scaled, point) in scaled.iter_mut().zip(points) {
        *scaled = (point.y - scale.lowest) * scale.factor - 1.0;
    }
    scaled[n..].fill(0.0);
    let (mut y, mut xy) = (f64x8::splat(simd, 0.0), f64x8::splat(simd, 0.0));
    for (xs, ys) in centred.as_chunks().0.iter().zip(scaled.as_chunks().0) {
        let (xs, ys) = (f64x8::load_array_ref(simd, xs), f64x8::load_array_ref(simd, ys));
        y += ys;
        xy += xs * ys;
    }
    let mean = y.as_array().iter().sum::<f64>() / n as f64;
    let slope = xy.as_array().iter().sum::<f64>() / scratch.spread;
    // The line's ends bound it; one that leaves the data far behind is no guide.
    let reach = (slope * centred[0]).abs().max((slope * centred[n - 1]).abs());
    let (mean, slope) = if reach <= 2.0 { (mean, slope) } else { (0.0, 0.0) };

    rest.resize(n + n / 2 + n.next_multiple_of(LANES), 0.0);
    let mut squares = f64x8::splat(simd, 0.0);
    for ((xs, ys), rest) in centred.as_chunks().0.iter().zip(scaled.as_chunks().0).zip(rest.as_chunks_mut::<DOUBLES>().0) {
        let (xs, ys) = (f64x8::load_array_ref(simd, xs), f64x8::load_array_ref(simd, ys));
        let left = ys - mean - xs * slope;
        squares += left * left;
        for (rest, left) in rest.iter_mut().zip(left.as_array()) {
            *rest = *left as f32;
        }
    }
    rest.copy_within(..n / 2, n);
    // Places behind the last value hold (0 - mean)^2 each.
    let padding = (centred.len() - n) as f64 * mean * mean;
    ((squares.as_array().iter().sum::<f64>() - padding).max(0.0) / n as f64).sqrt()
}

#[inline(always)]
fn lay_out_slopes<S: Simd>(simd: S, n: usize, scratch: &mut Scratch) {
    let padded = n.next_multiple_of(LANES);
    let Scratch { per_month, rest, slopes, .. } = scratch;
    // Each row is written in whole registers; what it writes beyond its end is written over by the next one.
    slopes.resize((n * (n / 2) + LANES).next_multiple_of(BYTES), 0.0);
    let left = rest[..padded].as_chunks::<LANES>().0;
    for lag in 1..=n / 2 {
        let row = (lag - 1) * n..(lag - 1) * n + padded;
        let right = rest[lag..lag + padded].as_chunks::<LANES>().0;
        let per_month = per_month[row.clone()].as_chunks::<LANES>().0;
        let row = slopes[row].as_chunks_mut::<LANES>().0;
        for (((row, left), right), per_month) in row.iter_mut().zip(left).zip(right).zip(per_month) {
            let rise = f32x16::load_array_ref(simd, right) - f32x16::load_array_ref(simd, left);
            (rise * f32x16::load_array_ref(simd, per_month)).store_array(row);
        }
    }
    // Places behind the last pair: above every rank.
    slopes[n * (n - 1) / 2..].fill(f32::INFINITY);
}

/// The slopes in steps, the line's own in the middle of byte 128.
#[inline(always)]
fn lay_out_steps<S: Simd>(simd: S, step: f64, scratch: &mut Scratch) {
    let Scratch { slopes, steps, .. } = scratch;
    steps.resize(slopes.len() / BYTES, [0; BYTES]);
    let factor = f32x16::splat(simd, (1.0 / step) as f32);
    let (middle, lowest, highest) = (f32x16::splat(simd, 128.5), f32x16::splat(simd, 0.0), f32x16::splat(simd, 255.0));
    for (steps, slopes) in steps.iter_mut().zip(slopes.as_chunks::<BYTES>().0) {
        let part = |at: usize| -> i32x16<S> {
            let slopes = f32x16::from_slice(simd, &slopes[at * LANES..(at + 1) * LANES]);
            (slopes * factor + middle).max(lowest).min(highest).to_int()
        };
        let (front, back) = (part(0).narrow(part(1)), part(2).narrow(part(3)));
        front.narrow(back).bitcast::<u8x64<S>>().store_array(steps);
    }
}

/// The bytes that the first and the last of some ranks fall into.
#[inline(always)]
fn bytes_of<S: Simd, const Q: usize>(simd: S, steps: &[[u8; BYTES]], ranks: [Ranks; Q]) -> [(u8, u8); Q] {
    let mut bytes = [(0, 0); Q];
    // Bit by bit for all ranks, so that their counts overlap.
    for bit in (0..8).rev().map(|bit| 1 << bit) {
        for ((first, _), ranks) in bytes.iter_mut().zip(ranks) {
            *first = if below(simd, steps, *first | bit) <= ranks.first as u32 { *first | bit } else { *first };
        }
    }
    for ((first, last), ranks) in bytes.iter_mut().zip(ranks) {
        *last = *first;
        while ranks.last > ranks.first && *last < 255 && below(simd, steps, *last + 1) <= ranks.last as u32 {
            *last += 1;
        }
    }
    bytes
}

/// How many slopes have a smaller byte.
#[inline(always)]
fn below<S: Simd>(simd: S, steps: &[[u8; BYTES]], limit: u8) -> u32 {
    let limit = u8x64::splat(simd, limit);
    let mut count = 0;
    for chunk in steps {
        count += u8x64::load_array_ref(simd, chunk).simd_lt(limit).to_bitmask().count_ones();
    }
    count
}

/// The slopes of some ranks, from those in their bytes and in the next ones.
#[inline(always)]
fn among<S: Simd>(simd: S, points: &[Point], scratch: &mut Scratch, (first, last): (u8, u8), ranks: Ranks) -> Option<Ends> {
    let Scratch { pairs, steps, exact: found, .. } = scratch;
    let low = u8x64::splat(simd, first.saturating_sub(1));
    let high = u8x64::splat(simd, last.saturating_add(1));
    let mut below = 0;
    found.clear();
    for (start, chunk) in (0..).step_by(BYTES).zip(steps) {
        let chunk = u8x64::load_array_ref(simd, chunk);
        let is_below = chunk.simd_lt(low).to_bitmask();
        below += is_below.count_ones() as usize;
        let mut hits = chunk.simd_le(high).to_bitmask() & !is_below;
        while hits != 0 {
            found.push(pairs.get(start + hits.trailing_zeros() as usize)?.slope(points));
            hits &= hits - 1;
        }
    }
    found.sort_unstable_by(f64::total_cmp);
    let at = |rank: usize| rank.checked_sub(below).and_then(|place| found.get(place)).copied();
    at(ranks.first).zip(at(ranks.last))
}

#[cfg(test)]
mod tests {
    use super::{Level, Point, Ranks, Scale, Scratch, by_counting, by_sorting, dispatch, ranked};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Months with gaps; values that are real, tied, nearly equal, huge, with an outlier, or on a line.
    fn series() -> impl Strategy<Value = Vec<Point>> {
        let months = prop::collection::btree_set(-40..90_i32, 2..70);
        let values = prop::collection::vec(-1.0..1.0_f64, 70);
        (months, values, 0..7_u8).prop_map(|(months, values, kind)| {
            let value = |x: i32, value: f64| match kind {
                0 => value,
                1 => (4.0 * value).round(),
                2 => 1e9 + value,
                3 => 1e100 * value,
                4 => value.powi(31),
                5 => 0.25 * f64::from(x) + 1e-9 * value,
                _ => 1e-290 * value,
            };
            months.into_iter().zip(values).map(|(x, y)| Point { x, y: value(x, y) }).collect()
        })
    }

    fn bits<const Q: usize>(ends: [(f64, f64); Q]) -> [(u64, u64); Q] {
        ends.map(|(low, high)| (low.to_bits(), high.to_bits()))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, rng_seed: RngSeed::Fixed(36), failure_persistence: None, ..Default::default() })]

        #[test]
        fn ranks_have_the_bits_of_a_sorted_list_with_any_registers(points in series(), at in 0.0..1.0_f64) {
            let pairs = points.len() * (points.len() - 1) / 2;
            let rank = ((at * pairs as f64) as usize).min(pairs - 1);
            let ranks = [
                Ranks { first: (pairs - 1) / 2, last: pairs / 2 },
                Ranks { first: rank, last: rank },
                Ranks { first: 0, last: pairs - 1 },
            ];
            let sorted = bits(by_sorting(&points, ranks, &mut Vec::new()).unwrap());
            prop_assert_eq!(bits(ranked(&points, ranks).unwrap()), sorted);
            if let Some(scale) = Scale::of(&points) {
                let scratch = &mut Scratch::default();
                let narrow = dispatch!(Level::baseline(), simd => by_counting(simd, &points, &scale, ranks, scratch));
                prop_assert_eq!(narrow.map(bits), Some(sorted));
            }
        }
    }

    #[test]
    fn no_pair_has_no_rank() {
        let ranks = [Ranks { first: 0, last: 0 }];
        assert_eq!(ranked(&[], ranks), None);
        assert_eq!(ranked(&[Point { x: 0, y: 1.0 }], ranks), None);
        assert_eq!(ranked(&[Point { x: 0, y: 1.0 }, Point { x: 2, y: 2.0 }], ranks), Some([(0.5, 0.5)]));
    }
}
