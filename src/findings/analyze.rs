//! One analysis of a quarter: view of the lake, facts, signals, findings, marts.

use super::cause::causes;
use super::cell::cells;
use super::coverage::{Coverage, coverage};
use super::earlier::{Earlier, earlier};
pub use super::error::AnalyzeError;
use super::fold::{Folded, Names, fold};
use super::marts::{self, Run};
use super::mute::{self, Mute, Spoken};
use super::overlap::count_once;
use super::publish::{Results, publish};
use super::read::from_batch;
use super::recoverable::{Limits, Money, parts};
use super::recovered::{billed, recovered};
use super::schema::{Basis, Finding};
use super::scorecard::{Score, scorecard};
use super::signal::Signal;
use super::status::{self, Tested};
use super::unmapped::{Unmapped, unmapped};
use crate::cluster::{Cluster, Shares, Target};
use crate::lake::truth::{self, Versions};
use crate::lake::{Lake, LakeError, Table};
use crate::money::round_to_minor_unit;
use crate::month::{Month, Quarter};
use crate::query::catalog::Catalog;
use crate::query::run::{self, FactTiming, Parameters};
use crate::query::session;
use crate::steps::{Silent, Steps};
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::prelude::{Expr, SessionContext, col, lit};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

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
    /// Signals whose findings are asked for, all if none; the others are evaluated too, as they may claim the same money.
    pub signals: Vec<String>,
    /// Queries of the user.
    pub queries: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
    /// Months that may be billed back where no contract says otherwise.
    pub back_billing_months: u32,
    /// Bytes of memory that facts and queries may take ([`session::within`]); no limit if none.
    pub memory: Option<usize>,
    /// The cluster that runs what reads much; this machine alone if none.
    pub cluster: Option<Target>,
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
    /// Findings in the order of money times confidence, without the muted ones.
    pub findings: Vec<Finding>,
    /// Those that somebody muted.
    pub muted: Vec<(Finding, Mute)>,
    /// Those that were muted and are listed again, and why.
    pub unmuted: Vec<(Finding, String)>,
    /// By currency, what of the listed findings' money can still be had, and what came back of all that was ever found.
    pub recoverable: BTreeMap<String, Money>,
    /// What was tested.
    pub coverage: Vec<Coverage>,
    /// Whether revenue integrity rests on systems or on people.
    pub scorecard: Vec<Score>,
    /// Earlier findings that are not found again because the signal could not look: nothing is known of them.
    pub untested: Vec<Finding>,
    /// What could not be tied to anybody.
    pub unmapped: Vec<Unmapped>,
    /// Rows of `fact_monthly`.
    pub fact_rows: u64,
    /// Whether the lake knows of a single invoice line; without any, nothing can be compared with what was billed.
    pub has_invoices: bool,
    /// Invoice lines whose currency neither they nor anything else tells: they are compared with nothing but each other.
    pub lines_without_currency: u64,
    /// What each fact cost.
    pub timings: Vec<FactTiming>,
    /// What ran where, with a cluster.
    pub shares: Option<Shares>,
}

/// Analyses a quarter and publishes the result.
///
/// # Errors
/// [`AnalyzeError`].
pub async fn analyze(lake: &Lake, request: &Request) -> Result<Analysis, AnalyzeError> {
    analyze_in_steps(lake, request, &Silent).await
}

/// Steps besides facts and signals.
const OTHER_STEPS: usize = 4;

