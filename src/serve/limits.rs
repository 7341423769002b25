//! What one query may use: memory, rows, seconds. Whichever way it came in, its plan runs below a [`GuardExec`].
//!
//! Memory is a pool of the query's own within the server's ([`super::memory`]), so one that wants too much fails alone, with DataFusion's error; sorts
//! and joins that can spill do so first.
//! Rows are those sent to the client. A query that is over its seconds is dropped with all its work, also in the middle of a join: what makes many
//! rows out of few gives way now and then, or the clock above an aggregate over a cross join would be looked at only at its end.
//!
//! Queries take turns ([`Turns`]): as many work at once as the cores can serve, the others wait in the order in which they came. A turn lasts from a
//! batch of rows asked for to that batch, so a client that reads slowly, or leaves a cursor open, keeps no place. Seconds are those of its turns:
//! waiting for others uses up nobody's.

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
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Queries that work at once, for each thread: one of them may wait for a disk.
const TURNS_PER_THREAD: usize = 2;

/// What one query may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of its operators' state.
    pub memory: usize,
    /// Bytes of the state of all queries of the server.
    pub total_memory: usize,
    /// Rows that it returns.
    pub rows: u64,
    /// In which it works.
    pub time: Duration,
}

/// Places of the queries that work.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    /// For an engine of so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(TURNS_PER_THREAD * threads.max(1))))
    }
}

/// Says to what is planned within a query that the query has its turn and limits already.
struct Within;

/// Puts a [`GuardExec`] above every plan.
#[derive(Debug)]
pub(super) struct GuardRule {
    pub(super) limits: Limits,
    pub(super) budget: Arc<Budget>,
    pub(super) turns: Turns,
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
        Ok(Arc::new(GuardExec { input: one, limits: self.limits, budget: Arc::clone(&self.budget), turns: self.turns.clone() }))
    }

    fn name(&self) -> &str {
        "query_limits"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The root of a plan: its turns, its own memory pool, a clock and a count of rows.
#[derive(Clone, Debug)]
struct GuardExec {
    input: Arc<dyn ExecutionPlan>,
    limits: Limits,
    budget: Arc<Budget>,
    turns: Turns,
}

impl GuardExec {
    const NAME: &str = "GuardExec";

    fn above(&self, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("a guard guards one plan".to_owned()))?;
        Ok(Arc::new(Self { input, ..self.clone() }))
    }
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
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.above(children)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.above(children)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        // One that waited for a turn within another's would wait for ever where all turns are taken by such.
        if context.session_config().get_extension::<Within>().is_some() {
            return self.input.execute(partition, context);
        }
        let shared = context.runtime_env();
        let own = RuntimeEnvBuilder::from_runtime_env(&shared)
            .with_memory_pool(Arc::new(QueryPool::new(self.limits.memory, Arc::clone(&self.budget))))
            .build_arc()?;
        let context = Arc::new(TaskContext::new(
            context.task_id(),
            context.session_id(),
            context.session_config().clone().with_extension(Arc::new(Within)),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            own,
        ));
        Ok(Box::pin(Guarded {
            input: self.input.execute(partition, context)?,
            limits: self.limits,
            turns: self.turns.clone(),
            at: At::Rest,
            used: Duration::ZERO,
            rows: 0,
            is_over: false,
        }))
    }
}

/// Where a query is.
enum At {
    /// Nobody asks it for rows.
    Rest,
    /// It waits for its turn.
    Queue(Pin<Box<dyn Future<Output = std::result::Result<OwnedSemaphorePermit, AcquireError>> + Send>>),
    /// It has its turn, since then, and is stopped at the end of the sleep.
    Turn(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit, Instant, Pin<Box<Sleep>>),
}

struct Guarded {
    input: SendableRecordBatchStream,
    limits: Limits,
    turns: Turns,
    at: At,
    /// By turns that are over.
    used: Duration,
    rows: u64,
    is_over: bool,
}

impl Guarded {
    fn over(&mut self, what: String) -> Poll<Option<Result<RecordBatch>>> {
        self.is_over = true;
        self.at = At::Rest;
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
        loop {
            self.at = match &mut self.at {
                At::Rest => At::Queue(Box::pin(Arc::clone(&self.turns.0).acquire_owned())),
                At::Queue(place) => match ready!(place.as_mut().poll(context)) {
                    Ok(place) => At::Turn(place, Instant::now(), Box::pin(sleep(limit.saturating_sub(self.used)))),
                    Err(_) => return self.over("the server ends".to_owned()),
                },
                At::Turn(_, _, clock) => {
                    if clock.as_mut().poll(context).is_ready() {
                        return self.over(format!("the query took longer than {} s and was stopped", limit.as_secs()));
                    }
                    break;
                }
            };
        }
        let polled = ready!(self.input.as_mut().poll_next(context));
        if let At::Turn(_, since, _) = std::mem::replace(&mut self.at, At::Rest) {
            self.used += since.elapsed();
        }
        if let Some(Ok(batch)) = &polled {
            self.rows += batch.num_rows() as u64;
            let limit = self.limits.rows;
            if self.rows > limit {
                return self.over(format!("the query returns more than {limit} rows: aggregate, or add a LIMIT"));
            }
        }
        Poll::Ready(polled)
    }
}

impl RecordBatchStream for Guarded {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
