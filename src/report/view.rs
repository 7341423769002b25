//! The page's content as display strings, in the order of the page, so that the template only places them.

use super::charts::{self, NARROW, WIDE};
use super::customers::{self, CustomerTable};
use super::html::MAX_FINDINGS;
use super::trend::{self, Trend};
use super::waterfall::WaterfallTable;
use super::{ChartKind, FindingChart, ReportData, ReportError, format, series};
use crate::findings::{Basis, Finding};
use crate::month::Quarter;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Characters of a name in a table row; the unfolded finding shows more.
const ROW_NAME: usize = 80;
/// Characters of a name in the unfolded finding: nothing there scrolls, which keys alone could not reach.
const FACT_NAME: usize = 400;
/// Characters of any other foreign text before it is cut.
const LONG_TEXT: usize = 2_000;

/// Everything the template places.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    quarter: String,
    period: String,
    as_of: String,
    lake: String,
    generated_by: String,
    verdict: Verdict,
    tested: String,
    untested: Option<String>,
    headlines: Vec<Headline>,
    waterfalls: Vec<WaterfallTable>,
    causes: Vec<CauseTable>,
    customers: Vec<CustomerTable>,
    trends: Vec<Trend>,
    findings: Vec<FindingRow>,
    findings_total: String,
    findings_hidden: Option<String>,
    coverage: Vec<CoverageView>,
    scorecard: Vec<ScoreView>,
    notes: Vec<String>,
}

/// What the quarter comes to in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Something was found.
    Findings,
    /// Something was tested and nothing was found.
    Clean,
    /// Nothing was found because nothing could be tested.
    Untested,
}

#[derive(Debug, Serialize)]
struct Headline {
    currency: String,
    leakage: String,
    range: Option<String>,
    findings: u64,
    findings_text: String,
    revenue: String,
    cost: String,
    /// Widths out of 100 of the two parts of the leakage; nothing where there is no leakage.
    split: Option<(String, String)>,
    overbilled: String,
    expected: Option<String>,
    billed: Option<String>,
    share_of_expected: Option<String>,
}

#[derive(Debug, Serialize)]
struct CauseTable {
    currency: String,
    rows: Vec<CauseRow>,
}

#[derive(Debug, Serialize)]
struct CauseRow {
    title: String,
    question: String,
    method: &'static str,
    findings: String,
    leakage: String,
    overbilled: String,
    /// Widths out of 100, on one scale for the whole table.
    leakage_bar: String,
    overbilled_bar: String,
}

#[derive(Debug, Serialize)]
struct FindingRow {
    rank: usize,
    id: String,
    customer: String,
    service: String,
    signal: String,
    months: String,
    amount: String,
    is_overbilling: bool,
    run_rate: String,
    confidence: String,
    status: String,
    severity: String,
    explanation: String,
    /// What happened when it began.
    happened: Option<String>,
    facts: Vec<(&'static str, String)>,
    command: String,
    chart: Option<ChartView>,
    sort: SortKeys,
}

/// Values that the script sorts by: machine-readable, and never shown.
#[derive(Debug, Serialize)]
struct SortKeys {
    currency: String,
    amount: String,
    run_rate: String,
    month: i32,
    confidence: f64,
}

#[derive(Debug, Serialize)]
struct ChartView {
    title: String,
    description: String,
    caption: String,
    left: &'static str,
    right: &'static str,
    drawings: Vec<Drawing>,
    left_column: String,
    right_column: String,
    rows: Vec<(String, String, String)>,
}

#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    pub(super) size: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) markup: String,
}

