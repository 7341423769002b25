//! The lake: Delta tables, the archive of original files, and what of them is visible.

pub mod archive;
pub(crate) mod commit;
pub mod contest;
pub mod delivery;
pub mod delta;
pub(crate) mod lock;
pub mod maintain;
pub mod merge;
pub(crate) mod object;
mod order;
pub mod part;
pub(crate) mod place;
pub mod scan;
pub mod schema;
pub mod store;
pub mod truth;
pub mod unnamed;
pub mod usage_sum;
pub mod version_span;
pub mod visible;
pub mod write;

pub use delta::{Lake, LakeError};
pub use schema::Table;
