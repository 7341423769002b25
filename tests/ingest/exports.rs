//! Every export that `shortfall sources` names has a good file here, which is recognised as itself and lands completely.

use super::support::{Place, fixtures, shortfall};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files `tests/sources/<system>/good_<export>.*`.
pub fn good_files() -> BTreeMap<(String, String), Vec<PathBuf>> {
    let mut found: BTreeMap<(String, String), Vec<PathBuf>> = BTreeMap::new();
    for system in std::fs::read_dir(fixtures()).expect("tests/sources") {
        let system = system.expect("an entry").path();
        if !system.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&system).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
            if let Some(entity) = stem.strip_prefix("good_") {
                let system = system.file_name().expect("a name").to_string_lossy().into_owned();
                found.entry((system, entity.to_owned())).or_default().push(file);
            }
        }
    }
    found
}

fn listed() -> Vec<(String, String)> {
    let sources = shortfall(&["sources", "--output", "json"]).says(0, &[]).json();
    let text = |row: &Value, name: &str| row[name].as_str().expect("a name").to_owned();
    sources.as_array().expect("a list").iter().map(|row| (text(row, "system"), text(row, "export"))).collect()
}

#[test]
fn every_export_has_a_good_file_and_every_good_file_an_export() {
    let (files, listed) = (good_files(), listed());
    let without: Vec<String> = listed
        .iter()
        .filter(|export| !files.contains_key(*export))
        .map(|(system, entity)| format!("write tests/sources/{system}/good_{entity}.csv or .json"))
        .collect();
    assert!(without.is_empty(), "{without:#?}");
    let unknown: Vec<_> = files.keys().filter(|export| !listed.contains(export)).collect();
    assert!(unknown.is_empty(), "no source claims {unknown:?}");
}

/// Lines in all arrays under these keys, however deep.
fn lines_named(value: &Value, keys: &[&str]) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| lines_named(item, keys)).sum(),
        Value::Object(fields) => {
            let of = |(key, inner): (&String, &Value)| {
                let here = inner.as_array().filter(|_| keys.contains(&key.as_str())).map_or(0, Vec::len);
                here + lines_named(inner, keys)
            };
            fields.iter().map(of).sum()
        }
        _ => 0,
    }
}

/// The system whose good file it is.
fn system(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).expect("a folder");
    folder.to_string_lossy().into_owned()
}

/// Rows of a file, counted without any code of Shortfall.
fn rows_of(file: &Path) -> usize {
    let text = std::fs::read_to_string(file).expect("UTF-8");
    let text = text.trim_start_matches('\u{feff}');
    match file.extension().and_then(|e| e.to_str()) {
        Some("csv") => {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let records: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a record")).collect();
            records.iter().filter(|record| **record != records[0]).count()
        }
        Some("jsonl") => text.lines().count(),
        _ => serde_json::Deserializer::from_str(text)
            .into_iter::<Value>()
            .map(|page| {
                let page = page.expect("JSON");
                // An array, or the only array of a page's shell.
                let shell = || page.as_object().and_then(|shell| shell.values().find_map(Value::as_array));
                let records = page.as_array().or_else(shell);
                match system(file).as_str() {
                    "quickbooks" => lines_named(&page, &["Line", "TaxLine"]),
                    "xero" => lines_named(&page, &["LineItems"]),
                    "zuora" => lines_named(&page, &["invoiceItems", "creditMemoItems"]),
                    "chargebee" => lines_named(&page, &["line_items"]),
                    "lago" => lines_named(&page, &["fees", "credits", "items"]),
                    "killbill" => lines_named(&page, &["items"]),
                    "recurly" => {
                        let old = |record: &Value| record["line_items"]["data"].as_array().map_or(0, Vec::len);
                        lines_named(&page, &["line_items"]) + records.expect("records").iter().map(old).sum::<usize>()
                    }
                    "halopsa" => {
                        let lines = |record: &Value| record["lines"].as_array().map_or(1, Vec::len);
                        records.expect("records").iter().map(lines).sum::<usize>()
                    }
                    _ => {
                        let lines = |record: &Value| record["lines"]["data"].as_array().map_or(1, Vec::len);
                        records.expect("records").iter().map(lines).sum::<usize>()
                    }
                }
            })
            .sum(),
    }
}

