//! The assurance scorecard of books whose answers a person can work out.

use super::over_time::{Q1, Q2, Seats};
use super::support::{Book, repository};
use shortfall::findings::scorecard::Score;

/// Measure, system, currency: value, of whole.
fn said(scores: &[Score]) -> Vec<String> {
    let line = |s: &Score| {
        let place = s.system.as_deref().unwrap_or("book");
        let value = s.value.map_or_else(|| "-".to_owned(), |v| v.normalize().to_string());
        format!("{} {place} {}: {value} of {}", s.measure, s.currency.as_deref().unwrap_or("-"), s.whole.normalize())
    };
    scores.iter().map(line).collect()
}

#[test]
fn worked_example() {
    let book = Book::of(&[repository("tests/analysis/worked_example")]);
    let analysis = book.analyze("2026Q3");
    assert_eq!(
        said(&analysis.scorecard),
        [
            // Five services in three months, but nobody counts the helpdesk's.
            "captured_delivery book -: 1 of 12",
            "captured_delivery focus -: 1 of 6",
            "captured_delivery microsoft_csp -: 1 of 6",
            // Seats: 16 July to 1 September, 47 days. Devices: 1 August, billed on that day.
            "days_to_correct_invoice book -: 23.5 of 2",
            "days_to_correct_invoice connectwise -: 23.5 of 2",
            // The restated backup (32.00) and the late cloud (100.00), of which nothing was billed.
            "late_usage_billed book USD: 0 of 132",
            "late_usage_billed focus USD: 0 of 132",
            // Devices; seats are short, the helpdesk was billed twice in August.
            "lines_on_terms book -: 0.333333 of 3",
            "lines_on_terms connectwise -: 0.333333 of 3",
            "manual_money book USD: 0 of 4677",
            "manual_money stripe USD: 0 of 4677",
            // Seats 2,772.00, devices 245.00, helpdesk 400.00; backup and cloud have written terms, but no line in the PSA.
            "psa_backed_money book USD: 0.730597 of 4677",
            "psa_backed_money stripe USD: 0.730597 of 4677",
        ]
    );
}

#[test]
fn shares_and_days_with_their_trend() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let first = seats.book.analyze("2026Q1");
    let of = |scores: &[Score], measure: &str| {
        scores.iter().find(|s| s.measure == measure && s.system.is_none()).cloned().expect("a measure of the book")
    };
    let lines = of(&first.scorecard, "lines_on_terms");
    assert_eq!((lines.shown(lines.value), lines.trend()), ("50.0 %".to_owned(), Some("first")));
    // No PSA change, so no days: no data, not a zero.
    let days = of(&first.scorecard, "days_to_correct_invoice");
    assert_eq!((days.shown(days.value), days.trend()), ("no data".to_owned(), None));
    seats.bill_quarter(Q2, "2026-06-30", 46);
    let second = seats.book.analyze("2026Q2");
    let lines = of(&second.scorecard, "lines_on_terms");
    assert_eq!((lines.shown(lines.value), lines.trend()), ("100.0 %".to_owned(), Some("better")));
    assert_eq!(lines.previous, Some(("2026Q1".to_owned(), "0.5".parse().expect("a decimal"))));
    let kept = "SELECT quarter, CAST(value AS DECIMAL(10, 2)), trend FROM marts.scorecard
                WHERE measure = 'lines_on_terms' AND system IS NULL ORDER BY quarter";
    assert_eq!(seats.book.rows(kept), [["2026Q1", "0.50", "first"], ["2026Q2", "1.00", "better"]]);
}
