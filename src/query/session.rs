//! The query engine as Shortfall sets it up: its functions, its limits, and error messages that point into the SQL.

use super::compact::CompactWhatIsHeld;
use super::kept::Room;
use super::memory::Floors;
use crate::cluster::{self, Cluster};
use datafusion::execution::context::SessionConfig;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// The least memory that can be asked for: below, not even the smallest sort has room.
pub const LEAST_MEMORY: usize = 64 << 20;

/// A context with all functions, on `partitions` threads.
#[must_use]
pub fn context(partitions: usize) -> SessionContext {
    set_up(configuration(partitions), Arc::default())
}

/// A context whose plans may go to a cluster; those that stay have half of `memory` bytes, as in [`within`], or what they need if none.
///
/// # Errors
/// DataFusion's, if the place for temporary files cannot be used.
pub fn clustered(there: &Arc<Cluster>, memory: Option<usize>) -> datafusion::common::Result<SessionContext> {
    let (mut runtime, mut config) = (RuntimeEnvBuilder::new(), configuration(1));
    if let Some(memory) = memory {
        runtime = runtime.with_memory_pool(Arc::new(Floors::new(memory / 2)));
        config = tight(config, memory);
    }
    let ctx = set_up(there.configure(config), runtime.build_arc()?);
    there.register(&ctx.runtime_env());
    cluster::prepare(&ctx)?;
    Ok(ctx)
}

/// The same as [`context`], within `memory` bytes: sorts, joins and sums go to temporary files where they need more than half of it, and facts, all
/// together, where they need more than a quarter. What is left is for what the engine does not count: decoding, windows, results.
///
/// # Errors
/// DataFusion's, if the place for temporary files cannot be used.
pub fn within(partitions: usize, memory: usize) -> datafusion::common::Result<SessionContext> {
    let config = tight(configuration(partitions), memory).with_extension(Arc::new(Room::new(memory / 4)));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(Floors::new(memory / 2))).build_arc()?;
    let ctx = set_up(config, runtime);
    let state = SessionStateBuilder::new_from_existing(ctx.state()).with_physical_optimizer_rule(Arc::new(CompactWhatIsHeld));
    Ok(SessionContext::new_with_state(state.build()))
}

/// What sorts keep for themselves, by what there is.
fn tight(config: SessionConfig, memory: usize) -> SessionConfig {
    // A sort needs room for a batch at least, and a merge for one of each run.
    let mut config = config.with_batch_size((memory / (512 << 10)).clamp(256, 8192));
    // What each sort keeps to merge what it has written. A plan of many joins has a hundred sorts at once.
    config.options_mut().execution.sort_spill_reservation_bytes = (memory / 1024).clamp(16 << 10, 10 << 20);
    config
}

fn configuration(partitions: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(partitions.max(1)).with_information_schema(true);
    config.options_mut().sql_parser.collect_spans = true;
    config
}

fn set_up(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionContext {
    // Exports and the reader agree on UTC; a session time zone would shift what was never local.
    let ctx = SessionContext::new_with_config_rt(config, runtime);
    crate::functions::register(&ctx);
    crate::kernels::register(&ctx);
    ctx
}
