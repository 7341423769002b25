//! One customer, one quarter, to the cent: `tests/analysis/worked_example/**` are the exports, `worked-example.md` of the design is
//! the reckoning.
//!
//! All five sections lie in one lake: seats that the PSA knew and the invoice did not, a restated backup, suspended devices, late cloud
//! usage, a repeated invoice.

use super::support::{Book, end_of, repository, request};
use rust_decimal::Decimal;
use shortfall::findings::analyze::{Analysis, Request};
use shortfall::findings::{Basis, Finding};
use std::sync::LazyLock;

fn acme() -> Book {
    Book::of(&[repository("tests/analysis/worked_example")])
}

/// The lake analysed with what was known at the end of 5 October, shared by the tests that only look.
static OCTOBER: LazyLock<(Book, Analysis)> = LazyLock::new(|| {
    let book = acme();
    let known = Request { as_of: Some(end_of("2026-10-05")), ..request("2026Q3") };
    let analysis = book.analyze_with(known).expect("an analysis");
    (book, analysis)
});

/// Expected and billed of the three months of a service.
fn bridge(book: &Book, service: &str) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT CAST(round_money(expected_revenue, currency) AS DECIMAL(20, 2)), CAST(round_money(revenue, currency) AS DECIMAL(20, 2))
         FROM marts.fact_monthly WHERE customer_key = 'acme' AND service_key = '{service}' ORDER BY month"
    );
    book.rows(&sql).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// Signal, service, first month, money.
fn said(findings: &[Finding]) -> Vec<String> {
    let mut said: Vec<String> = findings
        .iter()
        .map(|f| {
            let service = f.service_key.as_deref().unwrap_or("-");
            format!("{} {service} {} to {}: {} {}", f.signal, f.first_month, f.last_month, f.leakage + f.overbilled, f.currency)
        })
        .collect();
    said.sort();
    said
}

#[test]
fn quarter_as_of_5_october_to_the_cent() {
    let (book, analysis) = &*OCTOBER;
    assert_eq!(bridge(book, "m365_bp"), pairs(&[("948.13", "880.00"), ("1012.00", "880.00"), ("1056.00", "1012.00")]));
    assert_eq!(bridge(book, "edr"), pairs(&[("105.00", "105.00"), ("70.00", "70.00"), ("70.00", "70.00")]));
    assert_eq!(bridge(book, "support"), pairs(&[("100.00", "100.00"), ("100.00", "200.00"), ("100.00", "100.00")]));
    assert_eq!(bridge(book, "backup_gb"), pairs(&[("75.00", "60.00"), ("60.00", "60.00"), ("60.00", "60.00")]));
    assert_eq!(bridge(book, "azure"), pairs(&[("600.00", "480.00"), ("300.00", "300.00"), ("300.00", "300.00")]));
    assert_eq!(
        said(&analysis.findings),
        [
            "correction_not_passed_on backup_gb 2026-07 to 2026-07: 15.00 USD",
            "duplicate_billing support 2026-08 to 2026-08: 100.00 USD",
            "late_usage_not_rebilled azure 2026-07 to 2026-07: 120.00 USD",
            "psa_change_not_billed m365_bp 2026-07 to 2026-08: 200.13 USD",
            "suspended_still_charged edr 2026-08 to 2026-09: 40.00 USD",
            "underbilled_quantity m365_bp 2026-09 to 2026-09: 44.00 USD",
        ]
    );
    // Revenue, cost and the customer's money: three sums that are never netted.
    let sum = |basis: Basis| -> String {
        let found = analysis.findings.iter().filter(|f| f.basis == basis);
        found.map(|f| f.leakage + f.overbilled).sum::<Decimal>().to_string()
    };
    assert_eq!([sum(Basis::Revenue), sum(Basis::Cost), sum(Basis::Overbilling)], ["379.13", "40.00", "100.00"]);
    assert!(analysis.unmapped.is_empty(), "{:?}", analysis.unmapped);
}

