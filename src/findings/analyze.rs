//! One analysis of a quarter: view of the lake, facts, signals, findings, marts.

use super::cell::cells;
use super::fold::{Folded, Names, fold};
use super::marts::{self, Run};
use super::overlap::count_once;
use super::read::{from_batch, month_days, to_batch};
use super::schema::{Basis, Finding};
use super::signal::Signal;
use crate::lake::truth::{self, TruthError, Versions};
use crate::lake::{Lake, LakeError, Table};
use crate::money::{PRECISION, SCALE, from_decimal};
use crate::month::{Month, Quarter};
use crate::query::catalog::{Catalog, CatalogError};
use crate::query::run::{self, FactTiming, Parameters, QueryError};
use crate::query::session;
use arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema};
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Months of the trend window: two years see a leak's beginning and one whole season on both sides of it.
const WINDOW_MONTHS: i32 = 24;
/// Shortest series that is tested.
const MIN_MONTHS: i64 = 6;
/// Largest adjusted p-value that is reported.
const MAX_Q: f64 = 0.05;
/// Months looked back for terms without a beginning where the lake holds nothing dated.
const OLDEST_MONTHS: i32 = 60;

/// What to analyse.
#[derive(Clone, Debug)]
pub struct Request {
    /// The quarter.
    pub quarter: Quarter,
    /// Only what was known then.
    pub as_of: Option<DateTime<Utc>>,
    /// Only these signals.
    pub signals: Vec<String>,
    /// Queries of the user.
    pub queries: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
}

/// Why an analysis failed.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The view of the lake.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// A folder of queries.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A signal that does not exist.
    #[error("there is no signal `{name}`; there are {known}")]
    UnknownSignal {
        /// Asked for.
        name: String,
        /// Existing ones.
        known: String,
    },
    /// Nothing to analyse.
    #[error("the lake has no delivery, cost or charge for {quarter}")]
    NoData {
        /// The quarter.
        quarter: Quarter,
    },
    /// There is something to analyse, but nobody knows whose it is.
    #[error("nothing in {quarter} belongs to a known customer and service; {unmapped}")]
    NothingMapped {
        /// The quarter.
        quarter: Quarter,
        /// What is unmapped.
        unmapped: String,
    },
    /// Another process is writing.
    #[error("another `shortfall` is writing to this lake; wait for it to end")]
    Locked,
    /// The engine, outside a query file.
    #[error("the query engine failed while {action}: {detail}")]
    Engine {
        /// What was done.
        action: &'static str,
        /// What it says.
        detail: String,
    },
}

impl AnalyzeError {
    fn engine(action: &'static str) -> impl Fn(DataFusionError) -> Self {
        move |e| Self::Engine { action, detail: e.strip_backtrace() }
    }

    fn arrow(action: &'static str) -> impl Fn(arrow::error::ArrowError) -> Self {
        move |e| Self::Engine { action, detail: e.to_string() }
    }
}

/// On how much a signal could be tested.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The signal.
    pub signal: String,
    /// Series or months that were tested.
    pub tested: u64,
    /// Those that could not be.
    pub too_short: u64,
    /// What is counted.
    pub note: String,
}

/// Vendor cost of the quarter that belongs to no known customer or service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unmapped {
    /// ISO 4217.
    pub currency: String,
    /// Cost.
    #[serde(with = "rust_decimal_text")]
    pub cost: Decimal,
    /// Usage rows.
    pub source_rows: u64,
    /// Different native customer ids and SKUs.
    pub ids: u64,
}

impl Unmapped {
    /// What a summary says of it, and the command that helps.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "unmapped: {} {} of vendor cost in {} ids belongs to no known customer or service; `shortfall map suggest` looks for candidates",
            self.cost.normalize(),
            self.currency,
            self.ids
        )
    }
}

/// Money in JSON is text, never a float.
mod rust_decimal_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map_err(D::Error::custom)
    }
}

/// What an analysis says.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The run.
    pub run_id: String,
    /// The quarter.
    pub quarter: Quarter,
    /// As-of date, if asked for.
    pub as_of: Option<DateTime<Utc>>,
    /// Findings in the order of money times confidence.
    pub findings: Vec<Finding>,
    /// What was tested.
    pub coverage: Vec<Coverage>,
    /// What could not be tied to anybody.
    pub unmapped: Vec<Unmapped>,
    /// Rows of `fact_monthly`.
    pub fact_rows: u64,
    /// What each fact cost.
    pub timings: Vec<FactTiming>,
}

