//! Counting order: inversions of a sequence and sums over its ties, in O(n log n).
//!
//! Knight 1966, J. Amer. Statist. Assoc. 61:436: Kendall's S is the number of untied pairs minus twice the number of
//! strictly inverted pairs, and a merge sort counts the latter while it sorts.

use super::series::count;

/// Runs up to this length are sorted by insertion: below it, merging costs more than it saves.
const INSERTION_RUN: usize = 8;

/// Number of pairs i < j with values\[i\] > values\[j\]. Sorts `values`; `scratch` is reused memory.
pub(super) fn count_inversions(values: &mut [f64], scratch: &mut Vec<f64>) -> usize {
    let mut inversions = 0;
    for run in values.chunks_mut(INSERTION_RUN) {
        for end in 1..run.len() {
            let value = run[end];
            let mut place = end;
            while place > 0 && run[place - 1] > value {
                run[place] = run[place - 1];
                place -= 1;
                inversions += 1;
            }
            run[place] = value;
        }
    }
    let mut width = INSERTION_RUN;
    while width < values.len() {
        for pair in values.chunks_mut(2 * width) {
            if pair.len() > width {
                inversions += merge_count(pair, width, scratch);
            }
        }
        width *= 2;
    }
    inversions
}

/// Merges the sorted halves `values[..middle]` and `values[middle..]`; returns the inversions between them.
fn merge_count(values: &mut [f64], middle: usize, scratch: &mut Vec<f64>) -> usize {
    scratch.clear();
    scratch.extend_from_slice(&values[..middle]);
    let (mut left, mut right, mut inversions) = (0, middle, 0);
    for place in 0..values.len() {
        if left == scratch.len() {
            break; // the rest of the right half is already in place
        }
        if right < values.len() && values[right] < scratch[left] {
            values[place] = values[right];
            right += 1;
            inversions += scratch.len() - left;
        } else {
            values[place] = scratch[left];
            left += 1;
        }
    }
    inversions
}

/// Sum of `term(size)` over groups of equal values in a sorted slice; groups of one are skipped.
pub(super) fn tie_sum(sorted: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    #[expect(clippy::float_cmp, reason = "a tie is exact equality")]
    let groups = sorted.chunk_by(|left, right| left == right);
    groups.filter(|group| group.len() > 1).map(|group| term(count(group.len()))).sum()
}

#[cfg(test)]
mod tests {
    use super::{count_inversions, tie_sum};

    #[test]
    fn counts_like_the_double_loop_and_sorts() {
        for n in [0_usize, 1, 2, 7, 8, 9, 16, 17, 100] {
            let values: Vec<f64> = (0..n).map(|i| f64::from(u32::try_from((i * 37) % 11).unwrap())).collect();
            let mut plain = 0;
            for i in 0..n {
                plain += values[i + 1..].iter().filter(|&&later| later < values[i]).count();
            }
            let mut sorted = values.clone();
            assert_eq!(count_inversions(&mut sorted, &mut Vec::new()), plain, "n = {n}");
            assert!(sorted.is_sorted());
        }
    }

    #[test]
    fn sums_over_tie_groups_only() {
        assert_eq!(tie_sum(&[1.0, 1.0, 2.0, 3.0, 3.0, 3.0], |t| t * (t - 1.0) / 2.0), 4.0);
    }
}
