//! Exact least-squares segmentation: the best places to cut a series into constant pieces.
//!
//! # Formula
//! Minimise sum over segments of [ sum (y - segment mean)^2 ] + penalty * (number of segments - 1), each segment having
//! at least `min_length` points. Optimal partitioning, F(t) = min over s of F(s) + cost(s, t) + penalty.
//!
//! # Source
//! Jackson et al. 2005, IEEE Signal Process. Lett. 12:105, eq. 4-6. Cuts are never snapped to a grid (ruptures' PELT
//! defaults to multiples of 5 and reports 10 where the truth is 8).
//!
//! # Cost
//! O(n^2) time, O(n) memory; prefix sums over centred values.

use super::series::count;

/// Prefix sums that give the squared error of any segment around its own mean in O(1).
#[derive(Debug)]
pub(super) struct SegmentCost {
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl SegmentCost {
    /// Subtracts a value of the series first, so that a large level does not eat the digits of its variation.
    pub(super) fn new(values: &[f64], centre: f64) -> Self {
        let mut sums = Vec::with_capacity(values.len() + 1);
        let mut squares = Vec::with_capacity(values.len() + 1);
        let (mut sum, mut square) = (0.0, 0.0);
        sums.push(sum);
        squares.push(square);
        for value in values {
            let value = value - centre;
            sum += value;
            square += value * value;
            sums.push(sum);
            squares.push(square);
        }
        Self { sums, squares }
    }

    /// Mean of `values[start..end]`, relative to the centre.
    pub(super) fn mean(&self, start: usize, end: usize) -> f64 {
        (self.sums[end] - self.sums[start]) / count(end - start)
    }

    /// Squared error of `values[start..end]` around its mean.
    pub(super) fn error(&self, start: usize, end: usize) -> f64 {
        let sum = self.sums[end] - self.sums[start];
        (self.squares[end] - self.squares[start] - sum * sum / count(end - start)).max(0.0)
    }
}

/// Ends of the best segments, the last being `values.len()`; empty when the series is shorter than one segment.
///
/// A larger `penalty` gives fewer segments; `f64::INFINITY` gives one. Ties go to the fewer and earlier cuts.
#[must_use]
pub fn segment_ends(values: &[f64], penalty: f64, min_length: usize) -> Vec<usize> {
    let n = values.len();
    let min_length = min_length.max(1);
    if n < min_length {
        return Vec::new();
    }
    let cost = SegmentCost::new(values, values[n / 2]);
    // best[t]: cost of the best cutting of values[..t], and where its last segment starts.
    let mut best: Vec<(f64, usize)> = vec![(f64::INFINITY, 0); n + 1];
    best[0] = (0.0, 0);
    for end in min_length..=n {
        best[end] = (cost.error(0, end), 0);
        for start in min_length..=end - min_length.min(end) {
            let candidate = best[start].0 + cost.error(start, end) + penalty;
            if candidate < best[end].0 {
                best[end] = (candidate, start);
            }
        }
    }
    let mut ends = Vec::new();
    let mut end = n;
    while end > 0 {
        ends.push(end);
        end = best[end].1;
    }
    ends.reverse();
    ends
}

#[cfg(test)]
mod tests {
    use super::segment_ends;

    #[test]
    fn finds_the_break_that_a_grid_of_five_misses() {
        // statistics.md: 8 zeros then 9 fours, penalty 2: ruptures jump=5 says [5, 10, 17], the truth is [8, 17].
        let values: Vec<f64> = [vec![0.0; 8], vec![4.0; 9]].concat();
        assert_eq!(segment_ends(&values, 2.0, 2), [8, 17]);
        assert_eq!(segment_ends(&values, f64::INFINITY, 2), [17]);
    }

    #[test]
    fn a_minimum_length_forbids_short_segments() {
        let spike = [0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0];
        assert_eq!(segment_ends(&spike, 1.0, 1), [3, 4, 7]);
        assert_eq!(segment_ends(&spike[..2], 1.0, 3), Vec::<usize>::new());
        assert!(segment_ends(&spike, 1.0, 3).windows(2).all(|ends| ends[1] - ends[0] >= 3));
    }
}