/// Analyses a quarter and publishes the result.
///
/// # Errors
/// [`AnalyzeError`].
pub async fn analyze(lake: &Lake, request: &Request) -> Result<Analysis, AnalyzeError> {
    let catalog = Catalog::load(request.queries.as_deref())?;
    let signals = chosen(Signal::load_all(&catalog)?, &request.signals)?;
    let ctx = session::context(request.threads);
    let versions = truth::register(&ctx, lake, request.as_of).await?;
    let parameters = parameters(lake, request.quarter, request.as_of).await?;
    let timings = run::build_facts(&ctx, &catalog, parameters, None).await?;
    let fact_rows = count(&ctx, "facts.fact_monthly").await?;
    // Open contracts reach into every quarter to come; only deliveries and charges make one that can be judged.
    if count(&ctx, "facts.quarter_activity").await? == 0 {
        let unmapped = unmapped(&ctx).await?;
        if unmapped.is_empty() {
            return Err(AnalyzeError::NoData { quarter: request.quarter });
        }
        let sentences: Vec<String> = unmapped.iter().map(Unmapped::sentence).collect();
        return Err(AnalyzeError::NothingMapped { quarter: request.quarter, unmapped: sentences.join("; ") });
    }
    let mut found = Vec::with_capacity(signals.len());
    for signal in signals {
        let (schema, batches) = run::rows(&ctx, &signal.query, parameters).await?;
        let cells = cells(&signal, &schema, &batches)?;
        found.push((signal, cells));
    }
    count_once(&mut found);
    let names = names(&ctx).await?;
    let mut folded: Vec<Folded> =
        found.into_iter().flat_map(|(signal, cells)| fold(&signal, cells, request.quarter, &names)).collect();
    set_status(lake, request, &mut folded).await?;
    folded.sort_by(|a, b| rank_key(&b.finding).cmp(&rank_key(&a.finding)).then(a.finding.finding_id.cmp(&b.finding.finding_id)));
    let run_id = run_id(request, &versions, &catalog);
    let coverage = coverage(&ctx).await?;
    let unmapped = unmapped(&ctx).await?;
    publish(&ctx, lake, request, &run_id, &versions, &catalog, &folded, &coverage, &unmapped, fact_rows).await?;
    Ok(Analysis {
        run_id,
        quarter: request.quarter,
        as_of: request.as_of,
        findings: folded.into_iter().map(|f| f.finding).collect(),
        coverage,
        unmapped,
        fact_rows,
        timings,
    })
}

fn chosen(signals: Vec<Signal>, wanted: &[String]) -> Result<Vec<Signal>, AnalyzeError> {
    for name in wanted {
        if !signals.iter().any(|signal| signal.id == *name) {
            let known: Vec<&str> = signals.iter().map(|s| s.id.as_str()).collect();
            return Err(AnalyzeError::UnknownSignal { name: name.clone(), known: known.join(", ") });
        }
    }
    Ok(signals.into_iter().filter(|signal| wanted.is_empty() || wanted.contains(&signal.id)).collect())
}

/// The values of the queries' parameters for a quarter, from what was known as of a date.
///
/// # Errors
/// [`LakeError`] if the lake cannot be read.
pub async fn parameters(lake: &Lake, quarter: Quarter, as_of: Option<DateTime<Utc>>) -> Result<Parameters, LakeError> {
    let is_later = |micros: i64| as_of.is_some_and(|as_of| micros > as_of.timestamp_micros());
    let mut earliest: Option<NaiveDate> = None;
    for table in [Table::VendorUsage, Table::InvoiceLine] {
        for file in lake.files(table, None).await? {
            if file.recorded_at.is_some_and(|(first, _)| is_later(first)) {
                continue;
            }
            let month = file.partition.get("service_month").cloned().flatten().and_then(|text| text.parse().ok());
            earliest = [earliest, month].into_iter().flatten().min();
        }
    }
    let last = quarter.last_month();
    Ok(Parameters {
        quarter_start: quarter.first_month().first_day(),
        last_month: last.first_day(),
        first_day: earliest.unwrap_or_else(|| last.plus(-OLDEST_MONTHS).first_day()),
        window_start: last.plus(1 - WINDOW_MONTHS).first_day(),
        min_months: MIN_MONTHS,
        max_q: MAX_Q,
    })
}

