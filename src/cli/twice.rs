//! What the summary of an ingest says of costs that stand in the lake twice: an actual and an amortised export of Azure.
//!
//! Both have the same columns. Only amortised rows give usage that a reservation or a savings plan covers its cost, and have rows of what
//! stayed unused; only actual rows have the purchase. Where neither is, both say the same.
//!
//! Assumed (inference): a file in which no covered usage costs anything is an actual one.

use super::sql::cell;
use super::{Context, Failure};
use crate::lake::{Lake, truth};
use crate::query::session;
use datafusion::common::DataFusionError;

/// Statements of which files of both kinds count, as they are known now.
const BOTH: &str = "
  SELECT CAST(count(*) AS VARCHAR) AS statements, min(statement) AS first
  FROM (
    SELECT statement
    FROM (
      SELECT statement, batch_id, bool_or(amortised) AS is_amortised, bool_or(actual) AS is_actual
      FROM (
        SELECT statement, batch_id,
               category = 'unused' OR (is_covered AND category = 'usage' AND cost <> 0) AS amortised,
               is_covered AND ((category = 'usage' AND cost = 0 AND quantity <> 0) OR (category = 'purchase' AND cost <> 0)) AS actual
        FROM (
          SELECT statement, batch_id, category, quantity, cost,
                 lower(line_key) LIKE 'reservation|%' OR lower(line_key) LIKE 'savingsplan|%' AS is_covered
          FROM known.vendor_usage WHERE system = 'azure_cost'
        )
      )
      GROUP BY statement, batch_id
    )
    GROUP BY statement
    HAVING bool_or(is_amortised) AND bool_or(is_actual AND NOT is_amortised)
  )";

/// A warning if actual and amortised costs of one subscription and month add up.
pub(super) fn actual_and_amortised(context: &Context, lake: &Lake) -> Result<Option<String>, Failure> {
    let engine = |e: DataFusionError| Failure::from(truth::TruthError::Engine(e));
    let rows = context.runtime.block_on(async {
        let ctx = session::context(context.threads);
        truth::register(&ctx, lake, None).await?;
        ctx.sql(BOTH).await.map_err(engine)?.collect().await.map_err(engine)
    })?;
    let found = rows
        .iter()
        .filter(|batch| batch.num_rows() > 0)
        .find_map(|batch| Some((cell(batch.column(0).as_ref(), 0)?, cell(batch.column(1).as_ref(), 0)?)));
    Ok(found.map(|(count, first)| {
        format!(
            "actual and amortised costs of Azure count together in {count} subscriptions and months, `{first}` the first: they state the \
             same costs twice. Ingest the exports of the kind that is meant again, with `--recorded-at` of today, and from now on that kind only"
        )
    }))
}
