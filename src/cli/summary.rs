//! What `analyze` and `demo` say of an analysis: one document for programs, and plain text for people, which fits a mail.

use super::findings::{muted_sentences, short_table};
use super::{plain, render};
use crate::findings::analyze::Analysis;
use crate::findings::scorecard::Score;
use crate::findings::status::is_open;
use crate::findings::{Basis, Finding};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Findings that the summary lists.
const LISTED: usize = 10;

/// Money of some findings by currency: leakage of revenue, of cost, over-billing.
fn totals(found: &[Finding]) -> BTreeMap<String, (Decimal, Decimal, Decimal)> {
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

/// For programs.
pub(super) fn document(analysis: &Analysis) -> Value {
    let totals = totals(&analysis.findings);
    let open: Vec<&Finding> = analysis.findings.iter().filter(|f| is_open(f)).collect();
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
    json!({
        "run_id": analysis.run_id, "quarter": analysis.quarter.to_string(), "findings": open.len(),
        "muted": analysis.muted.len(), "recoverable": recoverable,
        "scorecard": scorecard,
        "resolved": analysis.findings.len() - open.len(), "not_tested_again": analysis.untested.len(),
        "fact_rows": analysis.fact_rows, "has_invoices": analysis.has_invoices, "lines_without_currency": analysis.lines_without_currency,
        "totals": totals, "coverage": coverage, "unmapped": unmapped,
    })
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

/// For people. `lake` is what the commands to go on with must name.
pub(super) fn print(analysis: &Analysis, lake: &Path) {
    if !analysis.has_invoices {
        render::note(&format!("warning: {NO_INVOICES}"));
    }
    if analysis.lines_without_currency > 0 {
        render::note(&format!("warning: {}", without_currency(analysis.lines_without_currency)));
    }
    let (quarter, lake) = (analysis.quarter, lake.display());
    let open: Vec<&Finding> = analysis.findings.iter().filter(|f| is_open(f)).collect();
    let count = match open.len() {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    };
    render::lines(&format!("Revenue leakage in {quarter}: {count}\n"));
    let facts = money(analysis, &open);
    if !facts.is_empty() {
        render::lines(&(plain::facts(&facts) + "\n"));
    }
    if !open.is_empty() {
        render::lines(&short_table(&open, LISTED));
        if open.len() > LISTED {
            render::lines(&format!("and {} more: shortfall findings --lake {lake} --quarter {quarter}", open.len() - LISTED));
        }
        render::lines(&format!(
            "\nwhy:    shortfall explain --lake {lake} {}\nreport: shortfall report --lake {lake} --quarter {quarter} --html {quarter}.html\n",
            open[0].finding_id
        ));
    }
    let said = changes(analysis, open.len());
    if !said.is_empty() {
        render::lines(&(plain::facts(&said) + "\n"));
    }
    let scores: Vec<Vec<String>> = analysis.scorecard.iter().filter(|score| score.system.is_none()).map(score).collect();
    if !scores.is_empty() {
        render::lines(&(plain::list(&scores, &[0]) + "\n"));
    }
    render::lines(&plain::facts(&coverage(analysis)));
}

/// Money by currency.
fn money<'a>(analysis: &'a Analysis, open: &[&Finding]) -> Vec<(&'a str, String)> {
    let totals = totals(&analysis.findings);
    let mut facts: Vec<(&str, String)> = Vec::new();
    for (currency, money) in &analysis.recoverable {
        let found = totals.get(currency).filter(|_| !open.is_empty()).map(|(revenue, cost, over)| {
            let leakage = revenue + cost;
            format!("{leakage} leakage ({revenue} revenue, {cost} cost); {over} over-billed, to be returned")
        });
        let since = (!money.detected.is_zero()).then(|| {
            let parts = (money.detected, money.now, money.next_cycle, money.lost);
            format!(
                "since they began: {} detected, of it {} recoverable now, {} from the next cycle, {} lost",
                parts.0, parts.1, parts.2, parts.3
            )
        });
        let back = (!money.recovered.is_zero())
            .then(|| format!("recovered: {} of what was found before has been billed since", money.recovered));
        for sentence in [found, since, back].into_iter().flatten() {
            let is_first =
                facts.last().is_none_or(|(label, _)| label != currency) && facts.iter().all(|(label, _)| label != currency);
            facts.push((if is_first { currency } else { "" }, sentence));
        }
    }
    facts
}

/// What became of earlier findings, and of muted ones.
fn changes(analysis: &Analysis, open: usize) -> Vec<(&'static str, String)> {
    let mut facts = muted_sentences(&analysis.muted, &analysis.unmuted);
    if open < analysis.findings.len() {
        facts.push(("resolved", format!("{} since the analyses before", analysis.findings.len() - open)));
    }
    if !analysis.untested.is_empty() {
        let ids: Vec<&str> = analysis.untested.iter().take(5).map(|f| f.finding_id.as_str()).collect();
        let more = if analysis.untested.len() > ids.len() { ", ..." } else { "" };
        facts.push((
            "still open",
            format!(
                "{} findings of earlier quarters could not be tested again and stay open: {}{more}",
                analysis.untested.len(),
                ids.join(", ")
            ),
        ));
    }
    facts
}

/// A measure of the whole book; `marts.scorecard` has that of each system.
fn score(score: &Score) -> Vec<String> {
    let before = score.previous.as_ref().map(|(quarter, value)| format!(", {} in {quarter}", score.shown(Some(*value))));
    let trend = score.trend().filter(|_| before.is_some()).map(|trend| format!(", {trend}"));
    let currency = score.currency.as_ref().map(|currency| format!(" ({currency})"));
    let [before, trend, currency] = [before, trend, currency].map(Option::unwrap_or_default);
    vec![score.shown(score.value), format!("{}{currency}{before}{trend}", score.title)]
}

/// What was looked at, and what could not be.
fn coverage(analysis: &Analysis) -> Vec<(&str, String)> {
    let tested: Vec<String> = analysis.coverage.iter().map(|c| format!("{} {}", c.signal, c.tested())).collect();
    let mut facts = vec![("tested", tested.join(", "))];
    for coverage in analysis.coverage.iter().filter(|c| !c.why().is_empty()) {
        let label = if facts.len() == 1 { "not tested" } else { "" };
        facts.push((label, format!("{}: {}", coverage.signal, coverage.why())));
    }
    for unmapped in &analysis.unmapped {
        let sentence = unmapped.sentence();
        facts.push(("unmapped", sentence.strip_prefix("unmapped: ").unwrap_or(&sentence).to_owned()));
    }
    facts
}
