//! The scheduler: takes plans, cuts them into stages, gives tasks to executors that ask.
//!
//! It reads no data and keeps nothing: jobs live in memory, and a client whose scheduler is gone begins again.

use super::{ClusterError, LARGEST_MESSAGE, build, runtime, settings, state};
use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::cluster::{BallistaCluster, ClusterStateEvent, ClusterStateEventStream};
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use ballista_scheduler::scheduler_server::SchedulerServer;
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use futures::StreamExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Executors whose threads are all at work ask every five seconds.
const LEAST_TIMEOUT: u64 = 10;

/// How long the rows of a finished job lie with the executors, in seconds.
const KEPT: u64 = 3600;
/// How often it is looked whether jobs wait for executors of which there are none.
const LOOK: Duration = Duration::from_secs(5);

/// How a scheduler is run.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// Seconds without a sign of life after which an executor is given up, and its tasks go to others; ten at least.
    pub executor_timeout: u64,
}

/// Runs until it is stopped; says where it listens.
///
/// # Errors
/// [`ClusterError::Stopped`] if it cannot listen there, or could not go on.
pub async fn run(options: SchedulerOptions, listens: impl FnOnce(SocketAddr)) -> Result<(), ClusterError> {
    let failed = |detail: String| ClusterError::Stopped { who: "scheduler", detail };
    let listener = TcpListener::bind(options.address).await.map_err(|e| failed(format!("{}: {e}", options.address)))?;
    let address = listener.local_addr().map_err(|e| failed(e.to_string()))?;
    let timeout = options.executor_timeout.max(LEAST_TIMEOUT);
    let runtime = runtime(None).map_err(|e| failed(e.strip_backtrace()))?;
    let config = SchedulerConfig {
        bind_host: address.ip().to_string(),
        bind_port: address.port(),
        // For tasks that are given out unasked, and for pages that are left out.
        external_host: address.ip().to_string(),
        // Executors ask for tasks. Ballista 55.0 can also give them tasks unasked, and then counts what each has room for; but where a lost executor
        // sends a stage back, it forgets to count the others' tasks of that stage as ended, and they never get another.
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        // A job with a hole is given up and asked for again as a whole, by the client: see [`watch`].
        task_max_failures: 1,
        stage_max_failures: 1,
        executor_timeout_seconds: timeout,
        expire_dead_executor_interval_seconds: (timeout / 4).max(1),
        no_executors_grace_period_seconds: timeout,
        // A client fetches the rows of a job part by part, as it writes them.
        finished_job_data_clean_up_interval_seconds: KEPT,
        grpc_server_max_decoding_message_size: LARGEST_MESSAGE,
        grpc_server_max_encoding_message_size: LARGEST_MESSAGE,
        grpc_client_max_message_size: LARGEST_MESSAGE,
        override_config_producer: Some(Arc::new(settings)),
        override_session_builder: Some(Arc::new(move |config: SessionConfig| {
            build::check(config.options(), "scheduler")?;
            state(config, Arc::clone(&runtime))
        })),
        ..SchedulerConfig::default()
    };
    let broken = |e: ballista_core::error::BallistaError| failed(e.to_string());
    config.validate().map_err(broken)?;
    let cluster = BallistaCluster::new_from_config(&config).await.map_err(broken)?;
    let scheduler = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config)).await.map_err(broken)?;
    let lost = scheduler.cluster_state_events().await.map_err(broken)?;
    tokio::spawn(watch(scheduler.clone(), lost));
    listens(address);
    start_grpc_service_with_listener(listener, scheduler).await.map_err(broken)
}

/// Gives up all jobs under way when an executor is lost. Ballista 55.0 would run again what it takes to be missing of them, and does not always take the
/// right parts: with five million rows and one of three executors killed, a fact came back with 408,012 rows instead of 163,942, and no error. Clients
/// ask again for jobs that were given up.
///
/// So are jobs that came when the last executor had gone: Ballista fails those alone that were there before.
async fn watch(scheduler: SchedulerServer<LogicalPlanNode, PhysicalPlanNode>, mut events: ClusterStateEventStream) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(ClusterStateEvent::RemovedExecutor { executor_id }) => {
                    give_up_all(&scheduler, &format!("executor {executor_id} is lost")).await;
                }
                Some(_) => {}
                None => return,
            },
            _ = look.tick() => if !scheduler.is_ready() {
                give_up_all(&scheduler, "there is no executor").await;
            },
        }
    }
}

async fn give_up_all(scheduler: &SchedulerServer<LogicalPlanNode, PhysicalPlanNode>, why: &str) {
    let jobs: Vec<_> = scheduler.state.task_manager.get_running_job_cache().keys().cloned().collect();
    if !jobs.is_empty() {
        log::warn!("{why}; {} jobs are given up", jobs.len());
    }
    for job in jobs {
        if let Err(error) = scheduler.cancel_job(job).await {
            log::error!("a job could not be given up: {error}");
        }
    }
}
