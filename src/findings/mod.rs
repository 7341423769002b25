//! What an analysis says: findings in one fixed schema, their identity, overlap and evidence.

pub mod schema;

pub use schema::{Basis, Finding};
