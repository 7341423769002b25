//! `check`: a lake that is whole, and one in which something was changed behind its back.

use super::support::{Place, RATES, SEATS, on_lake, place_of_rates};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The only file below a folder of the lake with this ending.
fn only(folder: PathBuf, ending: &str) -> PathBuf {
    let is_it = |path: &Path| {
        path.extension().is_some_and(|kind| kind == ending) && !path.components().any(|part| part.as_os_str() == "_delta_log")
    };
    let found: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| is_it(path))
        .collect();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    one.clone()
}

fn faults(place: &Place, more: &[&str]) -> Vec<(String, String)> {
    let arguments: Vec<&str> = ["check", "--output", "json"].iter().chain(more).copied().collect();
    let ran = on_lake(&place.lake(), &arguments);
    let said = ran.json();
    let faults: Vec<(String, String)> =
        said["faults"].as_array().expect("faults").iter().map(|fault| (text(&fault["place"]), text(&fault["what"]))).collect();
    ran.says(if faults.is_empty() { 0 } else { 3 }, &[]);
    faults
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

#[test]
fn a_whole_lake_is_whole_and_its_rows_are_conserved() {
    let place = place_of_rates();
    let ran = on_lake(&place.lake(), &["check", "--rows", "--output", "json"]);
    let said = ran.says(0, &[]).json();
    let counts = ["batches", "rows_in", "rows_accepted", "rows_rejected", "originals"].map(|name| said[name].as_u64());
    assert_eq!(counts, [Some(1), Some(3), Some(2), Some(1), Some(1)], "{said}");
    assert_eq!([&said["faults"], &said["leftovers"]], [&Value::Array(vec![]), &Value::Array(vec![])]);
    on_lake(&place.lake(), &["check"]).says(0, &["3 rows = 2 accepted + 1 rejected", "the lake is whole"]);
}

#[test]
fn a_data_file_that_is_cut_gone_or_spoilt_is_named() {
    let place = place_of_rates();
    let file = only(place.lake().join("core/fx"), "parquet");
    let good = std::fs::read(&file).expect("a file");

    std::fs::write(&file, &good[..good.len() - 9]).expect("written");
    let found = faults(&place, &[]);
    assert!(found.len() == 1 && found[0].0.contains("core/fx/part-") && found[0].1.contains("bytes long"), "{found:?}");

    let mut spoilt = good.clone();
    spoilt[4..30].fill(0xff);
    std::fs::write(&file, &spoilt).expect("written");
    let found = faults(&place, &["--rows"]);
    assert!(found.len() == 1 && found[0].1.contains("cannot be decoded"), "{found:?}");

    std::fs::remove_file(&file).expect("removed");
    let found = faults(&place, &[]);
    assert!(found.len() == 1 && found[0].1.contains("the table names it"), "{found:?}");

    std::fs::write(&file, &good).expect("written");
    assert_eq!(faults(&place, &["--rows"]), []);
}

#[test]
fn rejects_that_are_gone_break_the_conservation_of_rows() {
    let place = place_of_rates();
    let kept = place.path("without");
    // A table of rejects from a lake that had none: its own log is in order.
    let other = Place::new();
    let clean = other.write("fx_2024-01-02.csv", "date,from_currency,to_currency,rate\n2024-01-01,EUR,USD,1.1\nx,EUR,USD,1\n");
    other.ingest(&[&clean], &[]).says(1, &[]);
    std::fs::rename(place.lake().join("core/reject"), &kept).expect("moved");
    std::fs::rename(other.lake().join("core/reject"), place.lake().join("core/reject")).expect("moved");
    let found = faults(&place, &[]);
    assert!(
        found.len() == 1 && found[0].0.contains("fx_2024-01-01.csv") && found[0].1.contains("core.reject has 0"),
        "{found:?}"
    );
}

#[test]
fn rows_that_were_accepted_and_are_in_no_table_any_more_are_missed() {
    let place = place_of_rates();
    std::fs::remove_dir_all(place.lake().join("core/fx")).expect("removed");
    let found = faults(&place, &[]);
    let [(batch, what)] = found.as_slice() else { panic!("{found:?}") };
    assert!(batch.contains("fx_2024-01-01.csv"), "{batch}");
    assert_eq!(what, "2 rows were accepted, no file of core.fx holds one of them");
}

#[test]
fn an_analysis_of_a_lake_with_a_damaged_file_says_so_and_where_to_look() {
    let place = Place::new();
    let seats = place.write("seats_2026-05-04.csv", "client,sku,code,seats,price\nA,x,y,3,10.5\nB,x,z,4,14\n");
    let mapping = place.write("seats.toml", SEATS);
    place.ingest(&[&seats], &["--mapping", &mapping.display().to_string()]).says(0, &[]);
    let hint = "`shortfall check --lake DIR` says which files of the lake are damaged";
    let usage = only(place.lake().join("core/vendor_usage"), "parquet");
    let good = std::fs::read(&usage).expect("a file");
    std::fs::write(&usage, &good[..good.len() / 2]).expect("written");
    on_lake(&place.lake(), &["sql", "SELECT sum(cost) FROM core.vendor_usage"]).says(3, &[hint]);
    // What facts read of usage, mostly.
    std::fs::remove_file(only(place.lake().join("core/usage_sum"), "parquet")).expect("removed");
    on_lake(&place.lake(), &["analyze", "--quarter", "2026Q2"]).says(3, &[hint]);
}

#[test]
fn an_original_that_is_another_or_gone_is_named() {
    let place = place_of_rates();
    let original = only(place.lake().join("files"), "zst");
    let good = std::fs::read(&original).expect("a file");
    std::fs::write(&original, zstd::encode_all(RATES.replace("1.1", "1.2").as_bytes(), 1).expect("packed")).expect("written");
    let found = faults(&place, &[]);
    assert!(found.len() == 1 && found[0].0.contains("fx_2024-01-01.csv") && found[0].1.contains("another"), "{found:?}");
    std::fs::write(&original, &good[..good.len() / 2]).expect("written");
    assert!(faults(&place, &[])[0].1.contains("decompressed"));
    std::fs::remove_file(&original).expect("removed");
    assert_eq!(faults(&place, &[]).len(), 1);
}

#[test]
fn what_a_stopped_run_left_is_listed_and_is_no_fault() {
    let place = place_of_rates();
    let file = only(place.lake().join("core/fx"), "parquet");
    std::fs::copy(&file, file.with_file_name("part-0123456789abcdef-0.parquet")).expect("copied");
    std::fs::write(place.lake().join("files/0123.partial"), "half").expect("written");
    let said = on_lake(&place.lake(), &["check", "--output", "json"]).says(0, &[]).json();
    let left = said["leftovers"].as_array().expect("leftovers");
    let places: Vec<(&str, u64)> =
        left.iter().map(|left| (left["place"].as_str().expect("a place"), left["files"].as_u64().expect("a number"))).collect();
    assert_eq!(places, [("core/fx", 1), ("files", 1)]);
}

#[test]
fn a_broken_log_is_one_fault_and_the_rest_is_still_checked() {
    let place = place_of_rates();
    let log = place.lake().join("core/fx/_delta_log/00000000000000000001.json");
    std::fs::write(&log, "{ no json").expect("written");
    let found = faults(&place, &[]);
    assert!(found.len() == 1 && found[0].0 == "core/fx/_delta_log", "{found:?}");
    let said = on_lake(&place.lake(), &["check", "--output", "json"]).json();
    assert_eq!([said["batches"].as_u64(), said["originals"].as_u64()], [Some(1), Some(1)], "{said}");
}
