//! Queries: finding them, reading their headers, running them in the order of their dependencies.

pub mod catalog;
pub(crate) mod compact;
pub mod header;
mod kept;
mod memory;
pub mod run;
pub mod session;
mod shared;
pub mod views;

/// A text as a literal of SQL.
#[must_use]
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
