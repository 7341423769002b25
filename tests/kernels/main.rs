//! The statistical kernels against outside packages, plain re-implementations, laws, SQL shapes and simulated books.

#![allow(clippy::unwrap_used, reason = "a test helper that fails should stop the test")]

mod arpu;
mod laws;
mod level;
#[path = "../oracle/levels.rs"]
mod levels;
#[path = "../oracle/noise.rs"]
mod noise;
mod oracles;
mod sql;
