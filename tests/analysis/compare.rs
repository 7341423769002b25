//! Two states of knowledge of the worked example: what was known in time, what could not be, and what was rebilled, to the cent.

use super::support::{Book, repository};
use rust_decimal::Decimal;
use serde_json::Value;
use std::path::PathBuf;

/// The worked example with the cloud at 1.20 an hour instead of cost plus 20 %, and more files.
fn book(more: &[(&str, &str)]) -> (tempfile::TempDir, Book) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let terms = "customer_key,service_key,valid_from,valid_to,currency,model,unit_price,included_quantity,flat_fee,quantity_basis\n\
                 acme,backup_gb,2026-07-01,,USD,per_unit,0.25,100,,delivered\n\
                 acme,azure,2026-07-01,,USD,per_unit,1.2,,,delivered\n\
                 acme,support,2026-07-01,,USD,flat_fee,,,100.00,\n";
    let mut files: Vec<PathBuf> = [
        "partner_center",
        "backup_and_cloud",
        "connectwise",
        "stripe",
        "mapping/customers.csv",
        "mapping/services.csv",
        "mapping/lifecycle.csv",
    ]
    .map(|name| repository(&format!("tests/analysis/worked_example/{name}")))
    .to_vec();
    for (name, text) in [("contract_terms.csv", terms)].iter().chain(more) {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        files.push(path);
    }
    let book = Book::of(&files);
    (folder, book)
}

fn compared(book: &Book, before: &str, after: &str) -> Value {
    compared_in(book, "2026Q3", before, after)
}

fn compared_in(book: &Book, quarter: &str, before: &str, after: &str) -> Value {
    let output = book.shortfall(&["compare", "--quarter", quarter, "--before", before, "--after", after, "--output", "json"]);
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for row in said["months"].as_array().expect("months") {
        let of = |name: &str| row[name].as_str().map_or(Decimal::ZERO, |text| text.parse().expect("a decimal"));
        assert_eq!(of("gap_after"), of("missed_then") + of("late_not_rebilled") - of("overbilled"), "{row}");
        let learnt = of("known_in_time") + of("known_late") - of("billed_in_time") - of("rebilled_since");
        assert_eq!(of("gap_after") - of("gap_before"), learnt, "{row}");
        assert_eq!(of("expected_after") - of("expected_before"), of("known_in_time") + of("known_late"), "{row}");
        if !row["expected_after"].is_null() {
            assert_eq!(of("billed_after") - of("billed_before"), of("billed_in_time") + of("rebilled_since"), "{row}");
        }
    }
    said
}

/// Cut-off, expected before and after, billed before and after, missed then, could not be known, late and not rebilled, rebilled, billed too much.
fn month(said: &Value, service: &str, month: &str) -> String {
    let rows = said["months"].as_array().expect("months");
    let row = rows.iter().find(|row| row["service_key"] == service && row["month"] == month);
    let Some(row) = row else { return "nothing".to_owned() };
    let columns = [
        "cutoff_date",
        "expected_before",
        "expected_after",
        "billed_before",
        "billed_after",
        "missed_then",
        "could_not_be_known",
        "late_not_rebilled",
        "rebilled",
        "overbilled",
    ];
    columns.map(|name| row[name].as_str().unwrap_or("-").to_owned()).join(" ")
}