#[test]
fn the_bridge_adds_up_to_the_cent() {
    let (book, _) = &*OCTOBER;
    let cells = "SELECT DISTINCT service_key, month, expected, billed, gap FROM marts.gap_bridge";
    let money = |column: &str| format!("CAST(sum({column}) AS DECIMAL(20, 2))");
    let totals = format!("SELECT {}, {}, {} FROM ({cells})", money("expected"), money("billed"), money("gap"));
    assert_eq!(book.rows(&totals), [["4956.13", "4677.00", "279.13"]]);
    let causes =
        format!("SELECT cause, {} FROM marts.gap_bridge WHERE cause IS NOT NULL GROUP BY cause ORDER BY cause", money("amount"));
    let causes: Vec<String> = book.rows(&causes).iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        causes,
        [
            "correction_not_passed_on 15.00",
            "duplicate_billing -100.00",
            "late_usage_not_rebilled 120.00",
            "psa_change_not_billed 200.13",
            "underbilled_quantity 44.00",
        ]
    );
    // Every finding about revenue or over-billing is its cause's cells, no more and no less; a cost stands beside the bridge.
    let linked = "SELECT finding.signal, CAST(sum(evidence.counted) AS DECIMAL(20, 2)), CAST(sum(abs(bridge.amount)) AS DECIMAL(20, 2))
         FROM marts.finding AS finding
         JOIN marts.finding_evidence AS evidence ON finding.finding_id = evidence.finding_id
         JOIN marts.gap_bridge AS bridge
           ON evidence.customer_key = bridge.customer_key AND evidence.service_key = bridge.service_key AND evidence.month = bridge.month
           AND evidence.currency = bridge.currency AND finding.signal = bridge.cause
         GROUP BY finding.signal ORDER BY finding.signal";
    let linked: Vec<String> = book.rows(linked).iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        linked,
        [
            "correction_not_passed_on 15.00 15.00",
            "duplicate_billing 100.00 100.00",
            "late_usage_not_rebilled 120.00 120.00",
            "psa_change_not_billed 200.13 200.13",
            "underbilled_quantity 44.00 44.00",
        ]
    );
}

#[test]
fn cost_of_suspended_devices_stays_in_view_though_no_revenue_is_missing() {
    let (book, _) = &*OCTOBER;
    let sql = "SELECT CAST(delivered_quantity AS INT), CAST(suspended_subjects AS INT), CAST(cost AS INT)
               FROM marts.fact_monthly WHERE service_key = 'edr' ORDER BY month";
    let devices: Vec<String> = book.rows(sql).iter().map(|row| row.join(" ")).collect();
    assert_eq!(devices, ["15 0 60", "10 5 60", "10 5 60"]);
}

#[test]
fn a_quarter_that_is_still_to_come_is_refused() {
    let book = acme();
    for as_of in [None, Some(end_of("2026-10-05"))] {
        let error = book.analyze_with(Request { as_of, ..request("2027Q1") }).expect_err("nothing is known of it").to_string();
        assert!(error.starts_with("2027Q1 begins after 2026-") && error.ends_with("up to which the data reach"), "{error}");
    }
}

#[test]
fn as_of_1_september_the_restatement_is_not_known() {
    let book = acme();
    let known = Request { as_of: Some(end_of("2026-09-01")), ..request("2026Q3") };
    let analysis = book.analyze_with(known).expect("an analysis");
    // September's seats, August's vendor files and the restatement of 10 September are still to come; July's late cloud usage came on
    // 20 August.
    assert_eq!(
        said(&analysis.findings),
        [
            "duplicate_billing support 2026-08 to 2026-08: 100.00 USD",
            "late_usage_not_rebilled azure 2026-07 to 2026-07: 120.00 USD",
            "psa_change_not_billed m365_bp 2026-07 to 2026-08: 200.13 USD",
        ]
    );
    let gaps = "SELECT DISTINCT service_key, CAST(gap AS DECIMAL(20, 2)) FROM marts.gap_bridge WHERE month = DATE '2026-07-01' ORDER BY service_key";
    let gaps: Vec<String> = book.rows(gaps).iter().map(|row| row.join(" ")).collect();
    assert_eq!(gaps, ["azure 120.00", "backup_gb 0.00", "edr 0.00", "m365_bp 68.13", "support 0.00"]);
    assert_eq!(bridge(&book, "backup_gb"), pairs(&[("60.00", "60.00")]));
}

