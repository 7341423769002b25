//! Benjamini-Hochberg: which of many p-values survive being looked at together, for whoever reads a whole run's findings.
//!
//! # Formula
//! With p_(1) <= ... <= p_(m): q_(i) = min over j >= i of m c p_(j) / j, cut at 1.
//! `bh_adjust`: c = 1, valid for independent or positively dependent tests. `by_adjust`: c = 1 + 1/2 + ... + 1/m, valid
//! under any dependence. Reporting q <= 0.05 keeps the expected share of false findings at or below 5 %.
//!
//! # Source
//! Benjamini & Hochberg 1995, JRSS B 57:289, procedure (1); Benjamini & Yekutieli 2001, Ann. Statist. 29:1165, theorem
//! 1.3. Numbers agree with SciPy 1.17 `stats.false_discovery_control(p, method='bh' / 'by')`.
//!
//! # Minimum samples
//! | m | answer |
//! |---|---|
//! | 0 | nothing |
//! | 1 | q = p |
//!
//! # Degenerate cases
//! | input | answer |
//! |---|---|
//! | equal p | equal q |
//! | all p = 1 | all q = 1 |
//! | p = 0 | q = 0 |
//! | p outside \[0, 1\] | SQL error: not a p-value, and a silent skip would change m |
//!
//! # NULL, NaN
//! NULL and NaN stay NULL and do not count in m: a series that was too short was not tested. Do not replace them by 1:
//! that would punish the tested series for the untested.
//!
//! # Window
//! `bh_adjust(p) over (partition by signal_id)` adjusts within each partition. The frame and an ORDER BY are ignored: a
//! family has no order. The family must be the whole run's; adjusting per customer is no adjustment.
//!
//! # Cost
//! O(m log m) per partition, two index vectors.
//!
//! ```
//! use shortfall::kernels::bh_adjust::bh_adjust;
//! assert_eq!(bh_adjust(&[Some(0.01), None, Some(0.04), Some(0.03)]), [Some(0.03), None, Some(0.04), Some(0.04)]);
//! ```

use super::series::count;

/// A function over the p-values of one family, as SQL needs it.
#[derive(Debug)]
pub struct FamilyKernel {
    /// SQL name.
    pub name: &'static str,
    /// The adjustment.
    pub adjust: fn(&[Option<f64>]) -> Vec<Option<f64>>,
}

/// SQL: `bh_adjust(p) over (...)`.
pub static BH: FamilyKernel = FamilyKernel { name: "bh_adjust", adjust: bh_adjust };

/// SQL: `by_adjust(p) over (...)`.
pub static BY: FamilyKernel = FamilyKernel { name: "by_adjust", adjust: by_adjust };

/// Benjamini-Hochberg adjusted p-values, in the order given.
#[must_use]
pub fn bh_adjust(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    step_up(p_values, |_| 1.0)
}

/// Benjamini-Yekutieli adjusted p-values, in the order given.
#[must_use]
pub fn by_adjust(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    // Smallest terms first: the sum does not lose them.
    step_up(p_values, |m| (1..=m).rev().map(|i| 1.0 / count(i)).sum())
}

fn step_up(p_values: &[Option<f64>], dependence: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
    let mut tested: Vec<(f64, usize)> =
        p_values.iter().enumerate().filter_map(|(row, p)| p.filter(|p| !p.is_nan()).map(|p| (p, row))).collect();
    tested.sort_unstable_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let scale = count(tested.len()) * dependence(tested.len());
    let mut adjusted = vec![None; p_values.len()];
    let mut smallest = 1.0_f64;
    for (i, &(p, row)) in tested.iter().enumerate().rev() {
        smallest = smallest.min(p * (scale / count(i + 1)));
        adjusted[row] = Some(smallest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::{bh_adjust, by_adjust};

    #[test]
    fn untested_series_do_not_count() {
        let with_gaps = bh_adjust(&[None, Some(0.02), Some(f64::NAN), Some(0.04)]);
        assert_eq!(with_gaps, [None, Some(0.04), None, Some(0.04)]);
        assert_eq!(bh_adjust(&[]), []);
        assert_eq!(bh_adjust(&[None]), [None]);
    }

    #[test]
    fn any_dependence_costs_the_harmonic_sum() {
        let q = by_adjust(&[Some(0.01), Some(0.02)]);
        assert!(q.iter().all(|q| (q.unwrap() - 0.03).abs() < 1e-15));
    }

    #[test]
    fn adjusted_values_never_exceed_one() {
        assert_eq!(bh_adjust(&[Some(0.9), Some(1.0)]), [Some(1.0), Some(1.0)]);
    }
}
