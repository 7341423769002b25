//! Whether the analysis finds what the simulator planted, and keeps silent where it planted nothing.

use super::support::Book;
use shortfall::month::Month;
use shortfall::synth::score::score;
use shortfall::synth::{Config, LeakPlan, generate, truth};

fn config(seed: u64, customers: usize, leaks: LeakPlan) -> Config {
    let first = Month::new(2024, 1).expect("a month");
    Config { leaks, ..Config::spanning(seed, customers, first, 33) }
}

#[test]
fn planted_leaks_are_found_and_little_else() {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let config = config(5, 60, LeakPlan::Planted);
    let summary = generate(&config, out.path()).expect("a book");
    let book = Book::of(&[out.path().join("exports")]);
    let analysis = book.analyze(&config.analysed_quarter.to_string());
    let planted = truth::read(&out.path().join("truth.csv")).expect("the truth");
    let verdict = score(&planted, &analysis.findings, summary.customer_months);
    let (recall, precision) = (verdict.recall.unwrap_or(0.0), verdict.precision.unwrap_or(0.0));
    println!(
        "{} of {} leaks, {} findings, recall {recall:.3}, precision {precision:.3}",
        verdict.found, verdict.planted, verdict.findings
    );
    let missed: Vec<_> = verdict.leaks.iter().filter(|l| !l.found).map(|l| (&l.leak_id, &l.signal, &l.signals)).collect();
    assert!(recall >= 0.9, "recall {recall}: missed {missed:?}");
    assert!(precision >= 0.9, "precision {precision}: {} false alarms", verdict.false_alarms);
    let error = verdict.median_money_error.unwrap_or(1.0);
    assert!(error <= 0.05, "median money error {error}");
}

#[test]
fn a_clean_book_gives_no_finding() {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let config = config(6, 40, LeakPlan::Clean);
    let summary = generate(&config, out.path()).expect("a book");
    assert!(summary.benign.values().sum::<usize>() > 20, "{:?}", summary.benign);
    let book = Book::of(&[out.path().join("exports")]);
    let analysis = book.analyze(&config.analysed_quarter.to_string());
    let said: Vec<&String> = analysis.findings.iter().map(|f| &f.explanation).collect();
    assert!(said.is_empty(), "{said:#?}");
    assert!(analysis.coverage.iter().all(|c| c.tested > 0), "{:?}", analysis.coverage);
}
