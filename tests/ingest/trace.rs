//! One command from a row of the lake to the original line, whatever became of it and however the file was packed.

use super::support::{Place, fixtures};
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write;

const COSTS: &str =
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceName,SubAccountId\n";

fn gzip(content: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(content.as_bytes()).expect("memory");
    packed.finish().expect("memory")
}

#[track_caller]
fn traced(place: &Place, arguments: &[&str]) -> Value {
    place.run(&[&["trace"], arguments, &["--output", "json"]].concat()).says(0, &[]).json()
}

#[test]
fn accepted_and_rejected_rows_of_a_packed_csv_show_line_outcome_and_reason() {
    let place = Place::new();
    let good = "2026-07-01,2026-07-02,1.50,1.5,USD,Usage,\"EC2, small\",acc-1";
    let bad = "2026-07-01,2026-07-02,n0nsense,1.5,USD,Usage,EC2,acc-1";
    // Two members, each with its header.
    let content = [gzip(&format!("{COSTS}{good}\n")), gzip(&format!("{COSTS}{bad}\n"))].concat();
    let file = place.write("costs_2026-08-03.csv.gz", content);
    place.ingest(&[&file], &[]).says(1, &[]);
    let batch = place.sql("SELECT batch_id, sha256 FROM core.batch")[0].clone();
    let id = batch["batch_id"].as_str().expect("an id");
    let found = traced(&place, &[&id[..6], "4", "2", "3"]);
    assert_eq!((&found["batch_id"], &found["sha256"]), (&batch["batch_id"], &batch["sha256"]));
    assert_eq!(
        (&found["system"], &found["export"], &found["recorded_at"]),
        (&"focus".into(), &"costs".into(), &"2026-08-03".into())
    );
    assert!(found["file"].as_str().is_some_and(|name| name.ends_with("costs_2026-08-03.csv.gz")));
    assert!(found["recorded_by"].as_str().is_some_and(|text| text.contains("date in its name")));
    let [rejected, accepted, header] = [0, 1, 2].map(|at| found["rows"][at].clone());
    assert_eq!(rejected["line"], bad);
    assert_eq!((&rejected["reject"]["column"], &rejected["reject"]["value"]), (&"BilledCost".into(), &"n0nsense".into()));
    assert_eq!(rejected["became"], serde_json::json!([]));
    assert_eq!((&accepted["line"], &accepted["reject"]), (&good.into(), &Value::Null));
    let row = &accepted["became"][0];
    assert_eq!(
        (&row["table"], &row["row"]["cost"], &row["row"]["customer_native_id"]),
        (&"core.vendor_usage".into(), &"1.5".into(), &"acc-1".into())
    );
    assert_eq!((&header["became"], &header["reject"]), (&serde_json::json!([]), &Value::Null));
    // The same for people, and by the file's name.
    place
        .run(&["trace", "costs_2026-08-03.csv.gz", "2", "4"])
        .says(0, &[good, bad, "core.vendor_usage", "cost=1.5", "rejected: BilledCost", "known since 2026-08-03"]);
    // The original is gone; the archive has it.
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(traced(&place, &[id, "2"])["rows"][0]["line"], good);
}

#[test]
fn a_line_of_a_record_shows_the_line_and_on_demand_its_record() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("stripe/good_invoices.json")], &[]).says(0, &[]);
    let row = place.sql("SELECT batch_id, source_row FROM core.invoice_line WHERE line_id = 'il_2'")[0].clone();
    let [batch, number] = ["batch_id", "source_row"].map(|name| row[name].as_str().expect("a text").to_owned());
    let found = traced(&place, &[&batch, &number]);
    let line: Value = found["rows"][0]["line"].as_str().and_then(|text| serde_json::from_str(text).ok()).expect("JSON");
    assert_eq!((&line["id"], &found["rows"][0]["record"]), (&"il_2".into(), &Value::Null));
    assert_eq!(found["rows"][0]["became"][0]["row"]["amount"], "-40.7");
    assert!(found["recorded_by"].as_str().is_some_and(|text| text.contains("modification time")));
    let found = traced(&place, &[&batch, &number, "--record"]);
    let record: Value = found["rows"][0]["record"].as_str().and_then(|text| serde_json::from_str(text).ok()).expect("JSON");
    assert_eq!(record["object"], "invoice");
    assert!(record["lines"]["data"].as_array().is_some_and(|lines| lines.contains(&line)));
}

