//! Evidence packs: their rows and their SQL give every figure of a finding again, in DuckDB (`tests/oracle/check_pack.py`) for findings of
//! every signal, and in DataFusion, which has the functions that the SQL defines as macros for DuckDB.

use super::duckdb::oracle;
use super::support::{Book, repository};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::prelude::ParquetReadOptions;
use shortfall::findings::Finding;
use shortfall::findings::analyze::findings_of;
use shortfall::findings::marts;
use shortfall::findings::pack::Evidence;
use shortfall::findings::signal::Signal;
use shortfall::findings::status::is_open;
use shortfall::lake::truth::register_schemas;
use shortfall::month::Month;
use shortfall::query::catalog::Catalog;
use shortfall::query::session;
use shortfall::synth::{Config, generate};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Figure, stated, recomputed, whether they agree.
fn recomputed(book: &Book, folder: &Path, sql: &str) -> Vec<Vec<String>> {
    let (folder, sql) = (folder.to_owned(), sql.to_owned());
    let work = async move {
        let ctx = session::context(1);
        register_schemas(&ctx).expect("schemas");
        let mut rows = Vec::new();
        for statement in sql.split(";\n") {
            let lines: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--") && !line.is_empty()).collect();
            let statement = lines.join("\n");
            if let Some(view) = statement.strip_prefix("CREATE VIEW ") {
                let (name, rest) = view.split_once(' ').expect("a name");
                let file = rest.split('\'').nth(1).expect("a file");
                let path = folder.join(file).display().to_string();
                ctx.register_parquet(TableReference::from(name), path, ParquetReadOptions::default()).await.expect("a table");
                continue;
            }
            if statement.is_empty() || statement.contains("CREATE OR REPLACE MACRO") || statement.starts_with("CREATE SCHEMA") {
                continue;
            }
            let batches = ctx.sql(&statement).await.expect(&statement).collect().await.expect(&statement);
            rows = batches;
        }
        let mut table = Vec::new();
        for batch in rows {
            let columns: Vec<_> = batch.columns().iter().map(|c| cast(c, &DataType::Utf8).expect("text")).collect();
            table.extend(
                (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.as_string::<i32>().value(row).to_owned()).collect()),
            );
        }
        table
    };
    book.runtime.block_on(async { tokio::spawn(work).await.expect("no panic") })
}

/// Packs of findings, each in a folder by its id.
fn packs(book: &Book, findings: &[Finding], into: &Path) -> Vec<PathBuf> {
    let (lake, wanted, folder) = (book.lake.clone(), findings.to_vec(), into.to_owned());
    let work = async move {
        let run = marts::runs(&lake).await.expect("runs").pop().expect("a run");
        let evidence = Evidence::of(&lake, &run, &wanted, None, 2).await.expect("the evidence");
        for finding in &wanted {
            evidence.pack(finding, &folder.join(&finding.finding_id)).await.expect("a pack");
        }
    };
    book.runtime.block_on(async { tokio::spawn(work).await.expect("no panic") });
    findings.iter().map(|finding| into.join(&finding.finding_id)).collect()
}

/// Figures by finding: figure, stated, recomputed, whether they agree. DuckDB's own answers.
fn by_duckdb(packs: &[PathBuf]) -> BTreeMap<String, Vec<Vec<String>>> {
    let paths: Vec<&Path> = packs.iter().map(PathBuf::as_path).collect();
    let answer = oracle("check_pack.py", &paths);
    assert!(answer.stderr.is_empty(), "{}", String::from_utf8_lossy(&answer.stderr));
    let mut figures: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for line in String::from_utf8(answer.stdout).expect("text").lines() {
        let mut cells = line.split('\t').map(str::to_owned);
        let pack = PathBuf::from(cells.next().expect("a pack"));
        figures.entry(pack.file_name().expect("an id").to_string_lossy().into_owned()).or_default().push(cells.collect());
    }
    figures
}

/// Whatever the sentence says that can be wrong is among the figures: numbers, months and days, names, and the money with its interval.
fn everything_is_recomputed(finding: &Finding, figures: &[Vec<String>]) {
    let (said, id) = (&finding.explanation, &finding.finding_id);
    let wrong: Vec<_> = figures.iter().filter(|row| !["agrees", "true"].contains(&row[3].as_str())).collect();
    assert!(wrong.is_empty(), "{id} {}: {said}\n{wrong:#?}", finding.signal);
    let is_recomputed = |figure: &str, value: &str| figures.iter().any(|row| row[0] == figure && row[1] == value);
    for (figure, value) in [
        ("leakage", finding.leakage.to_string()),
        ("leakage_low", finding.leakage_low.to_string()),
        ("leakage_high", finding.leakage_high.to_string()),
        ("overbilled", finding.overbilled.to_string()),
        ("first_month", finding.first_month.to_string()),
        ("last_month", finding.last_month.to_string()),
    ] {
        assert!(is_recomputed(figure, &value), "{figure} {value} of {id}: {figures:#?}");
    }
    let mut sentence = said.clone();
    for (figure, name) in [("customer", &finding.customer_name), ("service", &finding.service_name)] {
        let Some(name) = name.as_ref().filter(|name| said.contains(name.as_str())) else { continue };
        assert!(is_recomputed(figure, name), "{name} in {said:?}: {figures:#?}");
        sentence = sentence.replace(name.as_str(), "");
    }
    // A figure may be a phrase (`the same for 7 months`); what is left of the sentence has no digit in it.
    let mut stated: Vec<&str> = figures.iter().map(|row| row[1].as_str()).filter(|value| !value.is_empty()).collect();
    stated.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for word in sentence.split([' ', ',', ':', ';', '(', ')']).filter(|word| word.contains(|c: char| c.is_ascii_digit())) {
        let word = word.trim_end_matches('.');
        let is_part = |value: &&&str| **value == word || value.contains(' ') && value.split(' ').any(|part| part == word);
        assert!(stated.iter().any(|value| is_part(&value)), "{word} in {said:?}: {figures:#?}");
    }
    assert!(!sentence.contains('?'), "a figure is unknown: {said}");
}

