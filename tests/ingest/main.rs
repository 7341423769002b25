//! The `shortfall` command on files: good ones, broken ones, corrected ones, and when it is killed.

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
mod mapping;
mod object_store;
mod optimize;
mod quirks;
mod real_data;
mod repeat;
mod runs;
mod support;
mod trace;
mod truth;
mod vendors;