#[test]
fn what_is_not_there_is_said_and_what_is_meant_may_be_ambiguous() {
    let place = Place::new();
    let row = |cost: &str| format!("{COSTS}2026-07-01,2026-07-02,{cost},1,USD,Usage,EC2,acc\n");
    let files = [place.write("a/costs.csv", row("1")), place.write("b/costs.csv", row("2"))];
    place.ingest(&[&files[0], &files[1]], &[]).says(0, &[]);
    place.run(&["trace", "nothing", "2"]).says(2, &["no ingested file has the id or the name `nothing`", "core.batch"]);
    place.run(&["trace", "costs.csv", "2"]).says(2, &["`costs.csv` may be", "a/costs.csv", "b/costs.csv"]);
    place.run(&["trace", "osts.csv", "2"]).says(2, &["no ingested file"]);
    place.run(&["trace", "b/costs.csv", "2", "17"]).says(2, &["has no row 17"]);
    place.run(&["trace", "b/costs.csv", "0"]).says(2, &[]);
    place.run(&["trace", "b/costs.csv", "2"]).says(0, &[",2,1,USD,"]);
}

/// Every row of every good file, by the batch and row that stand in the lake.
#[test]
fn every_row_of_every_good_file_leads_back_to_its_line() {
    let place = Place::new();
    let files: Vec<_> = super::exports::good_files().into_values().flatten().collect();
    let paths: Vec<&std::path::Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    place.ingest(&paths, &[]).says(0, &[]);
    for batch in super::support::rows(&place.lake(), shortfall::lake::Table::Batch) {
        let export = shortfall::sources::find(&batch["system"], &batch["entity"]).expect("a source").export;
        let standing = super::support::rows(&place.lake(), export.target);
        let rows: Vec<&str> =
            standing.iter().filter(|row| row["batch_id"] == batch["batch_id"]).map(|row| row["source_row"].as_str()).collect();
        let found = traced(&place, &[&[batch["batch_id"].as_str()], rows.as_slice()].concat());
        for (row, number) in found["rows"].as_array().expect("rows").iter().zip(&rows) {
            let table = format!("{}.{}", export.target.area(), export.target.name());
            let is_there = row["became"].as_array().is_some_and(|became| became.iter().any(|one| one["table"] == table.as_str()));
            assert!(
                is_there && row["line"].as_str().is_some_and(|line| !line.is_empty()),
                "{} row {number}: {row}",
                batch["file"]
            );
        }
    }
}

/// Entries of archives, rows of sheets, rows of Parquet: each by the name under which it landed.
#[test]
fn members_of_archives_sheets_and_parquet_lead_back_too() {
    let place = Place::new();
    let fx = "date,from_currency,to_currency,rate\n2026-07-01,EUR,USD,1.08\n2026-07-01,GBP,USD,much\n";
    let files = [
        place.write("rates.zip", super::containers::zipped(&[("a/fx_2026-07-02.csv", fx.as_bytes())])),
        place.write("book.xlsx", super::containers::book()),
        place.write("cur.parquet", super::containers::cur_2_parquet(parquet::basic::Compression::SNAPPY)),
    ];
    place.ingest(&files.each_ref().map(std::path::PathBuf::as_path), &[]).says(1, &[]);
    let found = traced(&place, &["rates.zip!a/fx_2026-07-02.csv", "2", "3"]);
    assert_eq!((&found["rows"][0]["line"], &found["recorded_at"]), (&"2026-07-01,EUR,USD,1.08".into(), &"2026-07-02".into()));
    assert_eq!(
        (&found["rows"][0]["became"][0]["table"], &found["rows"][1]["reject"]["value"]),
        (&"core.fx".into(), &"much".into())
    );
    // Rows as Excel numbers them; the header stands in row 4.
    let found = traced(&place, &["book.xlsx!Rates", "5", "9"]);
    assert!(found["rows"][0]["line"].as_str().is_some_and(|line| line.contains("EUR")), "{found}");
    assert_eq!(
        (&found["rows"][0]["became"][0]["row"]["rate"], &found["rows"][1]["reject"]["value"]),
        (&"1.1".into(), &"yesterday".into())
    );
    let row = place.sql("SELECT source_row FROM core.vendor_usage WHERE cost IS NOT NULL ORDER BY source_row LIMIT 1")[0].clone();
    let found = traced(&place, &["cur.parquet", row["source_row"].as_str().expect("a row")]);
    assert!(found["rows"][0]["line"].as_str().is_some_and(|line| line.contains("line_item_unblended_cost")), "{found}");
    assert_eq!(found["rows"][0]["became"][0]["table"], "core.vendor_usage");
}
