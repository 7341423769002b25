//! `shortfall analyze`.

use super::ingest::instant;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, findings, render};
use crate::findings::analyze::{Analysis, Request, analyze};
use crate::findings::recoverable::BACK_BILLING_MONTHS;
use crate::findings::scorecard::Score;
use crate::findings::status::is_open;
use crate::findings::{Basis, Finding};
use crate::lake::Lake;
use crate::month::Quarter;
use chrono::{DateTime, Duration, Utc};
use clap::ValueEnum;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Quarter to analyse, such as 2026Q3.
    #[arg(long)]
    quarter: Quarter,
    /// Only what was known at the end of this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// Only these signals.
    #[arg(long = "signal", value_name = "ID")]
    signals: Vec<String>,
    /// Folder with queries that add to or replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// Months that may be billed back, where the contract's terms say no other number.
    #[arg(long, value_name = "MONTHS", default_value_t = BACK_BILLING_MONTHS)]
    back_billing_months: u32,
    /// Exit with code 4 if a finding is at least this severe.
    #[arg(long, value_enum)]
    fail_on: Option<Severity>,
    /// Say on standard error what each fact cost.
    #[arg(long, env = "SHORTFALL_TRACE", value_parser = clap::builder::FalseyValueParser::new())]
    timings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let request = Request {
        quarter: arguments.quarter,
        as_of: arguments.as_of.as_deref().map(end_of_day).transpose()?,
        signals: arguments.signals.clone(),
        queries: arguments.queries.clone(),
        threads: context.threads,
        back_billing_months: arguments.back_billing_months,
    };
    let analysis = context.runtime.block_on(analyze(&lake, &request))?;
    summary(context, &analysis);
    if arguments.timings {
        for fact in &analysis.timings {
            render::note(&format!("facts.{}: {} rows in {:.3} s", fact.name, fact.rows, fact.took.as_secs_f64()));
        }
    }
    let is_alert = arguments.fail_on.is_some_and(|least| {
        analysis
            .findings
            .iter()
            .filter(|f| is_open(f))
            .any(|f| Severity::from_str(&f.severity, true).is_ok_and(|severity| severity >= least))
    });
    Ok(if is_alert { Exit::Alert } else { Exit::Done })
}

/// A date includes its day; an instant is taken as it is.
pub(super) fn end_of_day(text: &str) -> Result<DateTime<Utc>, Failure> {
    let start = instant(text)?;
    Ok(if text.len() == 10 { start + Duration::days(1) - Duration::microseconds(1) } else { start })
}

/// Money of some findings by currency: leakage of revenue, of cost, over-billing.
pub(super) fn totals(found: &[Finding]) -> BTreeMap<String, (Decimal, Decimal, Decimal)> {
    let mut totals: BTreeMap<String, (Decimal, Decimal, Decimal)> = BTreeMap::new();
    for finding in found {
        let sums = totals.entry(finding.currency.clone()).or_default();
        match finding.basis {
            Basis::Revenue => sums.0 += finding.leakage,
            Basis::Cost => sums.1 += finding.leakage,
            Basis::Overbilling => sums.2 += finding.overbilled,
        }
    }
    totals
}

