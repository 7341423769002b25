//! Queries: finding them, reading their headers, running them in the order of their dependencies.

pub mod catalog;
pub mod header;
mod kept;
pub mod run;
pub mod session;
mod shared;
pub mod views;

/// A text as a literal of SQL.
#[must_use]
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