async fn count(ctx: &SessionContext, table: &str) -> Result<u64, AnalyzeError> {
    let failed = AnalyzeError::engine("counting rows");
    let count = ctx.table(table).await.map_err(&failed)?.count().await.map_err(&failed)?;
    Ok(count as u64)
}

async fn texts(ctx: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let failed = AnalyzeError::engine("reading facts");
    ctx.sql(sql).await.map_err(&failed)?.collect().await.map_err(&failed)
}

fn text_at(batch: &RecordBatch, column: usize, row: usize) -> Result<String, AnalyzeError> {
    let column = cast(batch.column(column), &DataType::Utf8).map_err(AnalyzeError::arrow("reading facts"))?;
    Ok(column.as_string::<i32>().value(row).to_owned())
}

async fn names(ctx: &SessionContext) -> Result<Names, AnalyzeError> {
    let mut names = Names::default();
    for (sql, into) in [
        (
            "SELECT customer_key, min(customer_name) FROM facts.customer_alias WHERE customer_name IS NOT NULL GROUP BY 1",
            &mut names.customers,
        ),
        (
            "SELECT service_key, min(service_name) FROM facts.service_alias WHERE service_name IS NOT NULL GROUP BY 1",
            &mut names.services,
        ),
    ] {
        for batch in texts(ctx, sql).await? {
            for row in 0..batch.num_rows() {
                into.insert(text_at(&batch, 0, row)?, text_at(&batch, 1, row)?);
            }
        }
    }
    Ok(names)
}

async fn coverage(ctx: &SessionContext) -> Result<Vec<Coverage>, AnalyzeError> {
    let mut rows = Vec::new();
    for batch in texts(ctx, "SELECT signal, tested, too_short, note FROM facts.coverage ORDER BY signal").await? {
        let number = |at: usize, row: usize| u64::try_from(batch.column(at).as_primitive::<Int64Type>().value(row)).unwrap_or(0);
        for row in 0..batch.num_rows() {
            rows.push(Coverage {
                signal: text_at(&batch, 0, row)?,
                tested: number(1, row),
                too_short: number(2, row),
                note: text_at(&batch, 3, row)?,
            });
        }
    }
    Ok(rows)
}

async fn unmapped(ctx: &SessionContext) -> Result<Vec<Unmapped>, AnalyzeError> {
    let sql = "SELECT currency, sum(cost) AS cost, CAST(sum(source_rows) AS BIGINT), count(*) FROM facts.unmapped GROUP BY currency ORDER BY currency";
    let mut rows = Vec::new();
    for batch in texts(ctx, sql).await? {
        let cost = cast(batch.column(1), &crate::functions::exact::MONEY).map_err(AnalyzeError::arrow("reading facts"))?;
        for row in 0..batch.num_rows() {
            let number = |at: usize| u64::try_from(batch.column(at).as_primitive::<Int64Type>().value(row)).unwrap_or(0);
            let scaled = cost.as_primitive::<Decimal128Type>().value(row);
            rows.push(Unmapped {
                currency: text_at(&batch, 0, row)?,
                cost: crate::money::to_decimal(scaled).unwrap_or_default(),
                source_rows: number(2),
                ids: number(3),
            });
        }
    }
    Ok(rows)
}

/// Money times confidence, leakage before over-billing.
fn rank_key(finding: &Finding) -> (bool, Decimal) {
    let money = if finding.basis == Basis::Overbilling { finding.overbilled } else { finding.leakage };
    let confidence = Decimal::from_f64_retain(finding.confidence).unwrap_or(Decimal::ONE).round_dp(6);
    (finding.basis != Basis::Overbilling, (money * confidence).round_dp(6))
}

