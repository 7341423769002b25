//! What an analysis says: signals to cells, cells to findings, each unit of money once, one commit.
//!
//! ```text
//! queries/signals/*.sql ─> cells (customer, service, month, money) ─ overlap ─> counted money ─ fold ─> findings ─> marts, one commit
//! ```

pub mod analyze;
pub mod cause;
pub mod cell;
pub mod changes;
pub mod compare;
pub mod coverage;
pub mod earlier;
mod error;
pub mod explain;
mod figures;
pub mod fold;
pub mod marts;
pub mod mute;
pub mod overlap;
pub mod pack;
mod publish;
pub mod read;
mod recompute;
pub mod recoverable;
pub mod recovered;
pub mod report_data;
mod report_quarters;
mod report_waterfall;
pub mod schema;
pub mod scorecard;
pub mod signal;
pub mod status;
pub mod unmapped;

pub use schema::{Basis, Finding};
