//! The side that asks: plans that read much go to the scheduler, what comes back is kept below the lake where every executor can read it.
//!
//! A job that loses an executor is given up ([`super::scheduler`]), and asked for again, [`ATTEMPTS`] times in all; so is one that was done when the executor
//! which holds its last rows went. Nothing of an attempt counts before its last row has arrived.

use super::build::{self, Build};
use super::fit::{bytes, fit, obstacle};
use super::place::Shelf;
use super::{ClusterError, connected};
use crate::lake::Lake;
use arrow::array::RecordBatch;
use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt as _;
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::common::collect;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path as StorePath;
use reqwest::StatusCode;
use reqwest::header::SERVER;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// How often a job is asked for: a lost executor can cost two, one when it is missed and one when it is given up.
const ATTEMPTS: usize = 6;
/// How long a scheduler may take to say whether it is ready.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an executor may take to come back where all of them are gone, and how often it is looked.
const ABSENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(500);

/// Which cluster, and how it is used.
#[derive(Clone, Debug)]
pub struct Target {
    /// URL of the scheduler.
    pub url: String,
    /// Parts that work is cut into: as many as the executors have threads together, or a few times that.
    pub partitions: usize,
    /// Plans that read fewer bytes of files are run by the client itself.
    pub least_bytes: u64,
}

/// A cluster that answered, and what one analysis keeps for its executors.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    partitions: usize,
    least_bytes: u64,
    shelf: Shelf,
    shares: Mutex<Shares>,
}

/// What of an analysis ran where.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// Queries that the cluster ran.
    pub there: BTreeSet<String>,
    /// Queries that the client ran itself, and why.
    pub here: BTreeMap<String, String>,
}

impl Shares {
    fn add(&mut self, what: &str, stays: Option<&String>) {
        match stays {
            Some(reason) => _ = self.here.insert(what.to_owned(), reason.clone()),
            None => _ = self.there.insert(what.to_owned()),
        }
    }
}

/// Why most queries of a small lake stay.
pub const LITTLE: &str = "reads too little for a job";

impl Cluster {
    /// Asks the scheduler whether it and an executor are there, and makes a place for its files below the lake.
    ///
    /// # Errors
    /// [`ClusterError`] that names the URL.
    pub async fn connect(target: &Target, lake: &Lake) -> Result<Arc<Self>, ClusterError> {
        let url = address(&target.url)?;
        ready(&url).await?;
        let shelf = Shelf::below(lake)?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Arc::new(Self {
            url,
            // With one, all joins would be of the kind that is kept out below.
            partitions: target.partitions.max(2),
            least_bytes: target.least_bytes,
            shelf,
            shares: Mutex::default(),
        }))
    }

    /// The cluster of a session.
    #[must_use]
    pub fn of(config: &SessionConfig) -> Option<Arc<Self>> {
        config.get_extension::<Self>()
    }

    /// Settings of a session whose plans may go to this cluster: without what works within one process only.
    #[must_use]
    pub fn configure(self: &Arc<Self>, config: SessionConfig) -> SessionConfig {
        let config = config
            .with_target_partitions(self.partitions)
            .upgrade_for_ballista()
            .with_ballista_broadcast_join_threshold_bytes(0)
            .with_option_extension(Build::of_this())
            .with_extension(Arc::clone(self));
        let mut config = connected(config);
        let options = config.options_mut();
        // Stages cannot be cut through the other kind of union.
        options.optimizer.prefer_existing_union = true;
        // No join that hands its whole left side to each task: the scheduler makes another kind of it where it does not know how large that side is, and
        // then rows lie in other partitions than what reads them was planned for ([`obstacle`]).
        options.optimizer.hash_join_single_partition_threshold = 0;
        options.optimizer.hash_join_single_partition_threshold_rows = 0;
        // A hint to scans in which order to read; it does not travel, and the rows are sorted all the same.
        options.optimizer.enable_sort_pushdown = false;
        // Texts and joins as they are on one machine: a stage copies its texts out, and a join that does not fit is done again by sorting.
        options.optimizer.prefer_hash_join = true;
        options.execution.parquet.schema_force_view_types = true;
        options.sql_parser.map_string_types_to_utf8view = true;
        config
    }

    /// Where files of this analysis go that all executors can read: a store, and a folder in it.
    #[must_use]
    pub fn place(&self) -> (ObjectStoreUrl, &StorePath) {
        (self.shelf.url.clone(), &self.shelf.path)
    }

    /// Makes the store of those files known to a session.
    pub fn register(&self, runtime: &RuntimeEnv) {
        self.shelf.register(runtime);
    }

    /// How the queries of this analysis were shared out so far.
    #[must_use]
    pub fn shares(&self) -> Shares {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The plan as it can travel, or why it stays here.
    fn offered(&self, plan: &Arc<dyn ExecutionPlan>, context: &TaskContext) -> Result<Arc<dyn ExecutionPlan>, String> {
        if bytes(plan) < self.least_bytes {
            return Err(LITTLE.to_owned());
        }
        let fitting = fit(Arc::clone(plan)).map_err(|e| e.strip_backtrace())?;
        obstacle(&fitting, context).map_or(Ok(fitting), Err)
    }

    /// The work of a plan, the one of `what`.
    #[must_use]
    pub fn job(self: &Arc<Self>, what: &str, plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Job {
        let offered = self.offered(&plan, &context);
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).add(what, offered.as_ref().err());
        let is_there = offered.is_ok();
        Job { cluster: Arc::clone(self), plan: offered.unwrap_or(plan), context, is_there, attempt: 0 }
    }

    /// All rows of a plan, the one of `what`.
    ///
    /// # Errors
    /// Those of the plan, or [`ClusterError::Job`] as an external one.
    pub fn rows(
        self: &Arc<Self>,
        what: &str,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> BoxFuture<'static, Result<Vec<RecordBatch>>> {
        let mut job = self.job(what, plan, context);
        async move {
            loop {
                let rows = job.rows().await?;
                match collect(rows).await {
                    Ok(rows) => return Ok(rows),
                    Err(error) => job.lost(error)?,
                }
            }
        }
        .boxed()
    }

    /// Waits for an executor, for some time. A job that there is nobody for would wait for ever.
    async fn has_executor(&self) -> Result<()> {
        let failed = |e: ClusterError| DataFusionError::External(Box::new(e));
        let url = address(&self.url).map_err(failed)?;
        let began = Instant::now();
        loop {
            match ready(&url).await {
                Err(ClusterError::NoExecutor { .. }) if began.elapsed() < ABSENCE => tokio::time::sleep(LOOK).await,
                answer => return answer.map_err(failed),
            }
        }
    }

    fn failed(&self, error: &DataFusionError) -> DataFusionError {
        let detail = first_line(error);
        if is_short_of_memory(&detail) {
            return DataFusionError::ResourcesExhausted(detail);
        }
        DataFusionError::External(Box::new(ClusterError::Job { url: self.url.clone(), detail }))
    }
}

