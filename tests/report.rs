//! The HTML report and the workbook as their readers get them. Each is also written to cargo's test directory, to be looked at.

use calamine::{Data, DataType as _, Reader as _, Xlsx};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use shortfall::findings::{Basis, Finding};
use shortfall::month::{Month, Quarter};
use shortfall::report::{
    ChartKind, ChartPoint, CoverageRow, CurrencyTotal, EvidenceRow, FindingChart, MAX_FINDINGS, MeasureRow, QuarterTotal,
    ReportData, ReportError, ScoreRow, SignalTotal, Step, Waterfall, render, workbook,
};
use std::io::Cursor;
use std::path::Path;

const SIGNALS: [(&str, &str, &str, &str); 6] = [
    (
        "usage_up_revenue_flat",
        "Usage grows, revenue does not follow",
        "Which customers use more every month and pay the same?",
        "trend",
    ),
    ("cost_charge_drift", "Vendor cost outruns the charge", "Where did a vendor's price rise stay with us?", "trend"),
    ("arpu_decline", "Revenue per user falls", "Where do customers stay while each user pays less?", "trend"),
    ("underbilled_quantity", "Billed quantity below delivered", "Where is less billed than was delivered?", "seam"),
    ("suspended_still_charged", "Suspended, but still charged", "What do we pay or bill for users who are gone?", "seam"),
    ("duplicate_billing", "Month billed twice", "Who paid for the same month twice?", "seam"),
];

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn month(text: &str) -> Month {
    text.parse().expect("a month")
}

fn quarter() -> Quarter {
    "2026Q3".parse().expect("a quarter")
}

fn finding(number: usize, signal: usize, currency: &str, amount: Decimal) -> Finding {
    let (id, _, _, family) = SIGNALS[signal];
    let basis = match id {
        "suspended_still_charged" => Basis::Cost,
        "duplicate_billing" => Basis::Overbilling,
        _ => Basis::Revenue,
    };
    let (leakage, overbilled) = if basis == Basis::Overbilling { (Decimal::ZERO, amount) } else { (amount, Decimal::ZERO) };
    let is_trend = family == "trend";
    let width = if is_trend { decimal("0.2") } else { Decimal::ZERO };
    let customers = ["Northwind Dental Group", "Contoso Legal LLP", "Fabrikam Logistics", "Åsa & Söner AB", "Tailspin Toys"];
    let services = ["Managed Backup (GB)", "Microsoft 365 Business Premium", "Endpoint Security", "Azure consumption"];
    Finding {
        finding_id: format!("{:016x}", 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1)),
        signal: id.into(),
        family: family.into(),
        quarter: quarter(),
        customer_key: Some(format!("C{:04}", number * 37)),
        customer_name: Some(customers[number % customers.len()].into()),
        service_key: Some(format!("svc-{}", number % 4)),
        service_name: Some(services[number % services.len()].into()),
        first_month: month(if is_trend { "2026-01" } else { "2026-07" }),
        last_month: month("2026-09"),
        currency: currency.into(),
        leakage_low: leakage * (Decimal::ONE - width),
        leakage,
        leakage_high: leakage * (Decimal::ONE + width),
        annual_run_rate: amount * Decimal::from(4),
        severity: ["critical", "high", "medium", "low"][(number / 4).min(3)].into(),
        confidence: if is_trend { 0.987 } else { 1.0 },
        p_value: is_trend.then_some(0.0004),
        q_value: is_trend.then_some(0.013),
        slope: is_trend.then_some(-0.034),
        slope_low: is_trend.then_some(-0.047),
        slope_high: is_trend.then_some(-0.021),
        change_month: is_trend.then(|| month("2026-02")),
        status: ["new", "persisting", "worse", "improving"][number % 4].into(),
        explanation: format!(
            "Delivered quantity grew from 412 to 655 between October 2025 and September 2026 while the amount billed \
             stayed at {currency} 1,640.00 a month. Until January 2026 every unit brought in 3.98; now it is 2.50. \
             The missing {amount} is the difference for the three months of the quarter."
        ),
        basis,
        overbilled,
    }
}

