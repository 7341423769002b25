//! Statistical kernels.

mod autocorrelation;
pub mod bh_adjust;
mod inversions;
pub mod mann_kendall;
pub mod median_interval;
pub mod series;
pub mod sql_adapter;
pub mod tails;
pub mod theil_sen;

use bh_adjust::FamilyKernel;
use datafusion::prelude::SessionContext;
use series::SeriesKernel;

/// Every kernel that is an SQL aggregate over one series.
pub static KERNELS: &[&SeriesKernel] = &[&theil_sen::KERNEL, &mann_kendall::KERNEL, &median_interval::KERNEL];

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
