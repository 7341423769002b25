//! Shortfall finds revenue leakage at managed service providers: exports in, priced and explained findings out.
#![doc = include_str!("architecture.md")]

pub mod bi;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod export;
pub mod findings;
pub mod foreign;
pub mod functions;
pub mod identity;
pub mod ingest;
pub mod kernels;
pub mod lake;
pub mod money;
pub mod month;
pub mod notify;
pub mod optimize;
pub mod query;
pub mod rating;
pub mod report;
pub mod serve;
pub mod sources;
pub mod spreadsheet;
pub mod steps;
pub mod synth;

/// Stack of a thread that plans or runs queries, or reads plans, in bytes: they recurse deeply, and the default of 2 MiB is what a debug build overflows first.
pub const STACK: usize = 32 << 20;
