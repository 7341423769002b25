//! Three methods that are in use today, over the same facts: what Shortfall is measured against.
//!
//! | method | flags a pair if | money |
//! |---|---|---|
//! | count comparison | delivered and billed quantity differ at all in the quarter's last month | the difference at the contract's price, for that month |
//! | previous period | revenue or billed quantity moved by more than 10 %: the last month against the one before, or the quarter | none |
//! | z-score | revenue, delivered quantity or cost of a month of the quarter lies more than 3 standard deviations off the 12 months before it | none |
//!
//! They are given what Shortfall prepared: customers and services tied together, amounts spread over service months, packs in units. The
//! rules stand in `queries/baselines`.

use super::score::methods::Flag;
use crate::findings::marts::{self, Run};
use crate::lake::Lake;
use crate::lake::truth::{TruthError, register_schemas};
use crate::money::to_decimal;
use crate::month::Quarter;
use crate::query::catalog::{Catalog, Query};
use crate::query::run::{self, Parameters, QueryError};
use crate::query::session;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::prelude::SessionContext;

/// Name and query of each method.
const METHODS: [(&str, &str); 3] = [
    ("count comparison, current month", "baselines/count_comparison.sql"),
    ("previous period, 10 %", "baselines/previous_period.sql"),
    ("z-score, 3 of 12 months", "baselines/z_score.sql"),
];

/// Why a method could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The marts cannot be read.
    #[error(transparent)]
    Marts(TruthError),
    /// The query failed.
    #[error(transparent)]
    Query(QueryError),
    /// There is no such query.
    #[error("the query `{0}` is missing")]
    Missing(&'static str),
}

/// What each method flags in the run's quarter.
///
/// # Errors
/// [`BaselineError`] if the facts of the run cannot be read.
pub async fn flags(
    lake: &Lake,
    run: &Run,
    quarter: Quarter,
    catalog: &Catalog,
) -> Result<Vec<(&'static str, Vec<Flag>)>, BaselineError> {
    let ctx = session::context(1);
    register_schemas(&ctx).map_err(BaselineError::Marts)?;
    marts::register(&ctx, lake, Some(run)).await.map_err(BaselineError::Marts)?;
    flags_among(&ctx, quarter, catalog).await
}

/// The same over whatever stands as `marts.fact_monthly`.
async fn flags_among(
    ctx: &SessionContext,
    quarter: Quarter,
    catalog: &Catalog,
) -> Result<Vec<(&'static str, Vec<Flag>)>, BaselineError> {
    let parameters = Parameters {
        quarter_start: quarter.first_month().first_day(),
        last_month: quarter.last_month().first_day(),
        ..Parameters::NONE
    };
    let mut methods = Vec::new();
    for (method, path) in METHODS {
        let text = catalog.text(path).ok_or(BaselineError::Missing(path))?;
        let query = Query { path: format!("queries/{path}"), text: text.to_owned() };
        let (_, batches) = run::rows(ctx, &query, parameters).await.map_err(BaselineError::Query)?;
        let mut flags = Vec::new();
        for batch in &batches {
            flags.extend(read(batch).ok_or_else(|| {
                BaselineError::Query(QueryError::new(&query, "it has to give customer, service and currency as text, and money"))
            })?);
        }
        methods.push((method, flags));
    }
    Ok(methods)
}

fn read(batch: &RecordBatch) -> Option<Vec<Flag>> {
    let text = |at: usize| cast(batch.columns().get(at)?, &DataType::Utf8).ok();
    let (customers, services, currencies) = (text(0)?, text(1)?, text(2)?);
    let money = batch.columns().get(3)?.as_primitive_opt::<Decimal128Type>()?.clone();
    let rows = (0..batch.num_rows()).map(|row| Flag {
        customer_key: customers.as_string::<i32>().value(row).to_owned(),
        service_key: services.as_string::<i32>().value(row).to_owned(),
        currency: currencies.as_string::<i32>().value(row).to_owned(),
        money: money.is_valid(row).then(|| money.value(row)).and_then(to_decimal),
    });
    Some(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    /// Two years at 10 units of 5.00, delivered and billed; `last` says what the last month was like.
    const FACTS: &str = "CREATE TABLE marts.fact_monthly AS
        WITH pair AS (
          SELECT * FROM (VALUES ('steady', 10, 10, 50), ('short', 12, 10, 50), ('over', 10, 11, 55), ('dropped', 8, 8, 40),
                                ('never counted', NULL, 10, 50)) AS pair (customer_key, delivered, billed, revenue)
        ),
        month AS (SELECT unnest(generate_series(DATE '2024-10-01', DATE '2026-09-01', INTERVAL '1 month')) AS month)
        SELECT customer_key, 'seats' AS service_key, CAST(month AS DATE) AS month, 'USD' AS currency,
               CAST(CASE WHEN month = DATE '2026-09-01' OR delivered IS NULL THEN delivered ELSE 10 END AS DECIMAL(38, 18)) AS delivered_quantity,
               CAST(CASE WHEN month = DATE '2026-09-01' THEN billed ELSE 10 END AS DECIMAL(38, 18)) AS billed_quantity,
               CAST(CASE WHEN month = DATE '2026-09-01' THEN revenue ELSE 50 END AS DECIMAL(38, 18)) AS revenue,
               CAST(5 AS DECIMAL(38, 18)) AS contract_price, CAST(30 AS DECIMAL(38, 18)) AS cost
        FROM pair CROSS JOIN month";

    #[test]
    fn each_method_flags_what_it_says_and_nothing_else() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().thread_stack_size(crate::STACK).enable_all().build().expect("a runtime");
        let told = runtime.block_on(async {
            tokio::spawn(async {
                let ctx = session::context(1);
                for statement in ["CREATE SCHEMA marts", FACTS] {
                    ctx.sql(statement).await.expect(statement).collect().await.expect(statement);
                }
                let quarter = "2026Q3".parse().expect("a quarter");
                flags_among(&ctx, quarter, &Catalog::load(None).expect("queries")).await.expect("flags")
            })
            .await
            .expect("no panic")
        });
        let told: Vec<Vec<(String, Option<Decimal>)>> = told
            .into_iter()
            .map(|(_, flags)| {
                let mut flags: Vec<_> =
                    flags.into_iter().map(|flag| (flag.customer_key, flag.money.map(|money| money.normalize()))).collect();
                flags.sort();
                flags
            })
            .collect();
        let flag = |customer: &str, money: Option<i64>| (customer.to_owned(), money.map(Decimal::from));
        assert_eq!(told[0], [flag("over", Some(-5)), flag("short", Some(10))]);
        // One unit more of ten is not more than a tenth.
        assert_eq!(told[1], [flag("dropped", None)]);
        assert_eq!(told[2], [flag("dropped", None), flag("over", None), flag("short", None)]);
    }
}
