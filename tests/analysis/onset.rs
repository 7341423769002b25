//! What happened when a leak began: named with its figures and its row, never from a later month, and not at all where nothing happened.

use super::over_time::{Q1, Q2, Seats};
use super::support::{Book, end_of, repository, request};
use rust_decimal::Decimal;
use serde_json::json;
use shortfall::findings::analyze::Request;
use shortfall::month::Month;
use std::fmt::Write as _;

/// Event, day, before, after of the causes of a signal's finding on a customer, the most likely first.
fn causes(book: &Book, quarter: &str, signal: &str, customer: &str) -> Vec<String> {
    let sql = format!(
        "SELECT cause.event, CAST(cause.happened_on AS VARCHAR) AS day, coalesce(CAST(CAST(cause.value_before AS DECIMAL(20, 1)) AS VARCHAR), '-'),
                coalesce(CAST(CAST(cause.value_after AS DECIMAL(20, 1)) AS VARCHAR), '-')
         FROM marts.finding_cause AS cause JOIN marts.finding AS finding
           ON cause.finding_id = finding.finding_id AND cause.quarter = finding.quarter
         WHERE finding.signal = '{signal}' AND finding.customer_key = '{customer}' AND finding.quarter = '{quarter}' ORDER BY cause.rank"
    );
    book.rows(&sql).iter().map(|row| row.join(" ")).collect()
}

/// A snapshot of Acme's contract line with so many seats.
fn snapshot(seats: &Seats, day: &str, units: u32) {
    let addition = json!([{
        "id": 100, "agreementId": 10, "product": { "id": 31, "identifier": "SEAT" }, "quantity": units, "lessIncluded": 0, "unitPrice": 22.0,
        "unitCost": 18.5, "billCustomer": "Billable", "effectiveDate": "2026-01-01T00:00:00Z", "invoiceDescription": "Seat", "uom": "each",
        "agreementStatus": "Active"
    }]);
    seats.add_text(&format!("additions_{day}.json"), &addition.to_string());
}

#[test]
fn the_psa_change_of_the_worked_example_is_named_with_its_row() {
    let book = Book::of(&[repository("tests/analysis/worked_example")]);
    let known = Request { as_of: Some(end_of("2026-10-05")), ..request("2026Q3") };
    let analysis = book.analyze_with(known).expect("an analysis");
    assert_eq!(causes(&book, "2026Q3", "psa_change_not_billed", "acme")[0], "contract_quantity_up 2026-07-16 40.0 46.0");
    assert_eq!(causes(&book, "2026Q3", "suspended_still_charged", "acme"), ["suspended 2026-07-31 - 5.0"]);
    // The seats of September came with nothing that any export dates.
    assert_eq!(causes(&book, "2026Q3", "underbilled_quantity", "acme"), [""; 0]);
    let psa = analysis.findings.iter().find(|f| f.signal == "psa_change_not_billed").expect("the finding");
    let printed = book.shortfall(&["explain", &psa.finding_id]);
    let text = String::from_utf8_lossy(&printed.stdout);
    let said = "what happened then: 2026-07-16: the PSA quantity rose from 40 to 46 (connectwise contract 810)";
    let (_, after) = text.split_once(said).expect(&text);
    let row = after.lines().nth(1).unwrap_or_default();
    assert!(row.contains("additions_2026-07-16.json row 1 "), "{text}");
    assert!(after.lines().nth(2).unwrap_or_default().contains("46"), "{text}");
}

#[test]
fn only_what_happened_until_the_onset_is_named() {
    let seats = Seats::new();
    snapshot(&seats, "2026-05-12", 52);
    snapshot(&seats, "2026-06-10", 60);
    seats.bill_quarter(Q1, "2026-03-31", 46);
    seats.bill_quarter(Q2, "2026-06-30", 46);
    seats.book.analyze("2026Q2");
    assert_eq!(causes(&seats.book, "2026Q2", "psa_change_not_billed", "acme"), ["contract_quantity_up 2026-05-12 46.0 52.0"]);
}

#[test]
fn nothing_is_named_where_nothing_happened() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 46);
    seats.bill_quarter(Q2, "2026-06-30", 40);
    let analysis = seats.book.analyze("2026Q2");
    assert_eq!(analysis.findings.len(), 1);
    assert_eq!(causes(&seats.book, "2026Q2", "psa_change_not_billed", "acme"), [""; 0]);
    let printed = seats.book.shortfall(&["explain", &analysis.findings[0].finding_id]);
    assert!(printed.status.success());
    assert!(!String::from_utf8_lossy(&printed.stdout).contains("what happened then"));
}

#[test]
fn a_vendor_that_raises_its_price_is_named_with_the_invoice_of_the_month() {
    let seats = Seats::new();
    seats.add_text(
        "more_customers.csv",
        "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to\nfocus,sub-acme,Acme,acme,Acme,,\n",
    );
    seats.add_text(
        "more_services.csv",
        "system,native_sku,native_name,service_key,service_name,unit,unit_factor,valid_from,valid_to\nfocus,SEAT-V,Seat,seat,Seat,seat,1,,\n",
    );
    // 10.00 for half a year, then every month 0.20 more.
    let first: Month = "2026-01".parse().expect("a month");
    let months: Vec<Month> = (0..18).map(|at| first.plus(at)).collect();
    for (at, month) in (0_i64..).zip(&months) {
        let price = Decimal::new(1000 + 20 * (at - 5).max(0), 2);
        let next = month.plus(1);
        let mut text = "ProviderName,BillingAccountId,SubAccountId,SubAccountName,ServiceName,SkuId,SkuPriceId,ResourceId,ChargeCategory,ChargeClass,\
                        ChargeDescription,ConsumedQuantity,ConsumedUnit,PricingQuantity,PricingUnit,ContractedUnitPrice,BilledCost,EffectiveCost,\
                        BillingCurrency,ChargePeriodStart,ChargePeriodEnd\n"
            .to_owned();
        let cost = Decimal::from(46) * price;
        let _ = writeln!(
            text,
            "Vendor,ba-1,sub-acme,Acme,Seats,SEAT-V,SEAT-V-P,seats,Usage,,Seats,46,Seats,46,Seats,{price},{cost},{cost},USD,{month}-01T00:00:00Z,{next}-01T00:00:00Z"
        );
        seats.add_text(&format!("focus_{next}-03.csv"), &text);
    }
    let names: Vec<String> = months.iter().map(ToString::to_string).collect();
    let invoices: Vec<_> = names.iter().map(|month| ("acme", month.as_str(), 46)).collect();
    seats.bill("2027-07-02", &invoices);
    let analysis = seats.book.analyze("2027Q2");
    let drift = analysis.findings.iter().find(|f| f.signal == "cost_charge_drift").expect("the drift");
    assert_eq!(causes(&seats.book, "2027Q2", "cost_charge_drift", "acme"), ["vendor_price_up 2026-07-01 10.0 10.2"]);
    let printed = seats.book.shortfall(&["explain", &drift.finding_id]);
    let text = String::from_utf8_lossy(&printed.stdout);
    let (_, after) =
        text.split_once("what happened then: 2026-07: the vendor's unit cost rose from 10 to 10.2 (USD)").expect(&text);
    assert!(after.lines().nth(1).unwrap_or_default().contains("focus_2026-08-03.csv row "), "{text}");
}
