//! Queries on several machines: a scheduler, executors, and the client that plans, asks and keeps what comes back.
//!
//! ```text
//! analyze --cluster URL            scheduler                     executors
//!   versions of the lake ─> files
//!   facts in their order ─> plan ──(protobuf)──> stages, tasks ──> read the plan's files, shuffle among each other
//!   rows <──────────────────────────────────────(Arrow Flight)──── last stage
//!   facts/<name>/*.parquet below the lake's work folder <── read by the plans that follow
//! ```
//! Apache DataFusion Ballista cuts a plan into stages and keeps them alive where executors die; this module only says what of ours takes part
//! (src/decisions/0018-cluster.md).
//!
//! * The client plans all of it: a plan names the files of *its* version of the lake, so that every executor reads the same, and holds no
//!   operator of ours. Functions are called by name; scheduler and executors know the same ones, or refuse ([`build`]).
//! * What reads little is computed by the client itself; a job costs more than it.
//! * A job that fails for what may pass is asked for again ([`client`]): its rows count once they have all arrived.
//! * Nobody is asked who he is: scheduler and executors belong into a network of their own. They listen on this machine unless told otherwise.

mod build;
mod client;
mod connections;
mod engine;
mod error;
mod executor;
mod fit;
mod place;
mod scheduler;
mod stores;
mod window;
mod work;

pub use client::{Cluster, Job, LITTLE, Shares, Target};
pub use error::ClusterError;
pub use executor::ExecutorOptions;
pub use scheduler::SchedulerOptions;

pub use executor::run as run_executor;
pub use scheduler::run as run_scheduler;

use ballista_core::extension::SessionConfigExt as _;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Endpoint;

/// The largest message between client, scheduler and executors: a plan names each of its files.
const LARGEST_MESSAGE: u32 = 256 << 20;

/// The settings that each side begins with; a client's then come on top of them.
fn settings() -> SessionConfig {
    connected(SessionConfig::new_with_ballista().with_option_extension(build::Build::default()))
}

/// How each side reaches the others.
fn connected(config: SessionConfig) -> SessionConfig {
    config
        .with_ballista_grpc_client_max_message_size(LARGEST_MESSAGE as usize)
        .with_ballista_override_create_grpc_client_endpoint(Arc::new(watched))
}

/// A connection that notices when the other machine is gone without a word: what waits for rows of it would wait for ever.
fn watched(endpoint: Endpoint) -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    // An executor at work may take its time to answer.
    let (every, at_most) = (Duration::from_secs(20), Duration::from_secs(60));
    Ok(endpoint.connect_timeout(every).http2_keep_alive_interval(every).keep_alive_timeout(at_most).keep_alive_while_idle(true))
}

/// What runs a plan: stores are found by their URLs.
fn runtime(temporary: Option<&std::path::Path>) -> datafusion::common::Result<Arc<RuntimeEnv>> {
    let mut builder = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(stores::Stores::default()));
    if let Some(folder) = temporary {
        builder = builder.with_temp_file_path(folder);
    }
    builder.build_arc()
}

/// A state that knows every function.
fn state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> datafusion::common::Result<SessionState> {
    let ctx = SessionContext::new_with_config_rt(config, runtime);
    crate::functions::register(&ctx);
    crate::kernels::register(&ctx);
    let mut state = ctx.state();
    window::register(&mut state)?;
    Ok(state)
}

/// Prepares a session of a client: its queries are rewritten into what can travel.
///
/// # Errors
/// DataFusion's, if it lacks a window function that it had.
pub fn prepare(ctx: &SessionContext) -> datafusion::common::Result<()> {
    window::register(&mut *ctx.state_ref().write())?;
    ctx.add_analyzer_rule(Arc::new(window::Travelling));
    Ok(())
}
