//! Whatever a file is packed in, its rows mean the same: archives, workbooks, Parquet; and what is broken in them is said by name.

use super::support::{Place, fixtures, rows};
use arrow::array::{ArrayRef, Float64Array, MapBuilder, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use shortfall::lake::{Lake, Table};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const FX: &str = "date,from_currency,to_currency,rate,source\n";

fn fx(rate: &str) -> String {
    format!("{FX}2026-06-30,EUR,USD,{rate},ECB\n2026-06-30,GBP,USD,1.27,ECB\n")
}

fn zipped_as(method: CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("an entry");
        writer.write_all(content).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

pub fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zipped_as(CompressionMethod::Deflated, entries)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// Names of the batches, with their rows, in order.
#[track_caller]
fn batches(place: &Place) -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = rows(&place.lake(), Table::Batch)
        .iter()
        .map(|row| (row["file"].rsplit('/').next().unwrap_or("").to_owned(), row["rows_accepted"].parse().expect("a count")))
        .collect();
    found.sort();
    found
}

/// Original lines of the only batch with this file name.
#[track_caller]
fn originals(place: &Place, file: &str, wanted: &[u64]) -> Vec<String> {
    let batch = rows(&place.lake(), Table::Batch).into_iter().find(|row| row["file"].ends_with(file)).expect("a batch");
    let lake = Lake::open(&place.lake()).expect("a lake");
    let found = shortfall::ingest::original::original_rows(&lake, &batch["sha256"], &batch["system"], &batch["entity"], wanted)
        .expect("kept");
    assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), wanted);
    found.into_iter().map(|(_, line)| line).collect()
}

// --- ZIP