#[test]
fn the_commands_print_the_same_findings() {
    let book = acme();
    let analyzed = book.shortfall(&["analyze", "--quarter", "2026Q3", "--as-of", "2026-10-05", "--output", "json"]);
    let errors = String::from_utf8_lossy(&analyzed.stderr);
    let summary: serde_json::Value = serde_json::from_slice(&analyzed.stdout).expect(&errors);
    assert_eq!(summary["findings"], 6, "{summary}");
    let totals = &summary["totals"][0];
    let said = ["leakage_revenue", "leakage_cost", "overbilled"].map(|name| totals[name].as_str().unwrap_or_default());
    assert_eq!(said, ["379.13", "40.00", "100.00"], "{summary}");
    let printed = book.shortfall(&["findings", "--format", "csv"]);
    let text = String::from_utf8_lossy(&printed.stdout);
    let psa = text.lines().find(|line| line.contains(",psa_change_not_billed,")).unwrap_or_default();
    assert!(psa.contains(",m365_bp,") && psa.contains(",200.13,200.13,200.13,1200.78,"), "{text}");
}

/// From the day on which the PSA changed to the date of the first invoice that carries the new quantity: 16 July to 1 September.
#[test]
fn forty_seven_days_pass_from_the_psa_change_to_the_first_correct_invoice() {
    let (book, _) = &*OCTOBER;
    let sql = "WITH known AS (
             SELECT quantity, CAST(recorded_at AS DATE) AS changed_on FROM core.contract_line WHERE line_id = '9001'
           )
           SELECT min(CAST(line.invoice_date AS DATE)) - min(known.changed_on)
           FROM core.invoice_line AS line JOIN known ON line.quantity >= known.quantity
           WHERE line.service_key = 'm365_bp' AND line.kind = 'recurring' AND CAST(line.invoice_date AS DATE) >= known.changed_on";
    assert_eq!(book.column(sql), ["47"]);
}

#[test]
fn every_figure_of_an_explanation_is_in_the_exports() {
    let (_, analysis) = &*OCTOBER;
    let of = |signal: &str, service: &str| -> String {
        let found = analysis.findings.iter().find(|f| f.signal == signal && f.service_key.as_deref() == Some(service));
        found.map(|f| f.explanation.clone()).unwrap_or_default()
    };
    assert_eq!(
        of("psa_change_not_billed", "m365_bp"),
        "The PSA commits Acme Dental to 46 of Microsoft 365 Business Premium, the invoice of 2026-08 carries 40: 200.13 USD in the quarter"
    );
    assert_eq!(
        of("underbilled_quantity", "m365_bp"),
        "Acme Dental was delivered 48 of Microsoft 365 Business Premium in 2026-09, billed were 46: 44.00 USD in the quarter at 22 USD a unit"
    );
    assert_eq!(
        of("correction_not_passed_on", "backup_gb"),
        "The vendor restated Backup at Acme Dental for 2026-07 on 2026-09-10, after it was billed on 2026-08-03: by the contract 75 USD are due, \
         60 USD were billed; 15.00 USD of it come from the restatement"
    );
    assert_eq!(
        of("late_usage_not_rebilled", "azure"),
        "Usage of Azure at Acme Dental for 2026-07 became known up to 2026-08-20, after the billing cut-off of 2026-08-03, and was never billed: 120.00 USD"
    );
    assert_eq!(
        of("suspended_still_charged", "edr"),
        "5 suspended of Managed endpoint security at Acme Dental go on being charged by the vendor in 2026-09: 40.00 USD in the quarter"
    );
    assert_eq!(
        of("duplicate_billing", "support"),
        "Acme Dental was billed 200 USD for Helpdesk in 2026-08 where 100 USD were due, as a line is repeated on another invoice: 100.00 USD in the \
         quarter are the customer's"
    );
}

#[test]
fn a_snapshot_that_repeats_itself_is_no_change() {
    let (book, _) = &*OCTOBER;
    let sql = "SELECT quantity FROM core_history.contract_line WHERE line_id = '9001' ORDER BY recorded_at";
    assert_eq!(book.column(sql).len(), 5);
    let known =
        "SELECT CAST(quantity AS INT) || ' since ' || CAST(recorded_at AS DATE) FROM core.contract_line WHERE line_id = '9001'";
    assert_eq!(book.column(known), ["46 since 2026-07-16"]);
}
