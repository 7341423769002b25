//! Batches that hold what they say, where memory is limited: sorts and joins count a batch by its whole buffers.
//!
//! A sum, a fact in memory and a join give slices of large arrays: 8,192 rows that refer to the buffers of a million. An operator that holds them
//! asks the memory pool for the million rows each time, and fails at once where it would need little. So below every sort, and below the
//! side of a join that is held, each batch is copied out of its buffers if they are more than twice what its rows need.
//!
//! A nested loop join whose held side does not fit asks for that side anew, to put it on disk. What was dealt out to threads comes only once, and
//! the engine panics (DataFusion 55.2, `RepartitionExec`): here it is an error, that memory is short.
//!
//! Cost: one copy of the rows that are sorted or held, only within `--memory-limit`.

use arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt as _;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Puts [`CompactExec`] where batches are held.
#[derive(Debug)]
pub(super) struct CompactWhatIsHeld;

impl PhysicalOptimizerRule for CompactWhatIsHeld {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            // A sort has one input; of these joins the first is held.
            let is_loop = plan.is::<NestedLoopJoinExec>();
            if !is_loop && !plan.is::<SortExec>() && !plan.is::<HashJoinExec>() {
                return Ok(Transformed::no(plan));
            }
            let mut inputs: Vec<Arc<dyn ExecutionPlan>> = plan.children().into_iter().map(Arc::clone).collect();
            let comes_once = is_loop && inputs[0].exists(|below| Ok(below.is::<RepartitionExec>()))?;
            inputs[0] = Arc::new(CompactExec::new(Arc::clone(&inputs[0]), comes_once));
            let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(plan.replace_children(inputs, same)?))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "compact_what_is_held"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rows of its input, each batch in buffers of its own.
#[derive(Debug)]
struct CompactExec {
    input: Arc<dyn ExecutionPlan>,
    /// Where the input can be asked for once: the partitions that were.
    asked: Option<Mutex<BTreeSet<usize>>>,
}

impl CompactExec {
    fn new(input: Arc<dyn ExecutionPlan>, comes_once: bool) -> Self {
        Self { input, asked: comes_once.then(Mutex::default) }
    }
}

impl DisplayAs for CompactExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CompactExec")
    }
}

impl ExecutionPlan for CompactExec {
    fn name(&self) -> &'static str {
        "CompactExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0), self.asked.is_some())))
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0), self.asked.is_some())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if let Some(asked) = &self.asked
            && !asked.lock().unwrap_or_else(PoisonError::into_inner).insert(partition)
        {
            let message = "the side of a nested loop join that is held in memory does not fit".to_owned();
            return Err(DataFusionError::ResourcesExhausted(message));
        }
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.map(|batch| compact(&batch?)))))
    }
}

/// The batch without what its rows do not need of the buffers behind them.
///
/// # Errors
/// Arrow's, if the columns do not fit the schema; they are what they were.
pub(crate) fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(own).collect::<Result<_>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &rows)?)
}

fn own(column: &ArrayRef) -> Result<ArrayRef> {
    if let DataType::Utf8View = column.data_type() {
        // Texts that refer to little more than themselves stay as they are.
        let texts = column.as_string_view();
        let held: usize = texts.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
        let views = texts.views().inner();
        let is_slice = views.ptr_offset() > 0 || views.len() * 2 < views.capacity();
        let is_whole = !is_slice && held <= 2 * texts.total_buffer_bytes_used();
        return Ok(if is_whole { Arc::clone(column) } else { Arc::new(texts.gc()) });
    }
    let data = column.to_data();
    let is_whole = data.get_slice_memory_size().is_ok_and(|needed| column.get_buffer_memory_size() <= 2 * needed);
    if is_whole {
        return Ok(Arc::clone(column));
    }
    let mut copied = MutableArrayData::new(vec![&data], false, data.len());
    copied.try_extend(0, 0, data.len())?;
    Ok(make_array(copied.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::session;
    use arrow::array::{Decimal128Array, Int64Array, ListArray, StringViewArray};
    use arrow::datatypes::{Field, Int64Type, Schema};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::displayable;

    /// Text, money, numbers and lists: slices of large arrays.
    fn sliced() -> RecordBatch {
        let rows = 100_000;
        let texts: StringViewArray = (0..rows).map(|n| (n % 7 > 0).then(|| format!("a customer with a long name {n}"))).collect();
        let money: Decimal128Array = (0..rows).map(|n| (n % 5 > 0).then_some(i128::from(n))).collect();
        let numbers: Int64Array = (0..rows).map(Some).collect();
        let lists =
            ListArray::from_iter_primitive::<Int64Type, _, _>((0..rows).map(|n| (n % 3 > 0).then(|| vec![Some(n), None])));
        let columns: Vec<ArrayRef> = vec![Arc::new(texts), Arc::new(money), Arc::new(numbers), Arc::new(lists)];
        let fields: Vec<Field> =
            columns.iter().enumerate().map(|(n, column)| Field::new(n.to_string(), column.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch").slice(50_001, 500)
    }

    #[test]
    fn rows_stay_and_the_buffers_behind_them_go() {
        let before = sliced();
        let after = compact(&before).expect("a batch");
        let text = |batch: &RecordBatch| pretty_format_batches(std::slice::from_ref(batch)).expect("text").to_string();
        assert_eq!(text(&before), text(&after));
        for (column, before) in after.columns().iter().zip(before.columns()) {
            let (held, of) = (column.get_buffer_memory_size(), before.get_buffer_memory_size());
            assert!(held < of / 20, "{}: {held} of {of} bytes", column.data_type());
        }
        let none = before.project(&[]).expect("a batch without columns");
        assert_eq!(compact(&none).expect("a batch").num_rows(), before.num_rows());
        let again = compact(&after).expect("a batch");
        assert!(again.columns().iter().zip(after.columns()).all(|(again, after)| Arc::ptr_eq(again, after)), "copied twice");
    }

    #[tokio::test]
    async fn sorts_and_what_joins_hold_are_compacted_within_a_limit_only() {
        let sql = "SELECT a.n, row_number() OVER (ORDER BY a.n) AS place FROM (SELECT unnest(generate_series(1, 9)) AS n) AS a
                   JOIN (SELECT unnest(generate_series(1, 9)) AS n) AS b ON a.n = b.n";
        for (ctx, compacts) in [(session::context(2), 0), (session::within(2, 1 << 30).expect("a session"), 2)] {
            let plan = ctx.sql(sql).await.expect("a plan").create_physical_plan().await.expect("a plan");
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert_eq!(shown.matches("CompactExec").count(), compacts, "{shown}");
        }
    }

    #[tokio::test]
    async fn a_nested_loop_join_that_does_not_fit_is_an_error() {
        // The held side is dealt out to threads by its sum, and is far larger than all memory.
        let sql = "SELECT count(*) FROM (SELECT n, sum(n) AS s FROM (SELECT unnest(generate_series(1, 300000)) AS n) GROUP BY n) AS a
                   JOIN (SELECT n, sum(n) AS s FROM (SELECT unnest(generate_series(1, 300001)) AS n) GROUP BY n) AS b ON a.n + a.s < b.s - 599990";
        let ctx = session::within(2, 4 << 20).expect("a session");
        let error = ctx.sql(sql).await.expect("a plan").collect().await.expect_err("memory is short");
        assert!(matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)), "{error}");
    }
}