#[test]
fn entries_of_an_archive_are_files_like_others() {
    let place = Place::new();
    let json = br#"[{"id":1,"identifier":"A","name":"Alder"}]"#;
    let inner = zipped(&[("fx_2026-05-31.csv", fx("1.05").as_bytes())]);
    let archive = zipped(&[
        ("folder/", b""),
        ("folder/fx_2026-06-30.csv", fx("1.1").as_bytes()),
        ("companies.json", json),
        ("__MACOSX/folder/._fx.csv", b"\0\x05\x16\x07"),
        ("folder/.DS_Store", b"\0\0\0\x01Bud1"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0"),
        ("packed.csv.gz", &gzip(fx("1.2").as_bytes())),
        ("more/inner.zip", &inner),
    ]);
    let file = place.write("exports_2026-07-02.zip", &archive);
    place.ingest(&[&file], &[]).says(0, &["fx", "companies"]);
    let expected = [
        ("companies.json", 1),
        ("fx_2026-06-30.csv", 2),
        ("inner.zip!fx_2026-05-31.csv", 2),
        ("exports_2026-07-02.zip!packed.csv.gz", 2),
    ];
    let mut found: Vec<(String, u64)> = rows(&place.lake(), Table::Batch)
        .iter()
        .map(|row| (row["file"].clone(), row["rows_accepted"].parse().expect("a count")))
        .collect();
    for (name, count) in expected {
        let at =
            found.iter().position(|(file, n)| file.ends_with(name) && *n == count).unwrap_or_else(|| panic!("{name}: {found:?}"));
        found.remove(at);
    }
    assert!(found.is_empty(), "{found:?}");
    // The date of an entry's name counts, then the archive's.
    let recorded = |name: &str| {
        let batch = rows(&place.lake(), Table::Batch).into_iter().find(|row| row["file"].ends_with(name)).expect("a batch");
        batch["recorded_at"][..10].to_owned()
    };
    assert_eq!(recorded("folder/fx_2026-06-30.csv"), "2026-06-30");
    assert_eq!(recorded("!packed.csv.gz"), "2026-07-02");
    assert_eq!(
        originals(&place, "folder/fx_2026-06-30.csv", &[2, 3]),
        ["2026-06-30,EUR,USD,1.1,ECB", "2026-06-30,GBP,USD,1.27,ECB"]
    );
    assert_eq!(originals(&place, "!packed.csv.gz", &[2]), ["2026-06-30,EUR,USD,1.2,ECB"]);
    // Again: nothing new, and nothing left lying about.
    place.ingest(&[&file], &[]).says(0, &["4 files were ingested before"]);
    assert!(!place.lake().join("incoming").exists());
}

#[test]
fn the_same_file_in_an_archive_and_beside_it_is_the_same_batch() {
    let place = Place::new();
    let plain = place.write("fx_2026-06-30.csv", fx("1.1"));
    let archive = place.write("all.zip", zipped(&[("sub/fx_2026-06-30.csv", fx("1.1").as_bytes())]));
    place.ingest(&[&archive, &plain], &[]).says(0, &["1 files were ingested before"]);
    assert_eq!(batches(&place), [("fx_2026-06-30.csv".to_owned(), 2)]);
}

#[test]
fn broken_archives_and_entries_are_named_and_the_rest_lands() {
    let whole = zipped(&[("fx.csv", fx("1.1").as_bytes()), ("fx_2.csv", fx("1.2").as_bytes())]);
    let (_place, ran) = Place::offer("cut.zip", &whole[..whole.len() * 2 / 3]);
    ran.says(2, &["cut.zip` is a damaged ZIP archive"]);
    let (_place, ran) = Place::offer("costs.xlsx", b"PK\x03\x04\x14\x00\x00\x00rest");
    ran.says(2, &["costs.xlsx` is a damaged ZIP archive"]);

    // A byte of one entry is wrong: its sum says so.
    let mut stored =
        zipped_as(CompressionMethod::Stored, &[("good.csv", fx("1.1").as_bytes()), ("bad.csv", fx("1.7").as_bytes())]);
    let at = stored.windows(3).position(|text| text == b"1.7").expect("the rate");
    stored[at + 2] = b'8';
    let (place, ran) = Place::offer("sums.zip", &stored);
    ran.says(1, &["sums.zip!bad.csv` is a damaged ZIP archive", "checksum"]);
    assert_eq!(batches(&place), [("sums.zip!good.csv".to_owned(), 2)]);

    // The flag of encryption, in the entry and in the directory.
    let mut locked = zipped(&[("secret.csv", fx("1.1").as_bytes()), ("open.csv", fx("1.2").as_bytes())]);
    for (mark, flag) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = locked.windows(4).position(|text| text == mark).expect("a header");
        locked[at + flag] |= 1;
    }
    let (place, ran) = Place::offer("locked.zip", &locked);
    ran.says(1, &["locked.zip!secret.csv` is encrypted; unpack it first"]);
    assert_eq!(batches(&place), [("locked.zip!open.csv".to_owned(), 2)]);

    let (_place, ran) = Place::offer("photos.zip", zipped(&[("a.jpg", &super::support::binary_junk())]));
    ran.says(2, &["photos.zip!a.jpg` is not a text file"]);
    let (_place, ran) = Place::offer("empty.zip", zipped(&[("folder/", b"")]));
    ran.says(2, &["empty.zip` is empty"]);
    let inner = zipped(&[("b.zip", &zipped(&[("c.zip", &zipped(&[("fx.csv", fx("1").as_bytes())]))]))]);
    let (_place, ran) = Place::offer("a.zip", inner);
    ran.says(2, &["a.zip!b.zip!c.zip", "archive within an archive"]);
}

#[test]
fn an_archive_that_would_fill_the_disk_is_stopped() {
    let zeros = vec![b'0'; 80 << 20];
    let (_place, ran) = Place::offer("bomb.zip", zipped(&[("fx.csv", &zeros)]));
    ran.says(2, &["bomb.zip!fx.csv` is over 250 times larger unpacked than packed"]);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..10_001 {
        writer
            .start_file(number.to_string(), SimpleFileOptions::default().compression_method(CompressionMethod::Stored))
            .expect("an entry");
    }
    let (_place, ran) = Place::offer("many.zip", writer.finish().expect("memory").into_inner());
    ran.says(2, &["many.zip` has more than 10000 entries"]);
}

