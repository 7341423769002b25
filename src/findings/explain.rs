//! From a finding down to the lines of the exports that it rests on.

use super::analyze::{AnalyzeError, findings_of, parameters};
use super::cause::{self, Cause};
use super::marts::{self, Run};
use super::schema::Finding;
use crate::ingest::original::original_rows;
use crate::lake::Lake;
use crate::lake::truth;
use crate::month::Month;
use crate::query::catalog::Catalog;
use crate::query::run::build_facts;
use crate::query::session;
use crate::query::text_literal;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use chrono::{DateTime, Duration, NaiveDate};
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The signal whose claim rests on what happened to users, devices and seats.
const ABOUT_SUBJECTS: &str = "suspended_still_charged";

/// Rows of each kind that are shown with their original line.
const SHOWN: usize = 12;

/// One month of the arithmetic.
#[derive(Clone, Debug)]
pub struct MonthLine {
    /// The month.
    pub month: Month,
    /// Figures by their column in `fact_monthly`.
    pub figures: BTreeMap<&'static str, Option<Decimal>>,
    /// What of the money this finding is counted for.
    pub counted: Decimal,
    /// What it shares with findings that claim the same money first.
    pub corroborates: Decimal,
}

/// One source row.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// `usage`, `invoice`, `contract` or `event`.
    pub kind: String,
    /// The file as it was ingested.
    pub file: String,
    /// The batch, for `shortfall trace`.
    pub batch_id: String,
    /// Row in it.
    pub source_row: u64,
    /// The original line from the archive.
    pub line: String,
}

/// All that stands behind a finding.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The finding.
    pub finding: Finding,
    /// Its months.
    pub months: Vec<MonthLine>,
    /// Source rows, the first few of each kind.
    pub rows: Vec<SourceRow>,
    /// How many there are of each kind.
    pub row_counts: BTreeMap<String, u64>,
    /// What happened when it began, the most likely cause first, with the row that states or shows it.
    pub causes: Vec<(Cause, Option<SourceRow>)>,
}

/// Figures that explain a month.
pub const FIGURES: [&str; 9] = [
    "delivered_quantity",
    "contracted_quantity",
    "billable_quantity",
    "billed_quantity",
    "contract_price",
    "expected_revenue",
    "revenue",
    "cost",
    "active_subjects",
];

/// Explains the finding whose id begins with `id`; `None` if no run has it.
///
/// # Errors
/// [`AnalyzeError`] if lake or archive cannot be read.
pub async fn explain(lake: &Lake, run: &Run, id: &str, threads: usize) -> Result<Option<Explanation>, AnalyzeError> {
    let Some(finding) = findings_of(lake, run).await?.into_iter().find(|f| f.finding_id.starts_with(id)) else {
        return Ok(None);
    };
    let ctx = session::context(threads);
    let as_of = run.as_of.and_then(DateTime::from_timestamp_micros);
    truth::register(&ctx, lake, as_of).await?;
    marts::register(&ctx, lake, Some(run)).await?;
    let catalog = Catalog::load(None)?;
    let parameters = parameters(lake, finding.quarter, as_of).await?;
    build_facts(&ctx, &catalog, parameters, Some(&["customer_alias", "service_alias", "billed_line"])).await?;
    let months = months(&ctx, &finding).await?;
    let (rows, row_counts) = source_rows(&ctx, lake, &finding, SHOWN).await?;
    let mut causes = Vec::new();
    for cause in cause::of_finding(&ctx, &finding.finding_id).await? {
        let row = row_of_cause(&ctx, lake, &finding, &cause).await?;
        causes.push((cause, row));
    }
    Ok(Some(Explanation { finding, months, rows, row_counts, causes }))
}

async fn query(ctx: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let failed = |e: datafusion::common::DataFusionError| AnalyzeError::Engine {
        action: "reading the evidence",
        detail: e.strip_backtrace(),
    };
    ctx.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)
}

fn column(batch: &RecordBatch, at: usize, kind: &DataType) -> Result<ArrayRef, AnalyzeError> {
    cast(batch.column(at), kind).map_err(|e| AnalyzeError::Engine { action: "reading the evidence", detail: e.to_string() })
}

