//! Two states of knowledge of one quarter: what was learnt between them, and what of it could have been billed in time.
//!
//! ```text
//! as of `before` ──> facts ──> state, sources ──┐
//! as of `after`  ──> facts ──> state, sources ──┼─> queries/history/compare.sql, compare_source.sql
//!                          └─> cut-off of each month; as of each ──> facts ──> state ──┘
//! ```
//! Every state is a whole rating of the quarter as of its day, because what a unit of late usage is worth depends on all others (free
//! units, minima, the larger of two quantities). So the work grows with the number of different cut-off dates of the quarter. The
//! arithmetic, and what each part means, stands in `queries/history/compare.sql`.

use super::analyze::{AnalyzeError, parameters};
use crate::lake::{Lake, truth};
use crate::month::Quarter;
use crate::query::catalog::{Catalog, Query};
use crate::query::run::{self, Parameters, QueryError, build_facts, nullable};
use crate::query::session;
use arrow::array::{AsArray, Date32Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::{DataFusionError, ScalarValue, TableReference};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Facts that the states are read from.
const FACTS: [&str; 7] =
    ["fact_monthly", "usage_month", "billed_line", "billing_cutoff", "contract_segment", "customer_alias", "service_alias"];

/// What to compare.
#[derive(Clone, Debug)]
pub struct Request {
    /// The quarter.
    pub quarter: Quarter,
    /// The earlier state of knowledge.
    pub before: DateTime<Utc>,
    /// The later one.
    pub after: DateTime<Utc>,
    /// Queries of the user.
    pub queries: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
}

/// What the two states differ in.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Money per customer, service, month and currency, as `queries/history/compare.sql` gives it.
    pub money: RecordBatch,
    /// What each system said otherwise, as `queries/history/compare_source.sql` gives it.
    pub sources: RecordBatch,
    /// Different cut-off dates that were rated.
    pub cutoffs: usize,
}

/// Compares two states of knowledge.
///
/// # Errors
/// [`AnalyzeError`] if the lake cannot be read or a query fails.
pub async fn compare(lake: &Lake, request: &Request) -> Result<Comparison, AnalyzeError> {
    let catalog = Catalog::load(request.queries.as_deref())?;
    let query = |name: &str| history(&catalog, name);
    let mut tables: Vec<(&str, SchemaRef, Vec<RecordBatch>)> = Vec::new();
    let mut cutoff: Option<RecordBatch> = None;
    for (state, source, as_of) in [("before", "source_before", request.before), ("after", "source_after", request.after)] {
        let (ctx, parameters) = knowing(lake, &catalog, request, as_of).await?;
        for (name, text) in [(state, query("state")?), (source, query("source")?)] {
            let (schema, rows) = run::rows(&ctx, &text, parameters).await?;
            tables.push((name, schema, rows));
        }
        if state == "after" {
            let (schema, rows) = run::rows(&ctx, &query("cutoff")?, parameters).await?;
            cutoff = Some(one(&schema, &rows)?);
            tables.push(("cutoff", schema, rows));
        }
    }
    let days = cutoff.as_ref().map(cutoff_days).transpose()?.unwrap_or_default();
    let days: BTreeSet<NaiveDate> = days.into_iter().filter(|day| end_of(*day) < request.after).collect();
    let mut at_cutoff: Option<(SchemaRef, Vec<RecordBatch>)> = None;
    for day in &days {
        let (ctx, parameters) = knowing(lake, &catalog, request, end_of(*day)).await?;
        let (schema, rows) = run::rows(&ctx, &query("state")?, parameters).await?;
        let (schema, rows) = dated(&schema, &rows, *day)?;
        at_cutoff.get_or_insert_with(|| (schema, Vec::new())).1.extend(rows);
    }
    let (schema, rows) = match at_cutoff {
        Some(found) => found,
        // No month was closed: the table is there, and empty.
        None => {
            let state = tables.iter().find(|(name, ..)| *name == "after").map(|(_, schema, _)| Arc::clone(schema));
            dated(&state.unwrap_or_else(|| Arc::new(Schema::empty())), &[], NaiveDate::default())?
        }
    };
    tables.push(("at_cutoff", schema, rows));
    let ctx = side_by_side(tables, request.threads)?;
    let day = |instant: DateTime<Utc>| ScalarValue::Date32(days_since_1970(instant.date_naive()));
    let values = vec![("before_day", day(request.before)), ("after_day", day(request.after))];
    let money = answer(&ctx, &query("compare")?, values).await?;
    let sources = answer(&ctx, &query("compare_source")?, Vec::new()).await?;
    Ok(Comparison { money, sources, cutoffs: days.len() })
}