#[test]
fn a_restatement_and_late_usage_could_not_be_known_and_a_psa_change_was_missed() {
    let (_folder, book) = book(&[]);
    let said = compared(&book, "2026-08-05", "2026-10-05");
    // Section 2: 340 GB restated to 400 on 10 September, never rebilled.
    assert_eq!(month(&said, "backup_gb", "2026-07-01"), "2026-08-03 60 75 60 60 0 15 15 0 0");
    // Section 4: 100.00 of July arrive on 20 August; missed then: 0.00, could not be known at the cut-off (3 August): 120.00.
    assert_eq!(month(&said, "azure", "2026-07-01"), "2026-08-03 480 600 480 480 0 120 120 0 0");
    // Section 1: the PSA said 46 from 16 July: after July's advance invoice, and before August's.
    assert_eq!(month(&said, "m365_bp", "2026-07-01"), "2026-07-01 948.13 948.13 880 880 0 68.13 68.13 0 0");
    assert_eq!(month(&said, "m365_bp", "2026-08-01"), "2026-08-01 1012 1012 880 880 132 0 0 0 0");
    assert_eq!(month(&said, "support", "2026-08-01"), "2026-08-01 100 100 200 200 0 0 0 100 100");
    let sources = said["sources"].as_array().expect("sources");
    let usage = |service: &str| {
        let is_meant = |row: &&Value| row["said_by"] == "usage" && row["service_key"] == service && row["month"] == "2026-07-01";
        let row = sources.iter().find(is_meant).expect("a row");
        ["system", "what", "quantity_before", "quantity_after", "money_before", "money_after"]
            .map(|name| row[name].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(usage("backup_gb"), ["focus", "corrected", "340", "400", "27.2", "32"]);
    assert_eq!(usage("azure"), ["focus", "corrected", "400", "500", "400", "500"]);
    // For people; each cut-off date costs a rating, so of days with few of them.
    let output = book.shortfall(&["compare", "--quarter", "2026Q3", "--before", "2026-07-10", "--after", "2026-07-20"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("connectwise") && text.contains("what it means in money") && text.contains("never rebilled"), "{text}");
}

#[test]
fn the_calendar_moves_the_cut_off_and_a_later_invoice_rebills_what_came_late() {
    let calendar = "system,customer_key,service_month,cutoff_date\nstripe,acme,2026-07,2026-08-25\n";
    let rebilled = r#"{"object":"list","data":[{"id":"in_re_07","object":"invoice","customer":"cus_acme","currency":"usd","status":"paid",
        "created":1789430400,"effective_at":1789430400,"lines":{"object":"list","has_more":false,"data":[{"id":"il_re","object":"line_item",
        "amount":1000,"currency":"usd","quantity":40,"period":{"start":1782864000,"end":1785542400},
        "parent":{"type":"subscription_item_details","subscription_item_details":{"proration":false}},
        "pricing":{"price_details":{"price":"price_backup_gb","product":"prod_backup"},"unit_amount_decimal":"25"}}]}}]}"#;
    let (_folder, book) = book(&[("billing_calendar.csv", calendar), ("invoices_2026-09-15.json", rebilled)]);
    let said = compared(&book, "2026-08-05", "2026-10-05");
    // Known on 20 August, five days before the cut-off, and not billed.
    assert_eq!(month(&said, "azure", "2026-07-01"), "2026-08-25 480 600 480 480 120 0 0 0 0");
    // 15.00 came late, 10.00 of it is on an invoice of 15 September.
    assert_eq!(month(&said, "backup_gb", "2026-07-01"), "2026-08-25 60 75 60 70 0 15 5 10 0");
    let before_the_cutoff = compared(&book, "2026-08-05", "2026-08-22");
    assert_eq!(month(&before_the_cutoff, "azure", "2026-07-01"), "2026-08-25 480 600 480 480 120 0 0 0 0");
    assert_eq!(month(&before_the_cutoff, "backup_gb", "2026-07-01"), "nothing");
}

#[test]
fn states_that_know_the_same_differ_in_nothing_and_dates_must_be_in_order() {
    let (_folder, book) = book(&[]);
    // A quarter that nobody has invoiced yet has no cut-off.
    let said = compared_in(&book, "2026Q2", "2026-10-20", "2026-10-25");
    assert_eq!(said["sources"], serde_json::json!([]));
    for row in said["months"].as_array().expect("months") {
        assert_eq!((&row["known_in_time"], &row["known_late"]), (&"0".into(), &"0".into()), "{row}");
    }
    let output = book.shortfall(&["compare", "--quarter", "2026Q3", "--before", "2026-10-05", "--after", "2026-10-05"]);
    assert_eq!(output.status.code(), Some(2));
}
