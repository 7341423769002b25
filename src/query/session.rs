//! The query engine as Shortfall sets it up: its functions, its limits, and error messages that point into the SQL.

use datafusion::execution::context::SessionConfig;
use datafusion::prelude::SessionContext;

/// A context with all functions, on `partitions` threads.
#[must_use]
pub fn context(partitions: usize) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(partitions.max(1)).with_information_schema(true);
    config.options_mut().sql_parser.collect_spans = true;
    // Exports and the reader agree on UTC; a session time zone would shift what was never local.
    let ctx = SessionContext::new_with_config(config);
    crate::functions::register(&ctx);
    crate::kernels::register(&ctx);
    ctx
}
