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
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::displayable;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
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
    if hands_out_whole_sides(plan) {
        return Some("holds a join that the scheduler would do in another way".to_owned());
    }
    let codec = BallistaPhysicalExtensionCodec::default();
    let failed = |e: DataFusionError| e.strip_backtrace().lines().next().unwrap_or_default().to_owned();
    let sent = match PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), &codec) {
        Ok(sent) => sent,
        Err(error) => return Some(format!("cannot be sent: {}", failed(error))),
    };
    match sent.try_into_physical_plan(context, &codec) {
        Ok(read) => difference(&text(plan), &text(&read)),
        Err(error) => Some(format!("cannot be read back: {}", failed(error))),
    }
}

/// What a plan shows of itself, a line for each operator; what only says again what columns of a union are called and whether they may be null is
/// left out: a cast's word on that is lost on the wire, and a union adds it where it is missing.
fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    fn add(plan: &Arc<dyn ExecutionPlan>, depth: usize, text: &mut String) {
        *text += &format!("{:1$}{2}", "", 2 * depth, displayable(plan.as_ref()).one_line());
        for mut child in plan.children() {
            while plan.is::<UnionExec>()
                && let Some(below) = said_again(child)
            {
                child = below;
            }
            add(child, depth + 1, text);
        }
    }
    let mut all = String::new();
    add(plan, 0, &mut all);
    all
}

/// The input of a projection that keeps all columns, their order and their types.
fn said_again(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let projection = plan.downcast_ref::<ProjectionExec>()?;
    let schema = projection.input().schema();
    let keeps = |(index, expression): (usize, &ProjectionExpr)| {
        let (inner, cast_to) = match expression.expr.downcast_ref::<CastExpr>() {
            Some(cast) => (cast.expr(), Some(cast.cast_type())),
            None => (&expression.expr, None),
        };
        let is_same_column = inner.downcast_ref::<Column>().is_some_and(|column| column.index() == index);
        is_same_column && cast_to.is_none_or(|to| to == schema.field(index).data_type())
    };
    let is_whole = projection.expr().len() == schema.fields().len();
    (is_whole && projection.expr().iter().enumerate().all(keeps)).then(|| projection.input())
}

/// What is different about a plan that was read back: where its first line that has changed does so.
fn difference(sent: &str, read: &str) -> Option<String> {
    if sent == read {
        return None;
    }
    let named = |sent: Option<&str>, read: Option<&str>| {
        let (sent, read) = (sent.unwrap_or("nothing"), read.unwrap_or("nothing"));
        let same = sent.chars().zip(read.chars()).take_while(|(a, b)| a == b).count();
        let short = |line: &str| line.chars().skip(same.saturating_sub(60)).take(200).collect::<String>();
        format!("changes on the wire: `{}` becomes `{}`", short(sent.trim_end()), short(read.trim_end()))
    };
    let (mut sent, mut read) = (sent.lines(), read.lines());
    loop {
        match (sent.next(), read.next()) {
            (None, None) => return Some("changes on the wire".to_owned()),
            (a, b) if a != b => return Some(named(a, b)),
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

/// Whether one of a plan's joins collects its left side. The scheduler of Ballista 55.0 keeps such a join only if it knows that side to be small and not
/// empty; else it has both sides partitioned by the keys, whatever partitions the operators above rely on.
fn hands_out_whole_sides(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let found = plan.exists(|node| {
        Ok(node.downcast_ref::<HashJoinExec>().is_some_and(|join| *join.partition_mode() == PartitionMode::CollectLeft))
    });
    !matches!(found, Ok(false))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::session;

    const JOIN: &str = "
        SELECT one.customer, two.name FROM (VALUES (1), (2)) AS one(customer)
        JOIN (VALUES (1, 'a'), (2, 'b')) AS two(customer, name) ON one.customer = two.customer";

    async fn why(query: &str) -> Option<String> {
        let ctx = session::context(2);
        let plan = ctx.sql(query).await.expect("a query").create_physical_plan().await.expect("a plan");
        obstacle(&fit(plan).expect("fitted"), &ctx.task_ctx())
    }

    #[tokio::test]
    async fn a_join_that_hands_out_its_whole_left_side_stays() {
        let stays = why(JOIN).await.expect("an obstacle");
        assert!(stays.contains("a join that the scheduler would do in another way"), "{stays}");
    }

    #[tokio::test]
    async fn a_union_that_comes_back_with_its_names_said_again_is_the_same() {
        let query =
            "SELECT 1 AS a, CAST(NULL AS TEXT) AS b UNION ALL SELECT n, 'x' FROM (SELECT unnest(generate_series(1, 3)) AS n)";
        assert_eq!(why(query).await, None);
    }

    #[test]
    fn what_has_changed_on_the_wire_is_shown_where_it_has() {
        assert_eq!(difference("a\nb", "a\nb"), None);
        let said = difference("Scan: of a\n", "Scan: of b\n").expect("a difference");
        assert!(said.contains("`Scan: of a` becomes `Scan: of b`"), "{said}");
    }
}
