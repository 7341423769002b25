//! From exports to findings: the worked example to the cent, laws of an analysis, replay of what was known, a user's own signals, detection, false alarms, hostile names,
//! and what the folders must hold.

mod alerts;
mod autotask;
mod bridge;
mod clients;
mod cluster;
mod compare;
mod coverage;
mod detection;
mod duckdb;
mod export;
mod false_alarms;
mod flight;
mod hostile;
mod identity;
mod laws;
mod memory;
mod onset;
mod over_time;
mod own_signals;
mod pack;
mod rating;
mod receiver;
mod recovery;
mod registry;
mod replay;
#[path = "../stores/s3.rs"]
#[expect(dead_code, reason = "the tests of ingest ask more of it")]
mod s3;
mod scorecard;
mod serve;
mod support;
mod terminal;
mod worked_example;
