//! Shortfall finds revenue leakage at managed service providers: exports in, priced and explained findings out.

pub mod findings;
pub mod kernels;
pub mod month;
pub mod report;
pub mod synth;
