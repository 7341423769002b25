//! `analyze --memory-limit`: the same findings from temporary files, and a clear word where not even they help.

use super::support::{Book, request};
use shortfall::findings::Finding;
use shortfall::findings::analyze::Request;
use shortfall::month::Month;
use shortfall::query::session::LEAST_MEMORY;
use shortfall::synth::{Config, generate};
use std::path::Path;

/// The least that can be asked for.
const TIGHT: usize = LEAST_MEMORY;

fn book(exports: &Path) -> Book {
    let book = Book::empty();
    let said = book.shortfall(&["ingest", &exports.display().to_string()]);
    // A small book has an empty export now and then, which `ingest` tells by exit code 1.
    assert!(matches!(said.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&said.stderr));
    book
}

#[test]
fn within_a_limit_the_findings_are_the_same() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let config = Config::spanning(11, 12, Month::new(2025, 9).expect("a month"), 13);
    generate(&config, folder.path()).expect("a book");
    let exports = folder.path().join("exports");
    let quarter = config.analysed_quarter.to_string();
    let found: Vec<Vec<Finding>> = [None, Some(TIGHT)]
        .into_iter()
        .map(|memory| {
            let analysis = book(&exports).analyze_with(Request { memory, ..request(&quarter) }).expect("an analysis");
            analysis.findings
        })
        .collect();
    assert!(found[0].len() > 5, "a book with leaks has findings");
    assert_eq!(found[0], found[1]);
}

#[test]
fn a_limit_that_nothing_fits_in_is_named() {
    let files = [super::support::repository("tests/analysis/worked_example")];
    let book = Book::of(&files);
    let error = book.analyze_with(Request { memory: Some(64 << 10), ..request("2026Q3") }).expect_err("too little");
    let said = error.to_string();
    assert!(said.contains("memory is short") && said.contains("--memory-limit"), "{said}");
    let said = book.shortfall(&["analyze", "--quarter", "2026Q3", "--memory-limit", "1MB"]);
    assert_eq!(said.status.code(), Some(2));
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(told.contains("--memory-limit") && told.contains("64.0 MiB"), "{told}");
    let said = book.shortfall(&["analyze", "--quarter", "2026Q3", "--memory-limit", "much"]);
    assert_eq!(said.status.code(), Some(2));
}
