//! The star schema for BI tools: what `export` writes and `serve` answers from.
//!
//! ```text
//! marts.*, core.* ──> queries/bi/*.sql ──> bi.dim_*, bi.fact_* ──> export: Parquet by period, manifest, dictionary, Power BI project
//! ```
//! A table is one SQL file: its header names key, period, grain and every column with a description, and dictionary, Parquet metadata and the
//! Power BI project all repeat that. Facts carry keys of dimensions and never an empty one; dimensions have one row per key.

mod catalogue;
pub mod page;
pub mod star;

pub use star::{CALENDAR_YEAR, Star, StarError, register};