#[derive(Debug, Serialize)]
struct CoverageView {
    title: String,
    tested: String,
    too_short: String,
    not_testable: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct ScoreView {
    title: String,
    now: String,
    before: String,
    trend: String,
}

impl Page {
    /// Formats `data` and draws the charts of the findings that are shown.
    pub(super) fn new(data: &ReportData) -> Result<Self, ReportError> {
        let titles = signal_titles(data);
        let charts: BTreeMap<&str, &FindingChart> = data.charts.iter().map(|chart| (chart.finding_id.as_str(), chart)).collect();
        let shown = data.findings.iter().take(MAX_FINDINGS);
        let findings = (1..)
            .zip(shown)
            .map(|(rank, finding)| {
                let chart = charts.get(finding.finding_id.as_str()).copied();
                FindingRow::new(rank, finding, &titles, chart, data)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let counted: u64 = data.totals.iter().map(|total| total.findings).sum();
        let total = counted.max(u64::try_from(data.findings.len()).unwrap_or(u64::MAX));
        let hidden = total.saturating_sub(u64::try_from(findings.len()).unwrap_or(u64::MAX));
        let tested: u64 = data.coverage.iter().map(|row| row.tested).sum();
        let untested: u64 = data.coverage.iter().map(|row| row.too_short + row.not_testable).sum();
        let is_silent = total == 0 && data.totals.iter().all(|t| t.leakage.is_zero() && t.overbilled.is_zero());
        let verdict = match (is_silent, tested) {
            (false, _) => Verdict::Findings,
            (true, 0) => Verdict::Untested,
            (true, _) => Verdict::Clean,
        };
        // Where nothing lies between, two equal bars say nothing that the headline does not.
        let drawn = data.waterfalls.iter().filter(|waterfall| !waterfall.steps.is_empty());
        Ok(Self {
            quarter: format::quarter(data.quarter),
            period: format::months(data.quarter.first_month(), data.quarter.last_month()),
            as_of: format::date(data.as_of),
            lake: format::shortened(&data.lake, ROW_NAME),
            generated_by: format::clean(&data.generated_by),
            verdict,
            tested: format::count(tested),
            untested: (untested > 0).then(|| format::count(untested)),
            headlines: data.totals.iter().map(Headline::new).collect(),
            waterfalls: drawn.map(WaterfallTable::new).collect::<Result<_, _>>()?,
            causes: cause_tables(data),
            customers: customers::tables(data),
            trends: trend::trends(data)?,
            findings,
            findings_total: format::count(total),
            findings_hidden: (hidden > 0).then(|| format::count(hidden)),
            coverage: data.coverage.iter().map(CoverageView::new).collect(),
            scorecard: data.scorecard.iter().map(ScoreView::new).collect(),
            notes: data.notes.iter().map(|note| format::shortened(note, LONG_TEXT)).collect(),
        })
    }
}

fn signal_titles(data: &ReportData) -> BTreeMap<&str, &str> {
    let covered = data.coverage.iter().map(|row| (row.signal.as_str(), row.title.as_str()));
    let found = data.by_signal.iter().map(|row| (row.signal.as_str(), row.title.as_str()));
    covered.chain(found).collect()
}

impl Headline {
    fn new(total: &super::CurrencyTotal) -> Self {
        let money = |amount: Decimal| format::money(amount, &total.currency);
        let is_range = total.leakage_low != total.leakage_high;
        Self {
            currency: format::clean(&total.currency),
            leakage: money(total.leakage),
            range: is_range.then(|| format!("{} to {}", money(total.leakage_low), money(total.leakage_high))),
            findings: total.findings,
            findings_text: format::count(total.findings),
            revenue: money(total.leakage_revenue),
            cost: money(total.leakage_cost),
            split: (total.leakage > Decimal::ZERO)
                .then(|| (bar(total.leakage_revenue, total.leakage), bar(total.leakage_cost, total.leakage))),
            overbilled: money(total.overbilled),
            expected: total.expected.map(money),
            billed: total.billed.map(money),
            share_of_expected: total.expected.and_then(|expected| format::share(total.leakage_revenue, expected)),
        }
    }
}

/// `part` of `whole` as a bar's width out of 100; something too small to see still gets a sliver.
pub(super) fn bar(part: Decimal, whole: Decimal) -> String {
    if part <= Decimal::ZERO || whole <= Decimal::ZERO {
        return "0".to_owned();
    }
    let width = part.checked_div(whole).and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
    let width = width.unwrap_or(Decimal::ONE_HUNDRED).clamp(Decimal::new(5, 1), Decimal::ONE_HUNDRED);
    width.round_dp(1).normalize().to_string()
}

/// One table per currency, in the order in which the currencies first occur.
fn cause_tables(data: &ReportData) -> Vec<CauseTable> {
    let mut currencies: Vec<&str> = Vec::new();
    for row in &data.by_signal {
        if !currencies.contains(&row.currency.as_str()) {
            currencies.push(&row.currency);
        }
    }
    let table = |currency: &str| {
        let rows = || data.by_signal.iter().filter(|row| row.currency == currency);
        let largest = rows().map(|row| row.leakage.max(row.overbilled)).max().unwrap_or_default();
        let row = |row: &super::SignalTotal| CauseRow {
            title: format::clean(&row.title),
            question: format::clean(&row.question),
            method: if row.family == "trend" { "Trend" } else { "Row by row" },
            findings: format::count(row.findings),
            leakage: format::plain_money(row.leakage, currency),
            overbilled: format::plain_money(row.overbilled, currency),
            leakage_bar: bar(row.leakage, largest),
            overbilled_bar: bar(row.overbilled, largest),
        };
        CauseTable { currency: format::clean(currency), rows: rows().map(row).collect() }
    };
    currencies.into_iter().map(table).collect()
}

impl FindingRow {
    fn new(
        rank: usize,
        finding: &Finding,
        titles: &BTreeMap<&str, &str>,
        chart: Option<&FindingChart>,
        data: &ReportData,
    ) -> Result<Self, ReportError> {
        let is_overbilling = finding.basis == Basis::Overbilling;
        let amount = if is_overbilling { finding.overbilled } else { finding.leakage };
        let signal = titles.get(finding.signal.as_str()).map_or_else(|| finding.signal.replace('_', " "), |t| (*t).into());
        let (no_customer, no_service) =
            if finding.signal == "unmapped" { ("Not mapped", "Not mapped") } else { ("All customers", "All services") };
        let name = |name: &Option<String>, key: &Option<String>, otherwise: &str| {
            let text = name.as_deref().or(key.as_deref()).filter(|text| !text.trim().is_empty());
            format::shortened(text.unwrap_or(otherwise), ROW_NAME)
        };
        Ok(Self {
            rank,
            id: format::shortened(&finding.finding_id, ROW_NAME),
            customer: name(&finding.customer_name, &finding.customer_key, no_customer),
            service: name(&finding.service_name, &finding.service_key, no_service),
            signal: format::clean(&signal),
            months: format::months(finding.first_month, finding.last_month),
            amount: format::money(amount, &finding.currency),
            is_overbilling,
            run_rate: format::money(finding.annual_run_rate, &finding.currency),
            confidence: format::confidence(finding.confidence),
            status: capitalised(&finding.status),
            severity: capitalised(&finding.severity),
            explanation: explanation(finding),
            happened: data.causes.get(&finding.finding_id).map(|text| format::shortened(text, LONG_TEXT)),
            facts: facts(finding, data.quarter),
            command: format!(
                "shortfall explain --lake {} {}",
                shell_word(&format::shortened(&data.lake, LONG_TEXT)),
                shell_word(&format::shortened(&finding.finding_id, ROW_NAME))
            ),
            chart: chart.map(|chart| ChartView::new(chart, data.quarter)).transpose()?.flatten(),
            sort: SortKeys {
                currency: format::clean(&finding.currency),
                amount: amount.to_string(),
                run_rate: finding.annual_run_rate.to_string(),
                month: finding.first_month.index(),
                confidence: finding.confidence,
            },
        })
    }
}

/// The explanation with names in the length of a row: one of ten thousand characters would leave no room for what is said.
fn explanation(finding: &Finding) -> String {
    let is_long = |name: &&String| name.chars().count() > ROW_NAME;
    let names = [&finding.customer_name, &finding.service_name].into_iter().flatten().filter(is_long);
    let text =
        names.fold(finding.explanation.clone(), |text, name| text.replace(name.as_str(), &format::shortened(name, ROW_NAME)));
    format::shortened(&text, LONG_TEXT)
}

/// The numbers of an unfolded finding, each with its name.
fn facts(finding: &Finding, quarter: Quarter) -> Vec<(&'static str, String)> {
    let money = |amount: Decimal| format::money(amount, &finding.currency);
    let named = |name: &Option<String>, key: &Option<String>| match (name, key) {
        (Some(name), Some(key)) if name != key => {
            Some(format!("{} ({})", format::shortened(name, FACT_NAME), format::shortened(key, ROW_NAME)))
        }
        (Some(text), _) | (None, Some(text)) => Some(format::shortened(text, FACT_NAME)),
        (None, None) => None,
    };
    let whose = match finding.basis {
        Basis::Revenue => "Yours: delivered and not charged",
        Basis::Cost => "Yours: paid to a vendor and recovered from nobody",
        Basis::Overbilling => "The customer's: charged too much, to give back",
    };
    let is_range = finding.leakage_low != finding.leakage_high;
    let range = is_range.then(|| format!("{} to {}", money(finding.leakage_low), money(finding.leakage_high)));
    let slope = finding.slope.map(|slope| match (finding.slope_low, finding.slope_high) {
        (Some(low), Some(high)) => format!(
            "{} a month (95% interval {} to {})",
            format::log_slope(slope),
            format::log_slope(low),
            format::log_slope(high)
        ),
        _ => format!("{} a month", format::log_slope(slope)),
    });
    let probability = |p: Option<f64>| p.map(format::probability);
    [
        ("Customer", named(&finding.customer_name, &finding.customer_key)),
        ("Service", named(&finding.service_name, &finding.service_key)),
        ("Whose money", Some(whose.to_owned())),
        ("Leakage in the quarter", Some(format!("{} ({})", money(finding.leakage), format::quarter(quarter)))),
        ("Range", range),
        ("Over-billed in the quarter", (!finding.overbilled.is_zero()).then(|| money(finding.overbilled))),
        ("If it goes on for a year", Some(money(finding.annual_run_rate))),
        ("First seen", Some(format::month(finding.first_month))),
        ("Change point", finding.change_month.map(format::month)),
        ("Trend of the tested ratio", slope),
        ("p-value", probability(finding.p_value)),
        ("q-value, all series tested", probability(finding.q_value)),
        ("Severity", Some(capitalised(&finding.severity))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

impl ChartView {
    /// Nothing where the chart has no values.
    fn new(chart: &FindingChart, quarter: Quarter) -> Result<Option<Self>, ReportError> {
        let panels = series::panels(chart);
        if panels.is_empty() {
            return Ok(None);
        }
        let drawings = [("wide", WIDE), ("narrow", NARROW)]
            .into_iter()
            .map(|(size, canvas)| {
                let markup = charts::draw(chart, &panels, quarter, canvas)?;
                Ok(Drawing { size, width: canvas.width, height: canvas.height, markup })
            })
            .collect::<Result<_, ReportError>>()?;
        let (left, right) = chart.kind.series();
        let (left_is_money, right_is_money) = chart.kind.is_money();
        let unit = chart.unit.as_deref().map(|unit| format::shortened(unit, 20));
        let column = |name: &str, is_money: bool| match (is_money, &unit) {
            (true, _) => format!("{name}, {}", format::clean(&chart.currency)),
            (false, Some(unit)) => format!("{name}, {unit}"),
            (false, None) => name.to_owned(),
        };
        let cell = |value: Option<Decimal>, is_money: bool| match value {
            Some(value) if is_money => format::plain_money(value, &chart.currency),
            Some(value) => format::quantity(value),
            None => "no data".to_owned(),
        };
        let mut points = chart.points.clone();
        points.sort_by_key(|point| point.month);
        let rows: Vec<_> =
            points.iter().map(|p| (format::month(p.month), cell(p.left, left_is_money), cell(p.right, right_is_money))).collect();
        let from_to = |name: &str, value: fn(&super::ChartPoint) -> Option<Decimal>, is_money: bool| {
            let mut known = points.iter().filter_map(|p| Some((p.month, value(p)?)));
            let (first_month, first) = known.next()?;
            let (last_month, last) = known.next_back().unwrap_or((first_month, first));
            Some(format!(
                "{}: {} in {}, {} in {}.",
                column(name, is_money),
                cell(Some(first), is_money),
                format::month(first_month),
                cell(Some(last), is_money),
                format::month(last_month)
            ))
        };
        let change = chart.change_month.map(|month| format!("Change in {}.", format::month(month)));
        let sentences = [from_to(left, |p| p.left, left_is_money), from_to(right, |p| p.right, right_is_money), change];
        Ok(Some(Self {
            title: title(chart.kind).to_owned(),
            description: sentences.into_iter().flatten().collect::<Vec<_>>().join(" "),
            caption: caption(chart, &panels, &column(left, left_is_money)),
            left,
            right,
            drawings,
            left_column: column(left, left_is_money),
            right_column: column(right, right_is_money),
            rows,
        }))
    }
}

fn title(kind: ChartKind) -> &'static str {
    match kind {
        ChartKind::UsageRevenue => "Usage against revenue by month",
        ChartKind::CostCharge => "Vendor cost against charge by month",
        ChartKind::Arpu => "Revenue per active user, and active users, by month",
        ChartKind::QuantityBilled => "Delivered against billed quantity by month",
    }
}

/// How to read the chart: its scale, and what is shaded or cut off.
fn caption(chart: &FindingChart, panels: &[series::Panel], left_column: &str) -> String {
    let mut sentences = vec![match chart.kind {
        ChartKind::UsageRevenue => "Index: 100 is the average of the first three months that have both.".to_owned(),
        ChartKind::CostCharge => format!("In {}.", format::clean(&chart.currency)),
        ChartKind::Arpu => format!("{left_column}, above the number of active users."),
        ChartKind::QuantityBilled => match &chart.unit {
            Some(unit) => format!("In {}.", format::shortened(unit, 20)),
            None => "Quantities.".to_owned(),
        },
    }];
    if panels.iter().any(|panel| panel.shaded) {
        let (left, right) = chart.kind.series();
        sentences.push(format!("Shaded: {} above {}.", left.to_lowercase(), right.to_lowercase()));
    }
    if panels.iter().any(|panel| panel.cut) {
        sentences.push("The vertical axis does not start at zero.".to_owned());
    }
    sentences.join(" ")
}

impl CoverageView {
    fn new(row: &super::CoverageRow) -> Self {
        Self {
            title: format::clean(&row.title),
            tested: format::count(row.tested),
            too_short: format::count(row.too_short),
            not_testable: format::count(row.not_testable),
            why: format::shortened(&row.why, LONG_TEXT),
        }
    }
}

impl ScoreView {
    fn new(row: &super::ScoreRow) -> Self {
        let text = |text: &str| format::shortened(text, ROW_NAME);
        Self { title: text(&row.title), now: text(&row.now), before: text(&row.before), trend: text(&row.trend) }
    }
}

fn capitalised(text: &str) -> String {
    let text = format::shortened(text, ROW_NAME);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `text` as one word of a POSIX shell, quoted only where it must be.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
