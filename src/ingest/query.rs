//! A staging query, planned once per file and thread and run for every block that the thread takes.

use crate::query::session;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, collect};
use std::sync::{Arc, Mutex, PoisonError};

/// The plan of a query over the table `raw`.
#[derive(Debug)]
pub(super) struct StagingQuery {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    raw: Arc<Raw>,
}

impl StagingQuery {
    /// Plans `sql` over rows of `schema`.
    pub(super) async fn plan(sql: &str, schema: SchemaRef) -> Result<Self> {
        let context = session::context(1);
        let raw = Arc::new(Raw { schema: Arc::clone(&schema), block: Mutex::default() });
        let partition: Arc<dyn PartitionStream> = Arc::<Raw>::clone(&raw);
        context.register_table("raw", Arc::new(StreamingTable::try_new(schema, vec![partition])?))?;
        let plan = context.sql(sql).await?.create_physical_plan().await?;
        Ok(Self { plan, context: context.task_ctx(), raw })
    }

    /// What the query makes of one block.
    pub(super) async fn run(&self, block: RecordBatch) -> Result<Vec<RecordBatch>> {
        *self.raw.block.lock().unwrap_or_else(PoisonError::into_inner) = Some(block);
        // Joins and aggregates keep what they have built: every block begins anew.
        collect(reset_plan_states(Arc::clone(&self.plan))?, Arc::clone(&self.context)).await
    }
}

/// The table `raw`: the block at hand.
#[derive(Debug)]
struct Raw {
    schema: SchemaRef,
    block: Mutex<Option<RecordBatch>>,
}

impl PartitionStream for Raw {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        // Cloned, not taken: a query may name `raw` more than once.
        let block = self.block.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = MemoryStream::try_new(block.into_iter().collect(), Arc::clone(&self.schema), None);
        Box::pin(stream.expect("a stream without projection cannot fail to build"))
    }
}
