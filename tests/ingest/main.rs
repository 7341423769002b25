//! The `shortfall` command on files: good ones, broken ones, corrected ones, and when it is killed.

mod attempts;
mod autotask;
mod backfill;
mod bad_input;
mod billing;
mod changes;
mod check;
mod commands;
mod compliance;
mod containers;
mod exports;
mod fuzz;
mod halo;
mod kill;
mod lake_on_s3;
mod mapping;
mod object_store;
mod quirks;
mod real_data;
mod repeat;
mod runs;
mod s3;
mod support;
mod trace;
mod truth;
mod vendors;
