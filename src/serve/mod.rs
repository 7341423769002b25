//! `serve`: read-only SQL over a lake for BI tools.
//!
//! ```text
//! server.rs ─┬─ client ── TLS, SCRAM-SHA-256 ── pg.rs ──┐
//!            │                                          ├─> gate.rs: reading only ─> limits.rs: turns, memory, rows, seconds ─> view.rs: core.*, marts.*, bi.* of one run
//!            └─ client ── TLS, bearer token ── flight ──┘
//! ```
//! Each statement runs on one view of the lake, and a view is of one moment: when an analysis or an ingest has been committed, the next
//! statement sees all of it. Beyond this machine nothing is served without password and TLS.

mod auth;
mod cancel;
mod catalogue;
mod errors;
mod flight;
mod gate;
mod limits;
mod memory;
mod pg;
mod server;
mod statements;
mod view;

pub use auth::{Access, AccessError};
pub use limits::Limits;
pub use server::{Request, ServeError, Server};