/// The same, and says where it is.
///
/// # Errors
/// As [`analyze`].
pub async fn analyze_in_steps(lake: &Lake, request: &Request, steps: &dyn Steps) -> Result<Analysis, AnalyzeError> {
    let catalog = Catalog::load(request.queries.as_deref())?;
    let signals = Signal::load_all(&catalog)?;
    refuse_unknown(&signals, &request.signals)?;
    steps.begin(OTHER_STEPS + catalog.folder("facts").count() + signals.len());
    steps.step("view of the lake");
    let ctx = session(lake, request).await?;
    let versions = truth::register(&ctx, lake, request.as_of).await?;
    let parameters = parameters(lake, request.quarter, request.as_of).await?;
    let known_until = known_until(lake, request).await?;
    // What is on stays on until somebody says otherwise, so that seats are delivered in all quarters to come as well.
    if Month::of(known_until) < request.quarter.first_month() {
        return Err(AnalyzeError::NotYet { quarter: request.quarter, known_until });
    }
    let timings = run::build_facts_in_steps(&ctx, &catalog, parameters, None, steps).await?;
    let fact_rows = count(&ctx, "facts.fact_monthly", lit(true)).await?;
    let has_invoices = count(&ctx, "facts.invoice_line", lit(true)).await? > 0;
    let lines_without_currency = count(&ctx, "facts.invoice_line", col("currency").eq(lit("XXX"))).await?;
    // Open contracts reach into every quarter to come; only deliveries and charges make one that can be judged.
    if count(&ctx, "facts.quarter_activity", lit(true)).await? == 0 {
        let unmapped = unmapped(&ctx).await?;
        if unmapped.is_empty() {
            return Err(AnalyzeError::NoData { quarter: request.quarter });
        }
        let sentences: Vec<String> = unmapped.iter().map(Unmapped::sentence).collect();
        return Err(AnalyzeError::NothingMapped { quarter: request.quarter, unmapped: sentences.join("; ") });
    }
    let mut found = Vec::with_capacity(signals.len());
    for signal in signals {
        steps.step(&signal.id);
        let (schema, batches) = run::rows(&ctx, &signal.query, parameters).await?;
        let cells = cells(&signal, &schema, &batches)?;
        found.push((signal, cells));
    }
    count_once(&mut found);
    steps.step("coverage");
    let evaluated: Vec<&Signal> = found.iter().map(|(signal, _)| signal).collect();
    let coverage = coverage(&ctx, &catalog, &evaluated, parameters).await?;
    let names = names(&ctx).await?;
    let signals: Vec<Signal> = found.iter().map(|(signal, _)| signal.clone()).collect();
    let mut folded: Vec<Folded> =
        found.into_iter().flat_map(|(signal, cells)| fold(&signal, cells, request.quarter, &names)).collect();
    steps.step("earlier analyses");
    let before = earlier(lake, request.quarter, request.as_of.map(|t| t.timestamp_micros())).await?;
    let mut tested = Tested::new(&ctx, &catalog, parameters, request.quarter, &coverage).await?;
    let gone = status::set(&mut folded, &before, request.quarter, &mut tested).await?;
    folded.extend(gone.resolved);
    let limits =
        Limits { known_until: Month::of(known_until), months: request.back_billing_months, stated: stated_limits(&ctx).await? };
    let recovered = recovered(&ctx, &before).await?;
    for Folded { finding, cells, earlier, money } in &mut folded {
        if let Some(signal) = signals.iter().find(|signal| signal.id == finding.signal) {
            *money = parts(signal, earlier.iter().chain(cells.iter()), &limits);
        }
        let back = recovered.iter().filter(|row| row.finding_id == finding.finding_id).map(|row| row.recovered);
        money.recovered = round_to_minor_unit(back.sum(), &finding.currency);
    }
    let keys = folded.iter().flat_map(|f| f.cells.iter().map(|cell| (cell.subject.clone(), cell.month))).collect();
    let billed = billed(&ctx, &keys).await?;
    let scorecard = scorecard(&ctx, &catalog, parameters, request.quarter, &before).await?;
    folded.sort_by(|a, b| rank_key(&b.finding).cmp(&rank_key(&a.finding)).then(a.finding.finding_id.cmp(&b.finding.finding_id)));
    let causes = causes(&ctx, &folded, &signals).await?;
    let run_id = run_id(request, &versions, &catalog, &before);
    let unmapped = unmapped(&ctx).await?;
    let results = Results {
        run_id: &run_id,
        quarter: request.quarter,
        as_of: request.as_of,
        versions: &versions,
        queries_sha256: &catalog.sha256(),
        folded: &folded,
        causes: &causes,
        billed: &billed,
        recovered: &recovered,
        known_until,
        back_billing_months: request.back_billing_months,
        coverage: &coverage,
        scorecard: &scorecard,
        unmapped: &unmapped,
        fact_rows,
    };
    steps.step("writing the marts");
    publish(&ctx, lake, results).await?;
    let is_wanted = |signal: &String| request.signals.is_empty() || request.signals.contains(signal);
    folded.retain(|f| is_wanted(&f.finding.signal));
    let mut monies: HashMap<String, Money> = folded.iter().map(|f| (f.finding.finding_id.clone(), f.money)).collect();
    let spoken =
        Spoken { quarter: request.quarter, as_of: request.as_of.map(|t| t.timestamp_micros()), known_until: Some(known_until) };
    let split = mute::split(lake, spoken, folded.into_iter().map(|f| f.finding).collect()).await?;
    let mut recoverable: BTreeMap<String, Money> = BTreeMap::new();
    for finding in &split.listed {
        let money = Money { recovered: Decimal::ZERO, ..monies.remove(&finding.finding_id).unwrap_or_default() };
        *recoverable.entry(finding.currency.clone()).or_default() += money;
    }
    for row in recovered.iter().filter(|row| row.basis != Basis::Overbilling) {
        let money = recoverable.entry(row.subject.currency.clone()).or_default();
        money.recovered = round_to_minor_unit(money.recovered + row.recovered, &row.subject.currency);
    }
    Ok(Analysis {
        run_id,
        quarter: request.quarter,
        as_of: request.as_of,
        findings: split.listed,
        muted: split.muted,
        unmuted: split.ended,
        recoverable,
        scorecard,
        untested: gone.untested.into_iter().filter(|finding| is_wanted(&finding.signal)).collect(),
        coverage: coverage.into_iter().filter(|coverage| is_wanted(&coverage.signal)).collect(),
        unmapped,
        fact_rows,
        has_invoices,
        lines_without_currency,
        timings,
        shares: Cluster::of(&ctx.copied_config()).map(|cluster| cluster.shares()),
    })
}

