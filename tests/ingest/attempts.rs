//! Of a batch only the files of one attempt are seen: that which `core/batch` names, or all where none is named.

use super::support::{RATES, on_lake, place_of_rates};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use shortfall::lake::delta::Mode;
use shortfall::lake::write::TableWriter;
use shortfall::lake::{Lake, Table};
use std::path::PathBuf;
use std::sync::Arc;

/// Rejects that a process has committed which then came second, or was killed.
#[test]
fn rows_of_another_attempt_at_the_same_file_are_seen_nowhere() {
    let place = place_of_rates();
    let id = place.sql("SELECT batch_id FROM core.batch")[0]["batch_id"].as_str().expect("an id").to_owned();
    let lake = Lake::open(&place.lake()).expect("a lake");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let columns = vec![text(&id), Arc::new(Int64Array::from(vec![3])), text("date"), text("other attempt"), text("not a date")];
    let row = RecordBatch::try_new(Table::Reject.schema(), columns).expect("a row");
    let mut writer = TableWriter::new(&lake, Table::Reject, &id, "0123456789abcdef");
    let adds = writer.push(&row).and_then(|()| writer.finish()).expect("a file").files;
    runtime.block_on(lake.commit(Table::Reject, adds, Mode::Append)).expect("committed");
    assert_eq!(runtime.block_on(lake.files(Table::Reject, None)).expect("files").len(), 2);

    let found = place.sql("SELECT value FROM core.reject");
    assert_eq!(found.iter().map(|row| row["value"].as_str()).collect::<Vec<_>>(), [Some("never")]);
    on_lake(&place.lake(), &["check"]).says(0, &["3 rows = 2 accepted + 1 rejected", "the lake is whole"]);
    let traced = on_lake(&place.lake(), &["trace", &id, "3"]);
    assert!(traced.says(0, &["never"]).out.matches("other attempt").count() == 0, "{traced}");
    // No attempt is taken up again: what it left goes, and is merged with nothing.
    on_lake(&place.lake(), &["optimize"]).says(0, &["core.reject", "1 files left their tables"]);
    assert_eq!(runtime.block_on(lake.files(Table::Reject, None)).expect("files").len(), 1);
    assert_eq!(place.sql("SELECT value FROM core.reject"), found);
    on_lake(&place.lake(), &["optimize"]).says(0, &["nothing to do"]);
}

/// A lake of the time before attempts: `core/batch` without the column.
#[test]
fn in_a_lake_of_a_former_version_all_files_of_a_batch_are_seen() {
    let place = place_of_rates();
    let before = [place.sql("SELECT * FROM core_history.fx ORDER BY source_row"), place.sql("SELECT * FROM core.reject")];
    let files: Vec<PathBuf> = std::fs::read_dir(place.lake().join("core/batch"))
        .expect("a table")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "parquet"))
        .collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let old = std::fs::read(file).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).expect("a file")).expect("Parquet");
    let rows = reader.build().expect("rows").next().expect("a batch").expect("rows");
    let kept: Vec<usize> = (0..rows.num_columns()).filter(|&at| rows.schema().field(at).name() != "attempt").collect();
    assert_eq!(kept.len() + 1, rows.num_columns());
    let rows = rows.project(&kept).expect("columns");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).expect("a writer");
    writer.write(&rows).expect("written");
    writer.close().expect("written");
    std::fs::write(file, &bytes).expect("written");
    let log = place.lake().join("core/batch/_delta_log/00000000000000000001.json");
    let text = std::fs::read_to_string(&log).expect("a log");
    let size = format!("\"size\":{}", old.len());
    assert!(text.contains(&size), "{text}");
    std::fs::write(&log, text.replace(&size, &format!("\"size\":{}", bytes.len()))).expect("written");

    let after = [place.sql("SELECT * FROM core_history.fx ORDER BY source_row"), place.sql("SELECT * FROM core.reject")];
    assert_eq!((before[0].len(), before[1].len()), (2, 1));
    assert_eq!(before, after);
    assert_eq!(place.sql("SELECT attempt FROM core.batch")[0]["attempt"], Value::Null);
    on_lake(&place.lake(), &["check"]).says(0, &["the lake is whole"]);
    // What is added now has an attempt, beside that which has none.
    let file = place.write("fx_2024-02-01.csv", RATES.replace("01-0", "02-0"));
    place.ingest(&[&file], &[]).says(1, &[]);
    assert_eq!((place.count("core_history.fx"), place.count("core.reject")), (4, 2));
}
