//! From exports to findings: the worked example to the cent, laws of an analysis, replay of what was known, a user's own signals, detection, false alarms,
//! and what the folders must hold.

mod autotask;
mod bridge;
mod clients;
mod compare;
mod coverage;
mod detection;
mod duckdb;
mod export;
mod false_alarms;
mod identity;
mod laws;
mod onset;
mod over_time;
mod own_signals;
mod pack;
mod rating;
mod recovery;
mod registry;
mod replay;
mod scorecard;
mod serve;
mod support;
mod worked_example;
