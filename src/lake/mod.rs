//! The lake: Delta tables, the archive of original files, and what of them is visible.

pub mod archive;
pub mod contest;
pub mod delivery;
pub mod delta;
pub mod maintain;
pub mod merge;
mod order;
pub mod part;
pub mod scan;
pub mod schema;
pub mod truth;
pub mod unnamed;
pub mod usage_sum;
pub mod version_span;
pub mod write;

pub use delta::{Lake, LakeError};
pub use schema::Table;