/// What the newest run of a lake found and still holds.
fn open_findings(book: &Book) -> Vec<Finding> {
    let lake = book.lake.clone();
    let found = book.runtime.block_on(async move {
        let run = marts::runs(&lake).await.expect("runs").pop().expect("a run");
        findings_of(&lake, &run).await.expect("findings")
    });
    found.into_iter().filter(is_open).collect()
}

#[test]
fn duckdb_computes_every_figure_of_a_finding_of_every_signal_again() {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let config = Config::spanning(5, 16, Month::new(2024, 5).expect("a month"), 29);
    generate(&config, &out.path().join("book")).expect("a book");
    // A small book has an empty export now and then, which `ingest` tells by exit code 1.
    let simulated = Book::empty();
    let ingested = simulated.shortfall(&["ingest", &out.path().join("book/exports").display().to_string()]);
    assert!(ingested.status.code().is_some_and(|code| code <= 1), "{}", String::from_utf8_lossy(&ingested.stderr));
    simulated.analyze(&config.analysed_quarter.to_string());
    // What the simulated book has no finding of, the worked example has.
    let worked = Book::of(&[repository("tests/analysis/worked_example")]);
    worked.analyze("2026Q3");
    let mut shown: BTreeSet<(String, &str)> = BTreeSet::new();
    for book in [&simulated, &worked] {
        // One of each kind of money of each signal.
        let mut findings = open_findings(book);
        findings.retain(|finding| shown.insert((finding.signal.clone(), finding.basis.as_str())));
        let written = packs(book, &findings, out.path());
        let figures = by_duckdb(&written);
        for finding in &findings {
            everything_is_recomputed(finding, figures.get(&finding.finding_id).map_or(&[], Vec::as_slice));
        }
    }
    let signals = Signal::load_all(&Catalog::load(None).expect("queries")).expect("signals");
    let without: Vec<&str> = signals.iter().map(|s| s.id.as_str()).filter(|id| !shown.iter().any(|(s, _)| s == id)).collect();
    assert!(without.is_empty(), "no finding of {without:?}, so that nothing was recomputed");
    assert_eq!(signals.len(), 17);
}

#[test]
fn what_a_pack_states_wrongly_is_found_out() {
    let book = Book::of(&[repository("tests/analysis/worked_example")]);
    let findings = book.analyze("2026Q3").findings;
    assert!(findings.len() >= 3);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let written = packs(&book, &findings, folder.path());
    for (finding, pack) in findings.iter().zip(&written) {
        let sql = std::fs::read_to_string(pack.join("recompute.sql")).expect("the statements");
        everything_is_recomputed(finding, &recomputed(&book, pack, &sql));
        let money = (finding.leakage + finding.overbilled).to_string();
        let wrong = sql.replacen(&format!("'{money}' AS stated"), "'0.01' AS stated", 1);
        assert!(recomputed(&book, pack, &wrong).iter().any(|row| row[3] == "false"));
        std::fs::write(pack.join("recompute.sql"), wrong).expect("other statements");
    }
    // DuckDB finds it out too, in each of them.
    let answers = by_duckdb(&written);
    assert!(answers.values().all(|rows| rows.iter().any(|row| row[3] == "DIFFERS")), "{answers:#?}");
    assert_eq!(answers.len(), findings.len());
}

#[test]
fn the_command_writes_a_pack_and_says_how_to_read_it() {
    let book = Book::of(&[repository("tests/analysis/worked_example")]);
    let finding = book.analyze("2026Q3").findings.swap_remove(0);
    let pack = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let folder = pack.path().display().to_string();
    let written = book.shortfall(&["explain", &finding.finding_id, "--pack", &folder, "--output", "json"]);
    let said = String::from_utf8_lossy(&written.stderr).into_owned();
    assert!(written.status.success() && said.contains("recompute.sql"), "{said}");
    // The lines of the exports, every one.
    let lines = csv::Reader::from_path(pack.path().join("source_rows.csv")).expect("the lines").into_records().count();
    let explained: serde_json::Value = serde_json::from_slice(&written.stdout).expect("json");
    let counts = explained["row_counts"].as_object().expect("counts").values();
    assert_eq!(lines as u64, counts.filter_map(serde_json::Value::as_u64).sum::<u64>());
    assert!(lines > 0);
    let sql = std::fs::read_to_string(pack.path().join("recompute.sql")).expect("the statements");
    everything_is_recomputed(&finding, &recomputed(&book, pack.path(), &sql));
}
