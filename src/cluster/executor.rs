//! An executor: asks the scheduler for tasks, runs them, keeps what they hand on, and gives it to whoever asks.
//!
//! It reads the files that a plan names, with its own eyes: the lake's folder under the same path, or an object store with the credentials of its
//! own environment.

use super::client::{address, ask};
use super::connections::Connections;
use super::engine::Engine;
use super::work::Work;
use super::{ClusterError, LARGEST_MESSAGE, runtime, settings, state};
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::prelude::SessionConfig;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Pause between two attempts to reach the scheduler, and what may lie between two who hear the same signal.
const PAUSE: Duration = Duration::from_millis(250);
/// How often shuffled rows of jobs are looked for that nobody removed, and how old they are then, in seconds.
const SWEEP: u64 = 3600;
const OLD: u64 = 24 * 3600;

/// How an executor is run.
#[derive(Clone, Debug)]
pub struct ExecutorOptions {
    /// URL of the scheduler.
    pub scheduler: String,
    /// Where it gives rows to others; a port of 0 is any free one.
    pub address: SocketAddr,
    /// The host by which the others find it, if that is not the address that the scheduler sees.
    pub advertise: Option<String>,
    /// Folder for shuffled rows and what does not fit into memory; that of temporary files if none.
    pub folder: Option<PathBuf>,
    /// Tasks at a time.
    pub threads: usize,
    /// Memory of all tasks together, in bytes; seven tenths of the machine's if none.
    pub memory: Option<u64>,
    /// How long it waits for a scheduler that does not answer yet.
    pub patience: Duration,
}

/// Runs until `stopped`; says where it gives rows. What it had in hand is lost: in pull mode Ballista 55.0 would go on asking for tasks while it waits for
/// those to end.
///
/// # Errors
/// [`ClusterError`] if the scheduler cannot be reached, a port cannot be had, or a part of it ends by itself.
pub async fn run(
    options: ExecutorOptions,
    starts: impl FnOnce(SocketAddr),
    stopped: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let failed = |detail: String| ClusterError::Stopped { who: "executor", detail };
    let scheduler = address(&options.scheduler)?;
    let began = Instant::now();
    while let Err(error) = ask(&scheduler, "healthz").await {
        if began.elapsed() >= options.patience {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let ip = options.address.ip();
    let port = free(ip, options.address.port())?;
    let parent = options.folder.unwrap_or_else(std::env::temp_dir).join("shortfall-executors");
    let work = Work::new(&parent)?;
    let (shuffled, spilled) = (work.folder().join("shuffled"), work.folder().join("spilled"));
    for folder in [&shuffled, &spilled] {
        std::fs::create_dir(folder).map_err(|e| ClusterError::Folder {
            action: "create",
            path: folder.clone(),
            detail: e.to_string(),
        })?;
    }
    let known = runtime(None).and_then(|runtime| state(settings(), runtime)).map_err(|e| failed(e.strip_backtrace()))?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .thread_name("task")
        .thread_stack_size(crate::STACK)
        .enable_all()
        .build()
        .map_err(|e| failed(e.to_string()))?;
    let config = ExecutorProcessConfig {
        bind_host: if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() },
        external_host: options.advertise,
        port,
        // As the scheduler does: see there.
        task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
        scheduler_host: scheduler.host_str().unwrap_or_default().to_owned(),
        scheduler_port: scheduler.port_or_known_default().unwrap_or_default(),
        vcores: options.threads,
        work_dir: Some(shuffled.to_string_lossy().into_owned()),
        job_data_ttl_seconds: OLD,
        job_data_clean_up_interval_seconds: SWEEP,
        grpc_max_decoding_message_size: LARGEST_MESSAGE,
        grpc_max_encoding_message_size: LARGEST_MESSAGE,
        memory_pool_size: options.memory,
        override_execution_engine: Some(Arc::new(Engine::new(Arc::new(Connections::default()), threads.handle().clone()))),
        override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(&known))),
        override_config_producer: Some(Arc::new(settings)),
        override_runtime_producer: Some(Arc::new(move |_: &SessionConfig| runtime(Some(&spilled)))),
        ..ExecutorProcessConfig::default()
    };
    starts(SocketAddr::new(ip, port));
    let mut stopped = std::pin::pin!(stopped);
    let ended = tokio::select! {
        ended = start_executor_process(Arc::new(config)) => match ended {
            // It listens to the same signals.
            Ok(()) if timeout(PAUSE, &mut stopped).await.is_ok() => Ok(()),
            Ok(()) => Err(failed("a part of it ended; `--verbose` says which".to_owned())),
            Err(error) => Err(failed(error.to_string())),
        },
        () = &mut stopped => Ok(()),
    };
    // Ballista tidies up too when it hears the signal, and says that what goes with this function is gone.
    log::set_max_level(log::LevelFilter::Off);
    // Nothing may wait here for threads to end.
    threads.shutdown_background();
    ended
}

/// A port that can be listened on now.
fn free(ip: IpAddr, port: u16) -> Result<u16, ClusterError> {
    let wanted = SocketAddr::new(ip, port);
    let bound = std::net::TcpListener::bind(wanted).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|e| ClusterError::Stopped { who: "executor", detail: format!("{wanted}: {e}") })
}
