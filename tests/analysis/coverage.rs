//! No finding must not look like no data: what could not be tested, why, and how much money flows there.

use super::support::{Book, repository, request};
use shortfall::findings::analyze::Request;

fn worked_example(folders: &[&str]) -> Book {
    let path = |folder: &&str| repository(&format!("tests/analysis/worked_example/{folder}"));
    Book::of(&folders.iter().map(path).collect::<Vec<_>>())
}

/// Units and money that a signal could not look at, by reason.
fn untested(book: &Book, signal: &str) -> Vec<String> {
    let sql = format!(
        "SELECT untested, units, CAST(money AS DECIMAL(20, 2)), currency FROM marts.coverage
         WHERE signal = '{signal}' AND untested IS NOT NULL ORDER BY untested"
    );
    book.rows(&sql).iter().map(|row| row.join(" ")).collect()
}

#[test]
fn invoices_alone_tell_a_repeated_line_and_say_that_nothing_else_was_tested() {
    let book = worked_example(&["stripe", "mapping"]);
    let analysis = book.analyze("2026Q3");
    // The written terms say that support is 100.00 a month, and two invoices carry August.
    assert_eq!(analysis.findings.iter().map(|f| f.signal.as_str()).collect::<Vec<_>>(), ["duplicate_billing"]);
    // Everything that was billed, and nobody to set beside it.
    let billed = book.column("SELECT CAST(sum(revenue) AS DECIMAL(20, 2)) FROM marts.fact_monthly");
    assert_eq!(untested(&book, "orphan_billing"), [format!("no_contract_source 15 {} USD", billed[0])]);
    let of = |signal: &str| analysis.coverage.iter().find(|c| c.signal == signal).expect("a row for every signal");
    assert_eq!(of("orphan_billing").tested(), 0);
    assert_eq!(of("psa_change_not_billed").tested(), 0);
    assert!(of("underbilled_quantity").why().contains("no delivery source"), "{}", of("underbilled_quantity").why());
}

#[test]
fn with_every_source_the_seams_are_tested() {
    let book = worked_example(&["."]);
    let analysis = book.analyze("2026Q3");
    let of = |signal: &str| analysis.coverage.iter().find(|c| c.signal == signal).expect("a row for every signal");
    assert_eq!(of("orphan_billing").tested(), 15);
    assert_eq!(untested(&book, "orphan_billing"), Vec::<String>::new());
    // Cost plus a mark-up: cloud units have no price.
    assert_eq!(untested(&book, "underbilled_quantity"), ["no_unit_price 3 1080.00 USD"]);
    assert_eq!(of("usage_up_revenue_flat").tested(), 0);
}

#[test]
fn asking_for_one_signal_keeps_the_findings_of_the_others() {
    let book = worked_example(&["."]);
    let all = book.analyze("2026Q3");
    let only = Request { signals: vec!["psa_change_not_billed".to_owned()], ..request("2026Q3") };
    let only = book.analyze_with(only).expect("an analysis");
    assert_eq!(only.findings.iter().map(|f| f.signal.as_str()).collect::<Vec<_>>(), ["psa_change_not_billed"]);
    assert_eq!(only.coverage.len(), 1);
    assert!(all.findings.len() > 1);
    let kept: Vec<String> = all.findings.iter().map(|f| f.finding_id.clone()).collect();
    assert_eq!(book.column("SELECT finding_id FROM marts.finding ORDER BY rank"), kept);
    // On a lake without an analysis the whole quarter is analysed all the same: other signals may claim the money first.
    let fresh = worked_example(&["."]);
    let only = Request { signals: vec!["underbilled_quantity".to_owned()], ..request("2026Q3") };
    assert_eq!(fresh.analyze_with(only).expect("an analysis").findings.len(), 1);
    assert_eq!(fresh.column("SELECT finding_id FROM marts.finding ORDER BY rank"), kept);
}
