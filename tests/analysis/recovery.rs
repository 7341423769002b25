//! What of a leak's money can still be had, what came back, and findings that somebody decided to leave alone.

use super::over_time::{Q1, Q2, Seats, said};
use super::support::{Book, request};
use rust_decimal::Decimal;
use shortfall::findings::analyze::{Analysis, Request};

fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// Detected, recoverable now, recoverable from the next cycle, lost, recovered.
fn money(analysis: &Analysis) -> [Decimal; 5] {
    let money = analysis.recoverable.get("USD").copied().unwrap_or_default();
    assert_eq!(money.detected, money.now + money.next_cycle + money.lost);
    [money.detected, money.now, money.next_cycle, money.lost, money.recovered]
}

fn recovered(book: &Book, quarter: &str) -> Vec<String> {
    let sql = format!(
        "SELECT found_quarter, CAST(month AS VARCHAR) AS day, CAST(lost AS DECIMAL(20, 2)), CAST(recovered AS DECIMAL(20, 2))
         FROM marts.recovered WHERE quarter = '{quarter}' ORDER BY month"
    );
    book.rows(&sql).iter().map(|row| row.join(" ")).collect()
}

fn limited(months: u32) -> Request {
    Request { back_billing_months: months, ..request("2026Q2") }
}

#[test]
fn months_beyond_the_limit_are_lost_and_the_contract_says_which_limit() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    seats.bill_quarter(Q2, "2026-06-30", 40);
    let analysis = seats.book.analyze("2026Q2");
    assert_eq!(money(&analysis), [dec("792.00"), dec("792.00"), dec("0"), dec("0"), dec("0")]);
    // The data reach 30 June: April to June may be billed.
    let analysis = seats.book.analyze_with(limited(2)).expect("an analysis");
    assert_eq!(money(&analysis), [dec("792.00"), dec("396.00"), dec("0"), dec("396.00"), dec("0")]);
    let sql = "SELECT CAST(detected AS DECIMAL(20, 2)), CAST(recoverable_now AS DECIMAL(20, 2)), CAST(lost AS DECIMAL(20, 2)), leakage = 396
               FROM marts.finding";
    assert_eq!(seats.book.rows(sql), [["792.00", "396.00", "396.00", "true"]]);
    // The contract allows none but the month itself.
    seats.add_text(
        "contract_terms.csv",
        "customer_key,service_key,valid_from,valid_to,currency,model,unit_price,back_billing_months\nacme,seat,2026-01-01,,USD,per_unit,22.00,0\n",
    );
    let analysis = seats.book.analyze_with(limited(2)).expect("an analysis");
    assert_eq!(money(&analysis), [dec("792.00"), dec("132.00"), dec("0"), dec("660.00"), dec("0")]);
}

#[test]
fn what_later_invoices_pay_is_recovered_once_and_never_more_than_was_lost() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    seats.book.analyze("2026Q1");
    // January is billed after all, and more than that.
    seats.bill("2026-04-20", &[("acme", "2026-01", 8)]);
    let again = seats.book.analyze("2026Q1");
    assert_eq!(said(&again)[0], "acme new 264.00 2026-02 to 2026-03");
    assert_eq!(recovered(&seats.book, "2026Q1"), ["2026Q1 2026-01-01 132.00 132.00"]);
    assert_eq!(money(&again)[4], dec("132.00"));
    // Half of February.
    seats.bill("2026-05-20", &[("acme", "2026-02", 3)]);
    seats.bill_quarter(Q2, "2026-06-30", 46);
    let expected = ["2026Q1 2026-01-01 132.00 132.00", "2026Q1 2026-02-01 132.00 66.00"];
    let next = seats.book.analyze("2026Q2");
    assert_eq!(recovered(&seats.book, "2026Q2"), expected);
    assert_eq!(money(&next)[4], dec("198.00"));
    let again = seats.book.analyze("2026Q1");
    assert_eq!(recovered(&seats.book, "2026Q1"), expected);
    assert_eq!(money(&again), [dec("198.00"), dec("198.00"), dec("0"), dec("0"), dec("198.00")]);
    let sql = "SELECT CAST(recovered AS DECIMAL(20, 2)) FROM marts.finding WHERE signal = 'psa_change_not_billed' AND quarter = '2026Q1'";
    assert_eq!(seats.book.column(sql), ["198.00"]);
}