/// The scorecard of the whole book; `marts.scorecard` has that of each system.
fn scorecard(scores: &[Score]) {
    let row = |score: &Score| {
        let before = score.previous.as_ref().map(|(quarter, value)| format!("{} in {quarter}", score.shown(Some(*value))));
        vec![
            score.title.clone(),
            score.currency.clone().unwrap_or_default(),
            score.shown(score.value),
            before.unwrap_or_default(),
            score.trend().unwrap_or_default().to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = scores.iter().filter(|score| score.system.is_none()).map(row).collect();
    render::table(&["scorecard", "currency", "now", "before", "trend"], &rows, &[2, 3]);
}

const NO_INVOICES: &str = "the lake holds no invoice line: nothing can be compared with what was billed. Ingest the exports of the billing \
                           system (`shortfall sources` lists them), and see whether the last ingest refused some";

/// Where invoices do not say what money they are in.
fn without_currency(lines: u64) -> String {
    format!(
        "{lines} invoice lines have no currency: their money is shown in XXX and compared with no other. Ingest the PSA's list of \
         currencies (Autotask: Currencies), or a currencies.csv that names it"
    )
}

/// Prints what an analysis says.
pub(super) fn summary(context: &Context, analysis: &Analysis) {
    let totals = totals(&analysis.findings);
    let open: Vec<&Finding> = analysis.findings.iter().filter(|f| is_open(f)).collect();
    if context.output == OutputFormat::Json {
        let totals: Vec<_> = totals
            .iter()
            .map(|(currency, (revenue, cost, over))| {
                json!({ "currency": currency, "leakage_revenue": revenue.to_string(), "leakage_cost": cost.to_string(),
                        "leakage": (revenue + cost).to_string(), "overbilled": over.to_string() })
            })
            .collect();
        let coverage: Vec<_> = analysis
            .coverage
            .iter()
            .map(|c| {
                let untested = c.parts.iter().filter(|part| part.untested.is_some());
                let untested: Vec<_> = untested
                    .map(|part| json!({ "why": part.untested, "units": part.units, "currency": part.currency, "money": part.money.normalize().to_string() }))
                    .collect();
                json!({ "signal": c.signal, "unit": c.unit, "tested": c.tested(), "too_short": c.too_short(),
                        "not_testable": c.not_testable(), "untested": untested })
            })
            .collect();
        let unmapped: Vec<_> = analysis
            .unmapped
            .iter()
            .map(|u| json!({ "currency": u.currency, "cost": u.cost.to_string(), "source_rows": u.source_rows, "ids": u.ids }))
            .collect();
        let scorecard: Vec<_> = analysis
            .scorecard
            .iter()
            .map(|s| {
                let text = |value: Option<Decimal>| value.map(|v| v.normalize().to_string());
                let previous = s.previous.as_ref();
                json!({ "measure": s.measure, "unit": s.unit, "better": s.better, "system": s.system, "currency": s.currency,
                        "part": text(s.part), "whole": text(Some(s.whole)), "value": text(s.value), "trend": s.trend(),
                        "previous_quarter": previous.map(|(quarter, _)| quarter), "previous_value": text(previous.map(|(_, v)| *v)) })
            })
            .collect();
        let recoverable: Vec<_> = analysis
            .recoverable
            .iter()
            .map(|(currency, money)| {
                json!({ "currency": currency, "detected": money.detected.to_string(), "recoverable_now": money.now.to_string(),
                        "recoverable_from_next_cycle": money.next_cycle.to_string(), "lost": money.lost.to_string(),
                        "recovered": money.recovered.to_string() })
            })
            .collect();
        render::document(&json!({
            "run_id": analysis.run_id, "quarter": analysis.quarter.to_string(), "findings": open.len(),
            "muted": analysis.muted.len(), "recoverable": recoverable,
            "scorecard": scorecard,
            "resolved": analysis.findings.len() - open.len(), "not_tested_again": analysis.untested.len(),
            "fact_rows": analysis.fact_rows, "has_invoices": analysis.has_invoices, "lines_without_currency": analysis.lines_without_currency,
            "totals": totals, "coverage": coverage, "unmapped": unmapped,
        }));
        return;
    }
    if !analysis.has_invoices {
        render::note(&format!("warning: {NO_INVOICES}"));
    }
    if analysis.lines_without_currency > 0 {
        render::note(&format!("warning: {}", without_currency(analysis.lines_without_currency)));
    }
    findings::print_table(&analysis.findings, 20);
    let quarter = analysis.quarter;
    if open.is_empty() {
        render::lines(&format!("{quarter}: no findings"));
    }
    for (currency, (revenue, cost, over)) in totals.iter().filter(|_| !open.is_empty()) {
        let leakage = revenue + cost;
        render::lines(&format!(
            "{quarter}: {leakage} {currency} leakage ({revenue} revenue, {cost} cost); {over} {currency} over-billed, to be returned"
        ));
    }
    for (currency, money) in &analysis.recoverable {
        if !money.detected.is_zero() {
            render::lines(&format!(
                "since they began: {} {currency} detected, of it {} recoverable now, {} from the next cycle, {} lost",
                money.detected, money.now, money.next_cycle, money.lost
            ));
        }
        if !money.recovered.is_zero() {
            render::lines(&format!("recovered: {} {currency} of what was found before has been billed since", money.recovered));
        }
    }
    findings::print_muted(&analysis.muted, &analysis.unmuted);
    if open.len() < analysis.findings.len() {
        render::lines(&format!("{quarter}: {} resolved since the analyses before", analysis.findings.len() - open.len()));
    }
    if !analysis.untested.is_empty() {
        let ids: Vec<&str> = analysis.untested.iter().take(5).map(|f| f.finding_id.as_str()).collect();
        let more = if analysis.untested.len() > ids.len() { ", ..." } else { "" };
        render::lines(&format!(
            "{quarter}: {} findings of earlier quarters could not be tested again and stay open: {}{more}",
            analysis.untested.len(),
            ids.join(", ")
        ));
    }
    scorecard(&analysis.scorecard);
    let tested: Vec<String> = analysis.coverage.iter().map(|c| format!("{} {}", c.signal, c.tested())).collect();
    render::lines(&format!("tested: {}", tested.join(", ")));
    for coverage in analysis.coverage.iter().filter(|c| !c.why().is_empty()) {
        render::lines(&format!("not tested: {}: {}", coverage.signal, coverage.why()));
    }
    for unmapped in &analysis.unmapped {
        render::lines(&unmapped.sentence());
    }
}
