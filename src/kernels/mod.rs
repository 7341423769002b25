//! Statistical kernels: trend, step, slope, baseline and multiple testing for monthly series, callable from SQL.
//!
//! A kernel is a pure function over points of one series; [`sql_adapter`] makes it an SQL function. No kernel knows I/O,
//! Arrow or time zones. Every kernel file opens with what it decides, its formula and source, and its tables of minimum
//! samples and degenerate cases.
//!
//! # Contract: SQL functions
//! | SQL | kind | returns (all fields nullable) |
//! |---|---|---|
//! | `theil_sen(x, y)` | aggregate | STRUCT(n BIGINT, slope, intercept, slope_low, slope_high DOUBLE) |
//! | `mann_kendall(x, y)` | aggregate | STRUCT(n, s BIGINT, tau, var_s, z_plain, p_plain, autocorrelation, inflation, z, p_ess, p DOUBLE) |
//! | `change_point(x, y)` | aggregate | STRUCT(n, month, month_low, month_high, n_before BIGINT, mean_before, mean_after, step, noise_sd, step_share, line_share, autocorrelation, p_gaussian, p DOUBLE) |
//! | `median_interval(y)` | aggregate | STRUCT(n BIGINT, median, low, high, coverage DOUBLE) |
//! | `seasonal_mann_kendall(x, y)` | aggregate | STRUCT(n, pairs, s BIGINT, var_s, z, p, slope DOUBLE) |
//! | `run_length(x, y)` | aggregate | STRUCT(n, length, start, longest, runs BIGINT) |
//! | `heaping(x, y)` | aggregate | STRUCT(n, tens, fives, stretch, start BIGINT, p DOUBLE) |
//! | `bh_adjust(p)` | window | DOUBLE |
//! | `by_adjust(p)` | window | DOUBLE |
//!
//! x is any whole-number type and counts months (`12 * year + month - 1`); y and p are any numeric type, read as DOUBLE.
//! Aggregates work grouped, ungrouped, with FILTER, over window frames, and in partial/final plans; DISTINCT is refused.
//!
//! # Contract: samples and degenerate input
//! | kernel | NULL struct below | estimate means little below | constant series | noise-free series |
//! |---|---|---|---|---|
//! | `theil_sen` | 2 months | 6 | slope 0, interval \[0, 0\] | exact |
//! | `mann_kendall` | 4 months | 8 | p = 1 | p as small as n allows |
//! | `change_point` | 6 months | 12 | p = 1, month NULL | `noise_sd` = 0: judge by size |
//! | `median_interval` | 1 value | 6 (interval NULL below) | median = low = high | the same |
//! | `seasonal_mann_kendall` | 12 pairs of the same month in two years | 36 | p = 1 | p as small as n allows |
//! | `run_length` | 1 month | 1 | one run of n months | the same |
//! | `heaping` | – (p NULL below 3 different values) | 5 different values | p NULL | the same |
//! | `bh_adjust`, `by_adjust` | – | – | equal p, equal q | – |
//!
//! # Contract: every kernel
//! * NULL, non-finite and absurd (beyond 1e100) y are skipped; a missing month is never a zero.
//! * The same bits for any partitioning, batch size and row order: points are sorted by (x, bits of y) before summing.
//! * Nothing panics; nothing returns NaN.
//!
//! # Which one
//! Why revenue per user fell: [`arpu`], in exact decimals. A drift beside a yearly season, over three years and more: `seasonal_mann_kendall`.
//! A drift: `mann_kendall(...)['p']`, then `bh_adjust` over the signal's whole family, `theil_sen` for the size. A date: `change_point`, if
//! `step_share > line_share`. A baseline: `median_interval` over months that are *not* the tested ones. Typed or measured: `run_length` beside
//! a series that moves, `heaping` beside one that is not round.
//!
//! ```sql
//! with tests as (
//!   select client, mann_kendall(month, ln(delivered) - ln(revenue)) as trend from fact_monthly group by client
//! )
//! select client, trend['p'] as p, bh_adjust(trend['p']) over () as q from tests
//! ```
//! (executed by `tests/kernels.rs`)

pub mod arpu;
pub mod autocorrelation;
pub mod bh_adjust;
pub mod change_point;
mod comparisons;
pub mod heaping;
mod inversions;
pub mod mann_kendall;
pub mod median_interval;
mod pair_slopes;
pub mod run_length;
pub mod seasonal_mann_kendall;
pub mod segments;
pub mod series;
pub mod sql_adapter;
pub mod tails;
pub mod theil_sen;
pub mod trend;

use bh_adjust::FamilyKernel;
use datafusion::prelude::SessionContext;
use series::SeriesKernel;

/// Every kernel that is an SQL aggregate over one series.
pub static KERNELS: &[&SeriesKernel] = &[
    &theil_sen::KERNEL,
    &mann_kendall::KERNEL,
    &change_point::KERNEL,
    &median_interval::KERNEL,
    &run_length::KERNEL,
    &heaping::KERNEL,
    &seasonal_mann_kendall::KERNEL,
];

/// Every kernel that is an SQL window function over a family of series.
pub static FAMILY_KERNELS: &[&FamilyKernel] = &[&bh_adjust::BH, &bh_adjust::BY];

/// Makes every kernel callable from SQL in this session.
pub fn register(ctx: &SessionContext) {
    for kernel in KERNELS {
        ctx.register_udaf(sql_adapter::aggregate(kernel));
    }
    for kernel in FAMILY_KERNELS {
        ctx.register_udwf(sql_adapter::window(kernel));
    }
}

#[cfg(test)]
mod tests {
    use super::{FAMILY_KERNELS, KERNELS, SessionContext, register};
    use std::collections::BTreeSet;

    #[test]
    fn no_name_occurs_twice_or_shadows_a_built_in() {
        let ctx = SessionContext::new();
        let built_in = ctx.state();
        let mut seen = BTreeSet::new();
        let names = KERNELS.iter().map(|kernel| kernel.name).chain(FAMILY_KERNELS.iter().map(|kernel| kernel.name));
        for name in names {
            assert!(seen.insert(name), "{name} is listed twice");
            assert!(!built_in.aggregate_functions().contains_key(name), "{name} shadows a built-in aggregate");
            assert!(!built_in.window_functions().contains_key(name), "{name} shadows a built-in window function");
        }
        register(&ctx);
        assert!(KERNELS.iter().all(|kernel| ctx.state().aggregate_functions().contains_key(kernel.name)));
        assert!(FAMILY_KERNELS.iter().all(|kernel| ctx.state().window_functions().contains_key(kernel.name)));
    }

    #[test]
    fn no_field_occurs_twice_in_a_kernel() {
        for kernel in KERNELS {
            let fields: BTreeSet<_> = kernel.fields.iter().map(|field| field.name).collect();
            assert_eq!(fields.len(), kernel.fields.len(), "{}", kernel.name);
        }
    }
}
