//! Window functions in a form that keeps its meaning on the wire.
//!
//! DataFusion 55 serialises a window function's name, arguments and frame, and silently loses the rest (`datafusion-proto`,
//! `physical_plan/to_proto.rs`): the other side computes something else.
//!
//! | lost | instead |
//! | --- | --- |
//! | `IGNORE NULLS` of `lag`, `lead`, `first_value`, `last_value`, `nth_value` | functions of ours that always ignore them, [`Sent`] |
//! | that the planner turned one of them round, to use rows that come sorted the other way | [`Sent`] cannot be turned round |
//! | `FILTER` of `count`, `sum`, `min`, `max`, `avg` | the argument is null where the condition does not hold, which they pass over |
//!
//! [`Travelling`] rewrites queries of a session with a cluster before they are planned. Whatever it does not know stays as it is, and
//! [`is_whole`] then keeps such a plan at home.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::function::{ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    Expr, LimitEffect, LogicalPlan, PartitionEvaluator, Signature, WindowFunctionDefinition, WindowUDF, WindowUDFImpl, when,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::WindowExpr;
use std::sync::Arc;

/// Functions that can ignore nulls, and that the planner may turn round.
const FUNCTIONS: [&str; 5] = ["lag", "lead", "nth_value", "first_value", "last_value"];
/// Aggregates that pass over nulls, so that a condition can be an argument.
const FILTERED: [&str; 5] = ["count", "sum", "min", "max", "avg"];

/// A window function under a name that says all that there is to say.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sent {
    name: String,
    inner: Arc<WindowUDF>,
    ignores_nulls: bool,
}

impl Sent {
    fn name_of(function: &str, ignores_nulls: bool) -> String {
        format!("{function}_sent{}", if ignores_nulls { "_ignoring_nulls" } else { "" })
    }

    fn of(inner: &Arc<WindowUDF>, ignores_nulls: bool) -> Arc<WindowUDF> {
        let name = Self::name_of(inner.name(), ignores_nulls);
        Arc::new(WindowUDF::new_from_impl(Self { name, inner: Arc::clone(inner), ignores_nulls }))
    }
}

impl WindowUDFImpl for Sent {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn expressions(&self, args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.expressions(args)
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let ignores_nulls = self.ignores_nulls || args.ignore_nulls();
        let args = PartitionEvaluatorArgs::new(args.input_exprs(), args.input_fields(), args.is_reversed(), ignores_nulls);
        self.inner.partition_evaluator_factory(args)
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        self.inner.field(args)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(given)
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.inner.inner().limit_effect(args)
    }
}

/// Makes the functions known that queries are rewritten with.
pub(super) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for name in FUNCTIONS {
        let inner = registry.udwf(name)?;
        for ignores_nulls in [false, true] {
            registry.register_udwf(Sent::of(&inner, ignores_nulls))?;
        }
    }
    Ok(())
}

/// Rewrites window functions.
#[derive(Debug)]
pub(super) struct Travelling;

impl AnalyzerRule for Travelling {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            if !matches!(node, LogicalPlan::Window(_)) {
                return Ok(Transformed::no(node));
            }
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(expr.transform_up(rewrite)?.update_data(|expr| name.restore(expr)))
            })
        });
        rewritten.data()
    }

    fn name(&self) -> &'static str {
        "travelling_windows"
    }
}