fn chart(finding: &Finding, number: usize) -> FindingChart {
    let kind = [ChartKind::UsageRevenue, ChartKind::CostCharge, ChartKind::Arpu, ChartKind::QuantityBilled][number % 4];
    let point = |offset: i32| {
        let n = i64::from(offset);
        let (left, right) = match kind {
            ChartKind::UsageRevenue => (412 + n * 22 + n % 3 * 9, 1640 + n % 2 * 12),
            ChartKind::CostCharge => (900 + n * 55, 1200 + n * 12),
            ChartKind::Arpu => (42 - n, 118 + n * 2),
            ChartKind::QuantityBilled => (250 + n * 7, if n < 5 { 250 + n * 7 } else { 280 }),
        };
        ChartPoint {
            month: month("2025-10").plus(offset),
            left: Some(Decimal::from(left)),
            right: (n != 3).then(|| Decimal::from(right)),
        }
    };
    FindingChart {
        finding_id: finding.finding_id.clone(),
        kind,
        currency: finding.currency.clone(),
        unit: Some("seats".into()),
        points: (0..12).map(point).collect(),
        change_month: Some(month("2026-02")),
    }
}

fn coverage() -> Vec<CoverageRow> {
    SIGNALS
        .iter()
        .map(|(id, title, _, family)| CoverageRow {
            signal: (*id).into(),
            title: (*title).into(),
            tested: 1_284,
            too_short: if *family == "trend" { 92 } else { 0 },
            not_testable: 17,
            why: "17 contract lines carry no unit price; import one with shortfall map import".into(),
        })
        .collect()
}

fn waterfall(currency: &str) -> Waterfall {
    let step = |title: &str, is_signal, amount| Step { title: title.into(), is_signal, amount: decimal(amount) };
    Waterfall {
        currency: currency.into(),
        expected: decimal("1904233.10"),
        billed: decimal("1761002.48"),
        steps: vec![
            step("Billed quantity below delivered", true, "150000.00"),
            step("Month billed twice", true, "-11000.00"),
            step("Credits given", false, "4230.62"),
        ],
    }
}

