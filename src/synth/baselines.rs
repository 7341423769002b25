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
    let parameters = Parameters {
        quarter_start: quarter.first_month().first_day(),
        last_month: quarter.last_month().first_day(),
        ..Parameters::NONE
    };
    let mut methods = Vec::new();
    for (method, path) in METHODS {
        let text = catalog.text(path).ok_or(BaselineError::Missing(path))?;
        let query = Query { path: format!("queries/{path}"), text: text.to_owned() };
        let (_, batches) = run::rows(&ctx, &query, parameters).await.map_err(BaselineError::Query)?;
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
