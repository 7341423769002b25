//! Makes a plan fit for several machines, and says how much it reads.
//!
//! Within one process, threads that share a join's left side agree on which of its rows found a partner. Tasks do not: each would report the rows that
//! *its* part of the right side did not match. Ballista sees to that for joins by keys, not for those by other conditions (its planner knows
//! `HashJoinExec` alone): their right side is brought together, so that one task does the join.

use super::window;
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType, Result};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::displayable;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _, replace_children_if_necessary};
use datafusion_proto::physical_plan::AsExecutionPlan as _;
use datafusion_proto::protobuf::PhysicalPlanNode;
use std::sync::Arc;

/// The plan with joins as tasks can do them.
pub(super) fn fit(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else { return Ok(Transformed::no(node)) };
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let tells_of_left = !matches!(
            join.join_type(),
            JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
        );
        if !tells_of_left || right.output_partitioning().partition_count() == 1 {
            return Ok(Transformed::no(node));
        }
        let together: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(right));
        Ok(Transformed::yes(replace_children_if_necessary(node, vec![left, together])?))
    })
    .data()
}

/// Why a plan would not be the same on the other side, if so: what the wire is known to lose, and whatever does not come back as it was.
pub(super) fn obstacle(plan: &Arc<dyn ExecutionPlan>, context: &TaskContext) -> Option<String> {
    if !is_whole(plan) {
        return Some("holds a window function that loses its meaning on the wire".to_owned());
    }
    let codec = BallistaPhysicalExtensionCodec::default();
    let failed = |e: DataFusionError| e.strip_backtrace().lines().next().unwrap_or_default().to_owned();
    let sent = match PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), &codec) {
        Ok(sent) => sent,
        Err(error) => return Some(format!("cannot be sent: {}", failed(error))),
    };
    let text = |plan: &dyn ExecutionPlan| displayable(plan).indent(true).to_string();
    match sent.try_into_physical_plan(context, &codec) {
        Ok(read) => difference(&text(plan.as_ref()), &text(read.as_ref())),
        Err(error) => Some(format!("cannot be read back: {}", failed(error))),
    }
}

/// What is different about a plan that was read back: the first line that has changed.
fn difference(sent: &str, read: &str) -> Option<String> {
    if sent == read {
        return None;
    }
    let short = |line: Option<&str>| line.unwrap_or("nothing").trim().chars().take(300).collect::<String>();
    let (mut sent, mut read) = (sent.lines(), read.lines());
    loop {
        match (sent.next(), read.next()) {
            (None, None) => return Some("changes on the wire".to_owned()),
            (a, b) if a != b => return Some(format!("changes on the wire: `{}` becomes `{}`", short(a), short(b))),
            _ => {}
        }
    }
}

/// Whether nothing of a plan's window functions is lost on its way.
pub(super) fn is_whole(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let has_lost = plan.exists(|node| {
        let windows = match (node.downcast_ref::<BoundedWindowAggExec>(), node.downcast_ref::<WindowAggExec>()) {
            (Some(node), _) => node.window_expr(),
            (None, Some(node)) => node.window_expr(),
            (None, None) => return Ok(false),
        };
        Ok(windows.iter().any(|function| !window::is_whole(function.as_ref())))
    });
    matches!(has_lost, Ok(false))
}

/// Bytes of the files that a plan reads.
pub(super) fn bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let mut bytes = 0;
    let counted = plan.apply(|node| {
        if let Some(scan) = node.downcast_ref::<DataSourceExec>()
            && let Some(files) = scan.data_source().downcast_ref::<FileScanConfig>()
        {
            // A large file is cut into ranges.
            bytes += files
                .file_groups
                .iter()
                .flat_map(|group| group.iter())
                .map(|file| file.range.as_ref().map_or(file.object_meta.size, |range| range.end.abs_diff(range.start)))
                .sum::<u64>();
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // Counting cannot fail; if it did, the plan would count as large.
    if counted.is_ok() { bytes } else { u64::MAX }
}