#[test]
fn junk_beside_exports_is_passed_over_and_a_broken_file_keeps_nothing_back() {
    let place = Place::new();
    for (name, content) in [
        ("in/~$book.xlsx", "x"),
        ("in/Thumbs.db", "x"),
        ("in/desktop.ini", "x"),
        ("in/.hidden/x.csv", "x"),
        ("in/__MACOSX/y.csv", "x"),
    ] {
        place.write(name, content);
    }
    place.write("in/fx.csv", fx("1.1"));
    place.ingest(&[&place.path("in")], &[]).says(0, &[]);
    place.write("in/cut.zip", &zipped(&[("fx.csv", fx("1.1").as_bytes())])[..40]);
    place.write("in/gbp.csv", format!("{FX}2026-06-30,GBP,USD,1.3,ECB\n"));
    place.ingest(&[&place.path("in")], &[]).says(1, &["not ingested", "in/cut.zip"]);
    assert_eq!(batches(&place), [("fx.csv".to_owned(), 2), ("gbp.csv".to_owned(), 1)]);
}

// --- workbooks

/// A workbook with a cover, and rates below two empty rows and a title.
pub fn book() -> Vec<u8> {
    let mut book = Workbook::new();
    let cover = book.add_worksheet().set_name("Cover").expect("a name");
    cover.write(0, 0, "Rates, as agreed").expect("a cell");
    let rates = book.add_worksheet().set_name("Rates").expect("a name");
    rates.write(2, 1, "Rates of the month").expect("a cell");
    for (column, name) in (1..).zip(["Date", "From_Currency", "To_Currency", "Rate", "Source"]) {
        rates.write(3, column, name).expect("a cell");
    }
    let day = Format::new().set_num_format("dd.mm.yyyy");
    let date = ExcelDateTime::from_ymd(2026, 6, 30).expect("a date");
    for (row, code, rate) in [(4, "EUR", 1.1), (6, "GBP", 0.1 + 0.2), (7, "CHF", 6.71e-8)] {
        rates.write_with_format(row, 1, &date, &day).expect("a cell");
        rates.write(row, 2, code).expect("a cell");
        rates.write(row, 3, "USD").expect("a cell");
        rates.write(row, 4, rate).expect("a cell");
    }
    rates.write(7, 5, Formula::new("=\"EC\"&\"B\"").set_result("ECB")).expect("a cell");
    rates.write(8, 1, "yesterday").expect("a cell");
    book.save_to_buffer().expect("memory")
}

#[test]
fn sheets_are_read_with_the_row_numbers_that_excel_shows() {
    let (place, ran) = Place::offer("rates_2026-07-01.xlsx", book());
    ran.says(1, &["passed over, as they are no exports", "rates_2026-07-01.xlsx!Cover", "1 rows of"]);
    assert_eq!(place.counts(), (4, 3, 1));
    place.rejects_are(&[(9, "date", "yesterday", "not a date")]);
    let query =
        "SELECT source_row, CAST(date AS VARCHAR) AS date, from_currency, rate, source FROM core_history.fx ORDER BY source_row";
    let found: Vec<Vec<String>> = place
        .sql(query)
        .iter()
        .map(|row| row.as_object().expect("a row").values().map(|cell| cell.as_str().unwrap_or("NULL").to_owned()).collect())
        .collect();
    assert_eq!(
        found,
        [
            ["5", "2026-06-30T00:00:00Z", "EUR", "1.1", "NULL"],
            ["7", "2026-06-30T00:00:00Z", "GBP", "0.30000000000000004", "NULL"],
            ["8", "2026-06-30T00:00:00Z", "CHF", "0.0000000671", "ECB"],
        ]
    );
    let shown = r#"[null,"2026-06-30","CHF","USD",0.0000000671,"ECB"]"#;
    assert_eq!(originals(&place, "rates_2026-07-01.xlsx!Rates", &[8]), [shown]);
}

