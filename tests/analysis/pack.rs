//! Evidence packs: their rows and their SQL give the sentence's figures again. What DuckDB runs (`tests/oracle/check_pack.py`) is run
//! here by DataFusion, which has the functions that the SQL defines as macros for DuckDB.

use super::support::{Book, repository};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::prelude::ParquetReadOptions;
use shortfall::lake::truth::register_schemas;
use shortfall::query::session;
use std::path::Path;

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
            if statement.is_empty() || statement.starts_with("CREATE OR REPLACE MACRO") || statement.starts_with("CREATE SCHEMA")
            {
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

#[test]
fn every_figure_of_every_finding_is_computed_again_from_its_pack() {
    let book = Book::of(&[repository("tests/analysis/worked_example")]);
    let findings = book.analyze("2026Q3").findings;
    assert!(findings.len() >= 3);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for finding in findings {
        let pack = folder.path().join(&finding.finding_id);
        let written = book.shortfall(&["explain", &finding.finding_id, "--pack", &pack.display().to_string()]);
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let sql = std::fs::read_to_string(pack.join("recompute.sql")).expect("the statements");
        let table = recomputed(&book, &pack, &sql);
        assert!(table.iter().all(|row| row[3] == "true"), "{}: {table:#?}", finding.explanation);
        let money = (finding.leakage + finding.overbilled).to_string();
        let stated = table.iter().find(|row| ["leakage", "overbilled"].contains(&row[0].as_str())).expect("its money");
        assert_eq!(stated[1], money);
        // Every number of the sentence is among the figures, but those that names hold.
        let names = [&finding.customer_name, &finding.service_name];
        let mut sentence = finding.explanation.clone();
        for name in names.into_iter().flatten() {
            sentence = sentence.replace(name.as_str(), "");
        }
        let is_figure = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        for word in sentence.split([' ', ',', ':', ';']).filter(|word| is_figure(word)) {
            assert!(
                table.iter().any(|row| row[1] == word.trim_end_matches('.')),
                "{word} in {:?}: {table:#?}",
                finding.explanation
            );
        }
        // A figure that is not so is found out.
        let wrong = sql.replacen(&format!("'{money}' AS stated"), "'0.01' AS stated", 1);
        assert!(recomputed(&book, &pack, &wrong).iter().any(|row| row[3] == "false"));
        // The lines of the exports, every one.
        let lines = csv::Reader::from_path(pack.join("source_rows.csv")).expect("the lines").into_records().count();
        let explained: serde_json::Value = {
            let output = book.shortfall(&["explain", &finding.finding_id, "--output", "json"]);
            serde_json::from_slice(&output.stdout).expect("json")
        };
        let counted: u64 =
            explained["row_counts"].as_object().expect("counts").values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(lines as u64, counted);
    }
}