fn history(catalog: &Catalog, name: &str) -> Result<Query, AnalyzeError> {
    let found = catalog.folder("history").find(|(known, _)| *known == name).map(|(_, query)| query.clone());
    found.ok_or_else(|| AnalyzeError::Engine { action: "comparing", detail: format!("there is no `history/{name}.sql`") })
}

/// A session with the facts of the quarter as they were known.
async fn knowing(
    lake: &Lake,
    catalog: &Catalog,
    request: &Request,
    as_of: DateTime<Utc>,
) -> Result<(SessionContext, Parameters), AnalyzeError> {
    let ctx = session::context(request.threads);
    truth::register(&ctx, lake, Some(as_of)).await?;
    let parameters = parameters(lake, request.quarter, Some(as_of)).await?;
    build_facts(&ctx, catalog, parameters, Some(&FACTS)).await?;
    Ok((ctx, parameters))
}

/// The last instant of a day.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc() + Duration::days(1) - Duration::microseconds(1)
}

fn days_since_1970(day: NaiveDate) -> Option<i32> {
    i32::try_from((day - NaiveDate::default()).num_days()).ok()
}

fn engine(error: &DataFusionError) -> AnalyzeError {
    AnalyzeError::Engine { action: "comparing two states", detail: error.strip_backtrace() }
}

fn arrow(error: &arrow::error::ArrowError) -> AnalyzeError {
    AnalyzeError::Engine { action: "comparing two states", detail: error.to_string() }
}

fn one(schema: &SchemaRef, rows: &[RecordBatch]) -> Result<RecordBatch, AnalyzeError> {
    concat_batches(schema, rows).map_err(|e| arrow(&e))
}

fn cutoff_days(cutoffs: &RecordBatch) -> Result<BTreeSet<NaiveDate>, AnalyzeError> {
    let Some(column) = cutoffs.column_by_name("cutoff_date") else { return Ok(BTreeSet::new()) };
    let days = cast(column, &DataType::Date32).map_err(|e| arrow(&e))?;
    let day = |days: i32| NaiveDate::default().checked_add_signed(Duration::days(i64::from(days)));
    Ok(days.as_primitive::<Date32Type>().iter().flatten().filter_map(day).collect())
}

/// The rows with the day as of which they were known.
fn dated(schema: &SchemaRef, rows: &[RecordBatch], day: NaiveDate) -> Result<(SchemaRef, Vec<RecordBatch>), AnalyzeError> {
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("cutoff_date", DataType::Date32, true)));
    let wide: SchemaRef = Arc::new(Schema::new(fields));
    let widen = |batch: &RecordBatch| {
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Date32Array::from(vec![days_since_1970(day); batch.num_rows()])));
        RecordBatch::try_new(nullable(&wide), columns).map_err(|e| arrow(&e))
    };
    Ok((nullable(&wide), rows.iter().map(widen).collect::<Result<_, _>>()?))
}

/// A session with the states as tables of the schema `compare`.
fn side_by_side(tables: Vec<(&str, SchemaRef, Vec<RecordBatch>)>, threads: usize) -> Result<SessionContext, AnalyzeError> {
    let ctx = session::context(threads);
    if let Some(catalog) = ctx.catalog("datafusion") {
        let provider: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
        catalog.register_schema("compare", provider).map_err(|e| engine(&e))?;
    }
    for (name, schema, rows) in tables {
        let table = MemTable::try_new(nullable(&schema), vec![rows]).map_err(|e| engine(&e))?;
        ctx.register_table(TableReference::partial("compare", name), Arc::new(table)).map_err(|e| engine(&e))?;
    }
    Ok(ctx)
}

async fn answer(ctx: &SessionContext, query: &Query, values: Vec<(&str, ScalarValue)>) -> Result<RecordBatch, AnalyzeError> {
    let failed = |e: DataFusionError| AnalyzeError::Query(QueryError::from_engine(query, &e));
    let mut frame = ctx.sql(&query.text).await.map_err(failed)?;
    if !values.is_empty() {
        frame = frame.with_param_values(values).map_err(failed)?;
    }
    let schema = nullable(frame.schema().as_arrow());
    let rows = frame.collect().await.map_err(failed)?;
    one(&schema, &rows)
}