/// The work of one plan, here or there.
#[derive(Debug)]
pub struct Job {
    cluster: Arc<Cluster>,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    is_there: bool,
    attempt: usize,
}

impl Job {
    /// Runs it: its rows, none of which counts before the last has arrived.
    ///
    /// # Errors
    /// Those of the plan, or [`ClusterError::Job`] as an external one.
    pub async fn rows(&mut self) -> Result<SendableRecordBatchStream> {
        if !self.is_there {
            return execute_stream(Arc::clone(&self.plan), Arc::clone(&self.context));
        }
        loop {
            if self.attempt > 0 {
                self.cluster.has_executor().await?;
            }
            self.attempt += 1;
            match self.submit().await {
                Ok(rows) => return Ok(rows),
                Err(error) => {
                    let may_pass = may_pass(&error.to_string());
                    self.again(&error, may_pass)?;
                }
            }
        }
    }

    /// Which attempt the rows are of.
    #[must_use]
    pub fn attempt(&self) -> usize {
        self.attempt
    }

    /// Says that the rows did not all arrive. They can be asked for again: the executors that made them give them to whoever comes.
    ///
    /// # Errors
    /// If they cannot.
    pub fn lost(&mut self, error: DataFusionError) -> Result<()> {
        if self.is_there { self.again(&error, true) } else { Err(error) }
    }

    fn again(&self, error: &DataFusionError, may_pass: bool) -> Result<()> {
        if self.attempt == ATTEMPTS || !may_pass {
            return Err(self.cluster.failed(error));
        }
        log::warn!("attempt {} of a job failed and is repeated: {}", self.attempt, first_line(error));
        Ok(())
    }

    fn submit(&self) -> BoxFuture<'static, Result<SendableRecordBatchStream>> {
        let config = self.context.session_config().clone();
        let (url, session, plan) = (self.cluster.url.clone(), self.context.session_id(), Arc::clone(&self.plan));
        async move {
            let codec = BallistaPhysicalExtensionCodec::default();
            let ballista = config.ballista_config();
            execute_physical_plan::<PhysicalPlanNode>(url, &ballista, plan, &codec, session, config).await
        }
        .boxed()
    }
}