fn printed(seats: &Seats, arguments: &[&str]) -> String {
    let output = seats.book.shortfall(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_muted_finding_is_left_out_until_its_day_or_until_it_costs_more() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let id = seats.book.analyze("2026Q1").findings[0].finding_id.clone();
    let refused = seats.book.shortfall(&["mute", &id, "--reason", " "]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(seats.book.shortfall(&["mute", "ffffffffffffffff", "--reason", "x"]).status.code(), Some(2));
    let said = printed(&seats, &["mute", &id[..6], "--reason", "agreed with Acme", "--until", "2026-07-31"]);
    assert!(said.contains(&format!("muted {id} (396.00 USD in 2026Q1) until 2026-07-31: agreed with Acme")), "{said}");
    let list = printed(&seats, &["findings"]);
    assert!(!list.contains(&id) && list.contains("muted: 1 (396.00 USD)"), "{list}");
    assert_eq!(printed(&seats, &["findings", "--format", "csv"]).lines().count(), 1);
    let muted = printed(&seats, &["findings", "--muted"]);
    assert!(muted.contains(&id) && muted.contains("agreed with Acme") && muted.contains("2026-07-31"), "{muted}");
    // The next quarter costs the same.
    seats.bill_quarter(Q2, "2026-06-30", 40);
    let next = seats.book.analyze("2026Q2");
    assert!(next.findings.is_empty() && next.unmuted.is_empty());
    assert_eq!(next.muted[0].0.status, "persisting");
    assert_eq!(money(&next)[0], dec("0"));
    assert_eq!(seats.book.shortfall(&["analyze", "--quarter", "2026Q2", "--fail-on", "low"]).status.code(), Some(0));
    // The third costs more.
    seats.bill_quarter(["2026-07", "2026-08", "2026-09"], "2026-07-30", 39);
    let third = seats.book.analyze("2026Q3");
    assert_eq!(third.findings.len(), 1);
    assert_eq!(third.unmuted[0].1, "costs 66.00 USD more than the 396.00 USD that were muted in 2026Q1");
    assert_eq!(seats.book.shortfall(&["analyze", "--quarter", "2026Q3", "--fail-on", "low"]).status.code(), Some(4));
    // Muted again as it is now, until data are newer than the day.
    printed(&seats, &["mute", &id, "--reason", "still agreed", "--until", "2026-07-31"]);
    assert!(seats.book.analyze("2026Q3").findings.is_empty());
    seats.bill("2026-08-01", &[("beta", "2026-10", 46)]);
    assert_eq!(seats.book.analyze("2026Q3").unmuted[0].1, "was muted until 2026-07-31, the data reach 2026-08-01");
    // Nothing was overwritten.
    assert_eq!(seats.book.column("SELECT count(*) FROM marts.mute"), ["2"]);
    printed(&seats, &["unmute", &id]);
    assert_eq!(seats.book.shortfall(&["unmute", &id]).status.code(), Some(2));
    assert!(printed(&seats, &["findings"]).contains(&id));
    assert_eq!(seats.book.column("SELECT is_muted FROM marts.mute ORDER BY number"), ["true", "true", "false"]);
}

#[test]
fn a_muted_leak_that_stops_and_returns_is_listed() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let id = seats.book.analyze("2026Q1").findings[0].finding_id.clone();
    printed(&seats, &["mute", &id, "--reason", "known"]);
    seats.bill_quarter(Q2, "2026-06-30", 46);
    assert_eq!(said(&seats.book.analyze("2026Q2")), ["acme resolved 0 2026-01 to 2026-03"]);
    seats.bill_quarter(["2026-07", "2026-08", "2026-09"], "2026-09-30", 45);
    let returned = seats.book.analyze("2026Q3");
    assert_eq!(said(&returned), ["acme reopened 66.00 2026-07 to 2026-09"]);
    assert_eq!(returned.unmuted[0].1, "was muted in 2026Q1, has stopped since, and returned");
}