/// The report of `findings`, with totals and causes that follow from them.
fn data(findings: Vec<Finding>) -> ReportData {
    let charts = findings.iter().enumerate().map(|(number, finding)| chart(finding, number)).collect();
    let sum = |of: &dyn Fn(&Finding) -> Decimal, chosen: &dyn Fn(&Finding) -> bool| -> Decimal {
        findings.iter().filter(|f| chosen(f)).map(of).sum()
    };
    let currencies: Vec<&str> = ["EUR", "USD"].into_iter().filter(|c| findings.iter().any(|f| f.currency == *c)).collect();
    let totals = currencies
        .iter()
        .map(|currency| CurrencyTotal {
            currency: (*currency).into(),
            leakage_revenue: sum(&|f| f.leakage, &|f| f.currency == *currency && f.basis == Basis::Revenue),
            leakage_cost: sum(&|f| f.leakage, &|f| f.currency == *currency && f.basis == Basis::Cost),
            leakage: sum(&|f| f.leakage, &|f| f.currency == *currency),
            leakage_low: sum(&|f| f.leakage_low, &|f| f.currency == *currency),
            leakage_high: sum(&|f| f.leakage_high, &|f| f.currency == *currency),
            overbilled: sum(&|f| f.overbilled, &|f| f.currency == *currency),
            expected: Some(decimal("1904233.10")),
            billed: Some(decimal("1761002.48")),
            findings: findings.iter().filter(|f| f.currency == *currency).count() as u64,
        })
        .collect();
    let by_signal = currencies
        .iter()
        .flat_map(|currency| SIGNALS.iter().map(move |signal| (*currency, signal)))
        .map(|(currency, (id, title, question, family))| SignalTotal {
            signal: (*id).into(),
            title: (*title).into(),
            question: (*question).into(),
            family: (*family).into(),
            currency: currency.into(),
            findings: findings.iter().filter(|f| f.currency == currency && f.signal == *id).count() as u64,
            leakage: sum(&|f| f.leakage, &|f| f.currency == currency && f.signal == *id),
            overbilled: sum(&|f| f.overbilled, &|f| f.currency == currency && f.signal == *id),
        })
        .filter(|row| row.findings > 0)
        .collect();
    let waterfalls = currencies.iter().map(|currency| waterfall(currency)).collect();
    let quarters = currencies
        .iter()
        .flat_map(|currency| [("2025Q4", "0"), ("2026Q1", "1204.50"), ("2026Q3", "4800.00")].map(|of| (*currency, of)))
        .map(|(currency, (quarter, leakage))| QuarterTotal {
            quarter: quarter.parse().expect("a quarter"),
            currency: currency.into(),
            leakage_revenue: decimal(leakage),
            leakage_cost: decimal("100.25"),
            overbilled: decimal("7.00"),
            findings: 3,
        })
        .collect();
    ReportData {
        quarter: quarter(),
        as_of: NaiveDate::from_ymd_opt(2026, 10, 8).expect("a date"),
        lake: "s3://northstar-msp/lake".into(),
        totals,
        by_signal,
        waterfalls,
        quarters,
        causes: findings
            .iter()
            .take(1)
            .map(|f| (f.finding_id.clone(), "2026-02-03: the PSA quantity rose <by> 6".into()))
            .collect(),
        findings,
        charts,
        coverage: coverage(),
        scorecard: vec![ScoreRow {
            title: "Billed money that a PSA record backs, USD".into(),
            now: "93.4 %".into(),
            before: "91.0 % in 2026Q2".into(),
            trend: "better".into(),
        }],
        notes: vec!["Two invoices of August were still drafts on the day of this report and count as billed.".into()],
        generated_by: "shortfall 0.1.0".into(),
    }
}

fn sample() -> ReportData {
    let amounts = ["48211.07", "31090.50", "22871.33", "18004.00", "12750.25", "9120.80", "6433.19", "2950.00"];
    let findings =
        (0..24).map(|n| finding(n, n % SIGNALS.len(), if n % 5 == 4 { "USD" } else { "EUR" }, decimal(amounts[n / 3]))).collect();
    data(findings)
}

/// Renders and leaves a copy to look at.
fn page(data: &ReportData, name: &str) -> String {
    let html = render(data).expect("the data is consistent");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}.html"));
    std::fs::write(copy, &html).expect("cargo's test directory is writable");
    html
}

