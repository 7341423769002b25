//! The `shortfall` command on files: good ones, broken ones, corrected ones, and when it is killed.

mod bad_input;
mod billing;
mod commands;
mod compliance;
mod containers;
mod exports;
mod fuzz;
mod halo;
mod kill;
mod real_data;
mod repeat;
mod support;
mod truth;
mod vendors;
