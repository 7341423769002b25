//! How an executor runs its part of a plan: as Ballista does, for clients of this build, on threads with room for deep plans, and with texts that
//! travel alone.
//!
//! Ballista's own threads for tasks have the stack that the system gives by default, which operators above operators overflow.
//!
//! A text column refers to the buffers of the rows it was read with. Arrow writes such buffers whole, so that each batch which a stage hands on would
//! carry what thousands of other rows say; it is copied out before.

use super::build;
use crate::query::compact::compact;
use arrow::datatypes::DataType;
use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::client_pool::BallistaClientPool;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::prelude::SessionConfig;
use futures::StreamExt as _;
use std::fmt;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Ballista's engine behind our rules.
pub(super) struct Engine {
    inner: DefaultExecutionEngine,
    threads: Handle,
}

impl Engine {
    /// With connections that are used again; tasks run on `threads`.
    pub(super) fn new(connections: Arc<dyn BallistaClientPool>, threads: Handle) -> Self {
        Self { inner: DefaultExecutionEngine::with_client_pool(connections), threads }
    }
}

impl ExecutionEngine for Engine {
    fn create_query_stage_exec(
        &self,
        job: JobId,
        stage: usize,
        task: usize,
        partitions: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        folder: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        build::check(config.options(), "executor")?;
        let plan = compacted(plan)?;
        let inner = self.inner.create_query_stage_exec(job, stage, task, partitions, plan, folder, config)?;
        Ok(Arc::new(Stage { inner, threads: self.threads.clone() }))
    }
}

/// A stage of a job on threads of ours.
#[derive(Debug)]
struct Stage {
    inner: Arc<dyn QueryStageExecutor>,
    threads: Handle,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl QueryStageExecutor for Stage {
    async fn execute_query_stage(&self, task: usize, context: Arc<TaskContext>) -> Result<Vec<ShuffleWritePartition>> {
        let inner = Arc::clone(&self.inner);
        // A set, as it ends what runs in it where the task is cancelled.
        let mut running = JoinSet::new();
        running.spawn_on(async move { inner.execute_query_stage(task, context).await }, &self.threads);
        match running.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) => Err(DataFusionError::ExecutionJoin(Box::new(error))),
            None => Err(DataFusionError::Internal("a task was lost".to_owned())),
        }
    }

    /// None: nobody looks at them, and the scheduler of Ballista 55.0 drops the news that a task has ended, and waits for it for ever, where tasks of
    /// a stage measure different numbers of operators (below a union, it replaces an empty input, which measures nothing, by a scan, which does).
    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        Vec::new()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.inner.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.inner.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.inner.collect_column_stats()
    }
}

/// The stage, whose root writes what it hands on, with texts copied out before.
fn compacted(stage: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let [written] = stage.children()[..] else { return Ok(stage) };
    let has_views = written.schema().fields().iter().any(|field| field.data_type() == &DataType::Utf8View);
    if !has_views {
        return Ok(stage);
    }
    let written: Arc<dyn ExecutionPlan> = Arc::new(Compact { input: Arc::clone(written) });
    datafusion::physical_plan::replace_children_if_necessary(stage, vec![written])
}

/// Copies texts out of the buffers that they share with other rows.
#[derive(Debug)]
struct Compact {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Compact {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compact")
    }
}

impl ExecutionPlan for Compact {
    fn name(&self) -> &'static str {
        "Compact"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { input: children.swap_remove(0) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?.map(|batch| compact(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows)))
    }
}