/// Whether a job failed for what may be otherwise the next time: executors and connections come and go, a query stays what it is.
fn may_pass(detail: &str) -> bool {
    const SIGNS: [&str; 8] = ["Cancelled", "Fetch", "fetch", "transport error", "Connection", "IO error", "executor", FETCHING];
    !detail.contains(build::REFUSED)
        && !detail.contains("runtime execution error")
        && SIGNS.iter().any(|sign| detail.contains(sign))
}

/// What Ballista says of a stage or a task that could not fetch its input, or not write: another one may. (Of what a query does wrong it says only that.)
pub(super) const FETCHING: &str = "most recent failure reason";

/// Whether an executor had too little memory for a task: Ballista sends what the engine's error looks like to programmers.
fn is_short_of_memory(detail: &str) -> bool {
    ["Resources exhausted", "ResourcesExhausted"].iter().any(|sign| detail.contains(sign))
}

fn first_line(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    text.lines().next().unwrap_or_default().chars().take(2000).collect()
}

/// The URL of a scheduler: `http://host:port`.
pub(super) fn address(text: &str) -> Result<Url, ClusterError> {
    // The text may hold a password.
    let failed = |detail: &str| ClusterError::Address {
        url: text.rsplit('@').next().unwrap_or_default().to_owned(),
        detail: detail.to_owned(),
    };
    let url = Url::parse(text).map_err(|e| failed(&e.to_string()))?;
    if url.scheme() != "http" {
        return Err(failed("it begins with http://"));
    }
    if url.host_str().is_none_or(str::is_empty) || url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        return Err(failed("it has a host and a port, and nothing else"));
    }
    Ok(url)
}

/// Whether a scheduler with an executor answers.
async fn ready(url: &Url) -> Result<(), ClusterError> {
    let shown = || url.as_str().trim_end_matches('/').to_owned();
    let answer = ask(url, "readyz").await?;
    // Ballista says who it is in a header of its own.
    let is_scheduler =
        answer.headers().get(SERVER).and_then(|name| name.to_str().ok()).is_some_and(|name| name.starts_with("ballista/"));
    match answer.status() {
        StatusCode::OK if is_scheduler => Ok(()),
        StatusCode::SERVICE_UNAVAILABLE if is_scheduler => Err(ClusterError::NoExecutor { url: shown() }),
        _ => Err(ClusterError::NotAScheduler { url: shown() }),
    }
}

/// Asks the scheduler's page for health checks.
pub(super) async fn ask(url: &Url, page: &str) -> Result<reqwest::Response, ClusterError> {
    let failed = |e: reqwest::Error| {
        // The last cause says what the network said.
        let mut cause: &dyn std::error::Error = &e;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let detail = if e.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
        ClusterError::Unreachable { url: url.as_str().trim_end_matches('/').to_owned(), detail }
    };
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(failed)?;
    client.get(format!("{url}{page}")).send().await.map_err(|e| {
        if e.source().is_none() {
            return ClusterError::NotAScheduler { url: url.as_str().trim_end_matches('/').to_owned() };
        }
        failed(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_schedulers() {
        assert!(address("http://127.0.0.1:50050").is_ok() && address("http://scheduler:50050/").is_ok());
        for wrong in ["127.0.0.1:50050", "https://host:1", "http://host/path", "http://user@host:1", "s3://bucket", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        let said = address("https://user:secret@host:1").expect_err("no such address").to_string();
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn what_a_query_does_wrong_is_not_asked_for_again() {
        // As Ballista 55.0 says it of a job that was given up, of an executor that is gone, of one that began anew at the same address.
        assert!(may_pass("Job Cancelled"));
        assert!(may_pass("Stage 4 has failed 1 times, most recent failure reason: \"Grpc error: transport error\""));
        let anew = "Stage 4 has failed 1 times, most recent failure reason: \"Status { code: Internal, message: Failed to open file: No such file\"";
        assert!(may_pass(anew));
        let job = ClusterError::Job { url: String::new(), detail: anew.to_owned() };
        assert_eq!(job.hint(), None, "what is missing there is no file of the lake");
        assert!(!may_pass("Task failed due to runtime execution error: Arithmetic overflow on executor a"));
        let short = "Task failed due to runtime execution error: DataFusionError(ResourcesExhausted(\"Failed to allocate\"))";
        assert!(!may_pass(short) && is_short_of_memory(short), "it is done again by sorting");
        assert!(!may_pass(&format!("executor: {}the client is x", build::REFUSED)));
    }
}