#[test]
fn a_workbook_saved_again_is_known_and_one_in_an_archive_too() {
    let place = Place::new();
    let file = place.write("a_2026-07-01.xlsx", book());
    place.ingest(&[&file], &[]).says(1, &[]);
    // Another time stamp within, the same cells.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let again = place.write("b_2026-07-01.zip", zipped(&[("copy.xlsx", &book())]));
    place.ingest(&[&again], &[]).says(0, &["1 files were ingested before"]);
    assert_eq!(batches(&place).len(), 1);
}

#[test]
fn workbooks_without_an_export_and_damaged_ones_are_named() {
    let mut foreign = Workbook::new();
    for name in ["Plan", "Notes"] {
        foreign.add_worksheet().set_name(name).expect("a name").write(0, 0, "Holidays").expect("a cell");
    }
    let (_place, ran) = Place::offer("plan.xlsx", foreign.save_to_buffer().expect("memory"));
    ran.says(2, &["plan.xlsx`: none of its sheets (Plan, Notes) is an export"]);
    let mut near = Workbook::new();
    let sheet = near.add_worksheet();
    for (column, name) in (0..).zip(["date", "from_currency", "to_currency"]) {
        sheet.write(0, column, name).expect("a cell");
    }
    let (_place, ran) = Place::offer("near.xlsx", near.save_to_buffer().expect("memory"));
    ran.says(2, &["near.xlsx!Sheet1` looks like mapping fx but lacks the columns rate"]);
    let whole = book();
    let (_place, ran) = Place::offer("cut.xlsx", &whole[..whole.len() / 2]);
    ran.says(2, &["cut.xlsx` is a damaged ZIP archive"]);
    let (_place, ran) = Place::offer("old.xls", [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0; 2000]].concat());
    ran.says(2, &["old.xls` is a workbook that cannot be read"]);
}

#[test]
fn an_open_document_sheet_is_a_sheet() {
    let cell = |kind: &str, text: &str| match kind {
        "float" => {
            format!(r#"<table:table-cell office:value-type="float" office:value="{text}"><text:p>x</text:p></table:table-cell>"#)
        }
        "date" => format!(
            r#"<table:table-cell office:value-type="date" office:date-value="{text}"><text:p>x</text:p></table:table-cell>"#
        ),
        _ => format!(r#"<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>"#),
    };
    let row = |cells: &[(&str, &str)]| {
        let cells: String = cells.iter().map(|(kind, text)| cell(kind, text)).collect();
        format!("<table:table-row>{cells}</table:table-row>")
    };
    let header = row(&["date", "from_currency", "to_currency", "rate"].map(|name| ("string", name)));
    let line = row(&[("date", "2026-06-30"), ("string", "EUR"), ("string", "USD"), ("float", "1.125")]);
    let content = format!(
        r#"<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet><table:table table:name="Kurse">{header}{line}</table:table></office:spreadsheet></office:body></office:document-content>"#
    );
    let manifest =
        r#"<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>"#;
    let book = zipped(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("content.xml", content.as_bytes()),
        ("META-INF/manifest.xml", manifest.as_bytes()),
    ]);
    let (place, ran) = Place::offer("kurse.ods", book);
    ran.says(0, &[]);
    assert_eq!(batches(&place), [("kurse.ods!Kurse".to_owned(), 1)]);
    assert_eq!(place.count("core_history.fx WHERE rate = 1.125 AND source_row = 2"), 1);
}

// --- Parquet

/// The good CUR 2.0 as AWS writes it as Parquet: doubles, timestamps, a map of product attributes.
pub fn cur_2_parquet(compression: Compression) -> Vec<u8> {
    let text = std::fs::read_to_string(fixtures().join("aws_cur/good_cur_2.csv")).expect("the good file");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let cells = || records.iter().map(move |record| Some(&record[at]).filter(|text| !text.is_empty()));
        let array: ArrayRef = if name.ends_with("_amount") || name.ends_with("_rate") || name.ends_with("_cost") {
            Arc::new(cells().map(|text| text.map(|text| text.parse::<f64>().expect("a number"))).collect::<Float64Array>())
        } else if name.ends_with("_date") {
            let millis = |text: &str| {
                let text = text.trim_end_matches('Z').replace('T', " ");
                chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f")
                    .expect("an instant")
                    .and_utc()
                    .timestamp_millis()
            };
            Arc::new(cells().map(|text| text.map(millis)).collect::<TimestampMillisecondArray>())
        } else if ["product", "resource_tags", "discount", "cost_category"].contains(&name.as_str()) {
            let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
            for text in cells() {
                let object: BTreeMap<String, String> = serde_json::from_str(text.unwrap_or("{}")).expect("an object");
                for (key, value) in object {
                    map.keys().append_value(key);
                    map.values().append_value(value);
                }
                map.append(true).expect("as many keys as values");
            }
            Arc::new(map.finish())
        } else {
            Arc::new(cells().collect::<StringArray>())
        };
        columns.push((name.clone(), array));
    }
    let batch = RecordBatch::try_from_iter(columns).expect("columns of equal length");
    let properties = WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(2)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("memory");
    writer.close().expect("memory");
    bytes
}