async fn months(ctx: &SessionContext, finding: &Finding) -> Result<Vec<MonthLine>, AnalyzeError> {
    let figures: Vec<String> = FIGURES.iter().map(|name| format!("fact.{name}")).collect();
    let sql = format!(
        "SELECT evidence.month, evidence.counted, evidence.corroborates, {}
         FROM marts.finding_evidence AS evidence
         LEFT JOIN marts.fact_monthly AS fact
           ON evidence.customer_key = fact.customer_key AND evidence.service_key = fact.service_key
           AND evidence.month = fact.month AND evidence.currency = fact.currency
         WHERE evidence.finding_id = {} ORDER BY evidence.month",
        figures.join(", "),
        text_literal(&finding.finding_id)
    );
    let mut lines = Vec::new();
    for batch in query(ctx, &sql).await? {
        let days = column(&batch, 0, &DataType::Date32)?;
        let amount = |at: usize, row: usize| -> Result<Option<Decimal>, AnalyzeError> {
            let cells = column(&batch, at, &crate::functions::exact::MONEY)?;
            let cells = cells.as_primitive::<Decimal128Type>();
            Ok(cells.is_valid(row).then(|| crate::money::to_decimal(cells.value(row))).flatten())
        };
        for row in 0..batch.num_rows() {
            let day = Duration::days(i64::from(days.as_primitive::<Date32Type>().value(row)));
            let mut figures = BTreeMap::new();
            for (at, name) in FIGURES.iter().enumerate() {
                figures.insert(*name, amount(at + 3, row)?);
            }
            lines.push(MonthLine {
                month: Month::of(NaiveDate::default().checked_add_signed(day).unwrap_or_default()),
                figures,
                counted: amount(1, row)?.unwrap_or_default(),
                corroborates: amount(2, row)?.unwrap_or_default(),
            });
        }
    }
    Ok(lines)
}

pub(super) async fn source_rows(
    ctx: &SessionContext,
    lake: &Lake,
    finding: &Finding,
    shown: usize,
) -> Result<(Vec<SourceRow>, BTreeMap<String, u64>), AnalyzeError> {
    let mut found: Vec<SourceRow> = Vec::new();
    let mut counts = BTreeMap::new();
    let (first, last) = (finding.quarter.first_month().max(finding.first_month), finding.quarter.last_month());
    for (kind, rows) in queries(finding, first, last) {
        let (of_kind, count) = originals(ctx, lake, kind, &rows, shown).await?;
        counts.insert(kind.to_owned(), count);
        found.extend(of_kind);
    }
    Ok((found, counts))
}

/// The row that states a cause; where a month of rows shows it, the first of them.
async fn row_of_cause(
    ctx: &SessionContext,
    lake: &Lake,
    finding: &Finding,
    cause: &Cause,
) -> Result<Option<SourceRow>, AnalyzeError> {
    let rows = match &cause.row {
        Some((batch_id, source_row)) => {
            Some(format!("SELECT {} AS batch_id, CAST({source_row} AS BIGINT) AS source_row", text_literal(batch_id)))
        }
        None => {
            // What ended is shown by the last month that it was there.
            let month = Month::of(cause.happened_on).plus(if cause.event == "delivery_ended" { -1 } else { 0 });
            queries(finding, month, month).into_iter().find(|(kind, _)| *kind == cause.source).map(|(_, rows)| rows)
        }
    };
    let Some(rows) = rows else { return Ok(None) };
    Ok(originals(ctx, lake, &cause.source, &rows, 1).await?.0.into_iter().next())
}