/// Findings of a run.
///
/// # Errors
/// [`AnalyzeError`] if the mart cannot be read.
pub async fn findings_of(lake: &Lake, run: &Run) -> Result<Vec<Finding>, AnalyzeError> {
    let ctx = session::context(1);
    truth::register_schemas(&ctx)?;
    marts::register(&ctx, lake, Some(run)).await?;
    let mut findings = Vec::new();
    for batch in texts(&ctx, "SELECT * FROM marts.finding ORDER BY rank").await? {
        findings.extend(from_batch(&batch).map_err(AnalyzeError::arrow("reading findings"))?);
    }
    Ok(findings)
}

/// Compares with the newest run of the newest earlier quarter; as of a date with one that knew no more, if there is one.
async fn set_status(lake: &Lake, request: &Request, folded: &mut [Folded]) -> Result<(), AnalyzeError> {
    let as_of = request.as_of.map(|t| t.timestamp_micros());
    let knew_no_more = |run: &Run| as_of.is_none_or(|as_of| run.as_of.is_some_and(|known| known <= as_of));
    let earlier = marts::runs(lake)
        .await?
        .into_iter()
        .filter_map(|run| run.quarter.parse::<Quarter>().ok().filter(|q| *q < request.quarter).map(|q| (q, run)))
        .max_by_key(|(q, run)| (*q, knew_no_more(run), run.number));
    let Some((_, run)) = earlier else { return Ok(()) };
    let before: HashMap<String, Decimal> =
        findings_of(lake, &run).await?.into_iter().map(|f| (f.finding_id, f.leakage + f.overbilled)).collect();
    for Folded { finding, .. } in folded {
        let Some(before) = before.get(&finding.finding_id) else { continue };
        let now = finding.leakage + finding.overbilled;
        let tenth = *before / Decimal::TEN;
        finding.status = match now {
            now if now > *before + tenth => "worse",
            now if now < *before - tenth => "improving",
            _ => "persisting",
        }
        .to_owned();
    }
    Ok(())
}

fn run_id(request: &Request, versions: &Versions, catalog: &Catalog) -> String {
    let mut hash = Sha256::new();
    let as_of = request.as_of.map(|t| t.timestamp_micros().to_string()).unwrap_or_default();
    let versions: Vec<String> = versions.iter().map(|(table, version)| format!("{table}={version}")).collect();
    let parts = [
        request.quarter.to_string(),
        as_of,
        request.signals.join(","),
        versions.join(","),
        catalog.sha256(),
        env!("CARGO_PKG_VERSION").to_owned(),
    ];
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    crate::lake::archive::hex(&hash.finalize()[..8])
}

#[expect(clippy::too_many_arguments, reason = "the parts of one run, gathered once")]
async fn publish(
    ctx: &SessionContext,
    lake: &Lake,
    request: &Request,
    run_id: &str,
    versions: &Versions,
    catalog: &Catalog,
    folded: &[Folded],
    coverage: &[Coverage],
    unmapped: &[Unmapped],
    fact_rows: u64,
) -> Result<(), AnalyzeError> {
    let quarter = request.quarter.to_string();
    let _lock = lake.lock()?.ok_or(AnalyzeError::Locked)?;
    let runs = marts::runs(lake).await?;
    if runs.iter().rev().find(|run| run.quarter == quarter).is_some_and(|run| run.run_id == run_id) {
        return Ok(());
    }
    let encode = AnalyzeError::arrow("writing the marts");
    let failed = AnalyzeError::engine("writing the marts");
    let facts = ctx.table("facts.fact_monthly").await.map_err(&failed)?.collect().await.map_err(&failed)?;
    let bridge = format!(
        "SELECT *, '{quarter}' AS quarter, '{run_id}' AS run_id FROM facts.gap_bridge ORDER BY customer_key, service_key, currency, month, cause"
    );
    let bridge = texts(ctx, &bridge).await?;
    let findings: Vec<&Finding> = folded.iter().map(|f| &f.finding).collect();
    let mut marts_versions = Versions::new();
    for (table, rows) in [
        (Table::FactMonthly, facts),
        (Table::GapBridge, bridge),
        (Table::Finding, vec![to_batch(&findings, run_id).map_err(&encode)?]),
        (Table::FindingEvidence, vec![evidence(folded, &quarter, run_id).map_err(&encode)?]),
        (Table::Coverage, vec![coverage_batch(coverage, folded, &quarter, run_id).map_err(&encode)?]),
    ] {
        let version = marts::publish(lake, table, run_id, &quarter, &rows).await?;
        marts_versions.insert(table.name().to_owned(), version);
    }
    let number = runs.last().map_or(1, |run| run.number + 1);
    let json = |versions: &Versions| serde_json::to_string(versions).unwrap_or_default();
    let text = |value: String| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let whole = |value: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![value.cast_signed()])) };
    let as_of = TimestampMicrosecondArray::from(vec![request.as_of.map(|t| t.timestamp_micros())]).with_timezone("UTC");
    let row = batch(vec![
        ("run_id", text(run_id.to_owned())),
        ("quarter", text(quarter.clone())),
        ("as_of", Arc::new(as_of)),
        ("engine_version", text(env!("CARGO_PKG_VERSION").to_owned())),
        ("queries_sha256", text(catalog.sha256())),
        ("core_versions", text(json(versions))),
        ("mart_versions", text(json(&marts_versions))),
        ("unmapped", text(serde_json::to_string(unmapped).unwrap_or_default())),
        ("findings", whole(folded.len() as u64)),
        ("fact_rows", whole(fact_rows)),
        ("number", whole(number as u64)),
    ])
    .map_err(&encode)?;
    marts::publish(lake, Table::Run, run_id, &quarter, &[row]).await?;
    Ok(())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, arrow::error::ArrowError> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())
}

