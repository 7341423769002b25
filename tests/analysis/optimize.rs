//! A book before and after `optimize`: the same analysis, findings, traces and export, and the same rows for other people's engines.

use super::duckdb::oracle;
use super::export::hashes;
use super::support::{Book, end_of, request};
use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::Value;
use shortfall::export::{Request as ExportRequest, export};
use shortfall::findings::analyze::{Analysis, Request, analyze};
use shortfall::lake::Lake;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const QUARTER: &str = "2026Q1";

fn run(arguments: &[&str]) -> Output {
    let ran = Command::new(env!("CARGO_BIN_EXE_shortfall")).args(arguments).output().expect("the command runs");
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    ran
}

fn copied(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.path().strip_prefix(from).expect("below"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).expect("a folder");
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// A simulated MSP of five customers, its exports ingested in many runs.
fn book(folder: &Path) -> Book {
    let out = folder.join("msp").display().to_string();
    run(&["synth", "--out", &out, "--customers", "5", "--months", "15", "--seed", "7"]);
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder.join("msp/exports"))
        .into_iter()
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    let book = Book::empty();
    for part in files.chunks(files.len().div_ceil(14)) {
        let paths: Vec<String> = part.iter().map(|path| path.display().to_string()).collect();
        let said = book.shortfall(&std::iter::once("ingest").chain(paths.iter().map(String::as_str)).collect::<Vec<_>>());
        // A small book has an empty export now and then, which `ingest` tells by exit code 1.
        assert!(matches!(said.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&said.stderr));
    }
    book
}

fn analysed(book: &Book, lake: &Lake, request: Request) -> Analysis {
    let lake = lake.clone();
    let analysis =
        book.runtime.block_on(async { tokio::spawn(async move { analyze(&lake, &request).await }).await.expect("no panic") });
    analysis.expect("an analysis")
}

fn told(analysis: &Analysis) -> String {
    let Analysis { run_id, findings, coverage, scorecard, untested, unmapped, fact_rows, .. } = analysis;
    format!("{run_id} {findings:#?} {coverage:#?} {scorecard:#?} {untested:#?} {unmapped:#?} {fact_rows}")
}

fn exported(book: &Book, lake: &Lake, folder: &Path) -> BTreeMap<PathBuf, String> {
    let at: DateTime<Utc> = Utc.with_ymd_and_hms(2026, 7, 1, 6, 0, 0).single().expect("an instant");
    let request = ExportRequest { folder: folder.to_owned(), fiscal_start: 1, threads: 2, at };
    let lake = lake.clone();
    let done =
        book.runtime.block_on(async { tokio::spawn(async move { export(&lake, &request).await }).await.expect("no panic") });
    assert!(!done.expect("an export").changes.is_empty());
    let found = hashes(folder);
    // The same place again, as the files name it.
    std::fs::remove_dir_all(folder).expect("removed");
    found
}

fn strangers(lake: &Path) -> BTreeMap<String, Value> {
    let said = oracle("read_lake.py", &[lake]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("JSON")
}

#[test]
fn an_optimised_book_gives_the_same_analysis_findings_traces_and_export() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let book = book(folder.path());
    // One run before: its marts must outlive the removal of what nobody needs.
    let as_of = Request { as_of: Some(end_of("2026-02-15")), ..request("2025Q4") };
    analysed(&book, &book.lake, as_of.clone());
    let place = folder.path().join("optimised");
    copied(book.lake.root(), &place);
    let text = place.display().to_string();
    run(&["optimize", "--lake", &text, "--keep", "0"]);
    let other = Lake::open(&place).expect("a lake");

    let seen = [book.lake.root(), &place].map(strangers);
    for (table, before) in &seen[0] {
        let after = &seen[1][table];
        assert_eq!((&before["rows"], &before["sum"]), (&after["rows"], &after["sum"]), "{table}");
    }
    let files = |seen: &BTreeMap<String, Value>| seen.values().filter_map(|table| table["files"].as_u64()).sum::<u64>();
    assert!(files(&seen[1]) * 2 < files(&seen[0]), "{} files, and then {}", files(&seen[0]), files(&seen[1]));

    // The same analysis is the same run, and a new one finds the same: with all that is known, and with what was known then.
    for asked in [as_of, request(QUARTER)] {
        let [before, after] = [&book.lake, &other].map(|lake| told(&analysed(&book, lake, asked.clone())));
        assert!(before == after, "{before}\n---\n{after}");
    }
    let root = book.lake.root().display().to_string();
    let said = |lake: &str, arguments: &[&str]| {
        let all = [arguments, &["--lake", lake, "--output", "json"]].concat();
        String::from_utf8(run(&all).stdout).expect("UTF-8").replace(lake, "LAKE")
    };
    let [before, after] = [&root, &text].map(|lake| said(lake, &["findings"]));
    assert_eq!(before, after);
    let found: Value = serde_json::from_str(&before).expect("JSON");
    let ids: Vec<&str> =
        found.as_array().expect("findings").iter().filter_map(|finding| finding["finding_id"].as_str()).collect();
    assert!(!ids.is_empty());
    for id in ids.iter().take(3) {
        let [before, after] = [&root, &text].map(|lake| said(lake, &["explain", id]));
        assert_eq!(before, after, "{id}");
    }
    let out = folder.path().join("bi");
    assert_eq!(exported(&book, &book.lake, &out), exported(&book, &other, &out));
    let whole = said(&text, &["check", "--rows"]);
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(whole["faults"], Value::Array(Vec::new()));
}
