//! What one query may use: memory, rows, seconds. Whichever way it came in, its plan runs below a [`GuardExec`].
//!
//! Memory is a pool of the query's own within the server's ([`super::memory`]), so one that wants too much fails alone, with DataFusion's error; sorts
//! and joins that can spill do so first.
//! Rows are those sent to the client. Seconds count from the first row asked for to the last one taken; a query that is over them is dropped
//! with all its work, also in the middle of a join: what makes many rows out of few gives way now and then, or the clock above an aggregate over
//! a cross join would be looked at only at its end.

use super::memory::{Budget, QueryPool};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::config::ConfigOptions;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, PlanProperties};
use futures::Stream;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// What one query may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of its operators' state.
    pub memory: usize,
    /// Bytes of the state of all queries of the server.
    pub total_memory: usize,
    /// Rows that it returns.
    pub rows: u64,
    /// From its first row asked for to its last one taken.
    pub time: Duration,
}

/// Puts a [`GuardExec`] above every plan.
#[derive(Debug)]
pub(super) struct GuardRule {
    pub(super) limits: Limits,
    pub(super) budget: Arc<Budget>,
}

impl PhysicalOptimizerRule for GuardRule {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if plan.name() == GuardExec::NAME {
            return Ok(plan);
        }
        let plan = plan.transform_up(|node| {
            let multiplies = node.name().ends_with("JoinExec") || node.name() == "UnnestExec";
            Ok(if multiplies { Transformed::yes(Arc::new(CooperativeExec::new(node)) as _) } else { Transformed::no(node) })
        });
        let plan = plan.data()?;
        let one: Arc<dyn ExecutionPlan> = match plan.output_partitioning().partition_count() {
            1 => plan,
            _ => Arc::new(CoalescePartitionsExec::new(plan)),
        };
        Ok(Arc::new(GuardExec { input: one, limits: self.limits, budget: Arc::clone(&self.budget) }))
    }

    fn name(&self) -> &str {
        "query_limits"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The root of a plan: its own memory pool, a clock and a count of rows.
#[derive(Clone, Debug)]
struct GuardExec {
    input: Arc<dyn ExecutionPlan>,
    limits: Limits,
    budget: Arc<Budget>,
}

impl GuardExec {
    const NAME: &str = "GuardExec";
}

impl DisplayAs for GuardExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { memory, rows, time, .. } = self.limits;
        write!(f, "GuardExec: memory={memory}, rows={rows}, seconds={}", time.as_secs())
    }
}

impl ExecutionPlan for GuardExec {
    fn name(&self) -> &str {
        Self::NAME
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

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("a guard guards one plan".to_owned()))?;
        Ok(Arc::new(Self { input, limits: self.limits, budget: Arc::clone(&self.budget) }))
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("a guard guards one plan".to_owned()))?;
        Ok(Arc::new(Self { input, limits: self.limits, budget: Arc::clone(&self.budget) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let shared = context.runtime_env();
        let own = RuntimeEnvBuilder::from_runtime_env(&shared)
            .with_memory_pool(Arc::new(QueryPool::new(self.limits.memory, Arc::clone(&self.budget))))
            .build_arc()?;
        let context = Arc::new(TaskContext::new(
            context.task_id(),
            context.session_id(),
            context.session_config().clone(),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            own,
        ));
        Ok(Box::pin(Guarded {
            input: self.input.execute(partition, context)?,
            limits: self.limits,
            clock: None,
            rows: 0,
            is_over: false,
        }))
    }
}

struct Guarded {
    input: SendableRecordBatchStream,
    limits: Limits,
    clock: Option<Pin<Box<Sleep>>>,
    rows: u64,
    is_over: bool,
}

impl Guarded {
    fn over(&mut self, what: String) -> Poll<Option<Result<RecordBatch>>> {
        self.is_over = true;
        Poll::Ready(Some(Err(DataFusionError::ResourcesExhausted(what))))
    }
}

impl Stream for Guarded {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let limit = self.limits.time;
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(limit)));
        if clock.as_mut().poll(context).is_ready() {
            return self.over(format!("the query took longer than {} s and was stopped", limit.as_secs()));
        }
        let polled = self.input.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(batch))) = &polled {
            self.rows += batch.num_rows() as u64;
            let limit = self.limits.rows;
            if self.rows > limit {
                return self.over(format!("the query returns more than {limit} rows: aggregate, or add a LIMIT"));
            }
        }
        polled
    }
}

impl RecordBatchStream for Guarded {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
