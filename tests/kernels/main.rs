//! The statistical kernels against outside packages, plain re-implementations, laws, SQL shapes and simulated books.

mod laws;
mod level;
#[path = "../oracle/noise.rs"]
mod noise;
mod oracles;
mod sql;