fn rewrite(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::WindowFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
    let changed = match &call.fun {
        WindowFunctionDefinition::WindowUDF(function) => {
            let is_sent = FUNCTIONS.contains(&function.name());
            if is_sent {
                let ignores_nulls = call.params.null_treatment == Some(NullTreatment::IgnoreNulls);
                call.fun = WindowFunctionDefinition::WindowUDF(Sent::of(function, ignores_nulls));
                call.params.null_treatment = None;
            }
            is_sent
        }
        WindowFunctionDefinition::AggregateUDF(function) => {
            let is_sent = FILTERED.contains(&function.name()) && call.params.args.len() == 1;
            is_sent && condition_as_argument(&mut call)?
        }
    };
    let expr = Expr::WindowFunction(call);
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// Makes the condition of a call part of its only argument; says whether there was one.
fn condition_as_argument(call: &mut WindowFunction) -> Result<bool> {
    let Some(condition) = call.params.filter.take() else { return Ok(false) };
    if let Some(argument) = call.params.args.pop() {
        call.params.args.push(when(*condition, argument).end()?);
    }
    Ok(true)
}

/// Whether nothing of a window function would be lost on the wire. What would be is private to DataFusion's types, and shows in their debug form only.
pub(super) fn is_whole(function: &dyn WindowExpr) -> bool {
    let text = format!("{function:?}");
    !["ignore_nulls: true", "is_reversed: true", "filter: Some("].iter().any(|lost| text.contains(lost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::session;
    use arrow::util::pretty::pretty_format_batches;
    use ballista_core::serde::BallistaPhysicalExtensionCodec;
    use datafusion::physical_plan::{ExecutionPlan, collect};
    use datafusion::prelude::SessionContext;
    use datafusion_proto::physical_plan::AsExecutionPlan as _;
    use datafusion_proto::protobuf::PhysicalPlanNode;

    /// All that is lost, over rows with gaps; the first sorts by day upwards, so that the planner would turn the others round.
    const QUERY: &str = "
        SELECT customer, day, price,
               lag(price) IGNORE NULLS OVER up AS known_before, lag(price) OVER up AS before, lead(price, 2, 0) OVER up AS after,
               last_value(price) IGNORE NULLS OVER up AS last_known, first_value(price) IGNORE NULLS OVER down AS first_known,
               nth_value(price, 2) OVER down AS second, lag(day) OVER down AS later, lead(day) OVER down AS earlier,
               count(*) FILTER (WHERE price > 2) OVER up AS dear, sum(price) FILTER (WHERE day % 2 = 0) OVER (PARTITION BY customer) AS even
        FROM (SELECT n % 3 AS customer, n AS day, CASE WHEN n % 4 > 1 THEN n % 7 END AS price FROM (SELECT unnest(generate_series(1, 60)) AS n))
        WINDOW up AS (PARTITION BY customer ORDER BY day), down AS (PARTITION BY customer ORDER BY day DESC)
        ORDER BY customer, day";

    async fn plan(ctx: &SessionContext) -> Arc<dyn ExecutionPlan> {
        ctx.sql(QUERY).await.expect("a query").create_physical_plan().await.expect("a plan")
    }

    async fn rows(plan: Arc<dyn ExecutionPlan>, ctx: &SessionContext) -> String {
        pretty_format_batches(&collect(plan, ctx.task_ctx()).await.expect("rows")).expect("text").to_string()
    }

    fn sent(plan: Arc<dyn ExecutionPlan>, ctx: &SessionContext) -> Arc<dyn ExecutionPlan> {
        let codec = BallistaPhysicalExtensionCodec::default();
        let message = PhysicalPlanNode::try_from_physical_plan(plan, &codec).expect("a message");
        message.try_into_physical_plan(&ctx.task_ctx(), &codec).expect("a plan")
    }

    #[test]
    fn windows_say_the_same_on_the_other_side() {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(crate::STACK).build().expect("a runtime");
        runtime.block_on(async {
            let (here, there) = (session::context(2), session::context(2));
            let expected = rows(plan(&here).await, &here).await;
            // If this fails, DataFusion no longer loses anything, and this module can go.
            assert!(
                crate::cluster::fit::is_whole(&plan(&here).await)
                    == (expected == rows(sent(plan(&here).await, &here), &here).await)
            );
            assert!(!crate::cluster::fit::is_whole(&plan(&here).await));
            register(&mut *there.state_ref().write()).expect("registered");
            there.add_analyzer_rule(Arc::new(Travelling));
            let rewritten = plan(&there).await;
            assert!(crate::cluster::fit::is_whole(&rewritten));
            assert_eq!(expected, rows(Arc::clone(&rewritten), &there).await);
            assert_eq!(expected, rows(sent(rewritten, &there), &there).await);
        });
    }
}