/// By kind, the query for the source rows of a finding's customer and service in these months.
fn queries(finding: &Finding, first: Month, last: Month) -> Vec<(&'static str, String)> {
    let key = |key: &Option<String>| text_literal(key.as_deref().unwrap_or_default());
    let (customer, service) = (key(&finding.customer_key), key(&finding.service_key));
    let day = |month: Month| format!("DATE '{}'", month.first_day());
    let span = format!("BETWEEN {} AND {}", day(first), day(last));
    let (from, until) = (day(first), day(last.plus(1)));
    let from_customer = |system: &str, id: &str| {
        format!(
            "JOIN facts.customer_alias AS customer ON {system} = customer.system AND normalise_id({id}) = customer.native_id
             AND customer.customer_key = {customer}"
        )
    };
    let from_service = |system: &str, sku: &str| {
        format!(
            "JOIN facts.service_alias AS service ON {system} = service.system AND service.service_key = {service}
             AND (normalise_id({sku}) = service.native_sku OR split_part(normalise_id({sku}), ':', 1) = service.native_sku)"
        )
    };
    let mut queries = vec![
        (
            "usage",
            // What reaches into the months, a cycle that began before them too.
            format!(
                "SELECT DISTINCT usage.batch_id, usage.source_row FROM known.vendor_usage AS usage {} {}
             WHERE usage.service_month {span} OR (usage.period_start < {until} AND usage.period_end > {from})",
                from_customer("usage.system", "usage.customer_native_id"),
                from_service("usage.system", "usage.native_sku")
            ),
        ),
        (
            "invoice",
            format!(
                "SELECT DISTINCT batch_id, source_row FROM facts.billed_line
             WHERE customer_key = {customer} AND service_key = {service} AND month {span}"
            ),
        ),
        (
            "contract",
            // Every version that held on some day of the months: the quantity of a month may rest on several.
            format!(
                "WITH changed AS (
               SELECT *, lag(content) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id, source_row) AS before
               FROM (SELECT *, row_hash(quantity, included_quantity, unit_price, status, effective_from, effective_to) AS content
                     FROM core_history.contract_line)
             ),
             version AS (
               SELECT *, row_number() OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id, source_row) AS number,
                      lead(recorded_at) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id, source_row) AS replaced_at
               FROM changed WHERE before IS DISTINCT FROM content
             )
             SELECT DISTINCT line.batch_id, line.source_row FROM version AS line
             JOIN known.contract AS contract ON line.system = contract.system AND line.contract_id = contract.contract_id {} {}
             WHERE (line.effective_from IS NULL OR line.effective_from < {until}) AND (line.effective_to IS NULL OR line.effective_to > {from})
               AND (line.number = 1 OR line.recorded_at < {until}) AND (line.replaced_at IS NULL OR line.replaced_at > {from})",
                from_customer("contract.system", "contract.customer_native_id"),
                from_service("line.system", "line.native_sku")
            ),
        ),
    ];
    if finding.signal == ABOUT_SUBJECTS {
        let events = format!(
            "SELECT DISTINCT event.batch_id, event.source_row FROM known.lifecycle_event AS event {} {}
             WHERE event.event <> 'provisioned' AND event.event_at < {until}
             UNION
             SELECT batch_id, source_row FROM (
               SELECT listed.batch_id, listed.source_row, listed.state, listed.recorded_at,
                      lag(listed.state) OVER (PARTITION BY listed.system, listed.subject_kind, listed.subject_id ORDER BY listed.recorded_at) AS before
               FROM core_history.subject_state AS listed {} {})
             WHERE state <> 'active' AND (before IS DISTINCT FROM state) AND recorded_at < {until}",
            from_customer("event.system", "event.customer_native_id"),
            from_service("event.system", "event.native_sku"),
            from_customer("listed.system", "listed.customer_native_id"),
            from_service("listed.system", "listed.native_sku")
        );
        queries.push(("event", events));
    }
    queries
}

/// The original lines of the first few rows of a query for `batch_id` and `source_row`, and how many rows there are.
async fn originals(
    ctx: &SessionContext,
    lake: &Lake,
    kind: &str,
    rows: &str,
    shown: usize,
) -> Result<(Vec<SourceRow>, u64), AnalyzeError> {
    let sql = format!(
        "SELECT batch.file, batch.sha256, batch.system, batch.entity, batch.batch_id, rows.source_row FROM ({rows}) AS rows
         JOIN core.batch AS batch ON rows.batch_id = batch.batch_id ORDER BY batch.file, rows.source_row"
    );
    let mut wanted: BTreeMap<[String; 5], Vec<u64>> = BTreeMap::new();
    let mut count = 0_u64;
    for batch in query(ctx, &sql).await? {
        let text = |at: usize, row: usize| -> Result<String, AnalyzeError> {
            Ok(column(&batch, at, &DataType::Utf8)?.as_string::<i32>().value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            count += 1;
            if wanted.values().map(Vec::len).sum::<usize>() < shown {
                let number = batch.column(5).as_primitive::<Int64Type>().value(row).cast_unsigned();
                wanted
                    .entry([text(0, row)?, text(1, row)?, text(2, row)?, text(3, row)?, text(4, row)?])
                    .or_default()
                    .push(number);
            }
        }
    }
    let mut found: Vec<SourceRow> = Vec::new();
    for ([file, sha256, system, entity, batch_id], rows) in wanted {
        for (source_row, line) in original_rows(lake, &sha256, &system, &entity, &rows)? {
            let (file, batch_id) = (file.clone(), batch_id.clone());
            found.push(SourceRow { kind: kind.to_owned(), file, batch_id, source_row, line });
        }
    }
    Ok((found, count))
}