/// Rows of a table without where they come from.
fn contents(lake: &Path, table: Table) -> Vec<BTreeMap<String, String>> {
    let mut found = rows(lake, table);
    for row in &mut found {
        for name in ["batch_id", "source_row", "recorded_at"] {
            row.remove(name);
        }
    }
    found.sort();
    found
}

#[test]
fn a_report_as_parquet_says_what_it_says_as_csv() {
    let csv = Place::new();
    csv.ingest(&[&fixtures().join("aws_cur/good_cur_2.csv")], &[]).says(0, &[]);
    let expected = contents(&csv.lake(), Table::VendorUsage);
    assert!(!expected.is_empty());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::SNAPPY, Compression::GZIP(GzipLevel::default()), zstd, Compression::UNCOMPRESSED] {
        let (place, ran) = Place::offer("cur-00001.snappy.parquet", cur_2_parquet(compression));
        ran.says(0, &["cur_2"]);
        assert_eq!(contents(&place.lake(), Table::VendorUsage), expected, "{compression:?}");
    }
    let packed = [("year=2026/cur.parquet", cur_2_parquet(Compression::SNAPPY)), ("cur.parquet.gz", gzip(&cur_2_parquet(zstd)))];
    let packed: Vec<(&str, &[u8])> = packed.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let (place, ran) = Place::offer("cur.zip", zipped(&packed[..1]));
    ran.says(0, &[]);
    assert_eq!(contents(&place.lake(), Table::VendorUsage), expected);
    let line = &originals(&place, "cur.zip!year=2026/cur.parquet", &[1, 3])[1];
    let third = rows(&place.lake(), Table::VendorUsage).into_iter().find(|row| row["source_row"] == "3").expect("a row");
    assert!(line.contains(&third["customer_native_id"]) && line.contains(r#""line_item_unblended_cost":49,"#), "{line}");
    let (place, ran) = Place::offer("gz.zip", zipped(&packed[1..]));
    ran.says(0, &[]);
    assert_eq!(contents(&place.lake(), Table::VendorUsage), expected);
}

#[test]
fn parquet_of_something_else_and_damaged_parquet_are_named() {
    let (_place, ran) = Place::offer("cut.parquet", &cur_2_parquet(Compression::SNAPPY)[..900]);
    ran.says(2, &["cut.parquet` is a Parquet file that cannot be read"]);
    let column: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let batch = RecordBatch::try_from_iter([("colour", column)]).expect("a column");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("memory");
    writer.close().expect("memory");
    let (_place, ran) = Place::offer("other.parquet", bytes);
    ran.says(2, &["other.parquet` is no export that Shortfall knows (its columns begin colour)"]);
    // No rows are no fault.
    let names = ["date", "from_currency", "to_currency", "rate"];
    let empty = RecordBatch::try_from_iter(names.map(|name| (name, Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef)));
    let empty = empty.expect("columns");
    let mut bytes = Vec::new();
    ArrowWriter::try_new(&mut bytes, empty.schema(), None).expect("a writer").close().expect("memory");
    let (place, ran) = Place::offer("fx.parquet", bytes);
    ran.says(0, &[]);
    assert_eq!(place.counts(), (0, 0, 0));
}