/// The session of an analysis, on this machine or with a cluster behind it.
async fn session(lake: &Lake, request: &Request) -> Result<SessionContext, AnalyzeError> {
    let failed = AnalyzeError::engine("setting up a limit of memory");
    if let Some(target) = &request.cluster {
        let cluster = Cluster::connect(target, lake).await?;
        return session::clustered(&cluster, request.memory).map_err(failed);
    }
    match request.memory {
        Some(bytes) => session::within(request.threads, bytes).map_err(failed),
        None => Ok(session::context(request.threads)),
    }
}

/// The day up to which the data reach: the as-of date, or when the newest row of usage, invoices or contracts became known.
async fn known_until(lake: &Lake, request: &Request) -> Result<NaiveDate, AnalyzeError> {
    let mut newest = None;
    for table in [Table::VendorUsage, Table::InvoiceLine, Table::ContractLine] {
        let known = lake.files(table, None).await?.into_iter().filter_map(|file| Some(file.recorded_at?.1));
        newest = newest.max(known.max());
    }
    let newest = newest.and_then(DateTime::from_timestamp_micros);
    let known = request.as_of.or(newest).map(|instant| instant.date_naive());
    Ok(known.unwrap_or_else(|| request.quarter.last_month().plus(1).first_day()))
}

/// How far back contracts let the MSP bill, where they say so.
async fn stated_limits(ctx: &SessionContext) -> Result<HashMap<(String, String), u32>, AnalyzeError> {
    let mut limits = HashMap::new();
    for batch in texts(ctx, "SELECT customer_key, service_key, months FROM facts.back_billing").await? {
        for row in 0..batch.num_rows() {
            let months = batch.column(2).as_primitive::<Int64Type>().value(row);
            limits.insert((text_at(&batch, 0, row)?, text_at(&batch, 1, row)?), u32::try_from(months).unwrap_or(0));
        }
    }
    Ok(limits)
}

fn refuse_unknown(signals: &[Signal], wanted: &[String]) -> Result<(), AnalyzeError> {
    match wanted.iter().find(|name| !signals.iter().any(|signal| signal.id == **name)) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<&str> = signals.iter().map(|s| s.id.as_str()).collect();
            Err(AnalyzeError::UnknownSignal { name: name.clone(), known: known.join(", ") })
        }
    }
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

async fn count(ctx: &SessionContext, table: &str, condition: Expr) -> Result<u64, AnalyzeError> {
    let failed = AnalyzeError::engine("counting rows");
    let rows = ctx.table(table).await.map_err(&failed)?.filter(condition).map_err(&failed)?;
    let count = rows.count().await.map_err(&failed)?;
    Ok(count as u64)
}

pub(super) async fn texts(ctx: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let failed = AnalyzeError::engine("reading facts");
    ctx.sql(sql).await.map_err(&failed)?.collect().await.map_err(&failed)
}

pub(super) fn text_at(batch: &RecordBatch, column: usize, row: usize) -> Result<String, AnalyzeError> {
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

/// Money times confidence, leakage before over-billing, what is resolved last.
fn rank_key(finding: &Finding) -> (bool, bool, Decimal) {
    let money = status::money(finding);
    let confidence = Decimal::from_f64_retain(finding.confidence).unwrap_or(Decimal::ONE).round_dp(6);
    (status::is_open(finding), finding.basis != Basis::Overbilling, (money * confidence).round_dp(6))
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

fn run_id(request: &Request, versions: &Versions, catalog: &Catalog, before: &[Earlier]) -> String {
    let mut hash = Sha256::new();
    let as_of = request.as_of.map(|t| t.timestamp_micros().to_string()).unwrap_or_default();
    let versions: Vec<String> = versions.iter().map(|(table, version)| format!("{table}={version}")).collect();
    // Another analysis of an earlier quarter makes another status.
    let before: Vec<&str> = before.iter().filter(|run| run.quarter < request.quarter).map(|run| run.run_id.as_str()).collect();
    let parts = [
        request.quarter.to_string(),
        request.back_billing_months.to_string(),
        before.join(","),
        as_of,
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

/// The month before which a finding's baseline lies, for charts: two years back from the quarter's end.
#[must_use]
pub fn chart_start(quarter: Quarter) -> Month {
    quarter.last_month().plus(1 - WINDOW_MONTHS)
}
