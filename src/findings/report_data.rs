//! What the report shows, gathered from the marts of one run.

use super::analyze::{AnalyzeError, chart_start};
use super::cause;
use super::coverage::{Coverage, Part};
use super::marts::{self, Run};
use super::read::month_days;
use super::report_quarters::{Listed, listed, quarters};
use super::report_waterfall::waterfalls;
use super::schema::{Basis, Finding};
use super::scorecard::Score;
use super::signal::Signal;
use super::unmapped::Unmapped;
use crate::lake::truth;
use crate::lake::{Lake, Table};
use crate::month::{Month, Quarter};
use crate::query::catalog::Catalog;
use crate::query::session;
use crate::query::text_literal;
use crate::report::{
    ChartKind, ChartPoint, CoverageRow, CurrencyTotal, EvidenceRow, FindingChart, MeasureRow, ReportData, ScoreRow, SignalTotal,
    Waterfall,
};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use chrono::{DateTime, Duration, NaiveDate};
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashSet};

/// Findings that get a chart.
const CHARTS: usize = 30;

/// Everything for [`crate::report::render`].
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub async fn report_data(lake: &Lake, run: &Run) -> Result<ReportData, AnalyzeError> {
    let Listed { open: findings, resolved, muted } = listed(lake, run).await?;
    let quarter: Quarter =
        run.quarter.parse().map_err(|_| AnalyzeError::Engine { action: "reading the run", detail: run.quarter.clone() })?;
    let signals = Signal::load_all(&Catalog::load(None)?)?;
    let ctx = session::context(1);
    truth::register_schemas(&ctx)?;
    marts::register(&ctx, lake, Some(run)).await?;
    let waterfalls = waterfalls(&ctx, &signals).await?;
    let mut charts = Vec::new();
    for finding in findings.iter().take(CHARTS) {
        charts.push(chart(&ctx, finding, quarter).await?);
    }
    // Without an as-of date the data are as of the newest file.
    let newest = lake.files(Table::Batch, None).await?.iter().filter_map(|f| f.recorded_at).map(|(_, last)| last).max();
    let as_of = run.as_of.or(newest).and_then(DateTime::from_timestamp_micros).map(|t| t.date_naive());
    Ok(ReportData {
        quarter,
        as_of: as_of.unwrap_or_else(|| quarter.last_month().plus(1).first_day() - Duration::days(1)),
        lake: lake.root().display().to_string(),
        totals: totals(&findings, &waterfalls),
        waterfalls,
        quarters: quarters(lake, run, quarter, &findings).await?,
        by_signal: by_signal(&signals, &findings),
        coverage: coverage(&ctx, &signals).await?,
        scorecard: scores(&ctx).await?,
        causes: cause::most_likely(&ctx).await?,
        charts,
        notes: notes(run, resolved, muted, recoverable(&ctx, &findings).await?),
        findings,
        generated_by: concat!("shortfall ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

fn notes(run: &Run, resolved: usize, muted: usize, recoverable: Vec<String>) -> Vec<String> {
    let mut notes = vec![
        "Leakage is for the quarter; a unit of money that several signals point to is counted once.".to_owned(),
        "Over-billed money is the customers': it is reported beside leakage, never netted against it.".to_owned(),
    ];
    notes.extend(recoverable);
    if resolved > 0 {
        notes.push(format!("Resolved since earlier analyses, and not listed here: {resolved}. `shortfall findings` names them."));
    }
    if muted > 0 {
        notes.push(format!("Muted, and in no list and no total here: {muted}. `shortfall findings --muted` gives the reasons."));
    }
    notes.extend(run.unmapped.iter().map(Unmapped::sentence));
    notes
}

pub(super) async fn query(ctx: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let failed = |e: datafusion::common::DataFusionError| AnalyzeError::Engine {
        action: "reading the marts",
        detail: e.strip_backtrace(),
    };
    ctx.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)
}

pub(super) fn text(batch: &RecordBatch, column: usize, row: usize) -> String {
    cast(batch.column(column), &DataType::Utf8)
        .ok()
        .filter(|cells| cells.is_valid(row))
        .map(|cells| cells.as_string::<i32>().value(row).to_owned())
        .unwrap_or_default()
}

pub(super) fn money(batch: &RecordBatch, column: usize, row: usize) -> Option<Decimal> {
    let cells = cast(batch.column(column), &crate::functions::exact::MONEY).ok()?;
    cells.is_valid(row).then(|| crate::money::to_decimal(cells.as_primitive::<Decimal128Type>().value(row))).flatten()
}

/// A day as a date literal of SQL.
fn literal(month: Month) -> String {
    let day = NaiveDate::default().checked_add_signed(Duration::days(i64::from(month_days(month)))).unwrap_or_default();
    format!("DATE '{day}'")
}

/// What the findings come to, beside what the waterfalls begin and end with.
fn totals(findings: &[Finding], waterfalls: &[Waterfall]) -> Vec<CurrencyTotal> {
    let mut by_currency: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_currency.entry(&finding.currency).or_default().push(finding);
    }
    let total = |(currency, found): (&str, Vec<&Finding>)| {
        let sum = |wanted: Option<Basis>, get: fn(&Finding) -> Decimal| {
            found.iter().filter(|f| wanted.is_none_or(|basis| f.basis == basis)).map(|f| get(f)).sum::<Decimal>()
        };
        let waterfall = waterfalls.iter().find(|waterfall| waterfall.currency == currency);
        CurrencyTotal {
            currency: currency.to_owned(),
            leakage_revenue: sum(Some(Basis::Revenue), |f| f.leakage),
            leakage_cost: sum(Some(Basis::Cost), |f| f.leakage),
            leakage: sum(None, |f| f.leakage),
            leakage_low: sum(None, |f| f.leakage_low),
            leakage_high: sum(None, |f| f.leakage_high),
            overbilled: sum(None, |f| f.overbilled),
            expected: waterfall.map(|waterfall| waterfall.expected),
            billed: waterfall.map(|waterfall| waterfall.billed),
            findings: found.len() as u64,
        }
    };
    by_currency.into_iter().map(total).collect()
}

fn by_signal(signals: &[Signal], findings: &[Finding]) -> Vec<SignalTotal> {
    let mut totals: BTreeMap<(&str, &str), (u64, Decimal, Decimal)> = BTreeMap::new();
    for finding in findings {
        let sums = totals.entry((&finding.signal, &finding.currency)).or_default();
        sums.0 += 1;
        sums.1 += finding.leakage;
        sums.2 += finding.overbilled;
    }
    let mut rows: Vec<SignalTotal> = totals
        .into_iter()
        .map(|((id, currency), (count, leakage, overbilled))| {
            let known = signals.iter().find(|signal| signal.id == id);
            SignalTotal {
                signal: id.to_owned(),
                title: known.map_or_else(|| id.to_owned(), |s| s.title.clone()),
                question: known.map(|s| s.question.clone()).unwrap_or_default(),
                family: known.map(|s| s.family.clone()).unwrap_or_default(),
                currency: currency.to_owned(),
                findings: count,
                leakage,
                overbilled,
            }
        })
        .collect();
    rows.sort_by(|a, b| (&a.currency, b.leakage, b.overbilled).cmp(&(&b.currency, a.leakage, a.overbilled)));
    rows
}

async fn coverage(ctx: &SessionContext, signals: &[Signal]) -> Result<Vec<CoverageRow>, AnalyzeError> {
    let sql = "SELECT signal, untested, currency, units, money, unit FROM marts.coverage ORDER BY signal, untested, currency";
    let mut found: Vec<Coverage> = Vec::new();
    for batch in query(ctx, sql).await? {
        for row in 0..batch.num_rows() {
            let stated = |column: usize| Some(text(&batch, column, row)).filter(|text| !text.is_empty());
            let part = Part {
                untested: stated(1),
                currency: stated(2),
                units: u64::try_from(batch.column(3).as_primitive::<Int64Type>().value(row)).unwrap_or(0),
                money: money(&batch, 4, row).unwrap_or_default(),
            };
            let signal = text(&batch, 0, row);
            match found.last_mut() {
                Some(last) if last.signal == signal => last.parts.push(part),
                _ => found.push(Coverage { signal, unit: text(&batch, 5, row), parts: vec![part] }),
            }
        }
    }
    let row = |coverage: Coverage| CoverageRow {
        title: signals.iter().find(|s| s.id == coverage.signal).map_or_else(|| coverage.signal.clone(), |s| s.title.clone()),
        tested: coverage.tested(),
        too_short: coverage.too_short(),
        not_testable: coverage.not_testable(),
        why: format!("{}{}{}", coverage.unit, if coverage.why().is_empty() { "" } else { "; " }, coverage.why()),
        signal: coverage.signal,
    };
    Ok(found.into_iter().map(row).collect())
}

/// The scorecard of the whole book.
async fn scores(ctx: &SessionContext) -> Result<Vec<ScoreRow>, AnalyzeError> {
    let sql = "SELECT title, currency, unit, trend, previous_quarter, value, previous_value FROM marts.scorecard
               WHERE system IS NULL ORDER BY measure, currency";
    let mut rows = Vec::new();
    for batch in query(ctx, sql).await? {
        for row in 0..batch.num_rows() {
            let score = Score { unit: text(&batch, 2, row), ..Score::default() };
            let (title, currency, quarter) = (text(&batch, 0, row), text(&batch, 1, row), text(&batch, 4, row));
            let before = money(&batch, 6, row).map(|value| format!("{} in {quarter}", score.shown(Some(value))));
            rows.push(ScoreRow {
                title: if currency.is_empty() { title } else { format!("{title}, {currency}") },
                now: score.shown(money(&batch, 5, row)),
                before: before.unwrap_or_default(),
                trend: text(&batch, 3, row),
            });
        }
    }
    Ok(rows)
}

/// The months behind the findings of a report, and the whole scorecard, for [`crate::report::workbook`].
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub async fn workbook_rows(
    lake: &Lake,
    run: &Run,
    data: &ReportData,
) -> Result<(Vec<EvidenceRow>, Vec<MeasureRow>), AnalyzeError> {
    let ctx = session::context(1);
    truth::register_schemas(&ctx)?;
    marts::register(&ctx, lake, Some(run)).await?;
    let listed: HashSet<&str> = data.findings.iter().map(|finding| finding.finding_id.as_str()).collect();
    let sql = "SELECT evidence.finding_id, coalesce(finding.customer_name, evidence.customer_key), coalesce(finding.service_name, evidence.service_key),
                      to_char(evidence.month, '%Y-%m'), evidence.currency, evidence.counted, evidence.corroborates, evidence.billed
               FROM marts.finding_evidence AS evidence JOIN marts.finding AS finding ON evidence.finding_id = finding.finding_id
               ORDER BY finding.rank, evidence.customer_key, evidence.service_key, evidence.month";
    let stated = |text: String| (!text.is_empty()).then_some(text);
    let mut evidence = Vec::new();
    for batch in query(&ctx, sql).await? {
        for row in 0..batch.num_rows() {
            let Ok(month) = text(&batch, 3, row).parse() else { continue };
            let finding_id = text(&batch, 0, row);
            if !listed.contains(finding_id.as_str()) {
                continue;
            }
            evidence.push(EvidenceRow {
                finding_id,
                customer: stated(text(&batch, 1, row)),
                service: stated(text(&batch, 2, row)),
                month,
                currency: text(&batch, 4, row),
                counted: money(&batch, 5, row).unwrap_or_default(),
                corroborates: money(&batch, 6, row).unwrap_or_default(),
                billed: money(&batch, 7, row),
            });
        }
    }
    let sql = "SELECT title, system, currency, unit, value, previous_quarter, previous_value, trend FROM marts.scorecard
               ORDER BY system NULLS FIRST, measure, currency";
    let mut scores = Vec::new();
    for batch in query(&ctx, sql).await? {
        for row in 0..batch.num_rows() {
            scores.push(MeasureRow {
                title: text(&batch, 0, row),
                system: stated(text(&batch, 1, row)),
                currency: stated(text(&batch, 2, row)),
                unit: text(&batch, 3, row),
                value: money(&batch, 4, row),
                previous_quarter: stated(text(&batch, 5, row)),
                previous_value: money(&batch, 6, row),
                trend: stated(text(&batch, 7, row)),
            });
        }
    }
    Ok((evidence, scores))
}

/// What can still be had of the listed findings, one sentence a currency.
async fn recoverable(ctx: &SessionContext, findings: &[Finding]) -> Result<Vec<String>, AnalyzeError> {
    let sql = "SELECT finding_id, currency, detected, recoverable_now, recoverable_from_next_cycle, lost FROM marts.finding";
    let listed: HashSet<&str> = findings.iter().map(|finding| finding.finding_id.as_str()).collect();
    let mut sums: BTreeMap<String, [Decimal; 4]> = BTreeMap::new();
    for batch in query(ctx, sql).await? {
        for row in (0..batch.num_rows()).filter(|row| listed.contains(text(&batch, 0, *row).as_str())) {
            let sum = sums.entry(text(&batch, 1, row)).or_default();
            for (at, part) in sum.iter_mut().enumerate() {
                *part += money(&batch, at + 2, row).unwrap_or_default();
            }
        }
    }
    let sentence = |(currency, [all, now, next, lost]): (&String, &[Decimal; 4])| {
        let shown = |amount: &Decimal| crate::money::round_to_minor_unit(*amount, currency);
        format!(
            "Since these leaks began: {} {currency}, of it {} recoverable now, {} only from the next billing cycle, {} lost to the limit of back-billing.",
            shown(all),
            shown(now),
            shown(next),
            shown(lost)
        )
    };
    Ok(sums.iter().filter(|(_, sum)| !sum[0].is_zero()).map(sentence).collect())
}

/// Two years of the finding's pair: the two series that its signal compares.
async fn chart(ctx: &SessionContext, finding: &Finding, quarter: Quarter) -> Result<FindingChart, AnalyzeError> {
    let (kind, left, right) = match finding.signal.as_str() {
        "cost_charge_drift" => (ChartKind::CostCharge, "cost", "revenue"),
        "arpu_decline" => (ChartKind::Arpu, "exact_quotient(revenue, active_subjects)", "active_subjects"),
        "underbilled_quantity" | "psa_change_not_billed" => (ChartKind::QuantityBilled, "billable_quantity", "billed_quantity"),
        _ => (ChartKind::UsageRevenue, "delivered_quantity", "revenue"),
    };
    let key = |key: &Option<String>| text_literal(key.as_deref().unwrap_or_default());
    let sql = format!(
        "SELECT month, {left}, {right} FROM marts.fact_monthly
         WHERE customer_key = {} AND service_key = {} AND currency = {} AND month BETWEEN {} AND {} ORDER BY month",
        key(&finding.customer_key),
        key(&finding.service_key),
        text_literal(&finding.currency),
        literal(chart_start(quarter)),
        literal(quarter.last_month())
    );
    let mut points = Vec::new();
    for batch in query(ctx, &sql).await? {
        let months = cast(batch.column(0), &DataType::Date32).ok();
        let Some(months) = months.as_ref().and_then(|m| m.as_primitive_opt::<Date32Type>()) else { continue };
        for row in 0..batch.num_rows() {
            let day = NaiveDate::default().checked_add_signed(Duration::days(i64::from(months.value(row)))).unwrap_or_default();
            points.push(ChartPoint { month: Month::of(day), left: money(&batch, 1, row), right: money(&batch, 2, row) });
        }
    }
    Ok(FindingChart {
        finding_id: finding.finding_id.clone(),
        kind,
        currency: finding.currency.clone(),
        unit: None,
        points,
        change_month: finding.change_month.or(Some(finding.first_month)),
    })
}