#[test]
fn good_files_are_recognised_and_land_completely() {
    let place = Place::new();
    let root = fixtures();
    let files: Vec<((String, String), PathBuf)> =
        good_files().into_iter().flat_map(|(export, files)| files.into_iter().map(move |f| (export.clone(), f))).collect();
    let paths: Vec<&Path> = files.iter().map(|(_, file)| file.as_path()).collect();
    place.ingest(&paths, &[]).says(0, &[]);
    let batches = place.sql("SELECT file, system, entity, rows_in, rows_accepted, rows_rejected FROM core.batch");
    assert_eq!(batches.len(), files.len());
    for ((system, entity), file) in &files {
        let batch = batches.iter().find(|b| b["file"] == file.display().to_string().as_str()).expect("a batch");
        let rows = rows_of(file).to_string();
        let expected = [system.as_str(), entity, &rows, &rows, "0"];
        let found =
            ["system", "entity", "rows_in", "rows_accepted", "rows_rejected"].map(|name| batch[name].as_str().unwrap_or(""));
        assert_eq!(found, expected, "{}", file.strip_prefix(&root).unwrap_or(file).display());
        assert_ne!(rows, "0");
    }
}

/// `(column, value)` of the rows of a query that must be one row.
#[track_caller]
fn one(place: &Place, query: &str) -> Vec<String> {
    let rows = place.sql(query);
    assert_eq!(rows.len(), 1, "{query}: {rows:?}");
    let cells = rows[0].as_object().expect("a row").values();
    cells.map(|cell| cell.as_str().unwrap_or("NULL").to_owned()).collect()
}

#[test]
fn spellings_of_partner_center_mean_what_they_mean() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("microsoft_csp/good*")], &[]).says(0, &[]);
    let of = |condition: &str| {
        one(
            &place,
            &format!(
                "SELECT customer_native_id, native_sku, quantity, cost, period_start, period_end, category, is_correction
                 FROM core.vendor_usage WHERE {condition}"
            ),
        )
    };
    let added = of("cost = 17.6");
    assert_eq!(added[1..4], ["CFQ7TTC0LCHC:0002", "2", "17.6"]);
    // The last billed day is inclusive in the file, whatever time it carries.
    assert_eq!(added[4..], ["2026-06-16T00:00:00Z", "2026-07-01T00:00:00Z", "usage", "NULL"]);
    assert_eq!(of("cost = -35.2")[2], "-2");
    assert_eq!(of("cost = -1.25")[6..], ["credit", "true"]);
    let offset = of("cost = 259.2");
    assert_eq!(offset[0], "868043ca-0000-4645-83bd-e127fc781cf9");
    assert_eq!(offset[2], "18");
}

#[test]
fn stripe_amounts_follow_the_currency_and_credit_notes_take_back() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("stripe/good*")], &[]).says(0, &[]);
    let of = |line: &str| {
        one(&place, &format!("SELECT amount, unit_price, currency, kind FROM core.invoice_line WHERE line_id = '{line}'"))
    };
    assert_eq!(of("il_1"), ["1611.72", "24.42", "USD", "recurring"]);
    assert_eq!(of("il_2"), ["-40.7", "40.7", "USD", "recurring"]);
    assert_eq!(of("il_3"), ["250", "NULL", "USD", "one_off"]);
    assert_eq!(of("il_4"), ["1999", "0.99975", "JPY", "recurring"]);
    assert_eq!(of("cnli_1"), ["-11.9", "NULL", "USD", "credit"]);
}