/// Fails unless every element is closed in order and no text contains a stray `<`.
fn assert_balanced(html: &str) {
    const VOID: [&str; 3] = ["meta", "input", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("every tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order before: {}", &rest[..rest.len().min(80)]);
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if matches!(name, "style" | "script") && !tag.starts_with('/') {
            let close = rest.find(&format!("</{name}>")).expect("raw text elements are closed");
            rest = &rest[close..];
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn headline_shows_the_totals_exactly_and_apart() {
    let data = sample();
    let html = page(&data, "sample");
    assert_balanced(&html);
    let euro = &data.totals[0];
    assert_eq!(euro.leakage_revenue + euro.leakage_cost, euro.leakage);
    for (label, text) in [
        ("leakage", "<span class=\"big\">EUR 324,850.18</span>"),
        ("revenue", "<dd>EUR 294,775.38</dd>"),
        ("cost", "<dd>EUR 30,074.80</dd>"),
        ("expected", "<dd>EUR 1,904,233.10</dd>"),
    ] {
        assert!(html.contains(text), "{label}: {text} is missing; data: {euro:?}");
    }
    assert!(html.contains(r#"<span class="big">USD "#));
    assert!(html.contains("neither converted nor added"));
}

/// The cells of a table's rows as text, by its class.
fn table(html: &str, class: &str) -> Vec<Vec<String>> {
    let start = html.find(&format!("<table class=\"{class}\">")).unwrap_or_else(|| panic!("no table {class}"));
    let body = html[start..].split("<tbody>").nth(1).and_then(|rest| rest.split("</tbody>").next()).expect("a body");
    let texts = |row: &str| {
        let cells = row.split("</td>").flat_map(|cell| cell.split("</th>"));
        let text = |cell: &str| cell.split('>').filter_map(|part| part.split('<').next()).collect::<String>().trim().to_owned();
        cells.map(text).filter(|text| !text.is_empty()).collect()
    };
    body.split("</tr>").map(texts).filter(|row: &Vec<String>| !row.is_empty()).collect()
}

fn amount(text: &str) -> Decimal {
    decimal(&text.replace([',', '+'], ""))
}

#[test]
fn waterfall_leads_from_expected_to_billed_to_the_cent() {
    let html = page(&sample(), "sample");
    let rows = table(&html, "waterfall");
    let titles: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        titles,
        ["Should have been billed", "Billed quantity below delivered", "Month billed twice", "Credits given", "Was billed"]
    );
    let (first, last) = (amount(&rows[0][1]), amount(&rows[4][1]));
    assert_eq!(first + rows[1..4].iter().map(|row| amount(&row[1])).sum::<Decimal>(), last);
    assert_eq!(last, decimal("1761002.48"));
    assert!(html.contains("<dd>EUR 1,761,002.48</dd>"), "the headline says the same");
    assert!(html.contains("The bars begin at EUR 1,680,000.00, not at zero."));
    let mut wrong = sample();
    wrong.waterfalls[1].billed += decimal("0.01");
    assert!(matches!(render(&wrong), Err(ReportError::WaterfallDisagrees { currency, .. }) if currency == "USD"));
}

#[test]
fn customers_add_up_to_the_headline_and_the_rest_is_one_row() {
    let mut data = data((0..60).map(|n| finding(n, n % SIGNALS.len(), "EUR", decimal("10.25"))).collect());
    data.findings[7].customer_key = None;
    data.findings[7].customer_name = None;
    let rows = table(&page(&data, "customers"), "customers");
    assert_eq!(rows.len(), 13);
    assert_eq!(rows[12][0], "48 others");
    assert_eq!(rows.iter().map(|row| amount(&row[1])).sum::<Decimal>(), data.totals[0].leakage);
    assert_eq!(rows.iter().map(|row| amount(&row[2])).sum::<Decimal>(), data.totals[0].overbilled);
}

#[test]
fn trend_is_shown_where_two_quarters_were_analysed() {
    let mut data = sample();
    let html = page(&data, "sample");
    let rows = table(&html, "quarters");
    assert_eq!(rows[1], ["Q1 2026", "1,304.75", "1,204.50", "100.25", "7.00", "3"]);
    assert_eq!(rows.len(), 3);
    assert!(html.contains("EUR 100.25 in Q4 2025, EUR 1,304.75 in Q1 2026, EUR 4,900.25 in Q3 2026."));
    assert!(html.contains("class=\"fill-cost\""));
    data.quarters.retain(|total| total.quarter == quarter());
    assert!(!render(&data).expect("consistent").contains("By quarter"));
}

#[test]
fn every_finding_unfolds_to_its_explanation_and_chart() {
    let data = sample();
    let html = page(&data, "sample");
    for (finding, rank) in data.findings.iter().zip(1..) {
        assert!(html.contains(&finding.finding_id), "{}", finding.finding_id);
        assert!(html.contains(&format!(r#"id="wide-title-{rank}""#)), "chart of finding {rank}");
        assert!(html.contains(&format!(r#"id="narrow-title-{rank}""#)), "narrow chart of finding {rank}");
    }
    assert_eq!(html.matches("<details>").count(), data.findings.len());
    // Each chart for two widths, and so the trend of both currencies.
    assert_eq!(html.matches(r#"role="img""#).count(), 2 * (data.findings.len() + 2));
    assert!(html.contains("Change: Feb 2026"));
    assert_eq!(html.matches("What happened then: 2026-02-03: the PSA quantity rose &lt;by&gt; 6").count(), 1);
    assert!(html.contains("-3.3% a month (95% interval -4.6% to -2.1%)"));
    let drawings = html.split("<svg class=\"chart").skip(1).filter_map(|svg| svg.split("</svg>").next());
    for drawing in drawings {
        assert!(!drawing.contains("=\"#"), "a fixed colour would be wrong in dark mode: {drawing}");
    }
}

#[test]
fn hostile_names_are_only_text() {
    let script = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";
    let mut data = sample();
    for (finding, name) in data.findings.iter_mut().zip([
        script.to_owned(),
        "\u{202e}gnp.exe \u{2066}هذا اسم طويل\0".to_owned(),
        "W".repeat(10_000),
        "👩‍👩‍👧‍👦 Ëmøji & Co. 🏳️‍🌈".repeat(20),
        "{{ 7 * 7 }} {% raw %} </details></table>".to_owned(),
    ]) {
        finding.explanation = format!("{name} was billed less than delivered.");
        finding.finding_id.clone_from(&name);
        finding.status.clone_from(&name);
        finding.severity.clone_from(&name);
        finding.service_name = Some(name.clone());
        finding.customer_name = Some(name);
    }
    script.clone_into(&mut data.charts[5].currency);
    data.charts[5].unit = Some(script.to_owned());
    script.clone_into(&mut data.coverage[0].why);
    script.clone_into(&mut data.by_signal[0].title);
    script.clone_into(&mut data.lake);
    data.notes.push(script.to_owned());
    let html = page(&data, "hostile");
    assert_balanced(&html);
    assert_eq!(html.matches("<script").count(), 1, "only the page's own");
    assert!(!html.contains("<img"));
    assert!(!html.contains(['\u{202e}', '\u{2066}', '\0']));
    assert!(!html.contains(&"W".repeat(3_000)), "names are cut");
    assert!(html.contains("{{ 7 * 7 }}"));
}

#[test]
fn page_loads_nothing_and_is_the_same_every_time() {
    let html = page(&sample(), "sample");
    for reference in ["http://", "https://", " src=", "@import", "url(", "<link", "@font-face"] {
        assert!(!html.contains(reference), "{reference}");
    }
    assert!(html.contains("default-src &#x27;none&#x27;"), "the policy forbids loading");
    assert_eq!(html, render(&sample()).expect("the data is consistent"));
}

#[test]
fn clean_book_says_so_and_what_was_tested() {
    let html = page(&data(Vec::new()), "clean");
    assert_balanced(&html);
    assert!(html.contains("No leakage found."));
    assert!(html.contains("7,704 series and rows were tested"));
    assert!(html.contains("378 more could not be tested"));
    assert!(html.contains("Vendor cost outruns the charge"));
}

#[test]
fn untested_book_is_not_called_clean() {
    let mut data = data(Vec::new());
    for row in &mut data.coverage {
        row.tested = 0;
    }
    let html = page(&data, "untested");
    assert!(html.contains("Nothing could be tested."));
    assert!(!html.contains("No leakage found"));
    data.coverage.clear();
    assert!(render(&data).expect("an empty book is no error").contains("No check ran."));
}

#[test]
fn findings_beyond_the_page_are_counted() {
    let findings = (0..MAX_FINDINGS + 3).map(|n| finding(n, 3, "EUR", decimal("10.00"))).collect();
    let html = page(&data(findings), "long");
    assert_eq!(html.matches("<details>").count(), MAX_FINDINGS);
    assert!(html.contains("The 200 most important of 203; the other 3 are in the totals above"));
}

#[test]
fn totals_that_contradict_themselves_are_refused() {
    let mut data = sample();
    data.totals[0].leakage_cost += decimal("0.01");
    assert!(matches!(render(&data), Err(ReportError::TotalsDisagree { currency, .. }) if currency == "EUR"));
}

/// A workbook as a spreadsheet reads it: cells of a sheet below its header.
fn sheet(bytes: &[u8], name: &str) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
    let range = book.worksheet_range(name).expect(name);
    range.rows().skip(1).map(<[Data]>::to_vec).collect()
}

fn evidence(data: &ReportData) -> Vec<EvidenceRow> {
    let row = |finding: &Finding| EvidenceRow {
        finding_id: finding.finding_id.clone(),
        customer: finding.customer_name.clone(),
        service: finding.service_name.clone(),
        month: finding.last_month,
        currency: finding.currency.clone(),
        counted: finding.leakage + finding.overbilled,
        corroborates: Decimal::ZERO,
        billed: Some(decimal("12.345")),
    };
    data.findings.iter().map(row).collect()
}

#[test]
fn workbook_sums_to_the_headline_in_real_numbers_and_dates() {
    let data = sample();
    let score = MeasureRow {
        title: "Billed money that a PSA record backs".into(),
        system: None,
        currency: Some("USD".into()),
        unit: "share".into(),
        value: Some(decimal("0.934")),
        previous_quarter: Some("2026Q2".into()),
        previous_value: Some(decimal("0.91")),
        trend: Some("better".into()),
    };
    let bytes = workbook(&data, &evidence(&data), &[score]).expect("a workbook");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-sample.xlsx"), &bytes).expect("written");
    let cents = |cell: &Data| (cell.as_f64().expect("a number") * 100.0).round() as i64;
    let in_cents = |amount: Decimal| i64::try_from((amount * Decimal::ONE_HUNDRED).round().mantissa()).expect("small");
    let findings = sheet(&bytes, "Findings");
    for total in &data.totals {
        let sum: i64 =
            findings.iter().filter(|row| row[7] == Data::String(total.currency.clone())).map(|row| cents(&row[8])).sum();
        assert_eq!(sum, in_cents(total.leakage), "{}", total.currency);
        let summary = sheet(&bytes, "Summary");
        let said = summary.iter().find(|row| row[0] == Data::String(total.currency.clone())).expect("a row");
        // What a reader sees before any formula is computed again.
        assert_eq!([cents(&said[1]), cents(&said[6])], [in_cents(total.leakage), in_cents(total.overbilled)]);
    }
    assert_eq!(findings.len(), data.findings.len());
    assert!(findings.iter().all(|row| row[13].is_datetime() && row[16].is_float()), "{:?}", findings[0]);
    assert_eq!(
        sheet(&bytes, "Evidence").iter().map(|row| cents(&row[5])).sum::<i64>(),
        findings.iter().map(|row| cents(&row[8]) + cents(&row[11])).sum::<i64>()
    );
    assert_eq!(sheet(&bytes, "Scorecard")[0][4], Data::Float(0.934));
    assert_eq!(sheet(&bytes, "Coverage").len(), data.coverage.len());
    assert!(sheet(&bytes, "Dictionary").len() > 40);
    assert_eq!(
        workbook(&data, &evidence(&data), &[]).expect("a workbook"),
        workbook(&data, &evidence(&data), &[]).expect("a workbook")
    );
}

#[test]
fn hostile_names_are_only_text_in_the_workbook() {
    let names = ["=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "<script>alert(1)</script>", "\u{202e}txt.exe", "a\u{0}b\u{7}c"];
    let mut findings: Vec<Finding> = (0..names.len()).map(|n| finding(n, 0, "EUR", decimal("1.00"))).collect();
    for (finding, name) in findings.iter_mut().zip(names) {
        finding.customer_name = Some(name.to_owned());
    }
    findings[0].explanation = "x".repeat(40_000);
    let data = data(findings);
    let bytes = workbook(&data, &evidence(&data), &[]).expect("a workbook");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(&bytes)).expect("a workbook");
    assert_eq!(book.worksheet_formula("Findings").expect("formulas").used_cells().count(), 0);
    let rows = sheet(&bytes, "Findings");
    for (row, name) in rows.iter().zip(names).take(5) {
        assert_eq!(row[2], Data::String(name.to_owned()));
    }
    assert_eq!(rows[0][18].as_string().map(|text| text.chars().count()), Some(32_767));
}