fn evidence(folded: &[Folded], quarter: &str, run_id: &str) -> Result<RecordBatch, arrow::error::ArrowError> {
    let cells: Vec<_> = folded.iter().flat_map(|f| f.cells.iter().map(move |cell| (&f.finding, cell))).collect();
    let text = |get: &dyn Fn(&Finding, &super::cell::Cell) -> Option<String>| -> ArrayRef {
        Arc::new(cells.iter().map(|(f, c)| get(f, c)).collect::<StringArray>())
    };
    let money = |get: fn(&super::cell::Cell) -> Decimal| -> Result<ArrayRef, arrow::error::ArrowError> {
        let values: Decimal128Array = cells.iter().map(|(_, c)| from_decimal(get(c))).collect();
        Ok(Arc::new(values.with_precision_and_scale(PRECISION, SCALE as i8)?))
    };
    batch(vec![
        ("finding_id", text(&|f, _| Some(f.finding_id.clone()))),
        ("quarter", text(&|_, _| Some(quarter.to_owned()))),
        ("customer_key", text(&|_, c| c.subject.customer_key.clone())),
        ("service_key", text(&|_, c| c.subject.service_key.clone())),
        ("month", Arc::new(cells.iter().map(|(_, c)| Some(month_days(c.month))).collect::<Date32Array>())),
        ("currency", text(&|_, c| Some(c.subject.currency.clone()))),
        ("counted", money(|c| c.counted)?),
        ("corroborates", money(|c| c.amount - c.counted)?),
        ("run_id", text(&|_, _| Some(run_id.to_owned()))),
    ])
}

fn coverage_batch(
    coverage: &[Coverage],
    folded: &[Folded],
    quarter: &str,
    run_id: &str,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |get: &dyn Fn(&Coverage) -> String| -> ArrayRef {
        Arc::new(coverage.iter().map(|c| Some(get(c))).collect::<StringArray>())
    };
    let whole = |get: &dyn Fn(&Coverage) -> u64| -> ArrayRef {
        Arc::new(coverage.iter().map(|c| Some(get(c).cast_signed())).collect::<Int64Array>())
    };
    let hits = |c: &Coverage| folded.iter().filter(|f| f.finding.signal == c.signal).count() as u64;
    batch(vec![
        ("signal", text(&|c| c.signal.clone())),
        ("quarter", text(&|_| quarter.to_owned())),
        ("tested", whole(&|c| c.tested)),
        ("too_short", whole(&|c| c.too_short)),
        ("findings", whole(&hits)),
        ("note", text(&|c| c.note.clone())),
        ("run_id", text(&|_| run_id.to_owned())),
    ])
}

/// The month before which a finding's baseline lies, for charts: two years back from the quarter's end.
#[must_use]
pub fn chart_start(quarter: Quarter) -> Month {
    quarter.last_month().plus(1 - WINDOW_MONTHS)
}
